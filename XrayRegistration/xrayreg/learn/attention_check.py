"""Whether a pose network looks at the anatomy: how its attention is divided, on simulated and on real X-rays.

After Grad-CAMO (V. Gopalakrishnan, J. Ma and Z. Xie, arXiv 2403.17615), which measures the part of Grad-CAM
that lies on the cell in question. Here the anatomy is what is denser than soft tissue, to which poses refer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera
from ..images import Grid, Volume, Xray
from ..render import Density, materials_of, render
from .anatomy import dense_of
from .attention import attention_of, field_attention
from .estimate import TrainedNetwork
from .network import PoseNetwork
from .simulation import Batch

ATTENTION = "attention"
"""Where a network's description holds `Audit.as_json`."""

_VOXEL_MM = 4.0  # of the CT where an X-ray is checked
_LEAST_PATH = 0.05  # line integral from which on bone counts: 1 mm of it
_WIDENED = 1 / 40  # of the image's longer side: edges are anatomy, and the maps are coarse
_LOW_PERCENT = 5  # of a network's own simulated X-rays lie below its lower limit
_EVEN = 0.5  # balanced share of attention spread evenly over the image


@dataclass(frozen=True)
class Shares:
    """How the attention to an image is divided; the first four add up to 1, if there is any attention.

    These are parts of the sum of squares: what places contribute that have nothing to say, such as noise, has
    random signs and adds up like that. A plain sum would let it outweigh a cue.

    Attributes:
        anatomy: where the anatomy projects, and neither tools nor collimator are known to be.
        background: elsewhere.
        collimator: where the X-ray is known to show nothing.
        tools: where tools are known to be, and no collimator.
        area: the part of the image that counts as anatomy.
    """

    anatomy: float
    background: float
    collimator: float
    tools: float
    area: float

    @property
    def balanced(self) -> float:
        """The anatomy's share if it covered half of the image: 0.5 for attention spread evenly.

        d / (d + 1), where d is how many times denser attention lies on the anatomy than elsewhere. A plain
        share says little: in an image that the anatomy fills it is 1, whatever the network looks at.
        """
        rest = self.background + self.collimator + self.tools
        if rest == 0:
            return float(self.anatomy > 0)
        inside, outside = self.anatomy * (1 - self.area), rest * self.area
        return inside / (inside + outside) if inside > 0 else 0.0


@dataclass(frozen=True)
class Audit:
    """The attention to a set of simulated X-rays.

    Attributes:
        shares: of each.
    """

    shares: tuple[Shares, ...]

    @property
    def lowest(self) -> float:
        """The balanced share that 95 % of these images exceed; below it an image is conspicuous."""
        return float(np.percentile([each.balanced for each in self.shares], _LOW_PERCENT))

    @property
    def warning(self) -> str:
        """What is to be said of the network as a whole; "" if it looks at the anatomy."""
        median = _median(self.shares, "balanced")
        if median > _EVEN:
            return ""
        return (
            f"the network looks beside the anatomy: the median of its attention is {_times(median)} as dense "
            "there as elsewhere; look for cues in its training images, and train it anew"
        )

    @property
    def as_json(self) -> dict:
        """For the network's description, under "attention", and for its quality card."""
        names = ("anatomy", "background", "collimator", "tools", "area", "balanced")
        medians = {name: round(_median(self.shares, name), 4) for name in names}
        return {
            "images": len(self.shares),
            "median": medians,
            "lowest_balanced": round(self.lowest, 4),
            "balanced": [round(each.balanced, 4) for each in self.shares],
            "warning": self.warning,
        }


def dense_part(volume: Volume) -> Density:
    """What counts as anatomy in a CT: bone; soft tissue, if there is none. Coarse, and quickly made."""
    steps = np.maximum(1, np.floor(_VOXEL_MM / volume.grid.spacing_mm)).astype(int)
    i, j, k = (slice(None, None, step) for step in steps)
    hu = np.ascontiguousarray(volume.hu[k, j, i])
    grid = Grid(hu.shape[::-1], volume.grid.patient_from_index @ np.diag([*steps, 1.0]))
    return dense_of(materials_of(replace(volume, hu=hu, grid=grid)))


def anatomy_mask(dense: Density, camera: Camera) -> np.ndarray:
    """[row, column] bool: where `dense_part` projects, and a little around it."""
    paths = render(dense, camera)
    inside = (paths > _LEAST_PATH).float()[None, None]
    width = round(_WIDENED * max(camera.size))
    return torch.nn.functional.max_pool2d(inside, 2 * width + 1, 1, width)[0, 0].cpu().numpy() > 0


def attention_shares(
    attention: np.ndarray,
    anatomy: np.ndarray,
    collimator: np.ndarray | None = None,
    tools: np.ndarray | None = None,
) -> Shares:
    """How a map is divided.

    Args:
        attention: [row, column] as of `attention_of` or `attention_map`, of any scale.
        anatomy, collimator, tools: [row, column] bool; where they overlap, the collimator goes before tools
            and tools before anatomy.

    Raises:
        InputError: if the images are not of one shape.
    """
    nowhere = np.zeros(attention.shape, dtype=bool)
    collimator, tools = (nowhere if mask is None else mask for mask in (collimator, tools))
    if {mask.shape for mask in (anatomy, collimator, tools)} != {attention.shape}:
        raise InputError("attention and masks are images of different sizes", remedy="render them anew")
    tools = tools & ~collimator
    anatomy = anatomy & ~collimator & ~tools
    parts = [anatomy, ~(anatomy | collimator | tools), collimator, tools]
    squares = np.square(attention, dtype=float)
    total = max(float(squares.sum()), 1e-30)
    return Shares(*(float(squares[part].sum()) / total for part in parts), float(anatomy.mean()))


def attention_audit(module: PoseNetwork, batches: Iterable[Batch]) -> Audit:
    """The attention to simulated X-rays, on which the anatomy is known."""
    device = next(module.parameters()).device
    shares = []
    for batch in batches:
        maps = attention_of(module, batch.images.to(device)).cpu().numpy()
        covered = (batch.images[:, 0] == 0).numpy()  # as `standardised` leaves what a mask hides
        dense = dense_of(batch.anatomy.materials)
        for attention, camera, nothing in zip(maps, batch.cameras, covered, strict=True):
            shares.append(attention_shares(attention, anatomy_mask(dense, camera), nothing))
    return Audit(tuple(shares))


def xray_shares(
    network: TrainedNetwork, xray: Xray, camera_from_patient: np.ndarray, dense: Density
) -> Shares:
    """How the attention to an X-ray is divided, with the anatomy at a registered pose (4, 4)."""
    attention, seen, field = field_attention(network, xray)
    return attention_shares(attention, anatomy_mask(dense, field.moved(camera_from_patient)), ~seen)


def attention_warning(
    network: TrainedNetwork, xray: Xray, camera_from_patient: np.ndarray, dense: Density
) -> str | None:
    """What is to be said of the attention to an X-ray once it is registered; None if nothing.

    Something is if the balanced share lies below that of 95 % of the network's own simulated X-rays, which
    its description tells under "attention" (`Audit.as_json`), and in any case below 0.5, that of attention
    spread evenly.

    Args:
        camera_from_patient: (4, 4) as registered.
        dense: `dense_part` of the CT.
    """
    described = network.description.get(ATTENTION, {})
    limit = max(described.get("lowest_balanced", 0.0), _EVEN)
    shares = xray_shares(network, xray, camera_from_patient, dense)
    if shares.balanced >= limit:
        return None
    return (
        f"{xray.name}: the network looked beside the anatomy ({100 * shares.anatomy:.0f} % of its attention "
        f"on the {100 * shares.area:.0f} % of the image that the anatomy covers)"
    )


def _median(shares: tuple[Shares, ...], name: str) -> float:
    return float(np.median([getattr(each, name) for each in shares]))


def _times(balanced: float) -> str:
    return f"{balanced / (1 - balanced):.2g} times"
