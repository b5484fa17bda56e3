"""Bodies, views, plan and everything between as they are now."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..deform import Blend, blended
from ..geometry import apply, rotation_angle_deg
from ..images import Grid, Markup
from ..overlays import Overlay
from ..register import Articulated, RegisteredBody, RegisteredView
from .bodies import Bodies


def blend_of(
    bodies: Bodies,
    found: Articulated,
    around: Grid,
    progress: Callable[[float], None] = lambda part: None,
) -> Blend:
    """The motion of everything in a volume's box, from those of its bodies; ``progress`` as in `blended`.

    Bodies that were not found, so rejected, go with what is around them: wrong ones meet others, and fold.
    """
    kept = [body for body in found.bodies if body.verdict != "reject"] or found.bodies
    labels = {body.name: bodies.labels[body.name] for body in kept}
    blend = blended(bodies.segmentation, labels, [body.patient_from_rest for body in kept], around, progress)
    return replace(blend, left_out=tuple(name for name in bodies.labels if name not in labels))


def overlay_now(overlay: Overlay, found: Articulated, blend: Blend) -> Overlay:
    """What is drawn on the X-rays: every body and the plan where they are now."""
    by_label = {label: body.patient_from_rest for body in found.bodies for label in body.labels}
    markups = _carried(overlay.markups, blend.field.patient_from_rest)
    return replace(overlay, labels=tuple(by_label), markups=markups, motions=by_label)


def plan_at_rest(overlay: Overlay, blend: Blend) -> tuple[Markup, ...]:
    """The plan as it was made, from where it is now."""
    return _carried(overlay.markups, blend.field.rest_from_patient)


def moved_views(found: Articulated, views: Sequence[RegisteredView]) -> tuple[RegisteredView, ...]:
    """The views with the bodies where they are."""
    return tuple(
        replace(view, camera=camera, similarity=float(alike))
        for view, camera, alike in zip(views, found.cameras, found.similarities, strict=True)
    )


def how_far(body: RegisteredBody) -> tuple[float, float]:
    """How far a body's middle has moved, mm, and how far the body has turned, degrees."""
    middle = body.body.centre
    way = apply(body.patient_from_rest, middle) - middle
    return float(np.linalg.norm(way)), rotation_angle_deg(body.patient_from_rest)


def _carried(markups: Sequence[Markup], move: Callable[[np.ndarray], np.ndarray]) -> tuple[Markup, ...]:
    return tuple(replace(markup, points=move(markup.points)) for markup in markups)
