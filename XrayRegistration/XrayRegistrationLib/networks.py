"""The session's pose network: chosen, what its quality card says, and starts from it.

What of the core's networks the module uses is called here and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xrayreg.errors import InputError

from . import roles
from .mrml import remove_references

if TYPE_CHECKING:
    import numpy as np
    from xrayreg.images import Volume, Xray
    from xrayreg.register import SearchRange

_SAMPLE = Path(__file__).parents[1] / "Resources" / "Networks" / "demo-chest.safetensors"


@dataclass(frozen=True)
class Network:
    """A network that was chosen.

    Attributes:
        any_patient: whether one that was trained on another CT may be used.
    """

    path: Path
    any_patient: bool


@dataclass(frozen=True)
class Start:
    """Where registration starts.

    Attributes:
        xrays: in the order given.
        search: how far to search around; None only refines.
        notices: how sure the network is, for people.
    """

    xrays: list[Xray]
    search: SearchRange | None
    notices: tuple[str, ...] = ()


def choose_network(session, path: str) -> None:
    """Give a session a network file, from which it then starts, or none, ""; maps of the one before go."""
    if path == (session.GetAttribute(roles.NETWORK) or ""):
        return
    forget_attention(session)
    if path:
        session.SetAttribute(roles.NETWORK, path)
        session.SetAttribute(roles.START, roles.FROM_NETWORK)
        return
    session.RemoveAttribute(roles.NETWORK)
    if session.GetAttribute(roles.START) == roles.FROM_NETWORK:
        session.RemoveAttribute(roles.START)


def forget_attention(session) -> None:
    """Take the maps of where a network looks off the X-rays."""
    if session.GetAttribute(roles.COMPARE) == roles.ATTENTION:
        session.RemoveAttribute(roles.COMPARE)
    for xray in roles.references(session, roles.VIEW):
        remove_references(xray, roles.ATTENTION_MAP)


def network_of(session) -> Network:
    """The session's.

    Raises:
        InputError: if none is chosen, or its file is gone.
    """
    path = session.GetAttribute(roles.NETWORK)
    if not path:
        raise InputError("no network is chosen", remedy='choose one under "Start from a network"')
    if not Path(path).is_file():
        raise InputError("no such file", where=path, remedy="choose the network anew")
    return Network(Path(path), session.GetAttribute(roles.ANY_PATIENT) is not None)


def sample_network() -> Path | None:
    """That of the sample's CT, if it is here."""
    return _SAMPLE if _SAMPLE.is_file() else None


def card_page(network: str) -> Path:
    """The page of a network's quality card."""
    return Path(network).with_suffix(".card.html")


def card_of(network: str) -> dict:
    """What a network's quality card says; empty if there is none that can be read."""
    try:
        card = json.loads(Path(network).with_suffix(".card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def start_from(network: Network, xrays: list[Xray], volume: Volume) -> Start:
    """Where the network says that the X-rays are; in a job.

    Raises:
        InputError: if the file is no network, or one of another patient.
    """
    from xrayreg.geometry import is_torch_file
    from xrayreg.learn import XvrEstimator, read_pose_network, read_xvr_network, started_from_network

    if is_torch_file(network.path):  # they do not say whose they are
        read = XvrEstimator(read_xvr_network(network.path), volume)
    else:
        read = read_pose_network(network.path, volume, other_patient=network.any_patient)
    start = started_from_network(read, xrays)
    notices = [f"{xray.name}: {xray.notes[-1]}" for xray in start.xrays]
    for name, beyond in start.outside.items():
        far = ", ".join(f"{what} by {value:.0f}" for what, value in beyond.items())
        notices.append(f"{name}: the network's pose lies outside of what it was trained on: {far}")
    return Start(start.xrays, start.search, tuple(notices))


def attention(network: Network, xrays: list[Xray], volume: Volume) -> list[np.ndarray]:
    """Where the network looks, 0 to 1, float32 [row, column] of each X-ray; in a job.

    Raises:
        InputError: as `start_from`.
    """
    from xrayreg.learn import attention_map, read_pose_network

    read = read_pose_network(network.path, volume, other_patient=network.any_patient)
    return [attention_map(read, xray) for xray in xrays]
