"""Whether the body reaches beyond the sides of a CT's field of view."""

import numpy as np
import SimpleITK

from .volume import Volume

_CELL_MM = 4.0
_BODY_HU = -200.0
_LEAST_CM2 = 10.0
_DISC_FILLED = 0.95
_SIDES = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))


def truncation_notes(volume: Volume) -> tuple[str, ...]:
    """A line if the body, or the table, is cut off at a side: a DRR lacks what lies beyond.

    The ends along the body's axis (superior and inferior) are not looked at: every CT ends there. The edge
    of the field of view is the volume's side, or the circle within which the scanner reconstructs. Cells of
    4 mm count as body if their mean is above -200 HU.
    """
    grid = volume.grid
    factors = np.minimum(np.maximum(1, np.round(_CELL_MM / grid.spacing_mm)).astype(int), grid.size)
    body = SimpleITK.GetArrayFromImage(
        SimpleITK.BinShrink(SimpleITK.GetImageFromArray(volume.hu), factors.tolist())
    )
    along = int(np.argmax(np.abs(grid.patient_from_index[2, :3])))  # the index axis that follows the body's
    body = np.moveaxis(body.transpose(2, 1, 0) > _BODY_HU, along, 2)  # in-plane axes, then along the body
    axes = [axis for axis in range(3) if axis != along]
    seen = _field_of_view(volume, axes, along, factors, body.shape[:2])
    cell_mm = grid.spacing_mm * factors
    directions = grid.patient_from_index[:3, :3] / grid.spacing_mm
    edge = _edge(seen)
    offsets = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in seen.shape), indexing="ij"))
    facing = np.abs(offsets).argmax(axis=0)  # the side that a cell is nearest to, as a part of the way to it
    cut: dict[str, float] = {}
    for number, axis in enumerate(axes):
        face_cm2 = cell_mm[axes[1 - number]] * cell_mm[along] / 100
        for sign in (-1, 1):
            there = edge & (facing == number) & (sign * offsets[number] > 0)
            side = _side(sign * directions[:, axis])
            cut[side] = cut.get(side, 0.0) + np.count_nonzero(body[there]) * face_cm2
    cut = {side: area for side, area in cut.items() if area >= _LEAST_CM2}
    if not cut:
        return ()
    listed = ", ".join(
        f"{side} ({area:.0f} cm2)" for side, area in sorted(cut.items(), key=lambda item: -item[1])
    )
    return (f"body or table is cut off at the edge of the CT: {listed}; DRRs lack what lies beyond",)


def _field_of_view(
    volume: Volume, axes: list[int], along: int, factors: np.ndarray, shape: tuple
) -> np.ndarray:
    """Cells, in plane, that the scanner reconstructed: all, or those in a circle amid one value."""
    seen = np.ones(shape, bool)
    stacked = np.moveaxis(volume.hu.transpose(2, 1, 0), along, 2)
    corners = stacked[[0, 0, -1, -1], [0, -1, 0, -1]]
    value = corners[0, 0]
    if not (corners == value).all():
        return seen
    padding = (stacked.min(axis=2) == value) & (stacked.max(axis=2) == value)
    spacing = volume.grid.spacing_mm[axes]
    offsets = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(padding.shape, spacing, strict=True)]
    radius = np.hypot(offsets[0][:, None], offsets[1])
    inside = radius <= radius[~padding].max(initial=0.0)
    if np.count_nonzero(~padding) < _DISC_FILLED * np.count_nonzero(inside):
        return seen  # whatever is constant there, it is not the outside of a circle
    blocks = [np.arange(0, n * f, f) for n, f in zip(shape, factors[axes], strict=True)]
    empty = np.add.reduceat(np.add.reduceat(padding, blocks[0], axis=0), blocks[1], axis=1)
    return empty == 0


def _edge(seen: np.ndarray) -> np.ndarray:
    """Cells in the field of view beside one that is not."""
    framed = np.pad(seen, 1)
    enclosed = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return seen & ~enclosed


def _side(direction: np.ndarray) -> str:
    """Of the patient, towards which a direction (LPS) points most."""
    axis = int(np.argmax(np.abs(direction)))
    return _SIDES[axis][0 if direction[axis] > 0 else 1]
