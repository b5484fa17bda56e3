"""`xrayreg register --init network`: no start pose but a network's, refused where it may not be used."""

import phantom
import pytest
import torch
from looking import contents, mean_tre_mm, pose_of, read_json
from PIL import Image
from xrayreg.geometry import about
from xrayreg.images import read_volume
from xrayreg.learn import (
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    volume_sha256,
    write_network,
)
from xrayreg.learn.codes import encode, fields_of

OFF = about(phantom.CENTRE, [0.07, -0.06, 0.05, 3, -4, 12])
SMALL = NetworkConfig(pixels=32, channels=(8,), blocks=(1,), cells=1)


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return phantom.write_ct(tmp_path_factory.mktemp("phantom") / "ct.nii.gz")


@pytest.fixture(scope="module")
def view(ct):
    return phantom.make_views(ct)[0]


@pytest.fixture
def write(tmp_path, ct, view):
    """A network file whose network says one pose whatever it sees; ``changes`` of its description."""

    def make(**changes):
        ranges = PoseRanges()
        module = PoseNetwork(SMALL)
        pose = torch.as_tensor(view.truth.camera_from_patient @ OFF)[None]
        middle = torch.as_tensor(ranges.middle)
        code = encode(pose, torch.as_tensor(phantom.CENTRE), middle, fields_of([view.truth]))
        with torch.no_grad():
            module.head.bias[:9] = code[0]
            module.head.bias[9:] = torch.log(torch.tensor([0.1, 0.02, 0.03]))
        description = {
            "network": SMALL.as_json,
            "ranges": ranges.as_json,
            "centre": phantom.CENTRE.tolist(),
            "volumes": [volume_sha256(read_volume(ct))],
            **changes,
        }
        write_network(tmp_path / "net.pt", module.state_dict(), description)
        return tmp_path / "net.pt"

    return make


@pytest.fixture
def arguments(tmp_path, ct, view):
    """X-ray and camera file without a pose."""
    xray = phantom.write_xray(tmp_path / "frontal.png", view.pixels)
    camera = phantom.write_camera(tmp_path / "frontal.json", view.start, camera_from_patient=None)
    out = ["--out", tmp_path / "out"]
    return ["register", "--volume", ct, "--xray", xray, "--camera", camera, *out]


def test_registration_starts_where_the_network_says_and_ends_where_it_should(
    xrayreg, arguments, write, view, tmp_path
):
    network = write()
    answer = xrayreg(*arguments, "--network", network)  # auto takes the network that is given
    assert answer.code in (0, 3), answer.err  # so small a body in one view need not be accepted
    result = read_json(tmp_path / "out" / "registration.json")
    assert result["inputs"]["network"]["path"] == str(network)
    (shown,) = result["views"]
    truth, points = view.truth.camera_from_patient, phantom.targets()
    start = mean_tre_mm(pose_of(shown, "initial_camera_from_patient"), truth, points)
    assert 5 < start < 60  # OFF, and what the field's other glances make of one and the same code
    assert mean_tre_mm(pose_of(shown), truth, points) < 2
    assert "start pose from the network, expected to be off by" in answer.err
    # It says the same whatever it sees, so it looks nowhere: that is a reason not to accept.
    assert result["confidence"]["verdict"] != "accept"
    assert any("looked beside the anatomy" in reason for reason in result["confidence"]["reasons"])
    with Image.open(tmp_path / "out" / "attention_frontal.png") as picture:
        assert picture.size[0] >= view.pixels.shape[1]


def refused(xrayreg, tmp_path, *arguments) -> str:
    before = contents(tmp_path)
    line = xrayreg(*arguments).check_refused()
    assert contents(tmp_path) == before
    return line


def test_a_network_of_another_ct_is_refused_unless_it_is_meant(xrayreg, arguments, write, tmp_path, at_start):
    network = write(volumes=["0" * 64])
    line = refused(xrayreg, tmp_path, *arguments, "--network", network)
    assert "another CT" in line
    assert "--other-patient" in line
    assert xrayreg(*arguments, "--network", network, "--other-patient").code in (0, 3)


def test_an_agnostic_description_without_what_it_needs_is_refused(xrayreg, arguments, write, tmp_path):
    assert "not of a pose network" in refused(xrayreg, tmp_path, *arguments, "--network", write(network=None))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--init", "network"], "--init network needs a network"),
        (["--other-patient"], "goes with --network"),
        (["--init", "camera", "--network", "net.pt"], "does not go with --init camera"),
        (["--network", "missing.pt"], "missing.pt"),
    ],
)
def test_options_that_do_not_go_together_are_refused(xrayreg, arguments, extra, words, tmp_path):
    assert words in refused(xrayreg, tmp_path, *arguments, *extra)


def test_a_damaged_network_is_refused_by_its_name(xrayreg, arguments, write, tmp_path):
    network = write()
    content = bytearray(network.read_bytes())
    content[-5] ^= 0xFF
    network.write_bytes(content)
    line = refused(xrayreg, tmp_path, *arguments, "--network", network)
    assert "net.pt" in line
    assert "damaged" in line
