"""`--init landmarks`: start poses from points that were found both in the volume and in the X-rays."""

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import CameraFile, rotation_angle_deg
from ..images import Xray, read_landmarks2d, read_landmarks3d
from ..register import LandmarkPose, groups, start_from_landmarks

_TURNED_DEG = 90.0
_IF_MIRRORED = "if the landmarks were found in an image mirrored against the overlay, mirror their u or v"


def add_landmark_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--landmarks3d", type=Path, help=".mrk.json whose control points are landmarks (--init landmarks)"
    )
    parser.add_argument(
        "--landmarks2d",
        type=Path,
        help="CSV with the columns view,label,u,v: where landmarks are in the X-rays, pixel; a view is named "
        "as its file without the ending (--init landmarks)",
    )


def check_landmark_options(options: argparse.Namespace) -> None:
    """Raise InputError unless both landmark files come with --init landmarks, or neither without."""
    given = {"--landmarks3d": options.landmarks3d, "--landmarks2d": options.landmarks2d}
    for name, path in given.items():
        if options.init == "landmarks" and path is None:
            raise InputError(f"--init landmarks needs {name}", remedy=f"add {name} FILE")
        if options.init != "landmarks" and path is not None:
            raise InputError(f"{name} goes with --init landmarks", where=path, remedy="add --init landmarks")


def without_start(file: CameraFile) -> CameraFile:
    """A camera file whose start pose means nothing: the landmarks give it.

    What is left is how the views of a rig lie to each other; alone, any pose is as good as another.
    """
    return replace(file, camera_from_patient=np.eye(4) if file.camera_from_rig is None else None)


def started_from_landmarks(
    xrays: Sequence[Xray], landmarks3d: Path, landmarks2d: Path, from_tags: Collection[str] = ()
) -> list[Xray]:
    """The X-rays at the poses that their landmarks give; views of one rig together.

    A note of each tells the landmarks' errors.

    Args:
        from_tags: names of the views that lie where DICOM tags say so; a pose from landmarks that is turned
            by more than a right angle against it is noted, for that is what a mirrored image leads to.

    Raises:
        InputError: for faults of the files, views or labels that they do not share, views without
            landmarks (except in a rig where others have some), and landmarks that give no pose.
    """
    points = read_landmarks3d(landmarks3d)
    found = read_landmarks2d(landmarks2d)
    names = [xray.name for xray in xrays]
    unknown = [view for view in found if view not in names]
    if unknown:
        raise InputError(
            f"no X-ray is named {', '.join(unknown)}",
            where=landmarks2d,
            remedy=f"the views are {', '.join(names)}",
        )
    started: dict[str, Xray] = {}
    for group in groups(xrays):
        try:
            starts = start_from_landmarks(group, points, found)
        except InputError as error:
            raise InputError(f"{landmarks2d} {error}") from None
        for xray, (labels, pose) in zip(group, starts, strict=True):
            camera = xray.camera.moved(pose.camera_from_patient)
            notes = [*xray.notes, _note(pose, labels)]
            angle = rotation_angle_deg(camera.camera_from_patient @ xray.camera.patient_from_camera)
            if xray.name in from_tags and angle > _TURNED_DEG:
                notes.append(f"turned {angle:.0f} degrees against the C-arm's tags: {_IF_MIRRORED}")
            started[xray.name] = replace(xray, camera=camera, notes=tuple(notes))
    return [started[name] for name in names]


def _note(pose: LandmarkPose, labels: Sequence[str]) -> str:
    """What people should know about a pose, such as "start pose from landmarks: A 1.2 px, B 0.8 px"."""
    shown = [f"{label} {error:.1f} px" for label, error in zip(labels, pose.errors_px, strict=True)]
    kept = [text for text, inlier in zip(shown, pose.inliers, strict=True) if inlier]
    left_out = [text for text, inlier in zip(shown, pose.inliers, strict=True) if not inlier]
    note = f"start pose from landmarks: {', '.join(kept) or 'those of the other views'}"
    return note + (f"; rejected: {', '.join(left_out)}" if left_out else "")
