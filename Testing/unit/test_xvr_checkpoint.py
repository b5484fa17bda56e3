"""Networks of xvr: weights that fit key by key, the picture they see, and poses by hand."""

import datetime
import pathlib

import numpy as np
import pytest
import torch
from torch.nn import functional
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, diffdrr_pose, inverse, translation, zxy_angles
from xrayreg.images import Grid, Volume, Xray
from xrayreg.learn import XvrEstimator, read_xvr_network, started_from_network

N, SDD, DELX = 64, 1000.0, 2.0
CONFIG = {
    "volpath": "/data/ct.nii.gz",
    "outpath": pathlib.PurePosixPath("/models"),
    **{"txmin": -150.0, "txmax": 150.0, "tymin": 450.0, "tymax": 1000.0, "tzmin": -150.0, "tzmax": 150.0},
    **{
        "alphamin": -45.0,
        "alphamax": 45.0,
        "betamin": -30.0,
        "betamax": 30.0,
        "gammamin": -5.0,
        "gammamax": 5.0,
    },
    **{"sdd": SDD, "height": N, "delx": DELX, "orientation": "AP", "reverse_x_axis": True},
    **{"parameterization": "quaternion_adjugate", "convention": "ZXY", "unit_conversion_factor": 1000.0},
    **{"model_name": "resnet18", "norm_layer": "groupnorm", "warp": None},
}
BACKBONES = {"resnet18": ((2, 2, 2, 2), False), "resnet34": ((3, 4, 6, 3), False)}
BACKBONES["resnet50"] = ((3, 4, 6, 3), True)
CENTRE = np.array([10.0, 20.0, 30.0])
# 90 degrees about z: q = (1, 0, 0, 1) / sqrt 2; the upper triangle of q q^T, of any length.
TURNED = 0.8 * np.array([0.5, 0, 0, 0.5, 0, 0, 0, 0, 0, 0.5])
AT_850_MM = (0.0, 0.85, 0.0)
TURNED_LEFT = np.array([[0, 1, 0, -20], [0, 0, -1, 30], [-1, 0, 0, 860], [0, 0, 0, 1.0]])


def layers(model: str):
    """(name, channels in, channels out, kernel, stride) of each convolution, as timm's ResNet has them."""
    counts, is_bottleneck = BACKBONES[model]
    yield "conv1", 1, 64, 7, 2
    here = 64
    for stage, count in enumerate(counts):
        planes = 64 * 2**stage
        out = planes * (4 if is_bottleneck else 1)
        for number in range(count):
            block, stride = f"layer{stage + 1}.{number}", 2 if stage and not number else 1
            if is_bottleneck:
                yield f"{block}.conv1", here, planes, 1, 1
                yield f"{block}.conv2", planes, planes, 3, stride
                yield f"{block}.conv3", planes, out, 1, 1
            else:
                yield f"{block}.conv1", here, planes, 3, stride
                yield f"{block}.conv2", planes, planes, 3, 1
            if here != out or stride > 1:
                yield f"{block}.downsample.0", here, out, 1, stride
            here = out


def norm_of(convolution: str) -> str:
    if convolution.endswith("downsample.0"):
        return convolution[:-1] + "1"
    return convolution.replace("conv", "bn")


def weights_of(model: str, norm: str, rotation_size: int, random: bool = True) -> dict:
    """A state dictionary as xvr saves it."""
    generator = torch.Generator().manual_seed(3)

    def some(*shape, middle=0.0, spread=1.0):
        if not random:  # a view of one number, so that its file is small
            return torch.zeros(1).expand(shape)
        return middle + spread * torch.randn(shape, generator=generator)

    weights = {}
    for name, channels, out, kernel, _ in layers(model):
        weights[f"{name}.weight"] = some(out, channels, kernel, kernel, spread=(out * kernel**2) ** -0.5)
        bn = norm_of(name)
        weights[f"{bn}.weight"] = some(out, middle=1.0, spread=0.2)
        weights[f"{bn}.bias"] = some(out, spread=0.2)
        if norm == "batchnorm":
            weights[f"{bn}.running_mean"] = some(out, spread=0.1)
            weights[f"{bn}.running_var"] = some(out, spread=0.2).abs() + 0.5
            weights[f"{bn}.num_batches_tracked"] = torch.tensor(7)
    weights = {f"backbone.{name}": value for name, value in weights.items()}
    for head, size in (("xyz", 3), ("rot", rotation_size)):
        weights[f"{head}_regression.weight"] = some(size, out, spread=0.1)
        weights[f"{head}_regression.bias"] = some(size, spread=0.5)
    return weights


def timm_features(weights: dict, model: str, norm: str, x: torch.Tensor) -> torch.Tensor:
    """timm's ResNet, written out from its definition."""
    steps = {name: stride for name, _, _, _, stride in layers(model)}

    def layer(x, name):
        weight = weights[f"backbone.{name}.weight"]
        x = functional.conv2d(x, weight, None, steps[name], weight.shape[-1] // 2)
        bn = f"backbone.{norm_of(name)}"
        if norm == "groupnorm":
            return functional.group_norm(x, 32, weights[f"{bn}.weight"], weights[f"{bn}.bias"], 1e-5)
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{bn}.{each}"] for each in names), eps=1e-5)

    x = functional.max_pool2d(torch.relu(layer(x, "conv1")), 3, 2, 1)
    counts, is_bottleneck = BACKBONES[model]
    for block in (f"layer{stage + 1}.{number}" for stage in range(4) for number in range(counts[stage])):
        shortcut = layer(x, f"{block}.downsample.0") if f"{block}.downsample.0" in steps else x
        x = torch.relu(layer(x, f"{block}.conv1"))
        x = layer(x, f"{block}.conv2")
        if is_bottleneck:
            x = layer(torch.relu(x), f"{block}.conv3")
        x = torch.relu(x + shortcut)
    return x.mean((2, 3))


def saved(path, weights: dict, **changes):
    config = {name: value for name, value in {**CONFIG, **changes}.items() if value != "gone"}
    content = {"model_state_dict": weights, "config": config, "itr": 1000, "date": datetime.datetime.now()}
    torch.save(content, path)
    return path


def saying(path, rotation, place, **changes):
    """A network that always says the same."""
    weights = weights_of("resnet18", "groupnorm", len(rotation), random=False)
    weights["rot_regression.bias"] = torch.tensor(np.asarray(rotation), dtype=torch.float32)
    weights["xyz_regression.bias"] = torch.tensor(place)
    return saved(path, weights, **changes)


def volume() -> Volume:
    """The middle of its box is CENTRE, which is no voxel's centre."""
    patient_from_index = np.diag([2.0, 2.0, 3.0, 1.0])
    patient_from_index[:3, 3] = CENTRE - [3, 3, 4.5]
    return Volume(np.zeros((4, 4, 4), np.float32), Grid((4, 4, 4), patient_from_index))


def xray_of(lines: np.ndarray, middle=None, sdd=SDD, spacing=DELX, mask=None) -> Xray:
    rows, columns = lines.shape
    u, v = ((columns - 1) / 2, (rows - 1) / 2) if middle is None else middle
    K = np.array([[sdd / spacing, 0, u], [0, sdd / spacing, v], [0, 0, 1]])
    mask = np.ones(lines.shape, bool) if mask is None else mask
    return Xray(lines.astype(np.float32), Camera((columns, rows), K, np.eye(4)), mask)


def pictures(path, xray: Xray) -> np.ndarray:
    """(2, N, N), what the network at ``path`` is given."""
    network, seen = read_xvr_network(path), []
    network.regressor.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network.poses(xray, volume())
    return seen[0][:, 0].numpy()


@pytest.mark.parametrize(
    ("model", "norm", "written"),
    [
        ("resnet18", "groupnorm", {}),
        ("resnet34", "batchnorm", {"model_name": "resnet34.a1_in1k", "norm_layer": "batchnorm2d"}),
        ("resnet50", "groupnorm", {"model_name": "resnet50"}),
    ],
)
def test_weights_fit_and_give_what_timm_gives(tmp_path, model, norm, written):
    weights = weights_of(model, norm, 10)
    network = read_xvr_network(saved(tmp_path / "x.pth", weights, **written))
    x = torch.randn(2, 1, N, N, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        rotation, place = network.regressor(x)
        features = timm_features(weights, model, norm, x)
    assert features.std() > 0.1
    for head, said in (("rot", rotation), ("xyz", place)):
        weight, bias = (weights[f"{head}_regression.{each}"] for each in ("weight", "bias"))
        torch.testing.assert_close(said, features @ weight.T + bias, rtol=1e-5, atol=1e-5)


def test_a_known_pose_by_hand(tmp_path):
    network = read_xvr_network(saying(tmp_path / "x.pth", TURNED, AT_850_MM))
    poses = network.poses(xray_of(np.eye(N)), volume())
    # R t = (-850, 0, 0) RAS: the source lies 850 mm to the left of the middle, LPS (860, 20, 30).
    # Columns run to posterior, rows to the feet, the beam to the right.
    np.testing.assert_allclose(poses, [TURNED_LEFT] * 2, atol=1e-3)


def test_one_rotation_in_every_code():
    # 120 degrees about (1, 1, 1): q = (1, 1, 1, 1) / 2, which carries x to y, y to z, z to x.
    R = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    vector = np.ones(3) * 2 * np.pi / 3 / np.sqrt(3)
    codes = {
        "axis_angle": vector,
        "euler_angles": np.radians([90, 90, 0]),  # Rz Rx
        "quaternion": -3 * np.ones(4),
        "rotation_6d": np.concatenate([2 * R[0], 3 * R[1] + R[0]]),  # the first rows
        "rotation_9d": 2 * R.ravel(),
        "rotation_10d": -np.ones(10),  # -q q^T, whose least eigenvalue is q's
        "quaternion_adjugate": np.ones(10),
    }
    for name, code in codes.items():
        pose = diffdrr_pose(code, (1, 2, 3), name, "ZXY")
        np.testing.assert_allclose(pose, [[0, 0, 1, 3], [1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 0, 1]], atol=1e-12)
    # Along the axis the exponential of both leaves the translation as it is.
    expected = translation([5, 5, 5])
    expected[:3, :3] = R
    np.testing.assert_allclose(diffdrr_pose(vector, (5, 5, 5), "se3_log_map"), expected, atol=1e-12)


def test_the_first_picture_has_xvrs_tone_and_the_second_line_integrals(tmp_path):
    lines = np.zeros((N, N))
    lines[20:40, 20:30], lines[20:40, 30:50] = np.log(2), np.log(4)
    path = saying(tmp_path / "x.pth", TURNED, AT_850_MM)
    first, second = pictures(path, xray_of(lines))
    # Intensities 1, 1/2, 1/4, scaled to 1, 1/3, 0; (ln 2 - ln(1 + I)) / ln 2 is 0, log2(1.5), 1.
    np.testing.assert_allclose(first[30, [10, 25, 40]], [-1.5, 10 * np.log2(1.5) - 1.5, 8.5], atol=1e-3)
    np.testing.assert_allclose(second[30, [10, 25, 40]], [-1.5, 3.5, 8.5], atol=1e-3)
    # A constant more, of another I0, changes nothing.
    np.testing.assert_allclose(pictures(path, xray_of(lines + 0.7)), [first, second], atol=1e-3)


def test_the_picture_is_what_the_networks_detector_sees(tmp_path):
    path = saying(tmp_path / "x.pth", TURNED, AT_850_MM)
    rng = np.random.default_rng(2)
    lines = rng.uniform(0.5, 1, (N, 100))
    lines[0, [30, 31]] = 0, 1
    # The perpendicular meets column 20 + 31.5: the network sees columns 20 to 83.
    seen = pictures(path, xray_of(lines, middle=(51.5, 31.5)))[1]
    np.testing.assert_allclose(seen, 10 * lines[:, 20:84] - 1.5, atol=1e-3)
    # Pixels of twice the size: only the middle half, one pixel (40, 25) of which is two across here.
    lines = np.zeros((N, N))
    lines[25, 40] = 1
    seen = pictures(path, xray_of(lines, spacing=2 * DELX))[1] + 1.5
    row, column = ((seen * index).sum() / seen.sum() for index in np.indices((N, N)))
    assert (row, column) == pytest.approx((31.5 + 2 * (25 - 31.5), 31.5 + 2 * (40 - 31.5)), abs=1e-3)
    # The same from a detector at half the distance.
    closer = pictures(path, xray_of(lines, sdd=SDD / 2))[1] + 1.5
    np.testing.assert_allclose(closer, seen, atol=1e-3)


def test_masked_pixels_and_what_lies_outside_are_empty(tmp_path):
    path = saying(tmp_path / "x.pth", TURNED, AT_850_MM)
    lines = np.tile(np.linspace(0, 1, N), (N, 1))
    mask = np.ones((N, N), bool)
    mask[:10] = False
    lines[:10] = np.nan
    seen = pictures(path, xray_of(lines, middle=(11.5, 31.5), mask=mask))
    np.testing.assert_allclose(seen[:, :10], -1.5, atol=1e-5)
    np.testing.assert_allclose(seen[:, :, :19], -1.5, atol=1e-5)
    assert seen[:, 20, 83 - 20].min() > 6


def test_a_network_of_mirrored_images_is_shown_mirrored_images(tmp_path):
    xray = xray_of(np.random.default_rng(1).uniform(0, 1, (N, N)))
    path = saying(tmp_path / "x.pth", TURNED, AT_850_MM)
    mirrored = saying(tmp_path / "m.pth", TURNED, AT_850_MM, reverse_x_axis=False)
    np.testing.assert_allclose(pictures(mirrored, xray), pictures(path, xray)[:, :, ::-1], atol=1e-4)
    poses = read_xvr_network(mirrored).poses(xray, volume())
    np.testing.assert_allclose(poses, [TURNED_LEFT] * 2, atol=1e-3)


def test_poses_in_a_templates_frame(tmp_path):
    network = read_xvr_network(saying(tmp_path / "x.pth", TURNED, AT_850_MM, warp="/data/warp.txt"))
    xray = xray_of(np.eye(N))
    with pytest.raises(
        InputError, match=r"x\.pth: says poses in the frame of a template.*patient_from_templ"
    ):
        network.poses(xray, volume())
    # The template's origin lies at (1, 2, 3) of the patient: there, not at the middle, the beam is aimed.
    poses = network.poses(xray, volume(), translation([1, 2, 3]))
    np.testing.assert_allclose(inverse(poses[0])[:3, 3], [851, 2, 3], atol=1e-3)
    np.testing.assert_allclose(poses[0][:3, :3], TURNED_LEFT[:3, :3], atol=1e-6)
    with pytest.raises(InputError, match="not a rigid"):
        network.poses(xray, volume(), 2 * np.eye(4))


def test_registration_starts_at_what_xvr_predicts(tmp_path):
    network = read_xvr_network(saying(tmp_path / "x.pth", TURNED, AT_850_MM))
    start = started_from_network(XvrEstimator(network, volume()), [xray_of(np.eye(N))])
    np.testing.assert_allclose(start.xrays[0].camera.camera_from_patient, TURNED_LEFT, atol=1e-3)
    # 90 degrees about z, where the training ended at 45; 850 mm are inside.
    assert start.outside["view"] == pytest.approx({"alpha": 45}, abs=1e-3)
    assert min(start.search.rotation_deg) >= 8


def test_what_lies_outside_of_the_training(tmp_path):
    ranges = {"alphamin": 60.0, "alphamax": 300.0, "tymin": 450.0, "tymax": 800.0}
    network = read_xvr_network(saying(tmp_path / "x.pth", TURNED, AT_850_MM, warp="/w.txt", **ranges))
    template = translation([1, 2, 3])
    estimator = XvrEstimator(network, volume(), template)
    pose = network.poses(xray_of(np.eye(N)), volume(), template)[0]
    assert estimator.outside(pose) == pytest.approx({"ty": 50}, abs=1e-3)
    # The source 200 mm further to the front, at the same angles: along tx, as R carries x to y (RAS).
    assert estimator.outside(pose @ translation([0, 200, 0])) == pytest.approx({"tx": 50, "ty": 50}, abs=1e-3)
    np.testing.assert_allclose(
        zxy_angles(diffdrr_pose([1, 0.5, -2], (0, 0, 0), "euler_angles", "ZXY")), [1, 0.5, -2]
    )
    silent = read_xvr_network(saying(tmp_path / "x.pth", TURNED, AT_850_MM, betamin="gone"))
    assert XvrEstimator(silent, volume()).outside(pose) == {}


def test_the_unit_of_old_checkpoints(tmp_path):
    old = {"unit_conversion_factor": "gone"}
    for place, unit in (((0, 0.85, 0), 1000), ((0, 850.0, 0), 1)):
        path = saying(tmp_path / "old.pth", TURNED, place, **old)
        assert read_xvr_network(path).unit_mm == unit
    for more in ({"tymin": 1.0, "tymax": 2.0}, {"tymin": "gone"}):
        path = saying(tmp_path / "old.pth", TURNED, (0, 850.0, 0), **old, **more)
        with pytest.raises(InputError, match="does not say the unit"):
            read_xvr_network(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_name": "convnext_tiny"}, "its model_name is 'convnext_tiny'; known are resnet18"),
        ({"norm_layer": "layernorm"}, "its norm_layer is 'layernorm'; known are groupnorm"),
        ({"parameterization": "gnomonic"}, "its parameterization is 'gnomonic'; known are axis_angle"),
        ({"parameterization": "euler_angles", "convention": "ZZY"}, "convention is 'ZZY'"),
        ({"parameterization": "euler_angles"}, r"rot_regression.weight is \(10, 512\), not \(3, 512\)"),
        ({"sdd": "gone", "delx": "gone"}, r"does not say sdd, delx.*xvr train"),
        ({"sdd": -1020.0}, "detector is none: sdd -1020"),
        ({"height": 128.5}, "height 128.5"),
        ({"height": 10**9}, "height 1e"),
        ({"delx": True}, "its delx is True"),
        ({"orientation": "LAT"}, "orientation is 'LAT'"),
        ({"orientation": ["AP"]}, "malformed"),
        ({"reverse_x_axis": 1}, "malformed"),
        ({"unit_conversion_factor": 0.0}, "unit_conversion_factor is 0"),
        ({"use_bf16": False}, "rendered with nanodrr"),
        ({"model_name": "resnet34"}, r"backbone.layer1.2.conv1.weight is missing, and \d+ more"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path, change, message):
    path = saying(tmp_path / "bad.pth", TURNED, AT_850_MM, **change)
    with pytest.raises(InputError, match=message) as refused:
        read_xvr_network(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    weights = weights_of("resnet18", "groupnorm", 10, random=False)
    path = saved(tmp_path / "x.pth", {**weights, "xyz_regression.bias": torch.tensor([0, np.nan, 0])})
    with pytest.raises(InputError, match=r"xyz_regression\.bias is not finite"):
        read_xvr_network(path)
    path = saved(tmp_path / "x.pth", {**weights, "lora": torch.zeros(1)})
    with pytest.raises(InputError, match="lora is not known"):
        read_xvr_network(path)
    path = saying(tmp_path / "x.pth", np.zeros(10), AT_850_MM)
    with pytest.raises(InputError, match=r"x\.pth: its numbers make no rotation"):
        read_xvr_network(path).poses(xray_of(np.eye(N)), volume())


class Runs:
    """A pickle that makes a file where it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_files_that_are_no_checkpoint_are_refused(tmp_path):
    path = saying(tmp_path / "evil.pth", TURNED, AT_850_MM, ckptpath=Runs(str(tmp_path / "made")))
    with pytest.raises(InputError, match="would have to run code"):
        read_xvr_network(path)
    assert not (tmp_path / "made").exists()
    whole = saying(tmp_path / "x.pth", TURNED, AT_850_MM).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.pth: is no file of torch, or damaged"):
        read_xvr_network(tmp_path / "cut.pth")
    for content in ([1, 2], {"model_state_dict": {}}, {"config": CONFIG, "model_state_dict": 3}):
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(InputError, match="holds no model_state_dict and config"):
            read_xvr_network(tmp_path / "other.pth")
    with pytest.raises(InputError, match="no such file"):
        read_xvr_network(tmp_path / "gone.pth")
