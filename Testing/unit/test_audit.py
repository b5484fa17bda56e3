"""The audit's judgements on inputs whose numbers can be followed by hand."""

import os
from dataclasses import replace

import numpy as np
import pytest
from xrayreg.audit import check_inputs, check_patients, raise_problems, warnings
from xrayreg.audit.beam import beam_fit
from xrayreg.audit.bodies import body_of, structures_of
from xrayreg.audit.order import order_fit
from xrayreg.audit.overlap import overlap_fit
from xrayreg.audit.plans import landmarks_fit, on_detector_fit, plan_fit
from xrayreg.audit.plausible import camera_findings, distance_findings
from xrayreg.audit.rigs import directions_fit
from xrayreg.audit.sides import side_fit, twins
from xrayreg.audit.volumes import looks_like_labels, volume_findings
from xrayreg.audit.walking import Place, nearest, reached
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, carm_in_words, direction_in_words, translation
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray, write_dicom_xray

# --- A cube of water, 40 mm wide, in air; its middle is the origin ---

_SIDE = 40
_GRID = Grid((60, 60, 60), translation([-29.5, -29.5, -29.5]))


@pytest.fixture(scope="module")
def cube() -> Volume:
    hu = np.full((60, 60, 60), -1000.0, np.float32)
    hu[10:50, 10:50, 10:50] = 0
    return Volume(hu, _GRID, "cube")


def camera(isocenter=(0.0, 0.0, 0.0), primary=0.0, size=(200, 200)) -> Camera:
    """Frontal: 1000 mm to the detector, 500 mm to the isocenter, pixels of 1 mm: 0.5 mm at the isocenter."""
    return CArm(1000.0, 500.0, primary, 0.0, isocenter=isocenter).camera(size, (1.0, 1.0))


def levels(findings) -> list[str]:
    return [each.level for each in findings]


def problem(findings) -> str:
    (found,) = [each for each in findings if each.level == "problem"]
    return found.line


# --- The beam ---


def test_a_cube_at_the_isocenter_is_in_the_beam(cube):
    fit = beam_fit(body_of(cube), camera(), "cube", "ap")
    assert fit.findings == ()
    assert fit.facts["in_beam"] == 1.0
    # Voxel centres lie 19.5 mm before and behind the isocenter, 500 mm from the source.
    assert fit.facts["depth_mm"] == [480, 520]
    # 200 pixels of 1 mm, halved by the magnification of 2; the median voxel lies half a voxel off the middle.
    np.testing.assert_allclose(fit.facts["field_mm"], 100, atol=0.2)
    # The near face, 39 mm wide at 480.5 mm, is 39 / 480.5 * 1000 = 81 of 200 pixels wide: 16.5 % of all.
    assert fit.facts["image_covered"] == pytest.approx(0.165, abs=0.03)


def test_half_a_cube_in_the_beam_is_told(cube):
    # The isocenter 50 mm to the left: an edge of the image, 50 mm off, passes through the cube's middle.
    fit = beam_fit(body_of(cube), camera((50.0, 0.0, 0.0)), "cube", "ap")
    assert fit.facts["in_beam"] == pytest.approx(0.5, abs=0.02)
    assert levels(fit.findings) == []


def test_a_beam_beside_the_cube_is_a_problem(cube):
    # 150 mm to the left is 300 pixels; the camera's x runs to the right: column 99.5 + 300, row 99.5.
    line = problem(beam_fit(body_of(cube), camera((150.0, 0.0, 0.0)), "cube", "ap").findings)
    assert line.startswith("the beam misses the volume, which does not project into the X-ray: ")
    assert "at column 400, row 100 of 200 x 200 pixels" in line


def test_a_volume_behind_the_source_or_the_detector_is_a_problem(cube):
    body = body_of(cube)
    # The source is 500 mm behind the isocenter (+y); with it at y = -600 the source is at y = -100.
    assert "behind the source" in problem(beam_fit(body, camera((0, -600.0, 0)), "cube", "ap").findings)
    # With it at y = 700 the source is at y = 1200 and the detector at y = 200, both behind the back.
    line = problem(beam_fit(body, camera((0, 700.0, 0)), "cube", "ap").findings)
    assert "behind the detector" in line
    assert "1180 to 1220 mm" in line


def test_a_named_side_is_compared_with_the_half_that_the_beam_goes_through(cube):
    body, left = body_of(cube), camera((55.0, 0.0, 0.0))  # sees x above 5 mm: the patient's left
    assert beam_fit(body, left, "cube", "ap", "L").findings == ()
    (note,) = beam_fit(body, left, "cube", "ap", "R").findings
    assert note.level == "note"
    assert "says right, the beam goes through the left half" in note.text


# --- Units ---


@pytest.mark.parametrize(
    ("distance", "remedy"),
    [(1.02, "metres: give 1020 mm"), (102.0, "centimetres: give 1020 mm"), (12000.0, "it is in mm")],
)
def test_a_distance_in_other_units_is_named(distance, remedy):
    (found,) = distance_findings(distance)
    assert found.level == "problem"
    assert remedy in found.remedy


def test_usual_distances_and_pixels_are_not_complained_of():
    assert distance_findings(1020.0, 750.0, (0.2, 0.2)) == []
    assert distance_findings(None, None, None) == []


def test_isocenter_behind_the_detector_and_absurd_pixels_are_problems():
    assert "is not before the detector" in distance_findings(1000.0, 1000.0)[0].text
    assert "0.0002 x 0.0002 mm" in distance_findings(1000.0, 700.0, (0.0002, 0.0002))[0].text  # metres
    assert "200 x 200 mm" in distance_findings(1000.0, 700.0, (200.0, 200.0))[0].text  # micrometres


def test_a_focal_length_in_mm_in_place_of_pixels_is_a_problem():
    # 1000 mm with 2048 pixels of 0.15 mm should be 6667 pixels: a beam of 17.5 degrees. 1000 pixels are 91.4.
    right = Camera((2048, 2048), np.array([[6667.0, 0, 1024], [0, 6667.0, 1024], [0, 0, 1]]), np.eye(4))
    assert camera_findings(right) == []
    wrong = replace(right, K=np.array([[1000.0, 0, 1024], [0, 1000.0, 1024], [0, 0, 1]]))
    assert "a beam of 91 degrees" in problem(camera_findings(wrong))


# --- Sides ---


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("rib_left_1", "rib_right_1"),
        ("left rib 1", "Right Rib 1"),
        ("humerus_L", "humerus_R"),
        ("LeftFemur", "RightFemur"),
    ],
)
def test_twins_are_told_by_their_names(left, right):
    assert twins({1: right, 7: left}) == [(7, 1)]


def test_names_that_are_no_twins_are_not_paired():
    assert twins({1: "vertebrae_L1", 2: "vertebrae_R1", 3: "rib_left_1", 4: "rib_right_2"}) == []


def labelled(names: dict[int, str], at: dict[int, tuple[int, int, int]], mirrored=False) -> LabelMap:
    """Small blocks on the cube's grid, whose first voxel is at (i, j, k); mirrored: x runs the wrong way."""
    labels = np.zeros((60, 60, 60), np.uint8)
    for label, (i, j, k) in at.items():
        labels[k : k + 6, j : j + 6, i : i + 6] = label
    affine = np.diag([-1.0, 1, 1, 1]) @ _GRID.patient_from_index if mirrored else _GRID.patient_from_index
    return LabelMap(labels, Grid((60, 60, 60), affine), names)


_TWINS = {1: "rib_left_1", 2: "rib_right_1", 3: "hip_left", 4: "hip_right", 5: "sternum"}
_PLACES = {1: (45, 20, 40), 2: (10, 20, 40), 3: (40, 20, 10), 4: (12, 20, 10), 5: (27, 10, 40)}


def test_left_labels_lie_to_the_left():
    fit = side_fit(structures_of(labelled(_TWINS, _PLACES), "bones"))
    assert fit.findings == ()
    assert fit.facts == {
        "pairs": 2,
        "on_their_sides": 2,
        "farthest": "rib_left_1 is 35 mm to the left of rib_right_1",  # 45 - 10 voxels of 1 mm
    }


def test_a_mirrored_segmentation_is_a_problem():
    fit = side_fit(structures_of(labelled(_TWINS, _PLACES, mirrored=True), "bones"))
    line = problem(fit.findings)
    assert "2 of 2 left structures lie to the right of their right twins" in line
    assert "mirrored" in line


def test_one_exchanged_pair_of_three_is_only_told():
    names = {**_TWINS, 6: "scapula_left", 7: "scapula_right"}
    places = {**_PLACES, 6: (10, 40, 40), 7: (45, 40, 40)}
    fit = side_fit(structures_of(labelled(names, places), "bones"))
    assert levels(fit.findings) == ["assumed"]
    assert "scapula_left / scapula_right" in fit.findings[0].text


def test_a_liver_on_the_left_is_told():
    names, places = {1: "liver", 2: "spleen"}, {1: (45, 20, 20), 2: (10, 20, 20)}
    (found,) = side_fit(structures_of(labelled(names, places), "organs")).findings
    assert "the liver lies to the left of the spleen" in found.text
    assert side_fit(structures_of(labelled(names, {1: places[2], 2: places[1]}), "organs")) is None


def test_vertebrae_and_ribs_follow_each_other_from_head_to_foot():
    names = {1: "vertebrae_T11", 2: "vertebrae_T12", 3: "vertebrae_L1", 4: "vertebrae_L2", 5: "rib_left_1"}
    places = {1: (27, 20, 44), 2: (27, 20, 32), 3: (27, 20, 20), 4: (27, 20, 8), 5: (40, 20, 10)}
    fit = order_fit(structures_of(labelled(names, places), "bones"))
    assert fit.findings == ()
    assert fit.facts == {"rows": 1, "structures": 4}
    swapped = {**names, 2: "vertebrae_L1", 3: "vertebrae_T12"}
    (found,) = order_fit(structures_of(labelled(swapped, places), "bones")).findings
    assert found.level == "assumed"
    assert "1 numbered structures lie below" in found.text
    assert "vertebrae_T12 / vertebrae_L1" in found.text


@pytest.mark.parametrize(
    ("row", "between"),
    [
        (("vertebrae_T5", "vertebrae_T6", "vertebrae_T8"), "vertebrae_T6 / vertebrae_T8"),
        (("vertebrae_C6", "vertebrae_T1", "vertebrae_T2"), "vertebrae_C6 / vertebrae_T1"),
        (("rib_left_1", "rib_left_3", "rib_left_4"), "rib_left_1 / rib_left_3"),
        (("vertebrae_T9", "vertebrae_T10", "vertebrae_L1"), "vertebrae_T10 / vertebrae_L1"),
        (("vertebrae_C7", "vertebrae_T1", "vertebrae_T2"), None),
        (("vertebrae_T11", "vertebrae_L1", "vertebrae_L2"), None),  # eleven thoracic ones are not rare
        (("vertebrae_L4", "vertebrae_L5", "vertebrae_S1"), None),
    ],
)
def test_a_label_that_is_left_out_is_told(row, between):
    places = {1: (27, 20, 44), 2: (27, 20, 32), 3: (27, 20, 20)}
    names = dict(enumerate(row, start=1))
    findings = order_fit(structures_of(labelled(names, places), "bones")).findings
    assert [each.text for each in findings] == ([f"no label is between {between}"] if between else [])


@pytest.mark.parametrize(
    "names",
    [
        {1: "rib_left_10", 2: "rib_left_11", 3: "rib_left_12"},  # their middles lie at one height
        {1: "T1 weighted", 2: "segment 3", 3: "spleen"},
        {1: "vertebrae_T4", 2: "vertebrae_T5"},  # two alone say little
    ],
)
def test_what_is_in_no_row_is_not_judged(names):
    places = {1: (27, 20, 10), 2: (27, 20, 26), 3: (27, 20, 42)}
    assert order_fit(structures_of(labelled(names, places), "bones")) is None


# --- One frame ---


@pytest.fixture
def bony(cube) -> Volume:
    """The cube with two bones of 700 HU, far from each other."""
    hu = cube.hu.copy()
    hu[40:46, 20:26, 12:18] = 700
    hu[12:18, 20:26, 38:44] = 700
    return replace(cube, hu=hu)


_BONES = {1: "femur", 2: "tibia"}
_ON_BONES = {1: (12, 20, 40), 2: (38, 20, 12)}


def overlap(volume, label_map):
    return overlap_fit(body_of(volume), structures_of(label_map, "bones"), "ct", "bones")


def test_bones_on_bones_fit(bony):
    fit = overlap(bony, labelled(_BONES, _ON_BONES))
    assert fit.findings == ()
    assert fit.facts["labels_inside"] == 1
    assert fit.facts["bone_labels_on_bone"] == 1


def test_labels_shifted_off_their_bones_are_a_problem_and_the_shift_is_found(bony):
    label_map = labelled(_BONES, _ON_BONES)
    shifted = translation([10.0, 0, 0]) @ _GRID.patient_from_index
    line = problem(overlap(bony, replace(label_map, grid=Grid((60, 60, 60), shifted))).findings)
    assert "only 0% of the labels named as bones lie on bone" in line
    assert "shifted by (-10, 0, 0) mm it is 100%" in line


def test_labels_elsewhere_are_a_problem_with_the_distance(bony):
    away = Grid((60, 60, 60), translation([0, 0, 300.0]) @ _GRID.patient_from_index)
    line = problem(overlap(bony, replace(labelled(_BONES, _ON_BONES), grid=away)).findings)
    assert "no label lies in the volume" in line
    # The labels' middle is (-1.5, -7, -1) from the volume's: columns (14.5 + 40.5) / 2 - 29.5 and so on.
    assert "300 mm apart" in line or "299 mm apart" in line


def test_labels_in_ras_are_recognised(bony):
    place = translation([100.0, 80.0, 0]) @ _GRID.patient_from_index
    ct = replace(bony, grid=Grid((60, 60, 60), place))
    ras = np.diag([-1.0, -1, 1, 1]) @ place
    line = problem(overlap(ct, replace(labelled(_BONES, _ON_BONES), grid=Grid((60,) * 3, ras))).findings)
    assert "saved as RAS in place of LPS" in line


# --- Volume or labels? ---


def test_labels_and_eight_bit_images_are_told_apart():
    label_map = labelled(_TWINS, _PLACES)
    labels = label_map.labels.astype(np.float32)
    assert looks_like_labels(Volume(labels, _GRID))
    assert looks_like_labels(Volume(labels * 255, _GRID))
    noise = np.random.default_rng(0).integers(1, 255, labels.shape)
    assert not looks_like_labels(Volume(np.where(labels > 0, noise, 0).astype(np.float32), _GRID))
    assert not looks_like_labels(Volume(labels + 0.5, _GRID))
    assert not looks_like_labels(Volume(labels - 1, _GRID))


@pytest.mark.parametrize(
    ("background", "tissue", "level", "text"),
    [
        (0, 40, "missing", "values from 0 to 40 are no HU"),
        (-1000, -990, "problem", "nothing but air"),
    ],
)
def test_values_that_are_no_ct_are_told(background, tissue, level, text):
    hu = np.full((60, 60, 60), background, np.float32)
    hu[:25] = tissue  # 42 % of the voxels
    volume = Volume(hu, _GRID)
    assert (level, True) in [(f.level, text in f.text) for f in volume_findings(volume, body_of(volume))]


def test_a_voxel_in_metres_is_a_problem(cube):
    volume = replace(cube, grid=Grid((60, 60, 60), np.diag([0.001, 0.001, 0.001, 1])))
    assert "is no scanner's" in problem(volume_findings(volume, body_of(volume)))


# --- Plans and views ---


def markup(*points) -> tuple[Markup, ...]:
    return (Markup("screw", "line", np.array(points, float), tuple(f"p{n}" for n in range(len(points)))),)


def test_a_plan_outside_the_volume_is_a_problem_and_ras_is_recognised(cube):
    assert plan_fit(body_of(cube), markup((0, 0, 0), (10, 0, 0)), "ct", "plan").findings == ()
    (note,) = plan_fit(body_of(cube), markup((0, 0, 0), (100, 0, 0)), "ct", "plan").findings
    assert note.text == "points outside the volume: p1"
    far = plan_fit(body_of(cube), markup((0, 0, 400), (0, 0, 402)), "ct", "plan").findings
    assert "401 mm from the volume's" in problem(far)
    place = translation([100.0, 0, 0]) @ _GRID.patient_from_index
    moved = body_of(replace(cube, grid=Grid((60, 60, 60), place)))
    assert "coordinateSystem" in problem(plan_fit(moved, markup((-100, 0, 0)), "ct", "plan").findings)


def test_a_plan_off_the_image_is_told():
    assert on_detector_fit(camera(), markup((0, 0, 0), (80, 0, 0)), "ap", "plan").facts == {
        "points_on_image": "1 of 2"  # 80 mm are 160 pixels, beyond the 100 from the middle to the edge
    }
    (note,) = on_detector_fit(camera(), markup((80, 0, 0)), "ap", "plan").findings
    assert note.level == "note"


def test_landmarks_off_the_image_are_a_problem():
    views = {"ap": {"a": (0.0, 0.0), "b": (200.0, 10.0)}, "lateral": {"a": (1.0, 1.0)}}
    fit = landmarks_fit(views, {"ap": (200, 200)}, "points.csv")
    assert levels(fit.findings) == ["missing", "problem"]
    assert "b lie outside ap, which is 200 x 200 pixels" in problem(fit.findings)


def test_the_angle_between_beams():
    assert directions_fit(camera(), camera(primary=80.0), ("a", "b")).facts == {
        "angle_between_beams_deg": 80.0
    }
    (note,) = directions_fit(camera(), camera(primary=5.0), ("a", "b")).findings
    assert "5 degrees" in note.text


# --- Before a registration ---


def xray(name="ap", **options) -> Xray:
    view = camera(**options)
    shape = view.size[::-1]
    return Xray(np.zeros(shape, np.float32), view, np.ones(shape, bool), name)


def test_inputs_that_fit_raise_nothing(cube):
    fits = check_inputs(cube, [xray()])
    raise_problems(fits)
    assert warnings(fits) == ()


def test_the_first_problem_is_raised_with_the_number_of_others(cube):
    fits = check_inputs(cube, [xray(isocenter=(150.0, 0, 0)), xray("lateral", isocenter=(0, 150.0, 400.0))])
    with pytest.raises(
        InputError, match=r"^cube and ap: the beam misses .*\(and 1 more: run xrayreg check\)"
    ):
        raise_problems(fits)


def test_warnings_name_what_was_assumed(cube):
    (line,) = warnings(check_inputs(replace(cube, hu=cube.hu + 1000), [xray()]))
    assert line.startswith("cube: values from 0 to 1000 are no HU - give a CT in Hounsfield units")
    assert warnings(check_inputs(replace(cube, hu=cube.hu + 1000, kind="mr"), [xray()])) == ()


def test_two_patients_are_told_apart_without_being_named(tmp_path):
    image = np.full((8, 8), 100, np.uint16)
    for name, patient in (("a", "Secret-1"), ("b", "Secret-1"), ("c", "Secret-2"), ("d", "")):
        path = tmp_path / f"{name}.dcm"
        write_dicom_xray(path, image, CArm(1000.0, 700.0, 0.0, 0.0), (1.0, 1.0), patient_id=patient)
    a, b, c, d = (tmp_path / f"{name}.dcm" for name in "abcd")
    assert check_patients(a, [b, d]) == ()
    with pytest.raises(InputError, match=r"a\.dcm and c\.dcm: two different patients") as raised:
        raise_problems(check_patients(a, [b, c]))
    assert "Secret" not in str(raised.value)


# --- Folders and words ---


def test_a_walk_ends_in_spite_of_a_loop(tmp_path):
    (tmp_path / "case" / "ct").mkdir(parents=True)
    (tmp_path / "case" / "ct" / "1.dcm").touch()
    (tmp_path / "case" / "a.png").touch()
    (tmp_path / "case" / ".hidden").touch()
    os.symlink(tmp_path / "case", tmp_path / "case" / "ct" / "loop")
    groups, links = reached([tmp_path / "case"])
    assert [[place.path.name for place in group] for group in groups] == [["a.png"], ["1.dcm"]]
    assert [link.endswith("loop") for link in links] == [True]


def test_what_lies_nearest_shares_the_most_folders():
    def place(*folders):
        return Place("x", folders)

    class Thing:
        def __init__(self, *folders):
            self.place = place(*folders)

    own, beside, elsewhere = Thing("data", "chest"), Thing("data", "chest", "sub"), Thing("data", "hip")
    assert nearest(place("data", "chest"), [own, beside, elsewhere]) == [own, beside]
    assert nearest(place("data", "wrist"), [own, elsewhere]) == [own, elsewhere]


def test_words():
    assert carm_in_words(30, -20) == "LAO 30.0°, CAUD 20.0°"
    assert carm_in_words(-32, 2) == "RAO 32.0°, CRAN 2.0°"
    assert [direction_in_words(d) for d in ([2, 0, 0], [0, -1, 0], [0, 0.02, -1])] == [
        "left",
        "front",
        "feet",
    ]
    assert direction_in_words([0, 1, 2]) == "head (27° off)"  # atan(1 / 2)
