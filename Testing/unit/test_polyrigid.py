"""Bodies that move each by itself, in simulated X-rays of a small phantom."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, about, apply, exp_se3, inverse, rotation_angle_deg, translation
from xrayreg.images import Grid, LabelMap, Volume, Xray
from xrayreg.register import (
    BodyUncertainty,
    Link,
    PoseUncertainty,
    Posture,
    RegisteredBody,
    SearchRange,
    Stage,
    body_labels,
    body_of,
    body_search,
    body_uncertainties,
    joint_angle,
    neighbours,
    refine_bodies,
    register_bodies,
    taken_apart,
)
from xrayreg.register.bodies import Parts, together
from xrayreg.register.joint_problem import JointProblem, composite
from xrayreg.register.joint_solver import joint_levenberg_marquardt
from xrayreg.register.levels import Level
from xrayreg.register.links import beyond, cost_of
from xrayreg.render import Density, render
from xrayreg.similarity import Term

SIZE, SPACING = (72, 60, 64), 2.0
# Middle and half axes, mm from the middle of the grid; HU. Each bone has a darker core beside its middle.
BONES = {
    "femur": ((-34, 4, 8), (11, 12, 38), 900),
    "tibia": ((18, -6, 22), (14, 10, 20), 1100),
    "patella": ((20, 18, -22), (16, 9, 12), 800),
}
TISSUE = ((0, 0, 0), (68, 54, 62), 40)
COARSE = Level(48, (Term(True, 16),), poses=1, margin=0.05, iterations=15, step_px=0.1)
FINE = Level(96, (Term(False, 24), Term(True, 24)), poses=1, margin=0.05, iterations=15, step_px=0.02)
STAGES = (Stage(COARSE, 1e-3), Stage(FINE, 2e-4))


@pytest.fixture(scope="module")
def scan():
    """The CT of the phantom and its labels."""
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING * (np.array(SIZE) - 1) / 2 + [10, -20, 30]
    grid = Grid(SIZE, affine)
    points = np.stack(np.meshgrid(*map(np.arange, SIZE[::-1]), indexing="ij")[::-1], axis=-1) * SPACING
    points = points - SPACING * (np.array(SIZE) - 1) / 2
    hu = np.full(SIZE[::-1], -1000.0, np.float32)
    labels = np.zeros(SIZE[::-1], np.uint8)
    hu[_inside(points, *TISSUE[:2])] = TISSUE[2]
    for number, (middle, half, value) in enumerate(BONES.values(), start=1):
        inside = _inside(points, middle, half)
        hu[inside], labels[inside] = value, number
        core = _inside(points, np.array(middle) + [2, 3, 6], np.array(half) * [0.4, 0.5, 0.4])
        hu[core] = 150
    return Volume(hu, grid), LabelMap(labels, grid, dict(enumerate(BONES, start=1)))


def _inside(points, middle, half):
    return np.linalg.norm((points - np.array(middle)) / np.array(half), axis=-1) < 1


@pytest.fixture(scope="module")
def parts(scan):
    return taken_apart(*scan, body_labels(scan[1]))


@pytest.fixture(scope="module")
def truth(parts):
    twists = np.array([[4, -3, 5, 3, -4, 2], [-5, 4, 6, -4, 3, 5], [6, 5, -4, 2, 5, -3.0]])
    twists[:, :3] = np.radians(twists[:, :3])
    return np.stack([about(body.centre, twist) for body, twist in zip(parts.bodies, twists, strict=True)])


def camera(primary, secondary=0.0, size=120):
    return CArm(1000.0, 700.0, primary, secondary, isocenter=(10, -20, 30)).camera((size, size), (1.9, 1.9))


def xrays_of(parts, motions, angles, rig="rig", noise=0.005):
    """By Siddon's projector, four rays to the pixel, with a gain, an offset, and noise."""
    made = []
    for number, primary in enumerate(angles):
        view = camera(primary, 5.0 * number)
        image = 0.0
        pieces = [(parts.rest, np.eye(4))] + [
            (piece, motion)
            for body, motion in zip(parts.bodies, motions, strict=True)
            for piece in body.pieces
        ]
        for density, motion in pieces:
            moved = view.moved(view.camera_from_patient @ motion)
            image = image + render(density, moved, projector="siddon", subsamples=2).numpy()
        rng = np.random.default_rng(number)
        image = 0.8 * image + 0.3 + rng.normal(0, noise, image.shape)
        made.append(Xray(image.astype(np.float32), view, np.ones(image.shape, bool), f"v{number}", rig=rig))
    return made


def at_rest(parts, rigs=1):
    return Posture(np.stack([np.eye(4)] * len(parts.bodies)), np.stack([np.eye(4)] * rigs))


def errors_mm(parts, found, truth):
    return [
        float(np.linalg.norm(apply(a, body.points) - apply(b, body.points), axis=1).mean())
        for body, a, b in zip(parts.bodies, found, truth, strict=True)
    ]


def last(states):
    *_, final = states
    return final


# --- Bodies -----------------------------------------------------------------------------------------------


def test_bodies_are_named_by_number_name_or_pattern(scan):
    _, segmentation = scan
    assert body_labels(segmentation) == {"femur": (1,), "tibia": (2,), "patella": (3,)}
    assert body_labels(segmentation, "2, femur") == {"tibia": (2,), "femur": (1,)}
    assert body_labels(segmentation, "*a") == {"tibia": (2,), "patella": (3,)}
    assert body_labels(segmentation, "femur+patella") == {"femur+patella": (1, 3)}
    assert body_labels(segmentation, "knee=*a,1") == {"knee": (2, 3), "femur": (1,)}


@pytest.mark.parametrize(
    ("text", "said"), [("fibula", "no label is called fibula"), ("1,femur", "two bodies")]
)
def test_wrong_bodies_are_refused(scan, text, said):
    with pytest.raises(InputError, match=said):
        body_labels(scan[1], text)


def test_bodies_and_remainder_add_up_to_the_volume(scan, parts):
    view = camera(20.0, 10.0)
    whole = render(Density.from_volume(scan[0]), view)
    apart = composite(parts, view, at_rest(parts).motions)
    assert (apart - whole).abs().max() < 0.02 * whole.max()
    assert whole.max() > 2


def test_where_a_body_has_left_there_is_tissue(scan, parts):
    assert float(parts.rest.values.max()) == pytest.approx(1.04 * 0.0193, rel=1e-3)
    assert all(float(body.pieces[0].values.min()) == 0 for body in parts.bodies)


def test_a_body_of_air_is_refused(scan):
    volume, segmentation = scan
    with pytest.raises(InputError, match="body femur: nothing in the volume is denser"):
        taken_apart(replace(volume, hu=np.full_like(volume.hu, -500)), segmentation, {"femur": (1,)})


# --- The problem ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rigs", [("a", "a"), ("a", "b")])
def test_gradients_are_those_of_finite_differences(parts, truth, rigs):
    xrays = [replace(x, rig=rig) for x, rig in zip(xrays_of(parts, truth, (0, 60)), rigs, strict=True)]
    rig_of = [0, 0] if rigs[0] == rigs[1] else [0, 1]
    level = replace(COARSE, terms=(Term(False, 24),))
    posture = at_rest(parts, rig_of[-1] + 1)
    problem = JointProblem(parts, xrays, rig_of, posture, level)
    here, centres = problem.at(posture), problem.centres(posture)
    count = len(here.gradient)
    assert count == 6 * (3 + rig_of[-1])
    rng = np.random.default_rng(0)
    for _ in range(6):
        direction = rng.normal(size=count) * np.tile([0.02, 0.02, 0.02, 1, 1, 1], count // 6)
        ends = [
            problem.similarity(posture.stepped(centres, (sign * 0.05 * direction).reshape(-1, 6)))
            for sign in (1, -1)
        ]
        assert -here.gradient @ direction == pytest.approx((ends[0] - ends[1]) / 0.1, rel=0.1, abs=1e-4)


def test_gradients_by_the_tissues_shifts_are_those_of_finite_differences(parts, truth):
    count = len(parts.tissue)
    rng = np.random.default_rng(0)
    posture = replace(at_rest(parts), shifts=rng.normal(0, 2, (count, 3)))
    level = replace(COARSE, terms=(Term(False, 24),))
    xrays = xrays_of(parts, truth, (0, 60))
    problem = JointProblem(parts, xrays, [0, 0], posture, level, tissue=True)
    here, still = problem.at(posture), np.zeros((3, 6))
    assert len(here.gradient) == 6 * 3 + 3 * count
    for _ in range(4):
        shift = rng.normal(0, 1, (count, 3))
        ends = [
            problem.similarity(posture.stepped(problem.centres(posture), still, sign * 0.05 * shift))
            for sign in (1, -1)
        ]
        assert -here.gradient[18:] @ shift.ravel() == pytest.approx(
            (ends[0] - ends[1]) / 0.1, rel=0.1, abs=1e-5
        )
    there = replace(posture, shifts=posture.shifts + shift)
    anew = JointProblem(parts, xrays, [0, 0], there, level)
    assert problem.similarity(there) == pytest.approx(anew.similarity(there), abs=2e-3)


def test_tissue_that_moves_by_itself_is_followed(scan, truth):
    """Lumps in it, as dense as bone, would else draw the bones along."""
    volume, segmentation = scan
    k, j, i = np.indices(volume.hu.shape)
    lumps = 400 * np.maximum(0, np.sin(i / 3.0) * np.sin(j / 3.5) * np.sin(k / 4.0)) * (volume.hu == 40)
    parts = taken_apart(
        replace(volume, hu=volume.hu + lumps.astype(np.float32)), segmentation, body_labels(segmentation)
    )
    cells = len(parts.tissue)
    shifts = np.array([6.0, -5, 5]) + np.random.default_rng(2).normal(0, 2, (cells, 3))
    xrays = xrays_of(parts.with_tissue(shifts), truth, (0, 70))
    free = tuple(replace(stage, tissue=True) for stage in STAGES)
    held, followed = (
        errors_mm(
            parts,
            last(refine_bodies(parts, xrays, at_rest(parts), stages=stages)).posture.motions,
            truth,
        )
        for stages in (STAGES, free)
    )
    assert max(followed) < 0.5
    assert np.mean(held) > 2 * np.mean(followed)


def test_views_of_one_rig_find_every_body(parts, truth):
    xrays = xrays_of(parts, truth, (0, 70))
    states = list(refine_bodies(parts, xrays, at_rest(parts), stages=STAGES))
    before, after = (
        errors_mm(parts, at_rest(parts).motions, truth),
        errors_mm(parts, states[-1].posture.motions, truth),
    )
    assert min(before) > 4
    assert max(after) < 0.3
    assert [s.similarity for s in states if s.stage == 0] == sorted(
        s.similarity for s in states if s.stage == 0
    )


def test_views_of_two_rigs_find_bodies_and_the_other_rigs_place(parts, truth):
    """The second C-arm is 8 mm and 4 degrees off; only what is still tells that from moving bodies."""
    off = about(np.array([10.0, -20, 30]), np.array([0.05, -0.03, 0.04, 4, -5, 5]))
    first, second = xrays_of(parts, truth, (0, 70))
    second = replace(
        second, rig="b", camera=second.camera.moved(second.camera.camera_from_patient @ inverse(off))
    )
    found = last(refine_bodies(parts, [first, second], at_rest(parts, 2), stages=STAGES)).posture
    assert max(errors_mm(parts, found.motions, truth)) < 1.0
    points = parts.bodies[0].points
    assert np.linalg.norm(apply(found.rigs[1], points) - apply(off, points), axis=1).mean() < 1.0


def test_a_body_far_off_is_found_by_searching_for_it(parts, truth):
    far = truth.copy()
    far[1] = (
        about(apply(truth[1], parts.bodies[1].centre), np.array([0.2, -0.15, 0.2, 14, -12, 13])) @ truth[1]
    )
    xrays = xrays_of(parts, truth, (0, 70))
    start = Posture(far, np.eye(4)[None])
    around = SearchRange((12.0,) * 3, (20.0,) * 3, candidates=256)
    searching = (replace(STAGES[0], search=around), STAGES[1])
    stuck = last(refine_bodies(parts, xrays, start, stages=STAGES)).posture
    found = last(refine_bodies(parts, xrays, start, stages=searching)).posture
    assert max(errors_mm(parts, found.motions, truth)) < 0.5
    assert max(errors_mm(parts, stuck.motions, truth)) > 2  # or the search was not needed


@pytest.mark.parametrize(
    ("alike", "worth", "rivals"),
    [
        ((0.80, 0.81, 0.79), (0.790, 0.70, 0.7897), {1, 2}),  # held back by links; worth hardly less
        ((0.80, 0.79, 0.79), (0.790, 0.70, 0.7890), set()),
        ((0.80, 0.79, 0.81), (0.790, 0.70, 0.7897), {2}),
        ((0.81, 0.80, 0.79), (0.790, 0.70, 0.7890), set()),
    ],
)
def test_which_places_may_be_better_once_neighbours_follow(parts, alike, worth, rivals):
    """Three places 10 mm apart, the first of which is the best as it is, and one 1 mm beside it."""
    body = parts.bodies[1]
    places = [
        replace(at_rest(parts), motions=np.stack([translation(np.array([mm, 0.0, 0.0]))] * 3))
        for mm in (0.0, 10.0, 20.0, 1.0)
    ]
    found = body_search._rivals(body, 1, places, [*alike, 0.9], np.array([*worth, 0.7899]))
    assert found == rivals


def test_what_is_off_as_a_whole_is_found_from_beside(parts, truth):
    xrays = xrays_of(parts, truth, (0, 70))
    down = xrays[0].camera.camera_from_patient[1, :3]
    start = Posture(translation(30 * down) @ truth, np.eye(4)[None])
    links = neighbours(parts.bodies, near_mm=60)
    stages = (replace(STAGES[0], link_weight=3e-2), STAGES[1])
    beside = (replace(stages[0], beside_mm=20.0), STAGES[1])
    stuck, found = (
        last(refine_bodies(parts, xrays, start, links, each)).posture.motions for each in (stages, beside)
    )
    assert max(errors_mm(parts, found, truth)) < 1.0
    assert max(errors_mm(parts, stuck, truth)) > 3  # or beginning there was not needed


def test_where_few_are_free_the_others_stay(parts, truth):
    xrays = xrays_of(parts, truth, (0, 70))
    posture = replace(at_rest(parts), shifts=np.zeros((len(parts.tissue), 3)))
    whole = JointProblem(parts, xrays, [0, 0], posture, STAGES[0].level, tissue=True)
    few = whole.with_few_free(posture, [0, 2])
    assert few.similarity(posture) == pytest.approx(whole.similarity(posture), abs=1e-6)
    own = [*range(6), *range(12, 18)]
    np.testing.assert_allclose(
        few.at(posture).gradient[own], whole.at(posture).gradient[own], rtol=1e-3, atol=1e-7
    )
    found = last(joint_levenberg_marquardt(few, posture, (), 0.0, 15, 0.1)).posture
    np.testing.assert_array_equal(found.motions[1], np.eye(4))
    before, after = (errors_mm(parts, each.motions, truth) for each in (posture, found))
    assert after[0] < 0.5 * before[0]
    assert after[2] < 0.5 * before[2]


def test_a_reference_changes_nothing_but_the_frame(parts, truth):
    """The bodies' motions and the cameras are told against it; the images are the same."""
    xrays = xrays_of(parts, truth, (0, 70))
    free, held = (
        register_bodies(parts, xrays, reference=reference, start=truth, stages=STAGES[1:])
        for reference in (None, 2)
    )
    np.testing.assert_allclose(held.bodies[2].patient_from_rest, np.eye(4), atol=1e-9)
    turned = held.cameras[0].camera_from_patient @ inverse(free.cameras[0].camera_from_patient)
    assert rotation_angle_deg(turned) > 5
    for camera, other in zip(free.cameras, held.cameras, strict=True):
        torch.testing.assert_close(held.drr(other), free.drr(camera), rtol=0, atol=0.01)
    for one, other in zip(free.bodies, held.bodies, strict=True):
        seen = [f.cameras[0].camera_from_patient for f in (free, held)]
        here = seen[1] @ other.patient_from_rest
        np.testing.assert_allclose(here, seen[0] @ one.patient_from_rest, atol=1e-6)
    assert {body.verdict for body in free.bodies} == {"review"}
    assert all("no other place was looked for" in body.reasons for body in free.bodies)
    angle, spread = joint_angle(free.bodies[0], free.bodies[1])
    assert angle == pytest.approx(rotation_angle_deg(inverse(truth[0]) @ truth[1]), abs=0.5)
    assert 0 < spread < 1


def test_the_angle_between_two_bodies_from_one_time_to_another(parts):
    """One turns by 50 degrees about z; the other by 30 about z before, by 125 after, lying on its side.

    So they turn by 45 against each other, and what counts is the spread about the patient's z as each bone
    has it: its own z, or y. 0.09 + 0.16 + 0.25 + 1.19 = 1.3^2; about another axis errors are 9 degrees.
    """
    turned = {name: about(np.zeros(3), [0, 0, np.radians(deg), 3, 2, 1]) for name, deg in
              {"one": 50, "before": 30, "after": 125}.items()}  # fmt: skip
    side = about(np.ones(3), [np.pi / 2, 0, 0, 0, 0, 0])  # its y goes to z
    before = (
        _registered(parts, np.eye(4), [9, 9, 0.3]),
        _registered(parts, turned["before"] @ side, [9, 0.5, 9]),
    )
    after = (
        _registered(parts, turned["one"], [9, 9, 0.4]),
        _registered(parts, turned["after"] @ side, [9, np.sqrt(1.19), 9]),
    )
    angle, spread = joint_angle(*after, since=before)
    assert angle == pytest.approx(45, abs=1e-9)
    assert spread == pytest.approx(1.3, abs=1e-9)
    since_the_scan, _ = joint_angle(*after)
    assert since_the_scan == pytest.approx(
        rotation_angle_deg(inverse(turned["one"]) @ turned["after"] @ side)
    )
    still, spread = joint_angle(*before, since=before)
    assert still == pytest.approx(0, abs=1e-5)
    assert spread == pytest.approx(np.sqrt(2 * (4 * 81 + 0.09 + 0.25) / 3), abs=1e-9)


def _registered(parts, motion, spread_deg):
    """A body there, with these standard deviations of its turn about its own axes."""
    covariance = np.diag([*np.radians(spread_deg) ** 2, 1, 1, 1])
    uncertainty = BodyUncertainty(PoseUncertainty(covariance), 1.0, np.ones(2))
    return RegisteredBody(parts.bodies[0], motion, uncertainty, 1.0, 1.0)


# --- Links ------------------------------------------------------------------------------------------------


def test_links_join_what_lies_near(parts):
    links = neighbours(parts.bodies, near_mm=30, rotation_deg=4.0)
    assert {(link.a, link.b) for link in links} == {(1, 2)}
    assert links[0].rotation_deg == 4.0
    assert neighbours(parts.bodies, near_mm=1) == ()


def test_shoulder_blades_have_no_joint_with_ribs(parts):
    _, tibia, patella = parts.bodies
    named = [replace(tibia, name="scapula_left"), replace(patella, name="rib_left_4")]
    assert neighbours(named, near_mm=30) == ()
    assert len(neighbours([named[0], patella], near_mm=30)) == 1


def test_what_hangs_on_a_body():
    """A trunk 0-1-2-3, an arm 4-5-6 on 1, and 7 by itself."""
    links = [Link(a, b, np.zeros(3)) for a, b in [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (5, 6)]]
    assert beyond(links, 8, 4) == (5, 6)
    assert beyond(links, 8, 5) == (6,)
    assert beyond(links, 8, 6) == ()
    assert beyond(links, 8, 7) == ()
    assert beyond(links, 8, 1) == (0, 2, 3)  # the arm is the longer part
    assert beyond([*links, Link(6, 3, np.zeros(3))], 8, 5) == ()  # a ring


def test_bodies_together_are_where_the_first_one_sees_them(parts, truth):
    whole = together(parts.bodies[:2], truth[:2])
    view = camera(20.0)
    drawn = render(whole, view.moved(view.camera_from_patient @ truth[0]))
    apart = composite(Parts(parts.bodies[:2], None), view, truth[:2])
    assert (drawn - apart).abs().mean() < 0.02 * apart.max()
    assert float(drawn.sum()) == pytest.approx(float(apart.sum()), rel=0.01)


def test_a_link_that_is_far_off_gives_way():
    """c = 3: r = 30 costs 4.5 log(101), not 450; at r = 0.3 it is half of r^2."""
    links = (Link(0, 1, np.zeros(3), translation_mm=1.0),)

    def cost(mm):
        posture = Posture(np.stack([np.eye(4), translation(np.array([mm, 0, 0]))]), np.eye(4)[None])
        return cost_of(links, posture, np.zeros((2, 3))).value

    assert cost(30.0) == pytest.approx(4.5 * np.log(101), rel=1e-6)
    assert cost(0.3) == pytest.approx(0.045, rel=0.01)


def test_a_link_costs_what_bodies_move_apart(parts):
    at = np.array([20.0, 0, 10])
    link = Link(1, 2, at, rotation_deg=5.0, translation_mm=2.0)
    common = exp_se3(np.array([0.2, 0.1, -0.3, 5, 6, 7]))
    assert np.abs(link.residual(common, common)).max() < 1e-9
    apart = common @ about(at, np.array([np.radians(10), 0, 0, 0, 4, 0]))
    # The shift is along the screw; its size at the joint is 4 mm to first order.
    np.testing.assert_allclose(link.residual(common, apart)[:3], [2, 0, 0], atol=1e-9)
    assert np.linalg.norm(link.residual(common, apart)[3:]) == pytest.approx(2, abs=0.02)
    limited = replace(link, free_deg=8.0, free_mm=5.0)
    np.testing.assert_allclose(limited.residual(common, apart), [0.4, 0, 0, 0, 0, 0], atol=1e-9)


def test_the_links_cost_has_the_right_gradient(parts, truth):
    links = (Link(0, 1, np.array([0.0, 0, 20])), Link(1, 2, np.array([20.0, 5, 0])))
    posture = Posture(truth, np.eye(4)[None])
    centres = np.stack([apply(m, b.centre) for m, b in zip(truth, parts.bodies, strict=True)])
    cost = cost_of(links, posture, centres)
    rng = np.random.default_rng(0)
    for _ in range(5):
        direction = rng.normal(size=(3, 6)) * [0.01, 0.01, 0.01, 1, 1, 1]
        ends = [
            cost_of(links, posture.stepped(centres, s * 1e-3 * direction), centres).value for s in (1, -1)
        ]
        assert cost.gradient @ direction.ravel() == pytest.approx(
            (ends[0] - ends[1]) / 2e-3, rel=1e-3, abs=1e-6
        )


def test_a_link_carries_what_no_view_sees(parts, truth):
    """The patella lies outside a collimated field: it goes where the tibia goes."""
    xrays = []
    for xray in xrays_of(parts, truth, (0, 70)):
        mask = xray.mask.copy()
        seen = xray.camera.project(apply(truth[2], parts.bodies[2].points))
        low, high = np.floor(seen.min(axis=0)).astype(int) - 14, np.ceil(seen.max(axis=0)).astype(int) + 15
        mask[max(0, low[1]) : high[1], max(0, low[0]) : high[0]] = False
        xrays.append(replace(xray, mask=mask))
    links = neighbours(parts.bodies, near_mm=30)
    found = last(refine_bodies(parts, xrays, at_rest(parts), links, STAGES)).posture
    relative = links[0].relative(found.motions[1], found.motions[2])
    assert np.degrees(np.linalg.norm(relative[:3])) < 3
    assert np.linalg.norm(relative[3:]) < 1.5
    problem = JointProblem(parts, xrays, [0, 0], found, FINE)
    _, tibia, patella = body_uncertainties(problem, found, links, STAGES[-1].link_weight)
    assert patella.standing == "out of view"
    assert patella.sigma_mm > 20 > tibia.sigma_mm
    assert 3 < patella.pose.expected_tre_mm(parts.bodies[2].points) < 20  # the link's own spread


# --- Uncertainty ------------------------------------------------------------------------------------------


def test_one_view_leaves_depth_open_and_two_do_not(parts, truth):
    both = xrays_of(parts, truth, (0, 70))
    sigma = {}
    for count in (1, 2):
        posture = Posture(truth, np.eye(4)[None])
        problem = JointProblem(parts, both[:count], [0] * count, posture, FINE)
        sigma[count] = [
            each.sigma_mm for each in body_uncertainties(problem, posture, (), STAGES[-1].link_weight)
        ]
    assert max(sigma[2]) < 0.5
    assert all(one > 3 * two for one, two in zip(sigma[1], sigma[2], strict=True))


def test_a_body_with_a_volume_to_itself(scan):
    density = Density.from_volume(scan[0], above_hu=300.0)
    body = body_of("all", density)
    assert body.labels == ()
    assert np.linalg.norm(body.centre - [10, -20, 30]) < 25
    assert torch.equal(body.pieces[0].values, density.values)
