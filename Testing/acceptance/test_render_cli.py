"""`xrayreg render`: line integrals of a block of water, known in closed form, in every output format."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from xrayreg.geometry import Camera, CArm, inverse, write_camera_file
from xrayreg.images import read_dicom_xray

WATER_PER_MM = 0.0193

# A grid of 40 x 36 x 30 voxels whose i runs to the patient's right: left-handed. The middle of its box is
# MIDDLE. Water (0 HU) fills the block of these voxels, air (-1000 HU) the rest.
SIZE, SPACING, MIDDLE = (40, 36, 30), np.array([1.0, 1.2, 1.5]), np.array([5.0, -8.0, 60.0])
DIRECTION = np.diag([-1.0, 1.0, 1.0])
FIRST, LAST = np.array([8, 10, 6]), np.array([27, 21, 19])
SPLIT = 18  # label 1 is the block's part with i below this, label 3 the rest

CAMERA = CArm(1000.0, 700.0, 25.0, -15.0, 8.0, tuple(MIDDLE)).camera((96, 80), (0.8, 0.9))


def patient(index):
    return MIDDLE + (DIRECTION @ ((np.asarray(index) - (np.array(SIZE) - 1) / 2) * SPACING).T).T


def lengths_mm(first, last, camera=CAMERA):
    """Length [row, column] of each ray in the block of voxels first..last, by its six planes."""
    columns, rows = camera.size
    v, u = np.mgrid[:rows, :columns]
    pose = inverse(camera.camera_from_patient)
    directions = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(camera.K).T @ pose[:3, :3].T
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    faces = np.array([patient(first - 0.5), patient(last + 0.5)])
    low, high = faces.min(axis=0), faces.max(axis=0)
    ends = np.stack([(low - pose[:3, 3]) / directions, (high - pose[:3, 3]) / directions])
    return np.maximum(ends.max(axis=0).min(axis=-1) - ends.min(axis=0).max(axis=-1), 0)


def save(path, array, spacing=SPACING):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(DIRECTION.ravel().tolist())
    image.SetOrigin(patient([0, 0, 0]).tolist())
    sitk.WriteImage(image, str(path))


def block(fill, empty, dtype):
    array = np.full(SIZE[::-1], empty, dtype)
    array[FIRST[2] : LAST[2] + 1, FIRST[1] : LAST[1] + 1, FIRST[0] : LAST[0] + 1] = fill
    return array


@pytest.fixture
def files(tmp_path):
    """Volume, segmentation and camera."""
    save(tmp_path / "block.nii.gz", block(0, -1000, np.int16))
    labels = block(3, 0, np.uint8)
    labels[..., :SPLIT][labels[..., :SPLIT] > 0] = 1
    save(tmp_path / "labels.nrrd", labels)
    write_camera_file(tmp_path / "camera.json", CAMERA)
    return tmp_path


@pytest.fixture
def render(files, xrayreg):
    """`xrayreg render` of the block; ``options`` replace arguments, None removes one."""

    def run(out, *more, **options):
        arguments = {"volume": files / "block.nii.gz", "camera": files / "camera.json", "out": files / out}
        given = {name: value for name, value in {**arguments, **options}.items() if value is not None}
        pairs = [part for name, value in given.items() for part in (f"--{name}", value)]
        return xrayreg("render", *pairs, *more)

    return run


def test_values_are_path_length_times_the_attenuation_of_water(render, files):
    answer = render("drr.nrrd", "--projector", "siddon")
    assert answer.code == 0
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "drr.nrrd")))[0]
    expected = lengths_mm(FIRST, LAST) * WATER_PER_MM
    assert expected.max() > 0.3
    np.testing.assert_allclose(image, expected, atol=2e-3 * expected.max())
    assert answer.out.splitlines() == [
        f"{files / 'drr.nrrd'}: 96 x 80 pixels, largest line integral {image.max():.3f}"
    ]


def test_the_default_projector_blurs_only_the_blocks_edges(render, files):
    assert render("drr.nrrd").code == 0
    image = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "drr.nrrd")))[0]
    expected = lengths_mm(FIRST, LAST) * WATER_PER_MM
    aside = np.array([1, 0, 1])  # rays in at one j face and out at the other, a voxel from all other faces
    inner = lengths_mm(FIRST + aside, LAST - aside)
    through = (inner > 0) & np.isclose(inner, lengths_mm(FIRST - aside, LAST + aside))
    assert through.sum() > 100
    np.testing.assert_allclose(image[through], expected[through], rtol=0.02)
    assert image.sum() == pytest.approx(expected.sum(), rel=0.01)
    assert (image[lengths_mm(FIRST - 2, LAST + 2) == 0] == 0).all()


def test_the_drr_lies_on_the_detector(render, files):
    render("drr.nrrd")
    image = sitk.ReadImage(str(files / "drr.nrrd"))
    assert image.GetSize() == (96, 80, 1)
    assert image.GetSpacing()[:2] == pytest.approx((0.8, 0.9))
    for column, row in ((0, 0), (95, 0), (95, 79)):
        # From the source 1000 mm along the beam, then along the detector's two axes.
        on_detector = np.array([(column - 47.5) * 0.8, (row - 39.5) * 0.9, 1000.0, 1.0])
        place = (inverse(CAMERA.camera_from_patient) @ on_detector)[:3]
        assert image.TransformIndexToPhysicalPoint((column, row, 0)) == pytest.approx(place, abs=1e-3)


def test_one_channel_per_label_in_the_order_asked_for(render, files):
    answer = render("drr.nrrd", segmentation=files / "labels.nrrd", labels="3,1")
    assert answer.code == 0
    channels = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "drr.nrrd")))[0]
    assert channels.shape == (80, 96, 2)
    left = np.array([SPLIT - 1, *LAST[1:]]), np.array([SPLIT, *FIRST[1:]])
    for channel, expected in ((0, lengths_mm(left[1], LAST)), (1, lengths_mm(FIRST, left[0]))):
        difference = channels[..., channel] - expected * WATER_PER_MM
        assert np.abs(difference).max() < 2 * WATER_PER_MM  # steps of at most a voxel at the ends of a ray
        assert abs(difference.sum()) < 0.01 * expected.sum() * WATER_PER_MM


def test_a_png_shows_the_block_bright(render, files):
    assert render("drr.png").code == 0
    picture = Image.open(files / "drr.png")
    assert (picture.mode, picture.size) == ("L", CAMERA.size)
    grey, lengths = np.array(picture), lengths_mm(FIRST, LAST)
    assert grey[lengths > 0.9 * lengths.max()].min() > grey[lengths_mm(FIRST - 2, LAST + 2) == 0].max()


def test_a_dicom_file_gives_camera_and_line_integrals_back(render, files):
    assert render("drr.dcm").code == 0
    assert render("drr.nrrd").code == 0
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(files / "drr.nrrd")))[0]
    xray = read_dicom_xray(files / "drr.dcm", tuple(MIDDLE))
    np.testing.assert_allclose(xray.camera.camera_from_patient, CAMERA.camera_from_patient, atol=1e-6)
    np.testing.assert_allclose(xray.camera.K, CAMERA.K)
    assert xray.camera.size == CAMERA.size
    assert xray.camera.source_to_detector_mm == pytest.approx(1000.0)
    # Stored as whole numbers of the open beam / 16383.
    np.testing.assert_allclose(xray.line_integrals, expected, atol=np.exp(expected.max()) / 16383)


def test_an_isocenter_off_the_volumes_centre_keeps_the_rotation(render, files):
    # The tags hold no isocenter: the reader's own one moves the source, the beam's direction stays.
    pose = CAMERA.camera_from_patient.copy()
    pose[:2, 3] += 15, -9
    write_camera_file(files / "camera.json", CAMERA.moved(pose))
    render("drr.dcm")
    read = read_dicom_xray(files / "drr.dcm", tuple(MIDDLE)).camera.camera_from_patient
    np.testing.assert_allclose(read[:3, :3], pose[:3, :3], atol=1e-6)
    np.testing.assert_allclose(read[:3, 3] - pose[:3, 3], [-15, 9, 0], atol=1e-3)


def without_pose(files):
    fields = json.loads((files / "camera.json").read_text())
    del fields["camera_from_patient"]
    (files / "camera.json").write_text(json.dumps(fields))


def off_centre(files):
    K = CAMERA.K + [[0, 0, 4], [0, 0, 0], [0, 0, 0]]
    write_camera_file(files / "camera.json", Camera(CAMERA.size, K, CAMERA.camera_from_patient, 1000.0))


@pytest.mark.parametrize(
    ("out", "options", "prepare", "says"),
    [
        ("drr.jpg", {}, None, ["drr.jpg", "'.jpg'", ".nrrd, .png, .dcm"]),
        ("drr", {}, None, ["drr", ".nrrd, .png, .dcm"]),
        ("drr.nrrd", {"volume": "gone.nii.gz"}, None, ["gone.nii.gz: no such file"]),
        ("drr.nrrd", {"camera": "gone.json"}, None, ["gone.json: no such file"]),
        ("drr.nrrd", {}, without_pose, ["camera.json: no start pose", "camera_from_patient"]),
        ("drr.nrrd", {"segmentation": "labels.nrrd"}, None, ["--segmentation and --labels go together"]),
        ("drr.nrrd", {"labels": "1"}, None, ["--segmentation and --labels go together"]),
        (
            "drr.nrrd",
            {"segmentation": "labels.nrrd", "labels": "1,2"},
            None,
            ["labels.nrrd", "label 2", "1, 3"],
        ),
        ("drr.nrrd", {"segmentation": "labels.nrrd", "labels": "1,900"}, None, ["label 900", "1, 3"]),
        ("drr.nrrd", {"segmentation": "labels.nrrd", "labels": "1,one"}, None, ["--labels 1,one"]),
        ("drr.nrrd", {"segmentation": "labels.nrrd", "labels": "0"}, None, ["--labels 0"]),
        ("drr.png", {"segmentation": "labels.nrrd", "labels": "1"}, None, ["drr.png", "--out drr.nrrd"]),
        ("drr.dcm", {}, off_centre, ["off-centre principal point", ".nrrd"]),
        ("drr.nrrd", {"voxel-mm": "1,1,1"}, None, ["block.nii.gz: has its own voxel size", "--voxel-mm"]),
        ("nowhere/drr.nrrd", {}, None, ["nowhere/drr.nrrd", "folder does not exist"]),
        ("drr.nrrd", {"step-mm": "0"}, None, ["--step-mm 0 is not positive"]),
        ("drr.nrrd", {"projector": "splat"}, None, ["--projector", "siddon"]),
        ("drr.nrrd", {"camera": None}, None, ["--camera", "--help"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    render, files, monkeypatch, out, options, prepare, says
):
    monkeypatch.chdir(files)
    if prepare is not None:
        prepare(files)
    before = {path: path.read_bytes() for path in files.rglob("*")}
    line = render(out, **options).check_refused()
    assert [part for part in says if part not in line] == []
    assert {path: path.read_bytes() for path in files.rglob("*")} == before


def test_a_failed_render_keeps_the_drr_that_was_there(render, files):
    (files / "drr.nrrd").write_bytes(b"old")
    render("drr.nrrd", volume=files / "gone.nrrd").check_refused()
    assert (files / "drr.nrrd").read_bytes() == b"old"


def test_the_process_ends_with_the_exit_code_and_without_a_traceback(process, files):
    given = ("--volume", files / "block.nii.gz", "--camera", files / "camera.json")
    good = process("render", *given, "--out", files / "drr.png")
    assert (good.code, good.errors) == (0, [])
    assert len(good.out.splitlines()) == 1
    assert good.err  # progress
    process("render", *given, "--out", files / "drr.bmp").check_refused()
    process("render", *given).check_refused()
    process("rendr").check_refused()
