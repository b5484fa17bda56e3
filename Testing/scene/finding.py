"""What a registration hands to the scene, made without registering."""

import numpy as np
from xrayreg.overlays import Layers, Overlay
from xrayreg.register import Confidence, PoseUncertainty
from xrayreg.results import Outcome, software_json
from XrayRegistrationLib.session import add_outcome
from XrayRegistrationLib.work import found_in

UNCERTAINTY = PoseUncertainty(np.eye(6) * 1e-4)
CONFIDENCE = Confidence("review", 0.7, 1.2, 4.0, ("one view alone",))


def layers_of(camera, drr=None, outlines=None, marks=()):
    """By default nothing: a DRR of zeros, no outline, no plan."""
    drr = np.zeros(camera.size[::-1], np.float32) if drr is None else drr
    outlines = np.zeros(drr.shape, np.int16) if outlines is None else outlines
    return Layers(camera, drr, outlines, tuple(marks))


def outcome_of(registration, segmentation=None, markups=(), uncertainty=UNCERTAINTY):
    views = registration.views
    labels = () if segmentation is None else tuple(segmentation.names)
    return Outcome(
        registration,
        CONFIDENCE,
        {view.name: uncertainty for view in views},
        Overlay(segmentation, labels, tuple(markups)),
        {"xrays": [{"path": f"{view.name}.dcm", "sha256": "0"} for view in views]},
        software_json("cpu"),
    )


def add_registration(scene, registration, layers=None, **what):
    """The session's node of a registration; its views have no layers but those given, by name."""
    outcome, given = outcome_of(registration, **what), layers or {}
    every = {view.name: given.get(view.name) or layers_of(view.camera) for view in registration.views}
    return add_outcome(scene, outcome, found_in(outcome, every))
