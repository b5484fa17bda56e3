"""Do plans and landmarks lie in the volume and on the images?"""

import numpy as np

from ..geometry import Camera
from ..images import Markup
from .bodies import Body, inside
from .findings import Finding, Fit


def plan_fit(body: Body, markups: tuple[Markup, ...], volume: str, plan: str) -> Fit:
    """Whether the control points lie in the volume's box."""
    points = np.concatenate([markup.points for markup in markups])
    within = inside(points, body.grid)
    facts = {"points_inside": f"{int(within.sum())} of {len(points)}"}
    findings = []
    if not within.any():
        apart = np.linalg.norm(points.mean(axis=0) - body.grid.centre_patient)
        text = f"no point lies in the volume: their middle is {apart:.0f} mm from the volume's"
        remedy = "check that the plan was made on this volume"
        if inside(points * [-1, -1, 1], body.grid).all():
            remedy = "they would with x and y negated: correct coordinateSystem (LPS or RAS) in the file"
        findings.append(Finding("problem", text, remedy))
    elif not within.all():
        outside = [
            label or f"{markup.name} {n}"
            for markup in markups
            for n, (label, point) in enumerate(zip(markup.labels, markup.points, strict=True), start=1)
            if not inside(point[None], body.grid)[0]
        ]
        findings.append(Finding("note", f"points outside the volume: {', '.join(outside[:8])}"))
    return Fit((volume, plan), "plan", facts, tuple(findings))


def on_detector_fit(camera: Camera, markups: tuple[Markup, ...], xray: str, plan: str) -> Fit:
    """Whether the control points project onto the image at the start pose."""
    image = camera.project(np.concatenate([markup.points for markup in markups]))
    on = ((image >= -0.5) & (image <= np.array(camera.size) - 0.5)).all(axis=-1)
    text = "no point of the plan projects onto the image at the start pose"
    findings = () if on.any() else (Finding("note", text),)
    return Fit(
        (xray, plan), "plan on the image", {"points_on_image": f"{int(on.sum())} of {len(on)}"}, findings
    )


def landmarks_fit(
    views: dict[str, dict[str, tuple[float, float]]], sizes: dict[str, tuple[int, int]], table: str
) -> Fit:
    """Whether landmarks are in views that there are, and inside their images.

    Args:
        sizes: (columns, rows) of the X-rays by name.
    """
    findings = []
    unknown = [view for view in views if view not in sizes]
    if unknown:
        text = f"no X-ray is named {', '.join(unknown)}"
        findings.append(Finding("missing", text, f"the X-rays are {', '.join(sizes)}"))
    for view, labels in views.items():
        size = np.array(sizes.get(view, (np.inf, np.inf)))
        off = [
            label
            for label, place in labels.items()
            if not ((np.array(place) >= -0.5) & (np.array(place) <= size - 0.5)).all()
        ]
        if off:
            shown = f"{', '.join(off)} lie outside {view}, which is {size[0]} x {size[1]} pixels"
            findings.append(Finding("problem", shown, "give column and row in pixels of the stored image"))
    known = [view for view in views if view in sizes]
    return Fit((table, *known), "landmarks", {"views": known}, tuple(findings))
