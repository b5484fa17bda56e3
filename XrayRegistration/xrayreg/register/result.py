"""What a registration hands on: to files, overlays and the Slicer scene."""

from dataclasses import dataclass

from ..geometry import Camera
from ..images import Volume, Xray


@dataclass(frozen=True)
class RegisteredView:
    """One view before and after.

    Attributes:
        xray: the image, with the camera at its start pose.
        camera: the camera at the registered pose.
        similarity, initial_similarity: at the registered and the start pose; 1 is a perfect match, 0
            none.
    """

    xray: Xray
    camera: Camera
    similarity: float
    initial_similarity: float

    @property
    def name(self) -> str:
        return self.xray.name


@dataclass(frozen=True)
class Registration:
    """A rigid registration of one volume with one or more views.

    Attributes:
        seconds: wall time by stage, in order.
    """

    volume: Volume
    views: tuple[RegisteredView, ...]
    seconds: dict[str, float]
