"""Start poses of views that move together, from landmarks by their labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..images import Xray, paired
from .landmarks import LandmarkPose, pose_from_landmarks, rig_pose_from_landmarks


def start_from_landmarks(
    together: Sequence[Xray],
    points: Mapping[str, np.ndarray],
    found: Mapping[str, Mapping[str, tuple[float, float]]],
) -> list[tuple[tuple[str, ...], LandmarkPose]]:
    """The labels of each view, and its pose with the errors of these landmarks.

    Args:
        together: one view, or those of one rig.
        points: (3,), patient LPS, mm, by label.
        found: (column, row), pixel, by view and label; views of a rig may have none.

    Raises:
        InputError: names the view; for landmarks outside the image, labels that ``points`` does not have, and
            landmarks that give no pose, as `rig_pose_from_landmarks` says.
    """
    where = f"view {' and '.join(xray.name for xray in together)}"
    if not any(found.get(xray.name) for xray in together):
        raise InputError("no landmark", where=where, remedy="add at least 4")
    labels, pairs = [], []
    for xray in together:
        in_view = found.get(xray.name, {})
        _check_inside(xray, in_view)
        try:
            names, points_patient, points_image = paired(points, in_view)
        except InputError as error:
            raise InputError(str(error), where=f"view {xray.name}") from None
        labels.append(names)
        pairs.append((points_patient, points_image))
    cameras = [xray.camera for xray in together]
    try:
        if len(together) == 1:
            poses = (pose_from_landmarks(cameras[0], *pairs[0]),)
        else:
            _, poses = rig_pose_from_landmarks(cameras, pairs)
    except InputError as error:
        raise InputError(str(error), where=where) from None
    return list(zip(labels, poses, strict=True))


def _check_inside(xray: Xray, in_view: Mapping[str, tuple[float, float]]) -> None:
    """Nobody can see a landmark outside the image: it was found in an image of another size."""
    columns, rows = xray.camera.size
    for label, (u, v) in in_view.items():
        if not (-0.5 <= u <= columns - 0.5 and -0.5 <= v <= rows - 0.5):
            raise InputError(
                f"{label} at {u:g}, {v:g} lies outside its {columns} columns and {rows} rows",
                where=f"view {xray.name}",
                remedy="find it in this very image, not in another or a scaled one",
            )
