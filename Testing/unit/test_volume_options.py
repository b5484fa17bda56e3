"""The options of a volume on the command line, and what they lead to."""

import argparse

import numpy as np
import pytest
import SimpleITK
from test_dicom_series import VALUES, save_series
from xrayreg.cli import main
from xrayreg.cli.options import add_volume_options, air_hu, volume_of
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, write_camera_file
from xrayreg.register import Confidence, not_of_a_ct


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_volume_options(parser)
    return parser.parse_args(list(map(str, arguments)))


def test_a_series_is_chosen(tmp_path):
    save_series(tmp_path, series="1.2.111111", SeriesNumber=4)
    save_series(tmp_path, series="1.2.222222", SeriesNumber=5, positions=(0.0, 1.0, 2.0))
    with pytest.raises(InputError, match="--series 4"):
        volume_of(options("--volume", tmp_path))
    volume = volume_of(options("--volume", tmp_path, "--series", 5))
    assert volume.grid.size == (2, 3, 3)
    assert air_hu(options("--volume", tmp_path)) == -1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bias-correct",), "--bias-correct is for an MR"),
        (("--kind", "mr", "--air-hu", "-120"), "--air-hu is for values in HU"),
        (("--kind", "vessels"), "nothing says where vessels begin"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        volume_of(options("--volume", tmp_path, *arguments))


def test_series_is_for_dicom_folders(tmp_path):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VALUES), str(tmp_path / "ct.nrrd"))
    with pytest.raises(InputError, match=r"ct\.nrrd: is no DICOM folder - leave out --series"):
        volume_of(options("--volume", tmp_path / "ct.nrrd", "--series", "1"))


def test_an_mr_is_rendered_and_said_to_be_one(tmp_path, capsys):
    # Bright tissue of 1000 fills voxels 10 .. 29 along each axis of 40, 2 mm each, in a background of 0.
    values = np.zeros((40, 40, 40), np.int16)
    values[10:30, 10:30, 10:30] = 1000
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((2, 2, 2))
    image.SetOrigin((-39, -39, -39))
    SimpleITK.WriteImage(image, str(tmp_path / "mr.nrrd"))
    write_camera_file(tmp_path / "camera.json", CArm(1000.0, 700.0, 0.0, 0.0).camera((41, 41), (1.0, 1.0)))
    out = tmp_path / "drr.nrrd"
    command = ["render", "--volume", tmp_path / "mr.nrrd", "--camera", tmp_path / "camera.json", "--out", out]
    assert main([*map(str, command), "--kind", "mr"]) == 0
    # The central ray runs through 40 mm of what is taken for water.
    assert SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(out)))[0, 20, 20] == pytest.approx(
        0.772, rel=1e-3
    )
    assert "mr.nrrd: an MR has no attenuation: its bright tissue is taken as dense" in capsys.readouterr().err


def test_an_mr_is_never_accepted():
    for given, left in (("accept", "review"), ("review", "review"), ("reject", "reject")):
        statement = not_of_a_ct(Confidence(given, 0.99, 0.2, 0.6, ("plain",)), "an MR")
        assert statement.verdict == left
        assert statement.reasons == (
            "plain",
            "the volume is an MR; how far to trust that is known of CTs only",
        )
