"""The CTs that a network is trained on: one patient's, or several in the frame of the first."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..images import Volume
from ..learn import in_template_frame, packed_template, template_of, volume_sha256
from .files import say


@dataclass(frozen=True)
class Patients:
    """What a network learns from.

    Attributes:
        volumes: in one frame.
        facts: for its description.
        tensors: the template, for its file; empty for one patient.
    """

    volumes: tuple[Volume, ...]
    facts: dict
    tensors: dict[str, torch.Tensor]


def in_one_frame(volumes: Sequence[Volume]) -> Patients:
    """One CT as it is; several by their bones in the frame of the first, as `in_template_frame`.

    Raises:
        InputError: for a CT that does not show the same part of the body as the first.
    """
    if len(volumes) == 1:
        return Patients(tuple(volumes), {}, {})
    aligned = in_template_frame(volumes, report=say)
    tensors, description = packed_template(template_of(volumes[0]))
    # Where the files have them, so that each patient is known again.
    facts = {"volumes": [volume_sha256(volume) for volume in volumes], "template": description}
    return Patients(tuple(each.volume for each in aligned), facts, tensors)
