"""Moved bodies as files; docs/polyrigid.md tells them."""

from pathlib import Path

from ..deform import Blend, warped_labels, warped_volume, write_field
from ..images import Volume, write_grid_nrrd, write_markups
from ..overlays import Overlay
from ..register import Articulated
from ..results import write_body
from .bodies import Bodies


def write_articulated(
    folder: Path,
    bodies: Bodies,
    found: Articulated,
    blend: Blend,
    volume: Volume,
    overlay: Overlay,
    air_hu: float = -1000.0,
) -> None:
    """Write each body's transform, the field, and CT, segmentation and plan as they are now.

    Args:
        overlay: as `overlay_now` has it.
        air_hu: the value that counts as nothing.
    """
    for body in found.bodies:
        write_body(folder, body)
    write_field(folder / "rest_from_patient.h5", blend.displacements, blend.grid)
    moved = warped_volume(volume, bodies.segmentation, blend.motions, blend.displacements, blend.grid, air_hu)
    write_grid_nrrd(folder / "volume_now.nrrd", moved.hu, moved.grid)
    labels = warped_labels(bodies.segmentation, blend.motions, blend.displacements, blend.grid)
    write_grid_nrrd(folder / "segmentation_now.nrrd", labels.labels, labels.grid)
    if overlay.markups:
        write_markups(folder / "plan_now.mrk.json", overlay.markups)
