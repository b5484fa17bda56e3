"""The file of a trained network, and the CTs that it knows."""

import hashlib
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..images import Volume
from .tensor_files import read_tensors, write_tensors

SCHEMA_VERSION = 1
_KIND = "network"
# Rounding has an edge somewhere: here where hardly a number lies that people or scanners choose. Halves of
# a thousandth, as 0.9375 mm has, would fall to either side by the last bit of a float.
_EDGE = 0.33789
_DIRECTION_STEP, _PLACE_STEP_MM = 1e-3, 1e-2


def write_network(path: Path, state_dict: Mapping[str, Tensor], description: dict) -> None:
    """Write a network as one safetensors file, of whatever ending; whole, or not at all.

    Args:
        description: what JSON can hold. ``volumes``: `volume_sha256` of each CT it was trained on;
            ``agnostic``: whether it is meant for other patients; the rest as the network needs it.

    Raises:
        OSError: if the file cannot be written.
    """
    write_tensors(path, state_dict, _KIND, {"schema_version": SCHEMA_VERSION, **description})


def read_network(path: Path) -> tuple[dict[str, Tensor], dict]:
    """What `write_network` wrote: the weights for `load_weights`, on the CPU, and the description.

    Raises:
        InputError: names the file: missing, no safetensors (a pickle is not opened), damaged, not of this
            program, or of a newer one.
    """
    tensors, description = read_tensors(path, _KIND)
    version = description.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        what = f"has schema_version {version}, this program reads {SCHEMA_VERSION}"
        raise InputError(what, where=path, remedy="update xrayreg, or train the network anew")
    return tensors, description


def check_same_patient(description: dict, volume: Volume, where: object, *, allowed: bool = False) -> str:
    """What is to be said of a network that was not trained on this CT; "" for one that was.

    Args:
        description: as `read_network` returns it.
        where: the network's file.
        allowed: whether the user wants a network of another CT.

    Raises:
        InputError: if the network is of other CTs, not meant for other patients, and not allowed.
    """
    if description.get("agnostic") or volume_sha256(volume) in description.get("volumes", ()):
        return ""
    if allowed:
        return f"{where}: trained on another CT than {volume.name}"
    raise InputError(
        f"was trained on another CT than {volume.name}",
        where=where,
        remedy="train or fine-tune one on this CT, or say that another is meant (--other-patient)",
    )


def volume_sha256(volume: Volume) -> str:
    """By which a CT is known again in another file or format.

    Of its values rounded to whole HU and of its place (directions to a thousandth of a mm per voxel, the
    first voxel to a hundredth of a mm), with the axes in the order and direction that lie nearest to LPS:
    DICOM, NIfTI and NRRD store the same CT differently. A copy that was resampled, cropped or masked is
    another CT.
    """
    hu, patient_from_index = _nearest_to_lps(volume.hu, volume.grid.patient_from_index)
    digest = hashlib.sha256(np.array(hu.shape, "<i8").tobytes())
    digest.update(_steps(patient_from_index[:3, :3], _DIRECTION_STEP))
    digest.update(_steps(patient_from_index[:3, 3], _PLACE_STEP_MM))
    for page in hu:
        digest.update(np.clip(np.rint(page), -32768, 32767).astype("<i2").tobytes())
    return digest.hexdigest()


def _nearest_to_lps(hu: np.ndarray, patient_from_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The array [k, j, i] with i nearest to x, j to y, k to z, all upwards, and its affine."""
    cosines = patient_from_index[:3, :3] / np.linalg.norm(patient_from_index[:3, :3], axis=0)
    order = max(
        permutations(range(3)), key=lambda axes: sum(abs(cosines[row, axes[row]]) for row in range(3))
    )
    affine = patient_from_index.copy()
    affine[:3, :3] = patient_from_index[:3, list(order)]
    ijk = hu.transpose(2, 1, 0).transpose(order)
    for axis in range(3):
        if affine[axis, axis] < 0:
            affine[:3, 3] += affine[:3, axis] * (ijk.shape[axis] - 1)
            affine[:3, axis] *= -1
            ijk = np.flip(ijk, axis)
    return ijk.transpose(2, 1, 0), affine


def _steps(values: np.ndarray, step: float) -> bytes:
    return np.floor(values / step + (1 - _EDGE)).astype("<i8").tobytes()
