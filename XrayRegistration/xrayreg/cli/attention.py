"""Whether the network that found the start poses looked at the anatomy: pictures, and doubts."""

from collections.abc import Sequence
from pathlib import Path

from ..images import Volume
from ..learn import TrainedNetwork, anatomy_mask, attention_map, attention_warning, dense_part
from ..overlays import attention_picture
from ..register import RegisteredView


def checked_attention(
    network: TrainedNetwork | None, volume: Volume, views: Sequence[RegisteredView], folder: Path
) -> list[str]:
    """Writes attention_VIEW.png into ``folder``.

    Returns:
        what is to be said of the views where it looked beside the anatomy.
    """
    if network is None:
        return []
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
