"""What is odd about a volume is said, and nothing of one that is ordinary."""

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import Grid, Volume, corrected_for_bias, read_volume
from xrayreg.images.volume_notes import notes_on
from xrayreg.render import PROJECTORS, Density, density_of, render

SHAPE = (30, 50, 60)  # [k, j, i] of 4 mm: 240 x 200 x 120 mm


def body(half_width=20, half_depth=15):
    """Tissue of 40 HU in noisy air; half sizes in voxels of 4 mm, along i and j."""
    rng = np.random.default_rng(0)
    _, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    hu = rng.normal(-1000, 15, SHAPE)
    inside = (abs(i - 29.5) < half_width) & (abs(j - 24.5) < half_depth)
    hu[inside] = rng.normal(40, 15, int(inside.sum()))
    hu[12:16, 24:26, 28:32] = 700
    return hu.astype(np.float32)


def volume(hu, spacing=4.0, **options):
    return Volume(hu, Grid(hu.shape[::-1], np.diag([spacing, spacing, spacing, 1])), **options)


def test_nothing_is_said_of_an_ordinary_ct():
    assert notes_on(volume(body())) == ()


def test_a_body_cut_off_at_its_sides():
    # Wider than the volume: i = 0 and i = 59 are cut over 30 slices by 30 voxels of 4 mm, 144 cm2 each.
    (note,) = notes_on(volume(body(half_width=40)))
    assert "cut off at the edge of the CT: " in note
    assert "right (144 cm2)" in note
    assert "left (144 cm2)" in note
    assert "anterior" not in note
    # Upside down and mirrored: the same sides of the patient. Here i runs to the right, so i = 0 is left.
    hu = body()
    hu[:, 10:40, :12] = 40
    flipped = Grid(hu.shape[::-1], np.diag([-4.0, -4, 4, 1]))
    (note,) = notes_on(Volume(hu, flipped))
    assert "left (144 cm2)" in note
    assert "right" not in note


def test_a_body_cut_off_at_the_circle_of_reconstruction():
    _, j, i = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    beyond = np.hypot(i - 29.5, j - 24.5) > 24
    hu = body(half_width=17, half_depth=12)
    hu[beyond] = -2048
    assert notes_on(volume(hu)) == ()  # half the diagonal of the body is hypot(17, 12) = 21 voxels
    hu = body(half_width=30, half_depth=8)
    hu[beyond] = -2048
    (note,) = notes_on(volume(hu))
    assert "left" in note
    assert "right" in note
    assert "posterior" not in note


def test_units_that_are_not_hounsfield():
    assert "all voxels have the value 7" in notes_on(volume(np.full(SHAPE, 7, np.float32)))[0]
    assert "no voxel is below -100 (the lowest is" in notes_on(volume(body() + 1100))[0]
    assert any("air lies at -6" in note for note in notes_on(volume(body() + 380)))


def test_a_masked_bone():
    hu = np.zeros(SHAPE, np.float32)
    hu[10:20, 20:30, 20:30] = 300
    assert "most of it has the one value 0" in notes_on(volume(hu))[0]
    hu[hu == 0] = -1000
    assert "most of it has the one value -1000" in notes_on(volume(hu))[0]


def test_metal():
    hu = body()
    hu[5:10, 24:26, 20:21] = 8000  # 10 voxels of 0.064 ml
    assert any("0.6 ml are above 3000 HU: metal" in note for note in notes_on(volume(hu)))
    hu[5:10, 24:26, 20:21] = 100
    hu[5, 24, 20] = 5000
    assert any("values reach 5000" in note for note in notes_on(volume(hu)))


@pytest.mark.parametrize(
    ("spacing", "says"),
    [
        (
            0.004,
            ("0.004 x 0.004 x 0.004 mm are unusual", "0.24 x 0.2 x 0.12 mm in size"),
        ),  # metres taken for mm
        (4000.0, ("4e+03 x 4e+03 x 4e+03 mm are unusual", "in size")),
    ],
)
def test_implausible_sizes(spacing, says):
    notes = notes_on(volume(body(), spacing))
    for part in says:
        assert any(part in note for note in notes)


@pytest.mark.parametrize(
    ("name", "voxel_mm", "said"),
    [
        ("hipbones_ct/pelvisSegmIntensityLPI.mha", None, ["most of it has the one value 0"]),
        (
            "wrist_biplane/bones/rad_dcm_cropped.tif",
            (0.39, 0.39, 0.625),
            ["has the one value -1024"],
        ),
        (
            "pelvis_ct_3mm/example_ct.nii.gz",
            None,
            ["aligned to some other file", "cut off at the edge of the CT: left", "7.4 ml are above 3000 HU"],
        ),
        ("chest_ct/cxr.nii.gz", None, ["cut off at the edge of the CT: right", "7.7 ml are above 3000 HU"]),
    ],
)
def test_real_volumes(data, name, voxel_mm, said):
    notes = read_volume(data / name, voxel_mm).notes
    assert len(notes) == len(said)
    for note, part in zip(notes, said, strict=True):
        assert part in note


# MR ------------------------------------------------------------------------------------------------------


def test_density_by_kind():
    hu = np.zeros((40, 40, 40), np.float32)
    hu[2:38, 8:32, 8:32] = 1000.0  # bright tissue
    hu[2:38, 18:22, 18:22] = 50.0  # dark bone within it
    water = 0.0193
    bright = density_of(volume(hu, 2.0, kind="mr")).values
    dark = density_of(volume(hu, 2.0, kind="mr-inverted")).values
    # Tissue begins at a tenth of 1000: bone of 50 is as empty as air, and counts twice water when inverted.
    for values, expected in ((bright, (0, 1, 0)), (dark, (0, 1, 2))):
        found = [float(values[20, j, 20]) / water for j in (2, 10, 20)]
        np.testing.assert_allclose(found, expected, atol=1e-6)
    vessels = density_of(volume(hu, 2.0, kind="vessels"), 300.0).values
    # 1000 is above 300 by more than the shoulder of 100: 150 mg iodine per ml, 0.0752 per mm.
    np.testing.assert_allclose(
        [float(vessels[20, 10, 20]), float(vessels[20, 20, 20])], [0.0752, 0], atol=1e-7
    )
    ct = volume(body())
    assert torch.equal(density_of(ct, -500.0).values, Density.from_volume(ct, -500.0).values)


def test_bias_field_is_taken_out():
    rng = np.random.default_rng(0)
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, 24),) * 3, indexing="ij")
    inside = np.hypot(np.hypot(i, j), k) < 0.85
    tissue = np.where(inside, np.where(i * j * k > 0, 600.0, 400.0), 0.0)
    field = 1 + 0.5 * i  # from half to one and a half
    mr = volume((tissue * field + rng.normal(0, 4, tissue.shape)).astype(np.float32), 8.0, kind="mr")
    corrected = corrected_for_bias(mr)
    assert any("evened out (N4)" in note for note in corrected.notes)

    def unevenness(values):
        return values[inside & (tissue == 600)].std() / values[inside & (tissue == 600)].mean()

    assert unevenness(mr.hu) > 0.15  # of a ramp from 0.58 to 1.43
    assert unevenness(corrected.hu) < 0.08


# Sheared grids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_sheared_grid_renders_as_what_it_holds(projector):
    # A Gaussian ball of 12 mm, 0.02 per mm at its middle, on slices that are each 1.5 mm further back. A ray
    # that passes its middle at a distance d sums up to 0.02 * 12 * sqrt(2 pi) * exp(-d^2 / 288).
    affine = np.array([[2.0, 0, 0, -60], [0, 2, 1.5, -105], [0, 0, 2.5, -75], [0, 0, 0, 1]])
    grid = Grid((61, 61, 61), affine)
    k, j, i = np.meshgrid(*(np.arange(61),) * 3, indexing="ij")
    places = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    density = Density(torch.from_numpy(0.02 * np.exp(-(places**2).sum(axis=-1) / 288)), grid)
    camera = CArm(1000.0, 700.0, 25.0, 15.0).camera((40, 30), (3.0, 3.0))
    image = render(density, camera, projector=projector).numpy()
    u, v = np.meshgrid(np.arange(40), np.arange(30))
    directions = np.linalg.inv(camera.K) @ np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
    directions /= np.linalg.norm(directions, axis=0)
    middle = camera.camera_from_patient[:3, 3]
    squared = (middle**2).sum() - (middle @ directions) ** 2
    expected = 0.02 * 12 * np.sqrt(2 * np.pi) * np.exp(-squared / 288)
    np.testing.assert_allclose(image.ravel(), expected, atol=0.01 * expected.max())


def test_options_of_kinds_do_not_mix(tmp_path):
    with pytest.raises(InputError, match="there is no kind of volume 'xr'"):
        read_volume(tmp_path, kind="xr")
