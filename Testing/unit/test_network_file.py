"""Network files: what was written is read, anything else is refused; a CT is known again in another file."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import save_file
from torch import nn
from xrayreg.errors import InputError
from xrayreg.images import Grid, Volume, read_volume
from xrayreg.learn import check_same_patient, load_weights, read_network, volume_sha256, write_network
from xrayreg.learn.tensor_files import read_tensors, write_tensors

DESCRIPTION = {"volumes": ["ab12"], "agnostic": False, "config": {"pixels": 128, "channels": [8, 16]}}


@pytest.fixture
def network(tmp_path) -> Path:
    path = tmp_path / "N.pt"
    write_network(path, nn.Linear(2, 3).state_dict(), DESCRIPTION)
    return path


def test_a_network_is_read_as_it_was_written(tmp_path):
    module = nn.Sequential(nn.Conv2d(2, 8, 3).to(memory_format=torch.channels_last), nn.BatchNorm2d(8))
    path = tmp_path / "any.ending"
    write_network(path, module.state_dict(), DESCRIPTION)
    weights, description = read_network(path)
    assert description == DESCRIPTION
    assert {name: tensor.dtype for name, tensor in weights.items()} == {
        name: tensor.dtype for name, tensor in module.state_dict().items()
    }
    other = nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8))
    load_weights(other, weights, path)
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in module.state_dict().items())


def test_halves_are_kept_as_halves_and_loaded_into_floats(tmp_path):
    path, module = tmp_path / "N.pt", nn.Linear(2, 3)
    write_network(path, {name: tensor.half() for name, tensor in module.state_dict().items()}, DESCRIPTION)
    weights, _ = read_network(path)
    assert weights["weight"].dtype == torch.float16
    load_weights(module, weights, path)
    assert module.weight.dtype == torch.float32


def test_layers_that_share_weights_are_written(tmp_path):
    one = nn.Linear(2, 2)
    write_network(tmp_path / "N.pt", nn.Sequential(one, one).state_dict(), DESCRIPTION)
    assert set(read_network(tmp_path / "N.pt")[0]) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def replace_text(old: bytes, new: bytes):
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new))


def claim_a_long_header(path):
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])


def claim_more_values(path):
    """The header says float64 where float32 is stored."""
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F64"'))


def newer(path):
    weights, description = read_tensors(path, "network")
    write_tensors(path, weights, "network", {**description, "schema_version": 2})


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (Path.unlink, "no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
        (
            lambda path: torch.save(nn.Linear(2, 3).state_dict(), path),
            "is a pickle, which can run any program",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "is cut off"),
        (lambda path: path.write_bytes(path.read_bytes()[:5]), "not a safetensors file"),
        (claim_a_long_header, "not a safetensors file"),
        (claim_more_values, "is damaged"),
        (replace_text(b'"__metadata__"', b'"__metadata__}'), "is damaged: its header is no JSON"),
        (replace_text(b"ab12", b"ab1\\"), "is damaged: its header is no JSON"),
        (lambda path: save_file({"a": torch.zeros(2)}, path), "is no network of ours"),
        (lambda path: write_tensors(path, {}, "checkpoint", {}), "is a checkpoint, not a network"),
        (newer, "has schema_version 2, this program reads 1 - update xrayreg"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(network, damage, why):
    damage(network)
    with pytest.raises(InputError) as caught:
        read_network(network)
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"{network}: ")


def test_a_file_far_larger_than_a_network_is_not_read(network):
    with network.open("r+b") as file:
        file.truncate(9 * 2**30)  # of which the disk holds nothing
    with pytest.raises(InputError, match="10 GB, more than any network"):
        read_network(network)


def test_weights_of_another_network_are_refused(network):
    weights, _ = read_network(network)
    with pytest.raises(InputError, match=r"N.pt: tensor weight is of shape \(3, 2\), not \(4, 2\)"):
        load_weights(nn.Linear(2, 4), weights, network)
    with pytest.raises(InputError, match=r"has a tensor bias, which has no place"):
        load_weights(nn.Linear(2, 3, bias=False), weights, network)
    with pytest.raises(InputError, match=r"has no tensor 0.weight"):
        load_weights(nn.Sequential(nn.Linear(2, 3)), weights, network)


def test_a_description_that_json_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_network(tmp_path / "N.pt", {}, {"volumes": [], "loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_header_is_readable_by_anyone(network):
    content = network.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["xrayreg"])
    assert entry["description"] == {"schema_version": 1, **DESCRIPTION}


# --- The CT ---

SPACING = (0.9375, 0.78125, 2.5)  # halves of a thousandth, and what scanners have


def ct() -> Volume:
    hu = np.random.default_rng(1).integers(-1000, 2000, (4, 5, 6)).astype(np.float32)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-123.4375, 56.7, -1040.25)
    return Volume(hu, Grid((6, 5, 4), affine))


def moved(volume: Volume, shift_mm: float) -> Volume:
    affine = volume.grid.patient_from_index.copy()
    affine[0, 3] += shift_mm
    return Volume(volume.hu, Grid(volume.grid.size, affine))


def itk_image(volume: Volume) -> sitk.Image:
    image = sitk.GetImageFromArray(volume.hu.astype(np.int16))
    image.SetSpacing(SPACING)
    image.SetOrigin(volume.grid.patient_from_index[:3, 3].tolist())
    return image


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("order", ["LPS", "RAS", "PIR", "SLA"])
def test_a_copy_in_another_format_and_orientation_is_the_same_ct(tmp_path, ending, order):
    path = tmp_path / f"ct.{ending}"
    sitk.WriteImage(sitk.DICOMOrient(itk_image(ct()), order), str(path))
    copy = read_volume(path)
    assert order == "LPS" or not np.array_equal(copy.hu, ct().hu)
    assert volume_sha256(copy) == volume_sha256(ct())


def test_the_last_bits_of_numbers_do_not_make_another_ct():
    volume = ct()
    affine = volume.grid.patient_from_index * (1 - 1e-7)
    affine[3, 3] = 1
    rounded = Volume(volume.hu + np.float32(1e-4), Grid(volume.grid.size, affine))
    assert volume_sha256(rounded) == volume_sha256(volume)
    assert volume_sha256(moved(volume, 1e-5)) == volume_sha256(moved(volume, -1e-5)) == volume_sha256(volume)


def test_other_values_another_place_or_mirroring_make_another_ct():
    volume = ct()
    other = volume.hu.copy()
    other[0, 0, 0] += 1
    mirrored = volume.grid.patient_from_index @ np.diag([-1.0, 1, 1, 1])
    mirrored[0, 3] += 5 * SPACING[0]  # the same box
    others = [
        Volume(other, volume.grid),
        moved(volume, 0.1),
        Volume(volume.hu, Grid(volume.grid.size, mirrored)),
        Volume(volume.hu.reshape(5, 4, 6), Grid((6, 4, 5), volume.grid.patient_from_index)),
    ]
    assert len({volume_sha256(each) for each in [volume, *others]}) == 5


def test_a_network_is_for_the_cts_it_was_trained_on():
    volume = ct()
    own = {"volumes": ["ab12", volume_sha256(volume)], "agnostic": False}
    assert check_same_patient(own, volume, "N.pt") == ""
    assert check_same_patient(own | {"volumes": ["ab12"], "agnostic": True}, volume, "N.pt") == ""
    with pytest.raises(InputError, match=r"N\.pt: was trained on another CT than volume"):
        check_same_patient(own, moved(volume, 1.0), "N.pt")
    with pytest.raises(InputError, match="another CT"):
        check_same_patient({}, volume, "N.pt")
    note = check_same_patient(own, moved(volume, 1.0), "N.pt", allowed=True)
    assert note == "N.pt: trained on another CT than volume"
