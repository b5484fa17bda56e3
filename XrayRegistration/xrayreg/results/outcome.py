"""All there is to tell of a registration, whoever asked for it."""

from dataclasses import dataclass

import numpy as np
import torch

from .. import __version__
from ..deform import Blend
from ..geometry import Camera
from ..overlays import Overlay
from ..register import Articulated, Confidence, PointUncertainty, PoseUncertainty, Registration
from ..render import Density, render
from .noise import BlendNoise


@dataclass(frozen=True)
class Review:
    """What a person said of the result.

    Attributes:
        decision: "accepted" or "rejected".
    """

    decision: str
    comment: str = ""


@dataclass(frozen=True)
class Outcome:
    """A registration, how far to trust it, and what it was made from.

    Attributes:
        confidence: of the worst rig.
        uncertainties: by view; views of one rig share theirs.
        overlay: what is drawn on the X-rays; its markups are the plan, where it is now.
        inputs: the "inputs" of registration.json: path and checksum of volume, xrays and segmentation.
        software: the "software" of registration.json.
        review: None until a person has decided.
        articulated: where the bodies are, if they were registered each by itself.
        blend: the motion of everything, then.
        joints: pairs of bodies whose angle was asked for.
    """

    registration: Registration
    confidence: Confidence
    uncertainties: dict[str, PoseUncertainty]
    overlay: Overlay
    inputs: dict
    software: dict
    review: Review | None = None
    articulated: Articulated | None = None
    blend: Blend | None = None
    joints: tuple[tuple[str, str], ...] = ()

    def drr(self, camera: Camera, density: Density) -> np.ndarray:
        """[row, column] the DRR, with the bodies where they are; ``density`` is that of the whole volume."""
        image = render(density, camera) if self.articulated is None else self.articulated.drr(camera)
        return image.cpu().numpy()

    def noise(self, view: str) -> PointUncertainty:
        """How far it leaves points of the patient off, as they are now, in a view.

        Of bodies registered each by itself, what is expected beyond noise is in it.
        """
        if self.blend is None:
            return self.uncertainties[view]
        return BlendNoise(self.articulated, self.blend)

    @property
    def standing(self) -> str:
        """The verdict, and that a person has rejected the result, for titles."""
        rejected = self.review is not None and self.review.decision == "rejected"
        return f"{self.confidence.verdict}{', REJECTED by the reviewer' if rejected else ''}"


def software_json(device: str) -> dict:
    """The "software" of registration.json: what computed, on which ``device`` ("cpu", "cuda")."""
    return {"name": "xrayreg", "version": __version__, "torch": torch.__version__, "device": device}
