"""The phantom after each of its bones has moved by itself."""

from pathlib import Path

import numpy as np
import phantom
from xrayreg.geometry import about, apply, inverse

MOTIONS = {
    label: about(phantom.CENTRE + middle, np.concatenate([np.radians(turn), shift]))
    for (label, _, middle, _), turn, shift in zip(
        phantom.BONES, ((5, 3, -6), (-4, 5, 3), (6, -5, 4)), ((3, -3, 4), (-4, 3, 2), (3, 4, -3)), strict=True
    )
}
"""(4, 4) patient_from_rest by label."""


def hu(points: np.ndarray) -> np.ndarray:
    """(...) int16 HU of each point (..., 3)."""
    bare = np.where(phantom.labels(points) > 0, 30, phantom.hu(points))
    for label, motion in MOTIONS.items():
        bare = np.where(phantom.labels(apply(inverse(motion), points)) == label, 900, bare)
    return bare.astype(np.int16)


def write_ct(path: Path) -> Path:
    """As it is now; on another grid than the phantom's own CT."""
    return phantom.write_grid(path, (80, 70, 80), (1.3, 1.3, 1.3), np.eye(3), hu)
