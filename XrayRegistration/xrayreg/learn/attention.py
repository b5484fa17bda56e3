"""Where in an X-ray the evidence lies on which a pose network's answer rests.

Grad-CAM (R. Selvaraju et al., ICCV 2017) asks how a class score changes with the last maps, and averages that
over the image. A pose has no class, our head keeps places apart, and the last maps have 2 x 2 to 4 x 4 cells.
So each number of the pose is differentiated by the first maps, and derivative times activation is added up at
each place (HiResCAM: R. Draelos and L. Carin, arXiv 2011.08891): to first order what the place contributes to
turn, place and depth, in the units in which training adds up their errors. `docs/networks-attention.md`
compares this with what erasing a place does to the pose.
"""

import numpy as np
import torch
from torch import Tensor

from ..geometry import Camera
from ..images import Xray
from .codes import DEPTH, PLACE, rotation_of
from .estimate import TrainedNetwork, field_image
from .network import PoseNetwork
from .network_input import standardised

_STRIDE = 4  # pixels from one cell of the first maps to the next; the first cell is about the first pixel


def attention_of(module: PoseNetwork, images: Tensor) -> Tensor:
    """(B, N, N) by how much each pixel moves the pose, relative to the one that moves it most: 0 to 1.

    All 0 where the answer does not depend on the image, as that of an untrained network.

    Args:
        images: (B, 1, N, N) `standardised`, on the network's device.
    """
    with torch.enable_grad():
        cells, outputs = _first_maps(module, images)
        parts = pose_parts(outputs)
        gradients = [torch.autograd.grad(part.sum(), cells, retain_graph=True)[0] for part in parts]
    moved = torch.stack([(gradient * cells.detach()).sum(dim=1) for gradient in gradients])
    pixels = _at(moved.norm(dim=0), *np.indices(images.shape[2:])[::-1] / _STRIDE)
    return pixels / pixels.amax(dim=(1, 2), keepdim=True).clamp(min=1e-30)


def field_attention(network: TrainedNetwork, xray: Xray) -> tuple[np.ndarray, np.ndarray, Camera]:
    """As `attention_of` for an X-ray, in the field that the network sees.

    Returns:
        (N, N) float32, (N, N) bool where the X-ray shows anything, and the field's `Camera`.
    """
    module = network.module
    image, mask, camera = field_image(xray, module.config.pixels)
    seen = standardised(image[None], mask[None], module.config.pixels)
    device = next(module.parameters()).device
    return attention_of(module, seen.to(device))[0].cpu().numpy(), mask.numpy(), camera


def attention_map(network: TrainedNetwork, xray: Xray) -> np.ndarray:
    """As `attention_of` on an X-ray's own pixels, [row, column] float32."""
    attention, _, field = field_attention(network, xray)
    columns, rows = xray.camera.size
    v, u = np.indices((rows, columns), dtype=float)
    places = xray.camera.ray_directions(np.stack([u, v], axis=-1)) @ field.K.T
    values = _at(torch.from_numpy(attention)[None], places[..., 0], places[..., 1])[0].numpy()
    return values / max(float(values.max()), 1e-30)


def _first_maps(module: PoseNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, n, n) activations behind the stem, and the outputs as a function of them."""
    kept = []

    def keep(stem, inputs, activations):
        kept.append(activations.detach().requires_grad_())
        return kept[0]

    handle = module.stem.register_forward_hook(keep)
    try:
        outputs = module(images)
    finally:
        handle.remove()
    return kept[0], outputs


def pose_parts(outputs: Tensor) -> Tensor:
    """(6, B) turn about three axes (rad, from the answer itself), place in the field, and depth."""
    rotation = rotation_of(outputs)
    turn = rotation.detach().mT @ rotation
    axes = [turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]]
    return torch.cat([torch.stack(axes) / 2, outputs[:, PLACE].T, outputs[:, DEPTH].T])


def _at(maps: Tensor, columns: np.ndarray, rows: np.ndarray) -> Tensor:
    """(B, ...) values of (B, n, n) at places in its cells, interpolated; beyond the rim that of the rim."""
    last = maps.shape[-1] - 1
    places = torch.as_tensor(np.stack([columns, rows], axis=-1) * (2 / max(last, 1)) - 1).to(maps)
    return torch.nn.functional.grid_sample(
        maps[:, None],
        places.expand(len(maps), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )[:, 0]
