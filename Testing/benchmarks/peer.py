"""The peer of the registration benchmark: xvr's iterative registration, rendered by nanodrr 0.1.7.

    .venv-benchmark/bin/python Testing/benchmarks/peer.py --check

xvr (github.com/eigenvivek/xvr) is not on PyPI; its revision 8fb5d02 registers with nanodrr (others: DiffDRR).
Written anew from these settings:

- Pose: nanodrr 0.1.7, `registration/registration.py`, `Registration`: a rotation vector (rad) and a
  translation (mm) before it, about the volume's centre in the camera's frame, starting at zero.
- Rendering: nanodrr 0.1.7, `drr/renderer.py`, `render`: 500 trilinear samples on the part of a ray inside the
  volume; attenuation from Hounsfield units by `data/preprocess.py`, `hu_to_mu`.
- Similarity, maximised: xvr `register/losses/gmncc.py`, the default "gmncc": half the multiscale correlation
  (whole image and patches of 9 x 9, a half each), half the correlation of Sobel gradients in patches of
  11 x 11, sigma 0. The correlations are nanodrr's own (`metrics/ncc.py`), as in xvr.
- Optimiser: xvr `register/base.py`, `RegisterBase`: Adam, 1e-2 rad and 1 mm, halved at every finer scale and
  begun anew there; divided by 10 (`ReduceLROnPlateau`, "max", relative threshold 1e-4) after `patience`
  steps without gain; a scale ends with the second such division (`max_n_plateaus` 2) or after 500 steps.
- Pyramid: `RegisterBase._run_multiscale`, `parse_scales`: the DRR is rendered with fewer pixels, the X-ray
  resized. Three scales, 500 steps and a patience of 10 each: xvr's DeepFluoro experiment
  (`experiments/scripts/deepfluoro/register/foundation.sh`, revision 3585578). Its scales 24, 12, 6 of
  1436 pixels of 0.194 mm are 60, 120, 239 pixels of 4.7, 2.3, 1.2 mm; of 512 pixels of 0.6 mm
  the scales 8, 4, 2 make 64, 128, 256 pixels of 4.8, 2.4, 1.2 mm. Where nothing is asked for, xvr stops after
  one scale, 8, with a patience of 5: `scales=(8.0,), patience=5`.
- X-ray: xvr `io/xray.py`, `_preprocess_xray` (crop, to [0, 1], optionally to a linear form), then
  `XrayTransforms` (to [0, 1], bilinear, mean 0.15, deviation 0.1) in the form of a `torch.nn.Module`, which
  this revision calls: it resizes without smoothing. Other revisions smooth, by torchvision's `Resize`.

Deviations:

- Our X-rays are line integrals already. By default they are left so, as xvr's `linearize=False` does for
  such images; `linearize=True` goes back to intensities and through xvr's own law, log 2 - log(1 + I).
- xvr knows no mask, but crops the collimator away: here by as much as leaves no masked pixel.
- xvr fills what lies outside a label map with the volume's smallest value. With `above_hu` all that is not
  denser is air (-1000 HU), because the smallest value of a volume of bones alone may be far from air.
- The start is a given pose, where xvr has one predicted by a network.
"""

import argparse
import time

import numpy as np
import torch
from nanodrr.data import Subject
from nanodrr.drr import render as render_with_nanodrr
from nanodrr.metrics import GradientNormalizedCrossCorrelation2d, MultiscaleNormalizedCrossCorrelation2d
from nanodrr.registration import Registration
from torchio import ScalarImage
from xrayreg.geometry import LPS_FROM_RAS, Camera, CArm
from xrayreg.images import Grid, Volume, Xray, attenuation_per_mm
from xrayreg.render import Density, render

SCALES = (8.0, 4.0, 2.0)
STEPS, PATIENCE = 500, 10
ROTATION_RATE, TRANSLATION_RATE_MM = 1e-2, 1.0
RATE_DIVISOR, THRESHOLD, DIVISIONS = 10.0, 1e-4, 2
MNCC_PATCH, GNCC_PATCH = 9, 11
MEAN, DEVIATION = 0.15, 0.1
AIR_HU = -1000.0


def register_like_xvr(
    volume: Volume,
    xray: Xray,
    camera: Camera,
    *,
    device: str = "cpu",
    above_hu: float = AIR_HU,
    linearize: bool = False,
    scales: tuple[float, ...] = SCALES,
    patience: int = PATIENCE,
) -> tuple[np.ndarray, float, int]:
    """Register one X-ray to a CT by xvr's recipe.

    Args:
        volume: the CT, HU, on any grid.
        xray: line integrals; only what lies within the largest centred part without masked pixels counts.
        camera: its intrinsics are the X-ray's, its pose is the start.
        device: of torch.
        above_hu: voxels that are not denser count as air.
        linearize: go back to intensities and through xvr's own law.
        scales: pixels of the whole X-ray per pixel of each scale's image, coarse to fine.
        patience: steps without gain before the rates are divided.

    Returns:
        ``camera_from_patient`` (4, 4), float64; the seconds after the volume was set up; the steps made.
    """
    subject = subject_of(volume, above_hu).to(device)
    _ = subject.image  # attenuation, kept from here on
    start = time.perf_counter()
    crop = crop_without_mask(xray.mask)
    part = cropped(xray, crop)
    columns, rows = part.camera.size
    view = camera.cropped((crop // 2, crop // 2), (columns, rows))
    target = torch.from_numpy(preprocessed(part.line_integrals, linearize)).to(device)[None, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of the start's 1e-8
        registration = Registration(subject, *nanodrr_view(view, device), rows, columns)
    steps, level = 0, 1.0
    for number, scale in enumerate(scales):
        next_level = 1.0 if scale == 1 else scale * rows / (rows + crop)
        registration.rescale_(level / next_level)
        level = next_level
        steps += optimise(registration, target, 0.5**number, patience)
    found = registration.pose.detach().double().cpu().numpy()[0]
    return camera_from_patient_of(found), time.perf_counter() - start, steps


def optimise(registration: Registration, target: torch.Tensor, rate: float, patience: int) -> int:
    """Run one scale to its end; the number of steps."""
    optimiser = torch.optim.Adam(
        [
            {"params": [registration._rot], "lr": rate * ROTATION_RATE},
            {"params": [registration._xyz], "lr": rate * TRANSLATION_RATE_MM},
        ],
        maximize=True,
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, "max", 1 / RATE_DIVISOR, patience, THRESHOLD
    )
    size = registration.height, registration.width
    similarity = similarity_on(target.device)
    fixed = standardised(target, size)
    least, divisions = scheduler.get_last_lr()[0], 0
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        value = similarity(fixed, standardised(registration(), size))
        value.backward()
        optimiser.step()
        scheduler.step(value.detach())
        if scheduler.get_last_lr()[0] < least:
            least, divisions = scheduler.get_last_lr()[0], divisions + 1
        if divisions == DIVISIONS:
            return step
    return STEPS


def similarity_on(device: torch.device):
    """xvr's "gmncc" of two images (1, 1, rows, columns), as a function."""
    intensities = MultiscaleNormalizedCrossCorrelation2d([None, MNCC_PATCH], [0.5, 0.5]).to(device)
    gradients = GradientNormalizedCrossCorrelation2d(GNCC_PATCH, 0.0).to(device)
    return lambda fixed, moving: 0.5 * intensities(fixed, moving) + 0.5 * gradients(fixed, moving)


def standardised(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(1, 1, rows, columns) to the range [0, 1], to (rows, columns), to xvr's mean and deviation."""
    low, high = image.min(), image.max()
    image = (image - low) / (high - low + 1e-6)
    image = torch.nn.functional.interpolate(image, size=size, mode="bilinear", align_corners=False)
    return (image - MEAN) / DEVIATION


def preprocessed(line_integrals: np.ndarray, linearize: bool) -> np.ndarray:
    """[row, column] float32 in [0, 1]; through intensities and xvr's law, [0, log 2], if ``linearize``."""
    image = np.exp(-line_integrals) if linearize else line_integrals
    low, high = image.min(), image.max()
    image = (image - low) / (high - low + 1e-6)
    if linearize:
        image = np.log1p(image.max()) - np.log1p(image)
    return np.ascontiguousarray(image, dtype=np.float32)


def crop_without_mask(mask: np.ndarray) -> int:
    """The fewest pixels to take from both rows and columns, evenly, that leave none masked."""
    for crop in range(0, min(mask.shape), 2):
        half = crop // 2
        if mask[half : mask.shape[0] - half, half : mask.shape[1] - half].all():
            return crop
    raise ValueError("no centred part of the X-ray is without masked pixels")


def cropped(xray: Xray, crop: int) -> Xray:
    columns, rows = xray.camera.size
    return xray.cropped((crop // 2, crop // 2), (columns - crop, rows - crop))


def subject_of(volume: Volume, above_hu: float = AIR_HU) -> Subject:
    """The volume as nanodrr has it: Hounsfield units on an affine grid, RAS, mm."""
    return Subject.from_images(scalar_image(np.where(volume.hu > above_hu, volume.hu, AIR_HU), volume.grid))


def scalar_image(values: np.ndarray, grid: Grid) -> ScalarImage:
    """torchio's image, [1, i, j, k] with an affine to RAS, of values [k, j, i]."""
    tensor = torch.from_numpy(np.ascontiguousarray(values.T, dtype=np.float32))
    return ScalarImage(tensor=tensor[None], affine=LPS_FROM_RAS @ grid.patient_from_index)


def nanodrr_view(camera: Camera, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A camera as nanodrr has it.

    Its camera frame is ours; its world is RAS, and the centre of its first pixel lies at (0.5, 0.5).

    Returns:
        world from camera (1, 4, 4), the inverse of K (1, 3, 3), the source-to-detector distance (1,), mm.
    """
    K = camera.K.copy()
    K[:2, 2] += 0.5
    matrices = LPS_FROM_RAS @ camera.patient_from_camera, np.linalg.inv(K)
    world_from_camera, k_inverse = (
        torch.tensor(matrix, dtype=torch.float32, device=device)[None] for matrix in matrices
    )
    distance = torch.tensor([camera.require_source_to_detector()], dtype=torch.float32, device=device)
    return world_from_camera, k_inverse, distance


def camera_from_patient_of(world_from_camera: np.ndarray) -> np.ndarray:
    """Our pose (4, 4) from nanodrr's, its rotation made exact again after single precision."""
    patient_from_camera = LPS_FROM_RAS @ world_from_camera
    left, _, right = np.linalg.svd(patient_from_camera[:3, :3])
    rotation = left @ right
    camera_from_patient = np.eye(4)
    camera_from_patient[:3, :3] = rotation.T
    camera_from_patient[:3, 3] = -rotation.T @ patient_from_camera[:3, 3]
    return camera_from_patient


def check() -> None:
    """One oblique, off-centre view of the chest by nanodrr and by us, of the same attenuation."""
    from cases import volume_of

    volume = volume_of("chest")
    carm = CArm(1400.0, 900.0, 35.0, 8.0, isocenter=tuple(volume.grid.centre_patient))
    camera = carm.camera((160, 128), (3.0, 3.0)).cropped((20, 6), (128, 116))
    ours = render(Density.from_volume(volume), camera, projector="joseph").double()
    mu = scalar_image(attenuation_per_mm(volume.hu), volume.grid)
    subject = Subject.from_images(mu, convert_to_mu=False)
    pose, k_inverse, distance = nanodrr_view(camera, "cpu")
    columns, rows = camera.size
    print("nanodrr against ours, relative to the largest line integral | mean | largest")
    for samples in (500, 2000):
        with torch.no_grad():
            theirs = render_with_nanodrr(subject, k_inverse, pose, distance, rows, columns, samples)
        error = (theirs[0, 0].double() - ours).abs() / ours.max()
        print(f"{samples} samples | {float(error.mean()):.1e} | {float(error.max()):.1e}")
    back = np.abs(camera_from_patient_of(pose.double().numpy()[0]) - camera.camera_from_patient).max()
    print(f"pose there and back: {back:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare one nanodrr image with ours")
    if parser.parse_args().check:
        check()


if __name__ == "__main__":
    main()
