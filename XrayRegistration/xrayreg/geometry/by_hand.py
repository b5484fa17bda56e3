"""Motions of the patient as a person asks for them while looking at one X-ray.

All turn about a pivot, a point of the patient (its volume's centre), and are seen from the source: +x to
increasing column (right), +y to increasing row (down), +z along the beam. Motions are rigid (4, 4) in the
patient frame, for ``camera_from_patient @ motion``; views that keep their places to each other take the same.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .camera import Camera
from .se3 import apply, exp_se3, inverse, translation

_TILT_PER_IMAGE_DEG = 120.0
"""A drag across the longer side of the image; more would be hard to aim."""


@dataclass(frozen=True)
class Offsets:
    """Where the patient is against a start, in six numbers.

    The pivot moves right and up, parallel to the detector, and along its ray away from the source. Turns are
    about the pivot, one after the other: clockwise in the image; then about the image's columns, so that the
    side towards the source goes right; then about its rows, so that this side goes up.
    """

    right_mm: float = 0.0
    up_mm: float = 0.0
    farther_mm: float = 0.0
    turn_deg: float = 0.0
    tilt_right_deg: float = 0.0
    tilt_up_deg: float = 0.0


def motion_of(camera: Camera, pivot: np.ndarray, offsets: Offsets) -> np.ndarray:
    """The motion of six offsets as seen by a camera; ``pivot`` (3,), patient, mm."""
    at = _in_camera(camera, pivot)
    shift = np.array([offsets.right_mm, -offsets.up_mm, 0.0]) + offsets.farther_mm * _unit(at)
    rotation = _turn(0, -offsets.tilt_up_deg) @ _turn(1, -offsets.tilt_right_deg) @ _turn(2, offsets.turn_deg)
    return _in_patient(camera, translation(at + shift) @ rotation @ translation(-at))


def offsets_of(camera: Camera, pivot: np.ndarray, motion: np.ndarray) -> Offsets:
    """The six offsets of a motion: the inverse of `motion_of`, with ``tilt_right_deg`` in [-90, 90]."""
    at = _in_camera(camera, pivot)
    moved = camera.camera_from_patient @ motion @ camera.patient_from_camera
    shift = apply(moved, at) - at
    ray = _unit(at)
    farther = shift[2] / ray[2]
    right, down, _ = shift - farther * ray
    r = moved[:3, :3]
    tilt_right = np.arctan2(-r[0, 2], np.hypot(r[1, 2], r[2, 2]))
    angles = np.degrees([np.arctan2(-r[0, 1], r[0, 0]), tilt_right, np.arctan2(r[1, 2], r[2, 2])])
    return Offsets(float(right), float(-down), float(farther), *(float(angle) for angle in angles))


def shift_by_drag(camera: Camera, pivot: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The pivot's projection goes as far as from ``start`` to ``end``, (2,) pixel each; its depth stays."""
    at = _in_camera(camera, pivot)
    directions = camera.ray_directions(np.array([start, end]))
    return _in_patient(camera, translation(at[2] * (directions[1] - directions[0])))


def depth_shift(camera: Camera, pivot: np.ndarray, farther_mm: float) -> np.ndarray:
    """The pivot goes along its ray, away from the source; its projection stays."""
    return motion_of(camera, pivot, Offsets(farther_mm=farther_mm))


def turn_by_drag(camera: Camera, pivot: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Turned in the image by the angle between ``start`` and ``end``, (2,) pixel, seen from the pivot."""
    directions = camera.ray_directions(np.array([start, end, camera.project(pivot)]))
    (ax, ay), (bx, by) = directions[:2, :2] - directions[2, :2]
    angle = np.arctan2(ax * by - ay * bx, ax * bx + ay * by)
    return motion_of(camera, pivot, Offsets(turn_deg=float(np.degrees(angle))))


def tilt_by_drag(camera: Camera, pivot: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Tilted out of the image as if the side towards the source were dragged, from and to a pixel (2,).

    120 degrees for a drag across the longer side of the image, about the axis at right angles to it.
    """
    right, down = (np.asarray(end, dtype=float) - start) * (
        np.radians(_TILT_PER_IMAGE_DEG) / max(camera.size)
    )
    at = _in_camera(camera, pivot)
    turn = exp_se3(np.array([down, -right, 0.0, 0.0, 0.0, 0.0]))
    return _in_patient(camera, translation(at) @ turn @ translation(-at))


def _in_camera(camera: Camera, pivot: np.ndarray) -> np.ndarray:
    at = apply(camera.camera_from_patient, pivot)
    if at[2] <= 0:
        raise InputError("the volume lies behind the X-ray source", remedy="go back to the start")
    return at


def _in_patient(camera: Camera, motion: np.ndarray) -> np.ndarray:
    """A motion (4, 4) in the camera's frame as one of the patient."""
    return inverse(camera.camera_from_patient) @ motion @ camera.camera_from_patient


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _turn(axis: int, degrees: float) -> np.ndarray:
    """(4, 4) about a camera axis."""
    twist = np.zeros(6)
    twist[axis] = np.radians(degrees)
    return exp_se3(twist)
