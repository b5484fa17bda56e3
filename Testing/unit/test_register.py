"""Rigid registration of simulated and of real X-rays, from starts degrees and centimetres away."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.evaluate import reprojection_distance, tre
from xrayreg.geometry import CArm, about, apply, exp_se3, inverse, read_mayacam
from xrayreg.images import Grid, Volume, Xray, line_integrals_from_transmission, read_volume, read_xray
from xrayreg.register import DEFAULT_LEVELS, Level, groups, refine, register_rigid, similarity_of
from xrayreg.register.rigid import candidate_motions
from xrayreg.render import Density, Detector, simulate_xray
from xrayreg.similarity import Term

# --- A phantom without symmetry: soft tissue with bones and a cavity in it. ---

CENTRE = np.array([12.0, -25, 40])
# Centre from CENTRE and half axes, mm; HU.
ELLIPSOIDS = [
    ((0, 0, 0), (48, 40, 52), 40),
    ((-18, 6, 10), (10, 7, 26), 900),
    ((20, -10, -8), (8, 14, 18), 700),
    ((4, 14, -26), (18, 6, 9), 1100),
    ((14, 8, 30), (6, 9, 7), 1000),
    ((-12, -14, -20), (12, 9, 10), -700),
]


def phantom(size, spacing, rotation=None):
    """The phantom on a grid about CENTRE; a voxel on a surface is part of both sides, over 1 voxel."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) * spacing
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(size) - 1) / 2)
    index = np.stack(np.meshgrid(*map(np.arange, size[::-1]), indexing="ij")[::-1], axis=-1)
    points = apply(affine, index.astype(float)) - CENTRE
    hu = np.full(size[::-1], -1000.0)
    for place, half, value in ELLIPSOIDS:
        depth = (1 - np.linalg.norm((points - place) / half, axis=-1)) * min(half)
        part = np.clip(depth / spacing + 0.5, 0, 1)
        hu = hu * (1 - part) + value * part
    return Volume(hu.astype(np.float32), Grid(size, affine))


# The CT: 64^3 voxels of 2 mm. What the X-rays are made of: other voxels, turned against those of the CT.
CT = phantom((64, 64, 64), 2.0)
DENSITY = Density.from_volume(CT)
VIEWS = {
    "ap": CArm(1020.0, 720.0, 5, -3, 0, tuple(CENTRE)),
    "lateral": CArm(1020.0, 720.0, 88, 4, 0, tuple(CENTRE)),
}
TARGETS = CENTRE + np.array([[x, y, z] for x in (-30, 0, 30) for y in (-25, 25) for z in (-35, 0, 35)], float)
# 8 degrees about (1, -2, 2) / 3 and 20 mm along (-2, 2, 1) / 3.
AWAY = about(CENTRE, [*np.radians([8 / 3, -16 / 3, 16 / 3]), -40 / 3, 40 / 3, 20 / 3])
# For what needs less than the whole search.
SMALL = about(CENTRE, [*np.radians([1.0, -2, 1.5]), 3, -4, 2])
QUICK = tuple(replace(level, starts=1) for level in DEFAULT_LEVELS)


@pytest.fixture(scope="module")
def truth():
    """X-rays with noise, scatter, hardening, blur and a tone curve, their cameras at the true pose."""
    body = phantom((84, 84, 84), 1.5, exp_se3([0.3, 0.5, -0.2, 0, 0, 0])[:3, :3])
    xrays = []
    for seed, (name, carm) in enumerate(VIEWS.items()):
        camera = carm.camera((256, 256), (0.9, 0.9))
        mask = np.ones((256, 256), dtype=bool)
        pixels = simulate_xray(body, camera, Detector(seed=seed), mask).astype(float)
        xrays.append(Xray(line_integrals_from_transmission(pixels, mask), camera, mask, name))
    return xrays


def started(xrays, motion):
    """The X-rays with the anatomy moved in the start pose of each camera."""
    return [
        replace(xray, camera=xray.camera.moved(xray.camera.camera_from_patient @ motion)) for xray in xrays
    ]


def final(states):
    for state in states:
        last = state
    return last


def errors_mm(xrays, motion):
    """Mean TRE of each view, mm, of the pose that ``motion`` leads to; the truth is `VIEWS`."""
    estimated = [xray.camera.camera_from_patient @ motion for xray in xrays]
    return [
        tre(TARGETS, pose, VIEWS[xray.name].camera_from_patient).mean()
        for pose, xray in zip(estimated, xrays, strict=True)
    ]


@pytest.fixture(scope="module")
def two_views(truth):
    """Start and every state of the registration of both views from 8 degrees and 20 mm away."""
    xrays = started(truth, AWAY)
    return xrays, list(refine(DENSITY, xrays))


def test_the_start_is_8_degrees_and_20_mm_away(two_views):
    xrays, states = two_views
    # 20 mm for the centre; for targets 25 to 52 mm from it, up to 8 degrees * 52 mm = 7 mm more or less.
    assert all(17 < error < 24 for error in errors_mm(xrays, np.eye(4)))
    np.testing.assert_array_equal(states[0].patient_motion, np.eye(4))


def test_two_views_come_back_from_8_degrees_and_20_mm_to_a_third_of_a_millimetre(two_views):
    xrays, states = two_views
    assert max(errors_mm(xrays, states[-1].patient_motion)) < 0.3


def test_two_views_keep_their_relative_geometry(two_views, truth):
    xrays, states = two_views
    poses = [xray.camera.camera_from_patient @ states[-1].patient_motion for xray in xrays]
    expected = truth[0].camera.camera_from_patient @ inverse(truth[1].camera.camera_from_patient)
    np.testing.assert_allclose(poses[0] @ inverse(poses[1]), expected, atol=1e-9)


def test_progress_counts_levels_starts_and_iterations_and_only_improves(two_views):
    _, states = two_views
    assert [state.level for state in states] == sorted(state.level for state in states)
    assert {state.levels for state in states} == {len(DEFAULT_LEVELS)}
    for number, level in enumerate(DEFAULT_LEVELS):
        of_level = [state for state in states if state.level == number]
        assert {state.starts for state in of_level} == {level.starts}
        assert {state.start for state in of_level} == set(range(level.starts))
        best, motion, last = np.inf, None, None
        for state in of_level:
            if last is None or state.start != last.start:
                assert state.iteration == 0
            else:
                assert state.iteration == last.iteration + 1 <= level.iterations
                assert state.loss <= last.loss
            if state.loss < best:
                best, motion = state.loss, state.patient_motion
            # The motion shown is that of the best so far, whichever start is at work.
            np.testing.assert_array_equal(state.patient_motion, motion)
            last = state


def test_one_view_finds_the_place_in_its_image(truth):
    xrays = started(truth[:1], SMALL)
    motion = final(refine(DENSITY, xrays, QUICK)).patient_motion
    camera = xrays[0].camera
    estimated = camera.moved(camera.camera_from_patient @ motion)
    assert reprojection_distance(TARGETS, camera, truth[0].camera).mean() > 3
    assert reprojection_distance(TARGETS, estimated, truth[0].camera).mean() < 0.3


def test_what_a_mask_covers_does_not_disturb(truth):
    # A round field, dark outside, and in one view an instrument of 5 times the bone's attenuation.
    rows, columns = np.indices((256, 256))
    field = np.hypot(rows - 127.5, columns - 127.5) < 90
    masks = [field & ~((rows > 110) & (rows < 122)), field]
    spoilt = [
        replace(xray, line_integrals=np.where(mask, xray.line_integrals, 20).astype(np.float32), mask=mask)
        for xray, mask in zip(truth, masks, strict=True)
    ]
    xrays = started(spoilt, SMALL)
    assert max(errors_mm(xrays, final(refine(DENSITY, xrays, QUICK)).patient_motion)) < 0.4
    unmasked = [replace(xray, mask=np.ones_like(xray.mask)) for xray in xrays]
    assert max(errors_mm(unmasked, final(refine(DENSITY, unmasked, QUICK[:2])).patient_motion)) > 1


def test_another_patient_frame_gives_the_same_poses(truth):
    # CT and start poses in a frame turned and shifted against the CT's own. The candidates are drawn along
    # the axes of that frame, so the way there differs, but not the end.
    frame = exp_se3([0.4, -0.7, 1.1, 300, -150, 80])
    xrays = started(truth, SMALL)
    moved_grid = Grid(CT.grid.size, frame @ CT.grid.patient_from_index)
    moved = started(xrays, inverse(frame))
    here = final(refine(DENSITY, xrays, QUICK)).patient_motion
    there = final(refine(Density(DENSITY.values, moved_grid), moved, QUICK)).patient_motion
    assert max(errors_mm(xrays, here)) < 0.3
    for xray, other in zip(xrays, moved, strict=True):
        pose = other.camera.camera_from_patient @ there @ frame
        assert tre(TARGETS, pose, xray.camera.camera_from_patient @ here).max() < 0.05


def test_stopping_early_changes_nothing(truth):
    xrays = started(truth, SMALL)
    images = [xray.line_integrals.copy() for xray in xrays]
    poses = [xray.camera.camera_from_patient.copy() for xray in xrays]
    values, affine = DENSITY.values.clone(), DENSITY.grid.patient_from_index.copy()
    states = refine(DENSITY, xrays, QUICK)
    first = [next(states) for _ in range(3)]
    states.close()
    for xray, image, pose in zip(xrays, images, poses, strict=True):
        np.testing.assert_array_equal(xray.line_integrals, image)
        np.testing.assert_array_equal(xray.camera.camera_from_patient, pose)
    assert torch.equal(DENSITY.values, values)
    np.testing.assert_array_equal(DENSITY.grid.patient_from_index, affine)
    # Nor does it a second run: the same steps again.
    again = refine(DENSITY, xrays, QUICK)
    for state in first:
        np.testing.assert_allclose(next(again).patient_motion, state.patient_motion, atol=1e-6)


def test_candidates_are_the_identity_and_always_the_same_motions_nearby():
    first, again = candidate_motions(DENSITY, 50), candidate_motions(DENSITY, 50)
    assert len(first) == 50
    np.testing.assert_array_equal(first[0], np.eye(4))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(candidate_motions(DENSITY, 5), first[:5])
    # Up to 10 degrees and 20 mm per axis about the middle of the volume, so 34.7 mm for the middle.
    shifts = np.array([np.linalg.norm(apply(motion, CENTRE) - CENTRE) for motion in first])
    assert 20 < shifts.max() < 20 * np.sqrt(3)


@pytest.mark.parametrize("shift", [(300, 0, 0), (0, 0, -300)])
def test_a_volume_outside_the_xray_is_refused_naming_the_view(truth, shift):
    xrays = started(truth[:1], exp_se3([0, 0, 0, *shift]))
    with pytest.raises(InputError, match="ap: the volume does not project into the X-ray"):
        next(refine(DENSITY, xrays))


def test_a_volume_behind_the_mask_is_refused_naming_the_view(truth):
    mask = np.zeros((256, 256), dtype=bool)
    mask[:3, :3] = True
    with pytest.raises(InputError, match="ap: the mask leaves no pixel"):
        next(refine(DENSITY, [replace(truth[0], mask=mask)], (replace(QUICK[0], margin=-0.3),)))


def test_similarity_is_highest_at_the_true_pose(truth):
    for xray in truth:
        pose = xray.camera.camera_from_patient
        axes = inverse(pose)[:3, :3]
        at_truth = similarity_of(DENSITY, xray, pose)
        assert at_truth > 0.4  # noise in the tissue between the bones is unlike anything
        for twist in np.diag([0.15, 0.15, 0.15, 4, 4, 80]):
            for sign in (-1, 1):
                turned = np.concatenate([axes @ twist[:3], axes @ twist[3:]])  # along the camera's axes
                moved = pose @ about(CENTRE, sign * turned)
                assert similarity_of(DENSITY, xray, moved) < at_truth - 0.005


def test_views_of_one_rig_move_together_and_others_alone(truth):
    ap, lateral = truth
    alone = [ap, replace(lateral, name="b"), replace(ap, name="c", rig="biplane")]
    together = [*alone, replace(lateral, name="d", rig="biplane")]
    assert [[xray.name for xray in group] for group in groups(together)] == [["ap"], ["b"], ["c", "d"]]


def test_registered_views_keep_order_start_and_rigidity(truth):
    # One rig; the second level alone, from near: enough to see what comes back.
    level = (Level(64, (Term(True, 24),), starts=1, margin=0.15, iterations=6, step_mm=0.1),)
    xrays = [replace(xray, rig="biplane") for xray in started(truth, SMALL)]
    seen = []
    views = register_rigid(DENSITY, xrays, level, seen.append)
    assert [view.name for view in views] == ["ap", "lateral"]
    for view, xray in zip(views, xrays, strict=True):
        assert view.xray is xray
        assert view.similarity > view.initial_similarity + 0.1
        expected = xray.camera.camera_from_patient @ seen[-1].patient_motion
        np.testing.assert_allclose(view.camera.camera_from_patient, expected, atol=1e-9)


def test_an_exception_of_the_progress_ends_the_registration(truth):
    class CancelledError(Exception):
        pass

    def cancel(state):
        raise CancelledError

    with pytest.raises(CancelledError):
        register_rigid(DENSITY, started(truth, SMALL), QUICK, cancel)


# --- The real wrist: two X-rays and the CT of the radius. ---

VOXEL_MM = (0.390625, 0.390625, 0.625)


def wrist_xrays(folder, frame, rig_from_bone):
    """Both views of a frame from a start pose; pixels outside the round field are masked."""
    xrays = []
    for name in ("cam01", "cam02"):
        camera_file = read_mayacam(folder / f"calibration/xr_calib_wrist_{name}.txt")
        path = folder / f"xrays/xr_rad_uln_{name}_UND.{frame}.tif"
        stored = read_xray(path, replace(camera_file, intensity="line_integral")).line_integrals
        camera = camera_file.camera().moved(camera_file.camera_from_rig @ rig_from_bone)
        mask = stored > 5
        xrays.append(Xray(line_integrals_from_transmission(stored.astype(float), mask), camera, mask, name))
    return xrays


@pytest.fixture(scope="module")
def wrist(data):
    folder = data / "wrist_biplane"
    radius = json.loads((folder / "reference_poses.json").read_text())["bones"]["radius"]
    volume = read_volume(folder / "bones" / radius["file"], voxel_mm=VOXEL_MM)
    return folder, volume, radius["frames"]


@pytest.fixture(scope="module")
def registered_wrist(wrist):
    """By frame: reference and found rig_from_bone, and the loss reached."""
    folder, volume, frames = wrist
    found = {}
    for frame, poses in frames.items():
        start = np.array(poses["rig_from_bone_start"])
        xrays = wrist_xrays(folder, frame, start)
        state = final(refine(Density.from_volume(volume, above_hu=-124.0), xrays))
        reference = np.array(poses["rig_from_bone_reference"])
        found[frame] = reference, start @ state.patient_motion, state.loss
    return found


@pytest.mark.parametrize("frame", ["0099", "0002"])
def test_real_radius_comes_back_from_12_degrees_and_12_mm(registered_wrist, frame):
    reference, found, _ = registered_wrist[frame]
    difference = inverse(reference) @ found
    assert np.linalg.norm(difference[:3, 3]) < 0.5  # mm, at the middle of the bone
    off_axis = np.degrees(np.arccos(difference[2, 2]))  # between the two long axes, z
    assert off_axis < 1
    about_axis = np.arctan2(difference[1, 0] - difference[0, 1], difference[0, 0] + difference[1, 1])
    assert abs(np.degrees(about_axis)) < 2


def test_a_mirrored_radius_fits_clearly_worse(wrist, registered_wrist):
    folder, volume, frames = wrist
    mirrored = Volume(volume.hu[:, :, ::-1].copy(), volume.grid)
    xrays = wrist_xrays(folder, "0099", np.array(frames["0099"]["rig_from_bone_start"]))
    found = final(refine(Density.from_volume(mirrored, above_hu=-124.0), xrays))
    assert found.loss > 1.1 * registered_wrist["0099"][2]
