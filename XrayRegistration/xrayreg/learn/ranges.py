"""From where X-rays may be taken: ranges of C-arm angles, offsets and distance, and poses drawn from them."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import carm_angles_of, carm_rotation

Range = tuple[float, float]
_SCHEMA = 1
_ANGLES = ("primary_deg", "secondary_deg", "tertiary_deg")


@dataclass(frozen=True)
class PoseRanges:
    """The poses that a network is to know; (lowest, highest) each.

    Attributes:
        primary_deg, secondary_deg, tertiary_deg: C-arm angles as `CArm` has them.
        offset_x_mm, offset_y_mm: of the anatomy's centre from the central ray, camera x and y.
        source_to_centre_mm: depth of the anatomy's centre, camera z.

    Raises:
        InputError: for a range that is empty or impossible.
    """

    primary_deg: Range = (-45.0, 45.0)
    secondary_deg: Range = (-45.0, 45.0)
    tertiary_deg: Range = (-15.0, 15.0)
    offset_x_mm: Range = (-100.0, 100.0)
    offset_y_mm: Range = (-100.0, 100.0)
    source_to_centre_mm: Range = (550.0, 850.0)

    def __post_init__(self):
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        if self.source_to_centre_mm[0] <= 0:
            raise InputError("source_to_centre_mm begins at or behind the source", remedy="begin above 0")
        if (
            max(map(abs, self.primary_deg + self.tertiary_deg)) > 360
            or max(map(abs, self.secondary_deg)) > 90
        ):
            raise InputError("angles beyond 360 degrees, or a secondary angle beyond 90 degrees")

    @property
    def middle(self) -> np.ndarray:
        """(3, 3) camera from patient at the middle of the angles: what a network's rotations refer to."""
        return carm_rotation(*(sum(getattr(self, name)) / 2 for name in _ANGLES)).T

    def middle_pose(self, centre: np.ndarray) -> np.ndarray:
        """(4, 4) camera_from_patient at the middle of all ranges; ``centre`` (3,), patient, mm."""
        pose = np.eye(4)
        pose[:3, :3] = self.middle
        place = [sum(ends) / 2 for ends in (self.offset_x_mm, self.offset_y_mm, self.source_to_centre_mm)]
        pose[:3, 3] = place - pose[:3, :3] @ centre
        return pose

    def sample(self, rng: np.random.Generator, count: int, centre: np.ndarray) -> np.ndarray:
        """(count, 4, 4) camera_from_patient, uniform in every range; ``centre`` (3,), patient, mm."""
        low, high = np.array([getattr(self, field.name) for field in fields(self)]).T
        values = rng.uniform(low, high, (count, len(low)))
        poses = np.tile(np.eye(4), (count, 1, 1))
        for pose, (*angles, x, y, z) in zip(poses, values, strict=True):
            pose[:3, :3] = carm_rotation(*angles).T
            pose[:3, 3] = np.array([x, y, z]) - pose[:3, :3] @ centre
        return poses

    def outside(self, camera_from_patient: np.ndarray, centre: np.ndarray) -> dict[str, float]:
        """By how much a pose (4, 4) lies outside, by name; empty inside."""
        position = camera_from_patient[:3, :3] @ centre + camera_from_patient[:3, 3]
        values = [*carm_angles_of(camera_from_patient[:3, :3].T), *position]
        found = {}
        for field, value in zip(fields(self), values, strict=True):
            low, high = getattr(self, field.name)
            if beyond := max(low - value, value - high, 0.0):
                found[field.name] = float(beyond)
        return found

    @property
    def as_json(self) -> dict:
        return {"schema_version": _SCHEMA, **{f.name: list(getattr(self, f.name)) for f in fields(self)}}


def ranges_from_json(content: object, where: object = None) -> PoseRanges:
    """Ranges from a dictionary; what it does not name keeps its default.

    Raises:
        InputError: for unknown names, malformed or impossible ranges, a newer schema.
    """
    if not isinstance(content, dict):
        raise InputError("holds no ranges", where=where, remedy='write {"primary_deg": [-45, 45], ...}')
    content = dict(content)
    version = content.pop("schema_version", _SCHEMA)
    if version != _SCHEMA:
        raise InputError(f"schema_version {version!r} is not known", where=where, remedy=f"use {_SCHEMA}")
    known = [field.name for field in fields(PoseRanges)]
    unknown = sorted(set(content) - set(known))
    if unknown:
        what = f"unknown range {', '.join(map(str, unknown))}"
        raise InputError(what, where=where, remedy=f"known are {', '.join(known)}")
    try:
        return PoseRanges(**content)
    except InputError as error:
        raise InputError(error.what, where=where, remedy=error.remedy) from None


def read_ranges(path: Path) -> PoseRanges:
    """Ranges from a JSON file, see `ranges_from_json`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read as JSON ({error})", where=path) from None
    return ranges_from_json(content, path)


def _checked(name: str, value: object) -> Range:
    try:
        low, high = (float(each) for each in value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}", remedy="give two numbers, lowest and highest") from None
    if not (np.isfinite([low, high]).all() and low <= high):
        raise InputError(f"{name} is {low:g} to {high:g}", remedy="give the lowest first")
    return low, high
