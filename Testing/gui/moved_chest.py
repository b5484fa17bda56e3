"""The sample's X-rays after its patient has bent a little: vertebrae and ribs have moved, each by itself."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from xrayreg.deform import blended, warped_volume
from xrayreg.evaluate import fetch_demo_case, write_demo_views
from xrayreg.geometry import about, apply
from xrayreg.images import LabelMap, Xray, read_label_map, read_volume, read_xray

VERTEBRAE = [f"vertebrae_T{number}" for number in range(6, 12)]
RIBS = [f"rib_{side}_{number}" for number in range(7, 10) for side in ("left", "right")]
BONES = (*VERTEBRAE, *RIBS)
AT_REST = "vertebrae_T9"
_BEND_DEG = (2.5, 1.0, -1.5)  # of each vertebra against the next below, LPS
_BREATH = (4.0, 3.0)  # degrees, mm: how far ribs are lifted


def moved_xrays() -> list[Xray]:
    """Simulated as the sample's are, with the C-arm where it was."""
    case = fetch_demo_case()
    volume, labels = read_volume(case.volume), read_label_map(case.segmentation, case.structures)
    number_of = {name: number for number, name in labels.names.items()}
    bones = {name: (number_of[name],) for name in BONES}
    blend = blended(labels, bones, _motions(labels, bones), volume.grid)
    moved = warped_volume(volume, labels, blend.motions, blend.displacements, blend.grid)
    centre = tuple(float(x) for x in volume.grid.centre_patient)
    with TemporaryDirectory() as folder:
        return [read_xray(view.path, isocenter=centre) for view in write_demo_views(moved, Path(folder))]


def _motions(labels: LabelMap, bones: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
    middles = {name: _middle(labels, number) for name, (number,) in bones.items()}
    motions = {AT_REST: np.eye(4)}
    rest = VERTEBRAE.index(AT_REST)
    for chain, sign in ((VERTEBRAE[rest::-1], 1), (VERTEBRAE[rest:], -1)):
        for before, name in pairwise(chain):
            joint = (middles[before] + middles[name]) / 2
            turn = np.concatenate([np.radians(_BEND_DEG) * sign, np.zeros(3)])
            motions[name] = motions[before] @ about(joint, turn)
    degrees, mm = _BREATH
    for name in RIBS:
        vertebra = f"vertebrae_T{name.rsplit('_')[-1]}"
        lift = np.array([np.radians(degrees), 0, 0, 0, 0, mm])
        motions[name] = motions[vertebra] @ about(middles[name], lift)
    return [motions[name] for name in bones]


def _middle(labels: LabelMap, number: int) -> np.ndarray:
    index = np.argwhere(labels.labels == number)[:, ::-1]
    return apply(labels.grid.patient_from_index, index.mean(axis=0))
