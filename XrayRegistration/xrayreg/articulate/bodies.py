"""What moves, and where it is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..images import LabelMap, Volume, Xray
from ..register import Articulated, JointProgress, neighbours, register_bodies, taken_apart


@dataclass(frozen=True)
class Bodies:
    """What moves.

    Attributes:
        segmentation: on the volume's grid.
        labels: of each body, by name.
        reference: the body that counts as at rest, or None.
        linked: whether neighbours move alike.
        joints: pairs of names whose angles are asked for.
    """

    segmentation: LabelMap
    labels: dict[str, tuple[int, ...]]
    reference: str | None = None
    linked: bool = True
    joints: tuple[tuple[str, str], ...] = ()


def require_ct(volume: Volume) -> None:
    """Raise InputError for a volume whose values do not tell bone from soft tissue."""
    if volume.kind != "ct":
        raise InputError(
            "bone by bone needs a CT: bodies are told from soft tissue by their HU",
            where=volume.name,
            remedy="register it rigidly",
        )


def articulated(
    bodies: Bodies,
    volume: Volume,
    xrays: Sequence[Xray],
    air_hu: float = -1000.0,
    progress: Callable[[JointProgress], None] = lambda state: None,
) -> Articulated:
    """Register the bodies of a volume.

    Args:
        xrays: their cameras stand where the whole was registered rigidly.
        air_hu: the value that counts as nothing.
        progress: called after each step; an exception it raises ends the registration.

    Raises:
        InputError: for a volume or body that is unfit, or if no body projects into an X-ray.
    """
    require_ct(volume)
    parts = taken_apart(volume, bodies.segmentation, bodies.labels, air_hu=air_hu)
    reference = None if bodies.reference is None else list(bodies.labels).index(bodies.reference)
    links = neighbours(parts.bodies) if bodies.linked else ()
    return register_bodies(parts, xrays, links, reference, progress=progress)


def step_in_words(state: JointProgress) -> str:
    """What the registration is at; the same for all steps of one kind."""
    what = "all bodies" if state.body is None else "each body by itself"
    return f"stage {state.stage + 1} of {state.stages}, {what}"
