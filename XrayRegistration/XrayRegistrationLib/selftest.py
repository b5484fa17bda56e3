"""What the module's self-test registers: a small body and two X-rays of it, made here, with a known pose."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import slicer
from xrayreg.geometry import Camera, CArm, about, apply
from xrayreg.images import Grid, Volume, Xray

from . import roles
from .nodes import camera_of
from .running import Run
from .scene import add_result, add_volume
from .session import add_view

_CENTRE = np.array([10.0, -20.0, 60.0])
# (centre from _CENTRE, half axes) in mm, HU; no symmetry carries one into another.
_BODIES = (
    ((0.0, 0.0, 0.0), (44.0, 32.0, 40.0), 40.0),
    ((-12.0, 4.0, -14.0), (16.0, 9.0, 7.0), 900.0),
    ((20.0, -10.0, 8.0), (5.0, 12.0, 20.0), 900.0),
    ((-16.0, -12.0, 20.0), (9.0, 6.0, 5.0), 900.0),
)
_OFF = np.concatenate([np.radians([2.0, -2.0, 1.5]), [3.0, -2.0, 3.0]])
"""How far the X-rays' start is off, about _CENTRE: rotation vector, rad, and shift, mm."""


def add_case(scene) -> tuple[object, list[Camera]]:
    """A session with the volume and two X-rays at a wrong start; returns it and the true cameras."""
    from xrayreg.render import Density, render

    volume = _volume()
    density = Density.from_volume(volume)
    session = add_result(scene)
    session.SetNodeReferenceID(roles.VOLUME, add_volume(scene, volume).GetID())
    truth = []
    for name, angle_deg in (("frontal", 0.0), ("lateral", 85.0)):
        carm = CArm(1000.0, 700.0, angle_deg, 0.0, isocenter=tuple(_CENTRE))
        camera = carm.camera((112, 112), (1.6, 1.6))
        image = render(density, camera).cpu().numpy()
        start = camera.moved(camera.camera_from_patient @ about(_CENTRE, _OFF))
        add_view(session, Xray(image, start, np.ones(image.shape, bool), name, rig="C-arm"))
        truth.append(camera)
    return session, truth


def farthest_mm(session, truth: list[Camera]) -> float:
    """How far a bone's centre lies at most from where it really is, in the frame of any camera."""
    bones = _CENTRE + np.array([centre for centre, _, _ in _BODIES])
    found = [camera_of(node) for node in roles.references(session, roles.VIEW)]
    return max(
        float(
            np.linalg.norm(
                apply(a.camera_from_patient, bones) - apply(b.camera_from_patient, bones), axis=1
            ).max()
        )
        for a, b in zip(found, truth, strict=True)
    )


def run(session, cancel: Callable[[str], bool] = lambda text: False, timeout_s: float = 300.0) -> str:
    """Register, and process events meanwhile; returns "done", "cancelled" or what went wrong.

    Args:
        cancel: asked with the text of each state; if it says True the run is cancelled.
    """
    outcome: list[str] = []

    def on_state(text: str, part: float) -> None:
        if cancel(text):
            running.cancel()

    running = Run(
        session,
        0.0,
        0.0,
        on_state,
        on_done=lambda: outcome.append("done"),
        on_stopped=lambda error: outcome.append("cancelled" if error is None else str(error)),
    )
    end = time.monotonic() + timeout_s
    while not outcome:
        if time.monotonic() > end:
            running.abandon()
            return f"not within {timeout_s:.0f} s"
        slicer.app.processEvents()
    return outcome[0]


def _volume() -> Volume:
    spacing, size = 2.0, (48, 40, 44)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = _CENTRE - spacing * (np.array(size) - 1) / 2
    k, j, i = np.indices(size[::-1])
    points = apply(affine, np.stack([i, j, k], axis=-1)) - _CENTRE
    hu = np.full(size[::-1], -1000.0, np.float32)
    for centre, half, value in _BODIES:
        hu[(((points - centre) / half) ** 2).sum(axis=-1) <= 1] = value
    return Volume(hu, Grid(size, affine), "self-test")
