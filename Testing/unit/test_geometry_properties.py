"""Geometry under random cameras, poses and grids: a change of representation loses nothing.

Distances of image points are taken on the detector, in mm: pixels times the pixel spacing there. They agree
to 1e-6 mm; where a file format holds fewer digits, the test says how many and what they are worth.
More examples: `pytest --hypothesis-profile=long Testing/unit/test_geometry_properties.py`.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given
from hypothesis import strategies as st
from random_motions import motions, numbers, vectors
from xrayreg.geometry import (
    PATIENT_POSITIONS,
    Camera,
    CameraFile,
    CArm,
    apply,
    carm_angles_deg,
    carm_from_camera,
    detector_from_image,
    flip_ras_lps,
    inverse,
    mayacam_text,
    patient_from_detector,
    ras_from_lps,
    read_camera_file,
    read_mayacam,
    write_camera_file,
)
from xrayreg.images import (
    Markup,
    Turn,
    Xray,
    read_dicom_xray,
    read_markups,
    write_dicom_xray,
    write_markups,
)
from xrayreg.register import RegisteredView
from xrayreg.results import write_transform

TOLERANCE_MM = 1e-6
ANGLES_OF_32_BIT_MM = 2e-4  # 4e-7 rad on an arm of up to 300 mm, magnified up to 1.6 times

# --- Random things ---


@st.composite
def cameras(draw, skewed: bool = False, longest_px: int = 3000) -> Camera:
    """Any pose; pixels that are not square, a principal point anywhere, a detector of 8 or more pixels."""
    size = draw(st.tuples(st.integers(8, longest_px), st.integers(8, longest_px)))
    distance = draw(numbers(300.0, 2000.0))
    spacing = np.array(draw(st.tuples(numbers(0.05, 2.0), numbers(0.05, 2.0))))
    K = np.diag([*(distance / spacing), 1.0])
    K[:2, 2] = np.array(draw(st.tuples(numbers(-0.5, 1.5), numbers(-0.5, 1.5)))) * size
    if skewed:
        K[0, 1] = draw(numbers(-50.0, 50.0))
    return Camera(size, K, draw(motions()), distance)


def points_before(camera: Camera) -> st.SearchStrategy[np.ndarray]:
    """A point of the patient, mm, between 5 and 95 % of the way to the detector, on it or beside it."""

    def place(where: tuple[float, float, float]) -> np.ndarray:
        u, v, depth = where
        ray = camera.ray_directions(np.array([u * camera.size[0], v * camera.size[1]]))
        return apply(camera.patient_from_camera, ray * depth * camera.source_to_detector_mm)

    return st.tuples(numbers(-0.5, 1.5), numbers(-0.5, 1.5), numbers(0.05, 0.95)).map(place)


@st.composite
def views(draw, **options) -> tuple[Camera, np.ndarray]:
    """A camera and a point before it."""
    camera = draw(cameras(**options))
    return camera, draw(points_before(camera))


def on_detector_mm(camera: Camera, first: np.ndarray, second: np.ndarray) -> float:
    """Distance of two image points (2,), pixel, on the detector."""
    return float(np.linalg.norm((first - second) * camera.pixel_spacing_mm))


def same_on_detector(camera: Camera, other: Camera, point: np.ndarray, within=TOLERANCE_MM) -> None:
    """Both cameras see the point at one place of the detector, mm."""
    assert on_detector_mm(camera, camera.project(point), other.project(point)) < within


# --- Cameras ---


@given(views(skewed=True))
def test_a_ray_goes_back_through_the_point_that_it_came_from(view):
    camera, point = view
    at = apply(camera.camera_from_patient, point)
    back = camera.ray_directions(camera.project(point)) * at[2]
    assert np.linalg.norm(back - at) < TOLERANCE_MM


@given(views(), st.data())
def test_cropping_shifts_the_image_and_nothing_else(view, data):
    camera, point = view
    first = np.array([data.draw(st.integers(0, n - 1)) for n in camera.size])
    size = tuple(data.draw(st.integers(1, int(n - f))) for n, f in zip(camera.size, first, strict=True))
    cropped = camera.cropped(tuple(first), size)
    assert cropped.size == size
    assert on_detector_mm(camera, cropped.project(point) + first, camera.project(point)) < TOLERANCE_MM


@given(views(), st.integers(1, 8))
def test_averaging_keeps_places_on_the_detector(view, factor):
    camera, point = view
    binned = camera.binned(factor)
    # Block b begins at pixel factor * b; its middle is (factor - 1) / 2 further.
    back = binned.project(point) * factor + (factor - 1) / 2
    assert on_detector_mm(camera, back, camera.project(point)) < TOLERANCE_MM


@given(views(), st.integers(2, 4), st.integers(0, 3), st.integers(0, 3))
def test_cropping_to_whole_blocks_and_averaging_may_change_places(view, factor, column, row):
    camera, point = view
    assume(min(camera.size) > 5 * factor)
    first, size = (column * factor, row * factor), (factor, factor)
    one = camera.cropped(first, (camera.size[0] - first[0], camera.size[1] - first[1])).binned(factor)
    other = camera.binned(factor).cropped((column, row), size)
    same_on_detector(one, replace(other, size=one.size), point)


@given(views(longest_px=60), st.booleans(), st.booleans())
def test_an_image_that_is_flipped_shows_the_point_at_the_flipped_pixel(view, columns, rows):
    """A flipped image is that of no camera: its array is flipped, and so are the pixels of points."""
    camera, point = view
    u, v = camera.project(point)
    assume(0 <= round(u) < camera.size[0] and 0 <= round(v) < camera.size[1])
    image = np.zeros(camera.size[::-1], np.uint8)
    image[round(v), round(u)] = 1
    flipped = image[:: -1 if rows else 1, :: -1 if columns else 1]
    row, column = np.unravel_index(flipped.argmax(), flipped.shape)
    expected = (camera.size[0] - 1 - u if columns else u, camera.size[1] - 1 - v if rows else v)
    np.testing.assert_allclose((column, row), expected, atol=0.5 + 1e-9)


@given(views(), motions())
def test_a_pose_in_ras_is_the_pose_in_lps(view, patient_from_other):
    camera, point = view
    moved = inverse(patient_from_other)  # another frame of the same patient
    in_ras = ras_from_lps(ras_from_lps(camera.camera_from_patient) @ ras_from_lps(patient_from_other))
    there = replace(camera, camera_from_patient=in_ras)
    same_on_detector(camera, replace(camera, camera_from_patient=there.camera_from_patient @ moved), point)
    np.testing.assert_array_equal(flip_ras_lps(flip_ras_lps(point)), point)
    once = ras_from_lps(camera.camera_from_patient) @ np.append(flip_ras_lps(point), 1)
    np.testing.assert_allclose(
        flip_ras_lps(once[:3]), apply(camera.camera_from_patient, point), atol=TOLERANCE_MM
    )


@given(views())
def test_the_image_lies_on_the_detector_where_rays_meet_it(view):
    camera, point = view
    u, v = camera.project(point)
    place = apply(patient_from_detector(camera) @ detector_from_image(camera), np.array([u, v, 0.0]))
    at, there = (apply(camera.camera_from_patient, p) for p in (point, place))
    assert there[2] == pytest.approx(camera.source_to_detector_mm, abs=TOLERANCE_MM)
    assert np.linalg.norm(there - at * (there[2] / at[2])) < TOLERANCE_MM


# --- C-arms ---


@given(views(), numbers(0.1, 0.9))
def test_every_pose_is_that_of_a_carm(view, share):
    camera, point = view
    middle = tuple((n - 1) / 2 for n in camera.size)
    camera = replace(
        camera, K=np.array([[*camera.K[0, :2], middle[0]], [*camera.K[1, :2], middle[1]], [0, 0, 1]])
    )
    carm = carm_from_camera(camera, share * camera.source_to_detector_mm)
    same_on_detector(camera, carm.camera(camera.size, camera.pixel_spacing_mm), point)


@given(numbers(-180, 180), numbers(-89.9, 89.9), numbers(-180, 180))
def test_angles_of_a_carm_come_back(primary, secondary, tertiary):
    camera = CArm(1000.0, 700.0, primary, secondary, tertiary).camera((100, 100), (1.0, 1.0))
    found = np.array(carm_angles_deg(camera))
    # Near the patient's axis (secondary 90) the other two exchange: 1e-16 / cos(89.9 degrees), in degrees.
    difference = (found - (primary, secondary, tertiary) + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=1e-9)


# --- Files of cameras and poses: all digits of a double ---


@given(views(skewed=True))
def test_camera_json_keeps_every_digit(tmp_path_factory, view):
    camera, point = view
    path = tmp_path_factory.getbasetemp() / "camera.json"
    write_camera_file(path, camera)
    read = read_camera_file(path).camera()
    np.testing.assert_array_equal(read.project(point), camera.project(point))
    assert read.source_to_detector_mm == pytest.approx(camera.source_to_detector_mm, rel=1e-12)
    assert json.loads(path.read_text())["size"] == list(camera.size)


@given(views(skewed=True))
def test_mayacam_keeps_every_digit(tmp_path_factory, view):
    camera, point = view
    path = tmp_path_factory.getbasetemp() / "mayacam.txt"
    path.write_text(
        mayacam_text(CameraFile(camera.size, camera.K, camera_from_rig=camera.camera_from_patient))
    )
    np.testing.assert_array_equal(read_mayacam(path).camera().project(point), camera.project(point))


@given(views())
def test_a_transform_file_keeps_the_pose(tmp_path_factory, view):
    camera, point = view
    folder = tmp_path_factory.getbasetemp()
    small = replace(camera, size=(4, 4))
    xray = Xray(np.zeros((4, 4), np.float32), small, np.ones((4, 4), bool))
    write_transform(folder, RegisteredView(xray, small, 1.0, 1.0))
    moved = sitk.ReadTransform(str(folder / "camera_from_patient_view.tfm")).TransformPoint(point.tolist())
    pixel = camera.K @ moved
    assert on_detector_mm(camera, pixel[:2] / pixel[2], camera.project(point)) < TOLERANCE_MM


@given(st.lists(vectors(-1000, 1000), min_size=1, max_size=5), st.sampled_from(["LPS", "RAS"]))
def test_markups_keep_every_digit_in_either_frame(tmp_path_factory, points, system):
    path = tmp_path_factory.getbasetemp() / "points.mrk.json"
    points = np.array(points)
    markup = Markup("m", "points", points, tuple(str(n) for n in range(len(points))))
    write_markups(path, (markup,))
    content = json.loads(path.read_text())
    if system == "RAS":  # as Slicer would write the same points
        content["markups"][0]["coordinateSystem"] = "RAS"
        for each in content["markups"][0]["controlPoints"]:
            each["position"] = [-each["position"][0], -each["position"][1], each["position"][2]]
        path.write_text(json.dumps(content))
    np.testing.assert_array_equal(read_markups(path)[0].points, points)


# --- DICOM: decimal strings of 16 characters, the detector's turn in 32 bit ---


@given(
    numbers(-179, 179),
    numbers(-80, 80),
    st.booleans(),
    st.booleans(),
    st.tuples(numbers(0.1, 1), numbers(0.1, 1)),
)
def test_an_xray_comes_back_from_dicom(tmp_path_factory, primary, secondary, columns, rows, spacing):
    """Distances and angles about the patient have 13 digits or more."""
    path = tmp_path_factory.getbasetemp() / "x.dcm"
    carm = CArm(1123.456789, 765.4321, primary, secondary, isocenter=(5.0, -7.0, 9.0))
    image = np.random.default_rng(0).integers(1000, 2000, (12, 10), dtype=np.uint16)
    image[2, 3] = 50  # one dark pixel tells how it was turned
    write_dicom_xray(path, image, carm, spacing, flip_columns=columns, flip_rows=rows)
    read = read_dicom_xray(path, carm.isocenter)
    camera = carm.camera((10, 12), spacing)
    for point in np.array([[5.0, -7.0, 9.0], [40.0, 10.0, -60.0], [-80.0, 55.0, 30.0]]):
        same_on_detector(camera, read.camera, point)
    assert np.unravel_index(read.line_integrals.argmax(), image.shape) == (2, 3)


@given(
    numbers(-179, 179),
    numbers(-80, 80),
    st.sampled_from(PATIENT_POSITIONS),
    st.builds(Turn, st.integers(0, 3), st.booleans()),
    st.tuples(numbers(0.1, 1), numbers(0.1, 1)),
    st.tuples(numbers(-5, 20), numbers(-5, 20)),
)
def test_the_field_of_view_may_be_turned_flipped_and_cropped(
    tmp_path_factory, primary, secondary, position, turn, spacing, middle
):
    """However the patient lies. Lengths on the detector are written as decimals of 16 characters."""
    path = tmp_path_factory.getbasetemp() / "f.dcm"
    carm = CArm(1123.456789, 765.4321, primary, secondary, isocenter=(5.0, -7.0, 9.0))
    image = np.random.default_rng(0).integers(1000, 2000, (12, 10), dtype=np.uint16)
    image[2, 3] = 50
    write_dicom_xray(
        path, image, carm, spacing, field_of_view=turn, patient_position=position, principal_point=middle
    )
    read = read_dicom_xray(path, carm.isocenter)
    camera = carm.camera((10, 12), spacing, middle)
    for point in np.array([[5.0, -7.0, 9.0], [40.0, 10.0, -60.0], [-80.0, 55.0, 30.0]]):
        same_on_detector(camera, read.camera, point)
    assert np.unravel_index(read.line_integrals.argmax(), image.shape) == (2, 3)


@given(numbers(-179, 179), numbers(-80, 80), numbers(-30, 30))
def test_the_detectors_turn_comes_back_to_32_bit(tmp_path_factory, primary, secondary, tertiary):
    """A 32 bit float of up to 180 degrees is off by 8e-6 degrees, 1.3e-7 rad; three of them may add."""
    path = tmp_path_factory.getbasetemp() / "t.dcm"
    carm = CArm(1100.0, 700.0, primary, secondary, tertiary)
    write_dicom_xray(path, np.full((12, 10), 1000, np.uint16), carm, (0.4, 0.4))
    camera = carm.camera((10, 12), (0.4, 0.4))
    for point in np.array([[0.0, 0.0, 0.0], [100.0, -50.0, 120.0]]):
        same_on_detector(camera, read_dicom_xray(path).camera, point, within=ANGLES_OF_32_BIT_MM)
