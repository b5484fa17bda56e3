"""Whether the network that found the start poses looked at the anatomy: pictures, and doubts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..images import Volume
from ..overlays import attention_picture
from ..register import RegisteredView

if TYPE_CHECKING:
    from ..learn import TrainedNetwork


def checked_attention(
    network: TrainedNetwork | None, volume: Volume, views: Sequence[RegisteredView], folder: Path
) -> list[str]:
    """Writes attention_VIEW.png into ``folder``.

    Returns:
        what is to be said of the views where it looked beside the anatomy.
    """
    if network is None:
        return []
    from ..learn import anatomy_mask, attention_map, attention_warning, dense_part  # MONAI loads slowly

    dense = dense_part(volume)
    doubts = []
    for view in views:
        warning = attention_warning(network, view.xray, view.camera.camera_from_patient, dense)
        doubts += [warning] if warning else []
        title = f"{view.name}: where the network looked"
        mask = anatomy_mask(dense, view.camera)
        picture = attention_picture(view.xray, attention_map(network, view.xray), title, mask)
        picture.save(folder / f"attention_{view.name}.png")
    return doubts
