"""NRRD and MetaImage: the place that the header states, or a refusal; sizes are not believed unchecked."""

import gzip

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import apply
from xrayreg.images import read_volume

VOXELS = bytes(range(24))


def nrrd(path, data=VOXELS, **fields):
    """2 x 3 x 4 voxels of 1, 2, 3 mm from (10, 20, 30) in LPS; fields changed, or left out where None."""
    head = {
        "type": "uint8",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "2 3 4",
        "space directions": "(1,0,0) (0,2,0) (0,0,3)",
        "kinds": "domain domain domain",
        "encoding": "raw",
        "space origin": "(10,20,30)",
    }
    head |= {key.replace("_", " "): value for key, value in fields.items()}
    lines = [f"{key}: {value}" for key, value in head.items() if value is not None]
    path.write_bytes("\n".join(["NRRD0004", *lines, "", ""]).encode() + data)
    return path


def mha(path, data=VOXELS, **fields):
    head = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "10 20 30",
        "ElementSpacing": "1 2 3",
        "DimSize": "2 3 4",
        "ElementType": "MET_UCHAR",
    }
    head |= fields
    head["ElementDataFile"] = head.pop("ElementDataFile", "LOCAL")  # stands last
    lines = [f"{key} = {value}" for key, value in head.items() if value is not None]
    path.write_bytes("\n".join([*lines, ""]).encode() + data)
    return path


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        # Index (1, 2, 3) is 1, 4 and 9 mm from (10, 20, 30) along the space's own axes.
        ("left-posterior-superior", [11, 24, 39]),
        ("right-anterior-superior", [-11, -24, 39]),
        ("LAS", [11, -24, 39]),
    ],
)
def test_spaces_of_nrrd(tmp_path, space, expected):
    volume = read_volume(nrrd(tmp_path / "ct.nrrd", space=space), kind="mr")
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), expected)
    assert volume.grid.is_left_handed == (space == "LAS")
    assert volume.hu[3, 2, 1] == 23


def test_sheared_grids_are_kept(tmp_path):
    # Index k adds (0, 1, 3) in NRRD; in MetaImage its direction (0, 0.25, 1) times 3 mm: (0, 0.75, 3).
    volume = read_volume(nrrd(tmp_path / "ct.nrrd", space_directions="(1,0,0) (0,2,0) (0,1,3)"))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [11, 27, 39])
    volume = read_volume(mha(tmp_path / "ct.mha", TransformMatrix="1 0 0 0 1 0 0 0.25 1"))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [11, 26.25, 39])


@pytest.mark.parametrize("letters", ["RAI", "LPS", "???", None])
def test_orientation_letters_that_agree_by_either_reading(tmp_path, letters):
    volume = read_volume(mha(tmp_path / "ct.mha", AnatomicalOrientation=letters))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [11, 24, 39])


NOWHERE = {"space": None, "space_origin": None, "space_directions": None}


@pytest.mark.parametrize(
    ("make", "name", "fields", "message"),
    [
        (nrrd, "ct.nrrd", {"space": "scanner-xyz"}, "NRRD field 'space' is scanner-xyz"),
        (
            nrrd,
            "ct.nrrd",
            {"space": None, "space_origin": None, "space_directions": None},
            "NRRD field 'space' is missing",
        ),
        (nrrd, "ct.nrrd", {"space_origin": None}, "NRRD field 'space origin' is missing"),
        (
            nrrd,
            "ct.nrrd",
            {"space_units": '"m" "m" "m"'},
            'NRRD field \'space units\' is "m" "m" "m", not mm',
        ),
        (nrrd, "ct.nrrd", {"sizes": "2 3 5"}, "says 30 bytes of voxels, the file holds 24"),
        (nrrd, "ct.nrrd", {"sizes": "100000 100000 2"}, "100000 x 100000 x 2 voxels, more than"),
        (nrrd, "ct.nrrd", {"encoding": "gzip", "sizes": "1000 1000 1000"}, "its header is wrong"),
        (nrrd, "ct.nrrd", {"data_file": "../elsewhere.raw"}, "in the file elsewhere.raw, which is not there"),
        (mha, "ct.mha", {"TransformMatrix": None}, "MetaImage field TransformMatrix is missing"),
        (mha, "ct.mha", {"Offset": None}, "MetaImage field Offset is missing"),
        (mha, "ct.mha", {"ElementSpacing": None}, "MetaImage field ElementSpacing is missing"),
        (mha, "ct.mha", {"ElementSpacing": "1 0 3"}, "its spacing is 1 x 0 x 3 mm, not positive"),
        (
            mha,
            "ct.mha",
            {"AnatomicalOrientation": "LAI"},
            "LAI and TransformMatrix (RAI) contradict",
        ),
        (mha, "ct.mha", {"DistanceUnits": "cm"}, "DistanceUnits is cm, not mm"),
        (mha, "ct.mha", {"DimSize": "2 3 5"}, "says 30 bytes of voxels, the file holds 24"),
        (mha, "ct.mhd", {"ElementDataFile": "ct.raw"}, "in the file ct.raw, which is not there - copy both"),
    ],
)
def test_what_is_refused(tmp_path, capfd, make, name, fields, message):
    path = make(tmp_path / name, **fields)
    with pytest.raises(InputError) as error:
        read_volume(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""  # nothing printed by the libraries


def test_synonyms_of_metaimage(tmp_path):
    path = mha(
        tmp_path / "ct.mha",
        TransformMatrix=None,
        Offset=None,
        ElementSpacing=None,
        Orientation="1 0 0 0 1 0 0 0 1",
        Position="10 20 30",
        ElementSize="1 2 3",
    )
    np.testing.assert_allclose(apply(read_volume(path).grid.patient_from_index, [1, 2, 3]), [11, 24, 39])


def test_a_packed_stream_that_goes_on_is_cut_at_the_headers_size(tmp_path):
    path = nrrd(tmp_path / "ct.nrrd", gzip.compress(bytes(range(24)) + bytes(20_000_000)), encoding="gzip")
    volume = read_volume(path, kind="mr")
    assert volume.grid.size == (2, 3, 4)
    np.testing.assert_array_equal(volume.hu.ravel(), np.arange(24))


def test_more_voxels_than_memory(tmp_path, monkeypatch):
    # 24 voxels at 12 bytes each need 288 bytes.
    monkeypatch.setattr("xrayreg.images.size_guard.physical_memory_bytes", lambda: 287)
    with pytest.raises(InputError, match="its 2 x 3 x 4 voxels need"):
        read_volume(nrrd(tmp_path / "ct.nrrd"))
    monkeypatch.setattr("xrayreg.images.size_guard.physical_memory_bytes", lambda: 288)
    assert read_volume(nrrd(tmp_path / "ct.nrrd")).grid.size == (2, 3, 4)
