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
from xrayreg.register import (
    DEFAULT_LEVELS,
    NEAR,
    SearchRange,
    confidence_in,
    groups,
    refine,
    register_rigid,
    similarity_of,
    within_its_size,
)
from xrayreg.register.search import candidate_motions
from xrayreg.render import Density, Detector, simulate_xray

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
# 30 degrees and 60 mm: further than the first image would lead.
FAR_AWAY = about(CENTRE, [*np.radians([20.0, -10, 20]), -40, 35, 25])
# For what needs no search.
SMALL = about(CENTRE, [*np.radians([1.0, -2, 1.5]), 3, -4, 2])


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
    xrays, _ = two_views
    # 20 mm for the centre; for targets 25 to 52 mm from it, up to 8 degrees * 52 mm = 7 mm more or less.
    assert all(17 < error < 24 for error in errors_mm(xrays, np.eye(4)))


def test_two_views_come_back_from_8_degrees_and_20_mm_to_a_third_of_a_millimetre(two_views):
    xrays, states = two_views
    assert max(errors_mm(xrays, states[-1].patient_motion)) < 0.3


def test_two_views_keep_their_relative_geometry(two_views, truth):
    xrays, states = two_views
    poses = [xray.camera.camera_from_patient @ states[-1].patient_motion for xray in xrays]
    expected = truth[0].camera.camera_from_patient @ inverse(truth[1].camera.camera_from_patient)
    np.testing.assert_allclose(poses[0] @ inverse(poses[1]), expected, atol=1e-9)


def test_progress_counts_levels_poses_and_iterations_and_only_improves(two_views):
    _, states = two_views
    assert [state.level for state in states] == sorted(state.level for state in states)
    assert {state.levels for state in states} == {len(DEFAULT_LEVELS)}
    for number, level in enumerate(DEFAULT_LEVELS):
        searching = [state for state in states if state.level == number and not state.images]
        assert bool(searching) == (number == 0)
        assert [state.similarity for state in searching] == sorted(state.similarity for state in searching)
        refining = [state for state in states if state.level == number and state.images]
        assert all(1 <= state.poses <= level.poses for state in refining)
        assert [state.iteration for state in refining] == list(range(len(refining)))
        assert len(refining) <= level.iterations + 1
        alike = [state.similarity for state in refining]
        assert alike == sorted(alike)


def test_progress_shows_the_drr_of_each_view_at_the_best_pose(two_views, truth):
    # The last images are as the X-rays: correlated, once both are averaged to a few pixels.
    _, states = two_views
    for image, xray in zip(states[-1].images, truth, strict=True):
        assert image.ndim == 2
        assert max(image.shape) > 100
        rows, columns = image.shape
        top, left = (256 - rows) // 2, (256 - columns) // 2  # the phantom lies in the middle
        part = xray.line_integrals[top : top + rows, left : left + columns]
        assert np.corrcoef(image.numpy().ravel(), part.ravel())[0, 1] > 0.8


def test_two_views_come_back_from_30_degrees_and_60_mm(truth):
    xrays = started(truth, FAR_AWAY)
    assert min(errors_mm(xrays, np.eye(4))) > 50
    assert max(errors_mm(xrays, final(refine(DENSITY, xrays)).patient_motion)) < 0.3


def test_one_view_comes_back_from_30_degrees_and_60_mm(truth):
    xrays = started(truth[:1], FAR_AWAY)
    motion = final(refine(DENSITY, xrays)).patient_motion
    estimated = xrays[0].camera.moved(xrays[0].camera.camera_from_patient @ motion)
    assert reprojection_distance(TARGETS, estimated, truth[0].camera).mean() < 0.3
    assert errors_mm(xrays, motion)[0] < 2  # depth included


def test_without_a_search_a_far_start_is_lost(truth):
    xrays = started(truth, FAR_AWAY)
    states = list(refine(DENSITY, xrays, search=None))
    assert all(state.images and state.poses == 1 for state in states)
    assert min(errors_mm(xrays, states[-1].patient_motion)) > 10


def test_a_view_of_no_weight_does_not_count(truth):
    spoilt = replace(truth[1], line_integrals=truth[1].line_integrals[::-1].copy())
    xrays = started([truth[0], spoilt], SMALL)
    motion = final(refine(DENSITY, xrays, search=None, weights=(1.0, 0.0))).patient_motion
    alone = final(refine(DENSITY, xrays[:1], search=None)).patient_motion
    np.testing.assert_allclose(motion, alone, atol=1e-4)


def test_one_view_finds_the_place_in_its_image(truth):
    xrays = started(truth[:1], SMALL)
    motion = final(refine(DENSITY, xrays, search=None)).patient_motion
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
    assert max(errors_mm(xrays, final(refine(DENSITY, xrays, search=None)).patient_motion)) < 0.4
    unmasked = [replace(xray, mask=np.ones_like(xray.mask)) for xray in xrays]
    assert (
        max(
            errors_mm(
                unmasked, final(refine(DENSITY, unmasked, DEFAULT_LEVELS[:3], search=None)).patient_motion
            )
        )
        > 1
    )


def test_another_patient_frame_gives_the_same_poses(truth):
    # CT and start poses in a frame turned and shifted against the CT's own. The candidates are drawn along
    # the axes of that frame, so the way there differs, but not the end.
    frame = exp_se3([0.4, -0.7, 1.1, 300, -150, 80])
    xrays = started(truth, SMALL)
    moved_grid = Grid(CT.grid.size, frame @ CT.grid.patient_from_index)
    moved = started(xrays, inverse(frame))
    here = final(refine(DENSITY, xrays, search=None)).patient_motion
    there = final(refine(Density(DENSITY.values, moved_grid), moved, search=None)).patient_motion
    assert max(errors_mm(xrays, here)) < 0.3
    for xray, other in zip(xrays, moved, strict=True):
        pose = other.camera.camera_from_patient @ there @ frame
        assert tre(TARGETS, pose, xray.camera.camera_from_patient @ here).max() < 0.05


def test_stopping_early_changes_nothing(truth):
    xrays = started(truth, SMALL)
    images = [xray.line_integrals.copy() for xray in xrays]
    poses = [xray.camera.camera_from_patient.copy() for xray in xrays]
    values, affine = DENSITY.values.clone(), DENSITY.grid.patient_from_index.copy()
    states = refine(DENSITY, xrays, search=None)
    first = [next(states) for _ in range(3)]
    states.close()
    for xray, image, pose in zip(xrays, images, poses, strict=True):
        np.testing.assert_array_equal(xray.line_integrals, image)
        np.testing.assert_array_equal(xray.camera.camera_from_patient, pose)
    assert torch.equal(DENSITY.values, values)
    np.testing.assert_array_equal(DENSITY.grid.patient_from_index, affine)
    # Nor does it a second run: the same steps again.
    again = refine(DENSITY, xrays, search=None)
    for state in first:
        np.testing.assert_allclose(next(again).patient_motion, state.patient_motion, atol=1e-6)


def test_candidates_are_the_identity_and_always_the_same_motions_in_range():
    search = SearchRange((10.0, 0.0, 180.0), (30.0, 20.0, 0.0), candidates=65)
    motions = candidate_motions(search, CENTRE)
    assert motions.shape == (65, 4, 4)
    np.testing.assert_array_equal(motions[0], np.eye(4))
    np.testing.assert_array_equal(motions, candidate_motions(search, CENTRE))
    shifts = motions[:, :3, :3] @ CENTRE + motions[:, :3, 3] - CENTRE
    assert 25 < np.abs(shifts[:, 0]).max() <= 30
    assert np.abs(shifts[:, 2]).max() < 1e-9
    # Turned about z first, then about x by up to 10 degrees: the z axis leans by no more than those.
    leaning = np.degrees(np.arccos(motions[:, 2, 2].clip(-1, 1)))
    assert 8 < leaning.max() <= 10
    # All the way round z, and evenly: half of them in the inner third, a quarter beyond 90 degrees.
    about_z = np.degrees(np.arctan2(-motions[:, 0, 1], motions[:, 0, 0]))
    assert about_z.max() > 160
    assert about_z.min() < -160
    assert 12 <= (np.abs(about_z) > 90).sum() <= 20


@pytest.mark.parametrize(
    "wrong", [((-1.0,) * 3, (10.0,) * 3, 8), ((1.0,) * 3, (np.inf,) * 3, 8), ((1.0,) * 3, (1.0,) * 3, 0)]
)
def test_an_impossible_search_is_refused(wrong):
    with pytest.raises(InputError):
        SearchRange(*wrong)


@pytest.mark.parametrize("shift", [(300, 0, 0), (0, 0, -300)])
def test_a_volume_outside_the_xray_is_refused_naming_the_view(truth, shift):
    xrays = started(truth[:1], exp_se3([0, 0, 0, *shift]))
    with pytest.raises(InputError, match="ap: the volume does not project into the X-ray"):
        next(refine(DENSITY, xrays, search=None))


def test_a_volume_behind_the_mask_is_refused_naming_the_view(truth):
    mask = np.zeros((256, 256), dtype=bool)
    mask[:3, :3] = True
    with pytest.raises(InputError, match="ap: the mask leaves no pixel"):
        next(
            refine(DENSITY, [replace(truth[0], mask=mask)], (replace(DEFAULT_LEVELS[0], margin=-0.3),), None)
        )


def test_similarity_is_highest_at_the_true_pose(truth):
    for xray in truth:
        pose = xray.camera.camera_from_patient
        axes = inverse(pose)[:3, :3]
        at_truth = similarity_of(DENSITY, xray)
        assert at_truth > 0.4  # noise in the tissue between the bones is unlike anything
        for twist in np.diag([0.15, 0.15, 0.15, 4, 4, 80]):
            for sign in (-1, 1):
                turned = np.concatenate([axes @ twist[:3], axes @ twist[3:]])  # along the camera's axes
                (moved,) = started([xray], about(CENTRE, sign * turned))
                assert similarity_of(DENSITY, moved) < at_truth - 0.002


def test_views_of_one_rig_move_together_and_others_alone(truth):
    ap, lateral = truth
    alone = [ap, replace(lateral, name="b"), replace(ap, name="c", rig="biplane")]
    together = [*alone, replace(lateral, name="d", rig="biplane")]
    assert [[xray.name for xray in group] for group in groups(together)] == [["ap"], ["b"], ["c", "d"]]


def test_registered_views_keep_order_start_and_rigidity(truth):
    # Two rigs: both views of one, and one again alone; without a search, from near: enough to see what comes.
    xrays = started(truth, SMALL)
    xrays = [replace(xrays[0], rig="biplane"), replace(xrays[0], name="b"), replace(xrays[1], rig="biplane")]
    seen = []
    rigs = register_rigid(DENSITY, xrays, search=None, progress=seen.append)
    assert [[view.name for view in rig.views] for rig in rigs] == [["ap", "lateral"], ["b"]]
    for rig, group in zip(rigs, ([xrays[0], xrays[2]], [xrays[1]]), strict=True):
        motions = []
        for view, xray in zip(rig.views, group, strict=True):
            assert view.xray is xray
            assert view.similarity > view.initial_similarity + 0.1
            motions.append(inverse(xray.camera.camera_from_patient) @ view.camera.camera_from_patient)
            np.testing.assert_allclose(motions[-1], motions[0], atol=1e-9)
            np.testing.assert_allclose(motions[-1][:3, :3] @ motions[-1][:3, :3].T, np.eye(3), atol=1e-12)
    assert seen[-1].patient_motion.shape == (4, 4)


def test_a_better_pose_that_the_evidence_finds_is_followed(truth):
    # A search over next to nothing goes nowhere; a search around what it found leads on.
    xrays = [replace(xray, rig="biplane") for xray in started(truth, FAR_AWAY)]
    nowhere = SearchRange((0.1,) * 3, (0.1,) * 3, candidates=2)
    assert min(errors_mm(xrays, final(refine(DENSITY, xrays, search=nowhere)).patient_motion)) > 5
    (rig,) = register_rigid(DENSITY, xrays, search=nowhere)
    for view in rig.views:
        assert (
            tre(TARGETS, view.camera.camera_from_patient, VIEWS[view.name].camera_from_patient).mean() < 0.3
        )


def test_an_exception_of_the_progress_ends_the_registration(truth):
    class CancelledError(Exception):
        pass

    def cancel(state):
        raise CancelledError

    with pytest.raises(CancelledError):
        register_rigid(DENSITY, started(truth, SMALL), progress=cancel)


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
    """By frame: reference and found rig_from_bone, and the registered rig."""
    folder, volume, frames = wrist
    found = {}
    for frame, poses in frames.items():
        start = np.array(poses["rig_from_bone_start"])
        rig = wrist_registration(volume, wrist_xrays(folder, frame, start))
        view = rig.views[0]
        motion = inverse(view.xray.camera.camera_from_patient) @ view.camera.camera_from_patient
        found[frame] = np.array(poses["rig_from_bone_reference"]), start @ motion, rig
    return found


def wrist_registration(volume, xrays):
    together = [replace(xray, rig="biplane") for xray in xrays]
    density = Density.from_volume(volume, above_hu=-124.0)
    (rig,) = register_rigid(density, together, search=within_its_size(NEAR, volume.grid))
    return rig


@pytest.mark.parametrize("frame", ["0099", "0002"])
def test_real_radius_comes_back_from_12_degrees_and_12_mm(registered_wrist, frame):
    reference, found, _ = registered_wrist[frame]
    difference = inverse(reference) @ found
    assert np.linalg.norm(difference[:3, 3]) < 0.5  # mm, at the middle of the bone
    off_axis = np.degrees(np.arccos(min(1.0, difference[2, 2])))  # between the two long axes, z
    assert off_axis < 1
    about_axis = np.arctan2(difference[1, 0] - difference[0, 1], difference[0, 0] + difference[1, 1])
    assert abs(np.degrees(about_axis)) < 2


def test_a_mirrored_radius_fits_worse_and_is_not_accepted(wrist, registered_wrist):
    folder, volume, frames = wrist
    mirrored = Volume(volume.hu[:, :, ::-1].copy(), volume.grid)
    xrays = wrist_xrays(folder, "0099", np.array(frames["0099"]["rig_from_bone_start"]))
    found, right = wrist_registration(mirrored, xrays).evidence, registered_wrist["0099"][2].evidence
    assert found.similarity < 0.9 * right.similarity
    assert confidence_in(found).verdict != "accept"
    assert confidence_in(right).verdict != "reject"
