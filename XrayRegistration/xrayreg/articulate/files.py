"""Moved bodies as files; docs/polyrigid.md tells them."""

from pathlib import Path

from ..deform import warped_labels, warped_volume, write_field
from ..images import write_grid_nrrd, write_markups
from ..results import Outcome, write_body
from .bodies import Bodies


def write_articulated(folder: Path, bodies: Bodies, outcome: Outcome, air_hu: float = -1000.0) -> None:
    """Write each body's transform, the field, and CT, segmentation and plan as they are now.

    Args:
        outcome: of a registration bone by bone.
        air_hu: the value that counts as nothing.
    """
    volume, blend, plan = outcome.registration.volume, outcome.blend, outcome.overlay.markups
    for body in outcome.articulated.bodies:
        write_body(folder, body)
    write_field(folder / "rest_from_patient.h5", blend.displacements, blend.grid)
    moved = warped_volume(volume, bodies.segmentation, blend.motions, blend.displacements, blend.grid, air_hu)
    write_grid_nrrd(folder / "volume_now.nrrd", moved.hu, moved.grid)
    labels = warped_labels(bodies.segmentation, blend.motions, blend.displacements, blend.grid)
    write_grid_nrrd(folder / "segmentation_now.nrrd", labels.labels, labels.grid)
    if plan:
        write_markups(folder / "plan_now.mrk.json", plan)
