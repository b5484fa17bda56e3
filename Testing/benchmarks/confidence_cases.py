"""Registrations with known error, right and wrong, and the evidence on each: what confidence is learned from.

For each X-ray and pair of X-rays of `cases.py`: searches as users run them, searches too small to succeed,
poses moved away from the truth by fractions of a millimetre to centimetres, and inputs that cannot be right
(mirrored volume, image upside down, another region, another body's size, an empty image).

    python Testing/benchmarks/confidence_cases.py OUT.jsonl [ANATOMY ...]
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import wrist
from cases import ANATOMIES, Case, cases_of, density_of, random_start, volume_of
from xrayreg.errors import InputError
from xrayreg.evaluate import tre
from xrayreg.geometry import about, inverse
from xrayreg.images import Grid, Xray
from xrayreg.register import NEAR, SearchRange, gather, refine, register_rigid
from xrayreg.render import Density

PAIRS = (("ap", "oblique"), ("ap", "lateral"), ("oblique", "inlet"))
_POOR = replace(NEAR, candidates=6)
_WRONG = ("mirrored", "upside down", "other region", "other size", "empty", "left for right")


def main() -> None:
    out, anatomies = Path(sys.argv[1]), sys.argv[2:] or [*ANATOMIES, "wrist"]
    with out.open("a") as file:
        for anatomy in anatomies:
            for row in rows_of_wrist() if anatomy == "wrist" else rows_of(anatomy):
                file.write(json.dumps(row) + "\n")
                file.flush()


def rows_of(anatomy: str) -> Iterator[dict]:
    volume = volume_of(anatomy)
    density = density_of(volume)
    cases = {(case.view, case.disturbed): case for case in cases_of(volume)}
    rigs = [[case] for case in cases.values()]
    rigs += [[cases[view, disturbed] for view in pair] for pair in PAIRS for disturbed in (False, True)]
    rng = np.random.default_rng(list(anatomy.encode()))
    for rig in rigs:
        for kind in ("full", "full", "poor", "poor", "moved", "moved", "moved", "wrong", "wrong"):
            xrays = [noisy(case.xray, rng) for case in rig]
            row = {"anatomy": anatomy, "views": [case.view for case in rig], "disturbed": rig[0].disturbed}
            try:
                row |= measured(kind, volume, density, rig, xrays, rng)
            except InputError as error:
                row |= {"kind": kind, "refused": str(error)}
            yield row


def rows_of_wrist() -> Iterator[dict]:
    """Real X-rays; the error is that against the reference, itself good to about 0.3 mm."""
    rng = np.random.default_rng(3)
    for bone in wrist.BONES:
        volume, density = wrist.bone_of(bone)
        radius = 0.5 * np.abs(volume.grid.corners_patient).max(axis=0)
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * radius
        search = SearchRange((20.0,) * 3, (20.0,) * 3)
        for frame in wrist.FRAMES:
            reference = wrist.reference_of(bone, frame)
            for views in (2, 1):
                for kind in ("full", "full", "poor", "moved", "moved", "moved", "mirrored"):
                    limits = np.repeat([np.radians(20.0), 20.0], 3)
                    motion = about(volume.grid.centre_patient, rng.uniform(-limits, limits))
                    if kind == "moved":
                        size = float(np.exp(rng.uniform(np.log(0.2), np.log(10))))
                        twist = rng.normal(size=6) * np.repeat([np.radians(1.5), 1], 3) * size / np.sqrt(6)
                        motion = about(volume.grid.centre_patient, twist)
                    xrays = wrist.xrays_of(frame, reference @ motion)[:views]
                    truth = xrays[0].camera.camera_from_patient @ inverse(motion)
                    used = density
                    if kind == "mirrored":
                        used = Density(density.values.flip(2), density.grid)
                    reach = replace(search, candidates=8) if kind == "poor" else search
                    if kind in ("full", "mirrored"):
                        (rig,) = register_rigid(used, xrays, search=reach)
                        evidence, pose = rig.evidence, rig.views[0].camera.camera_from_patient
                    else:
                        if kind == "poor":
                            *_, last = refine(used, xrays, search=reach)
                            xrays = started(xrays, last.patient_motion)
                        evidence, pose = gather(used, xrays)[0], xrays[0].camera.camera_from_patient
                    yield {
                        "anatomy": "wrist",
                        "views": [bone, frame, views],
                        "disturbed": False,
                        "kind": kind,
                        "tre_mm": None if kind == "mirrored" else float(tre(corners, pose, truth).mean()),
                        "evidence": asdict(evidence),
                    }


def measured(kind: str, volume, density: Density, rig: list[Case], xrays: list[Xray], rng) -> dict:
    truth = [case.xray.camera.camera_from_patient for case in rig]
    if kind == "wrong":
        what = str(rng.choice(_WRONG))
        density, xrays = spoilt(what, volume, density, xrays, rng)
        rigs = register_rigid(density, started(xrays, random_start(rig[0], volume, rng, 10, 20)))
        return {"kind": what, "tre_mm": None, "evidence": asdict(rigs[0].evidence)}
    if kind == "moved":
        size = float(np.exp(rng.uniform(np.log(0.2), np.log(30))))
        twist = rng.normal(size=6) * np.repeat([np.radians(0.5), 1], 3) * size / np.sqrt(6)
        poses = started(xrays, about(density.grid.centre_patient, twist))
        evidence = gather(density, poses)[0]
    else:
        poses = started(xrays, random_start(rig[0], volume, rng, 25, 60))
        if kind == "full":
            registered = register_rigid(density, poses)[0]
            evidence = registered.evidence
            poses = [replace(view.xray, camera=view.camera) for view in registered.views]
        else:
            *_, last = refine(density, poses, search=_POOR)
            poses = started(poses, last.patient_motion)
            evidence = gather(density, poses)[0]
    found = [xray.camera.camera_from_patient for xray in poses]
    errors = [tre(case.targets, f, t).mean() for case, f, t in zip(rig, found, truth, strict=True)]
    return {"kind": kind, "tre_mm": float(np.mean(errors)), "evidence": asdict(evidence)}


def started(xrays: list[Xray], motion: np.ndarray) -> list[Xray]:
    """With the anatomy moved in the cameras' poses; one rig."""
    return [
        replace(xray, camera=xray.camera.moved(xray.camera.camera_from_patient @ motion), rig="rig")
        for xray in xrays
    ]


def noisy(xray: Xray, rng: np.random.Generator) -> Xray:
    """With more noise, in half of the cases: up to that of a tenth of the exposure."""
    sigma = rng.choice([0.0, 1.0]) * rng.uniform(0, 0.15)
    noise = rng.normal(0, 1, xray.line_integrals.shape) * sigma
    return replace(xray, line_integrals=(xray.line_integrals + noise).astype(np.float32))


def spoilt(
    what: str, volume, density: Density, xrays: list[Xray], rng: np.random.Generator
) -> tuple[Density, list[Xray]]:
    """A volume and X-rays that do not belong together, at the true poses."""
    if what == "mirrored":
        return Density(density.values.flip(2), density.grid), xrays
    if what == "left for right":  # the image mirrored, as by a file that is stored from the other side
        return density, [_image(xray, xray.line_integrals[:, ::-1], xray.mask[:, ::-1]) for xray in xrays]
    if what == "upside down":
        return density, [_image(xray, xray.line_integrals[::-1], xray.mask[::-1]) for xray in xrays]
    if what == "empty":
        blank = [rng.normal(0.5, 0.05, xray.line_integrals.shape) for xray in xrays]
        return density, [_image(xray, image, xray.mask) for xray, image in zip(xrays, blank, strict=True)]
    if what == "other size":
        scale = np.diag([*np.exp(rng.choice([-1, 1]) * rng.uniform(0.06, 0.15, 3)), 1.0])
        centre = density.grid.centre_patient
        scale[:3, 3] = centre - scale[:3, :3] @ centre
        return Density(
            density.values, Grid(density.grid.size, scale @ density.grid.patient_from_index)
        ), xrays
    other = density_of(volume_of(str(rng.choice([name for name in ANATOMIES if name != volume.name]))))
    affine = other.grid.patient_from_index.copy()
    affine[:3, 3] += density.grid.centre_patient - other.grid.centre_patient
    return Density(other.values, Grid(other.grid.size, affine)), xrays


def _image(xray: Xray, line_integrals: np.ndarray, mask: np.ndarray) -> Xray:
    return replace(xray, line_integrals=np.ascontiguousarray(line_integrals, np.float32), mask=mask.copy())


if __name__ == "__main__":
    main()
