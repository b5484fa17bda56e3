"""X-rays of every kind become line integrals with a camera; what is unclear is refused."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CameraFile, CArm, read_mayacam
from xrayreg.images import (
    XrayGeometry,
    frame_count,
    geometry_found,
    read_xray,
    write_dicom_xray,
    write_drr_nrrd,
    xray_size,
)

# 5 columns x 4 rows; the beam passes at 1000, row 1 column 3 holds a tenth of it.
PIXELS = np.full((4, 5), 1000, np.uint16)
PIXELS[1, 3] = 100
CAMERA_FILE = CameraFile(
    size=(5, 4),
    K=np.array([[100.0, 0, 2], [0, 100, 1.5], [0, 0, 1]]),
    camera_from_patient=np.eye(4),
    intensity="transmission",
)


def save(path, pixels):
    if path.suffix in (".png", ".tif"):
        Image.fromarray(pixels).save(path)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path))
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "nrrd", "nii.gz", "mha"])
def test_transmission_becomes_line_integrals(tmp_path, ending):
    xray = read_xray(save(tmp_path / f"ap.{ending}", PIXELS), CAMERA_FILE)
    assert xray.line_integrals[1, 3] == pytest.approx(np.log(10))
    assert xray.line_integrals[0, 0] == pytest.approx(0)
    assert xray.line_integrals.dtype == np.float32
    assert xray.mask.all()
    assert xray.name == "ap"
    np.testing.assert_array_equal(xray.camera.K, CAMERA_FILE.K)


def test_one_slice_volume_is_an_image(tmp_path):
    xray = read_xray(save(tmp_path / "x.nrrd", PIXELS[None]), CAMERA_FILE)
    assert xray.line_integrals.shape == (4, 5)


def test_line_integrals_are_taken_as_they_are(tmp_path):
    image = np.random.default_rng(1).random((4, 5)).astype(np.float32)
    path = save(tmp_path / "drr.nrrd", image)
    xray = read_xray(path, replace(CAMERA_FILE, intensity="line_integral"), name="side")
    np.testing.assert_array_equal(xray.line_integrals, image)
    assert xray.name == "side"


def test_mask_leaves_out_its_zeros_also_for_the_beam(tmp_path):
    pixels = PIXELS.copy()
    pixels[0] = 50000  # a bright marker that is no beam
    mask = np.full((4, 5), 255, np.uint8)
    mask[0] = 0
    camera_file = replace(CAMERA_FILE, mask=save(tmp_path / "mask.png", mask))
    xray = read_xray(save(tmp_path / "x.png", pixels), camera_file)
    assert xray.mask.sum() == 15
    assert xray.line_integrals[1, 3] == pytest.approx(np.log(10))


@pytest.mark.parametrize(
    ("camera_file", "message", "remedy"),
    [
        (None, "holds no geometry", "--camera"),
        (replace(CAMERA_FILE, intensity=None), "nothing says what its values mean", "'intensity'"),
        (
            replace(CAMERA_FILE, size=(4, 5)),
            "is 5 x 4 columns x rows, its camera file says 4 x 5",
            "camera file",
        ),
        (replace(CAMERA_FILE, camera_from_patient=None), "no start pose", "camera_from_patient"),
    ],
)
def test_missing_or_contradictory_camera_file(tmp_path, camera_file, message, remedy):
    path = save(tmp_path / "x.png", PIXELS)
    with pytest.raises(InputError) as error:
        read_xray(path, camera_file)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert remedy in str(error.value)


def test_bad_masks_are_refused(tmp_path):
    path = save(tmp_path / "x.png", PIXELS)
    with pytest.raises(InputError, match=r"absent\.png: no such mask"):
        read_xray(path, replace(CAMERA_FILE, mask=tmp_path / "absent.png"))
    black = save(tmp_path / "black.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(InputError, match="leaves no pixel"):
        read_xray(path, replace(CAMERA_FILE, mask=black))
    small = save(tmp_path / "small.png", np.ones((4, 4), np.uint8))
    with pytest.raises(InputError, match=r"small\.png: is 4 x 4"):
        read_xray(path, replace(CAMERA_FILE, mask=small))


def test_colour_and_stacks_are_refused(tmp_path):
    colour = tmp_path / "colour.png"
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(colour)
    with pytest.raises(InputError, match="mode RGB"):
        read_xray(colour, CAMERA_FILE)
    stack = tmp_path / "stack.tif"
    page = Image.fromarray(PIXELS)
    page.save(stack, save_all=True, append_images=[page])
    with pytest.raises(InputError, match="2 pages"):
        read_xray(stack, CAMERA_FILE)
    with pytest.raises(InputError, match="5 x 4 x 2"):
        read_xray(save(tmp_path / "v.nrrd", np.stack([PIXELS, PIXELS])), CAMERA_FILE)


def test_unreadable_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_xray(tmp_path / "absent.png", CAMERA_FILE)
    for name in ("x.png", "x.nrrd", "x.jpeg"):
        (tmp_path / name).write_text("no image")
        with pytest.raises(InputError) as error:
            read_xray(tmp_path / name, CAMERA_FILE)
        assert "\n" not in str(error.value)
    nan = save(tmp_path / "nan.nrrd", np.full((4, 5), np.nan, np.float32))
    with pytest.raises(InputError, match="NaN"):
        read_xray(nan, CAMERA_FILE)


def test_dicom_is_told_by_content_and_needs_no_camera_file(tmp_path):
    path = tmp_path / "IM0001.png"
    write_dicom_xray(path, PIXELS, CArm(1000.0, 700.0, 0.0, 0.0), (0.5, 0.5))
    xray = read_xray(path, isocenter=(1.0, 2.0, 3.0))
    assert xray.line_integrals[1, 3] == pytest.approx(np.log(10))
    np.testing.assert_allclose(xray.camera.source_patient, [1, 702, 3])  # behind the back
    assert xray.name == "IM0001"


def test_camera_file_of_a_dicom_goes_with_the_pixels_as_stored(tmp_path):
    path = tmp_path / "x.dcm"
    write_dicom_xray(path, PIXELS, CArm(1000.0, 700.0, 0.0, 0.0), (0.5, 0.5))  # stored left-right flipped
    xray = read_xray(path, replace(CAMERA_FILE, intensity=None))
    assert xray.line_integrals[1, 4 - 3] == pytest.approx(np.log(10))
    with pytest.raises(InputError, match="LIN with sign \\+1 contradicts the camera file"):
        read_xray(path, replace(CAMERA_FILE, intensity="line_integral"))


def test_camera_file_says_what_a_silent_dicom_means(tmp_path):
    path = tmp_path / "x.dcm"
    write_dicom_xray(path, PIXELS, CArm(1000.0, 700.0, 0.0, 0.0), (0.5, 0.5), flip_columns=False)
    dataset = pydicom.dcmread(path)
    del dataset.PixelIntensityRelationship
    dataset.save_as(path)
    assert read_xray(path, CAMERA_FILE).line_integrals[1, 3] == pytest.approx(np.log(10))
    as_line_integrals = read_xray(path, replace(CAMERA_FILE, intensity="line_integral"))
    assert as_line_integrals.line_integrals[1, 3] == 100
    with pytest.raises(InputError, match=r"\(0028,1040\) is missing"):
        read_xray(path, replace(CAMERA_FILE, intensity=None))


def test_drr_lies_on_the_detector(tmp_path):
    # Frontal, isocenter at the origin: the detector is 300 mm in front of it. Pixel (0, 0) lies 2 columns
    # of 0.5 mm to the patient's left and 1.5 rows of 0.4 mm towards the head of the central ray.
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((5, 4), (0.5, 0.4))
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    write_drr_nrrd(tmp_path / "drr.nrrd", image, camera)
    saved = SimpleITK.ReadImage(str(tmp_path / "drr.nrrd"))
    assert saved.GetSize() == (5, 4, 1)
    np.testing.assert_allclose(saved.GetSpacing(), [0.5, 0.4, 1])
    np.testing.assert_allclose(saved.GetOrigin(), [1.0, -300, 0.6], atol=1e-9)
    np.testing.assert_allclose(np.array(saved.GetDirection()).reshape(3, 3)[:, 0], [-1, 0, 0], atol=1e-9)
    camera_file = CameraFile((5, 4), camera.K, camera.camera_from_patient, intensity="line_integral")
    np.testing.assert_array_equal(read_xray(tmp_path / "drr.nrrd", camera_file).line_integrals, image)


def test_drr_channels_become_a_vector_image(tmp_path):
    camera = CArm(1000.0, 700.0, 20.0, 10.0).camera((5, 4), (0.5, 0.4))
    channels = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    write_drr_nrrd(tmp_path / "drr.nrrd", channels, camera)
    saved = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "drr.nrrd")))
    np.testing.assert_array_equal(saved[0, :, :, 2], channels[2])


def test_drr_without_distance_is_in_pixels(tmp_path):
    camera = Camera((5, 4), CAMERA_FILE.K, np.eye(4))
    write_drr_nrrd(tmp_path / "drr.nrrd", PIXELS, camera)
    saved = SimpleITK.ReadImage(str(tmp_path / "drr.nrrd"))
    assert (saved.GetSize(), saved.GetSpacing()) == ((5, 4), (1.0, 1.0))
    with pytest.raises(InputError, match="camera 4 rows x 5 columns"):
        write_drr_nrrd(tmp_path / "drr.nrrd", PIXELS[:3], camera)


def test_real_wrist_xray_with_its_calibration(data):
    camera_file = read_mayacam(data / "wrist_biplane/calibration/xr_calib_wrist_cam01.txt")
    path = data / "wrist_biplane/xrays/xr_rad_uln_cam01_UND.0099.tif"
    xray = read_xray(path, replace(camera_file, intensity="transmission"))
    assert xray.line_integrals.shape == (1760, 1760)
    assert xray.line_integrals.min() == pytest.approx(0, abs=0.1)
    assert xray.name == "xr_rad_uln_cam01_UND.0099"


@pytest.mark.parametrize(
    ("name", "size", "intensity"),
    [
        ("NEMA_WG04_XA1_UNC.dcm", (1024, 1024), "transmission"),  # says nothing about its values
        ("highdicom_dx_thorax_tiny.dcm", (211, 169), None),  # LIN, sign +1, shown inverted
        ("NEMA_WG04_RG3_tibia_CR_J2KR.dcm", (1760, 1760), "line_integral"),  # JPEG 2000
    ],
)
def test_real_dicom_with_a_camera_file(data, name, size, intensity):
    K = np.array([[5000.0, 0, size[0] / 2], [0, 5000, size[1] / 2], [0, 0, 1]])
    xray = read_xray(data / "xray_dicom" / name, CameraFile(size, K, np.eye(4), intensity=intensity))
    assert np.ptp(xray.line_integrals) > 1


# --- Geometry by hand ---

BY_HAND = XrayGeometry(1000.0, 600.0, (0.5, 0.25), 90.0, 0.0, "transmission", "source")


def test_a_picture_with_its_geometry_by_hand_has_the_cameras_numbers(tmp_path):
    # 1000 mm / 0.5 mm = 2000 px, 1000 / 0.25 = 4000 px; the centre of 5 x 4 pixels is (2, 1.5). LAO 90: the
    # detector is at the patient's left, the source 600 mm to the right of the isocenter.
    path = save(tmp_path / "ap.png", PIXELS)
    assert geometry_found(path) == XrayGeometry()
    assert len(XrayGeometry().missing) == 7
    xray = read_xray(path, isocenter=(1.0, 2.0, 3.0), geometry=BY_HAND)
    np.testing.assert_allclose(xray.camera.K, [[2000, 0, 2], [0, 4000, 1.5], [0, 0, 1]])
    np.testing.assert_allclose(xray.camera.source_patient, [1 - 600, 2, 3], atol=1e-9)
    assert xray.line_integrals[1, 3] == pytest.approx(np.log(10))
    assert xray.notes[0] == "geometry given by hand"
    assert xray.notes[1].startswith("I0 = 1000, the beam beside the patient (95 %")


def test_a_picture_seen_from_the_detector_is_flipped(tmp_path):
    xray = read_xray(save(tmp_path / "ap.png", PIXELS), geometry=replace(BY_HAND, seen_from="detector"))
    assert xray.line_integrals[1, 1] == pytest.approx(np.log(10))  # column 3 of 0..4 becomes 1
    assert any("seen from the detector" in note for note in xray.notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"primary_deg": None, "seen_from": None}, "incomplete: primary angle, side from which it is seen"),
        ({"intensity": "file"}, "incomplete: meaning of the values"),
        ({"pixel_spacing_mm": (0.5, 0.0)}, "must be above 0"),
        ({"source_to_isocenter_mm": 1200.0}, "must lie between 0 and"),
    ],
)
def test_geometry_by_hand_must_be_complete_and_possible(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_xray(save(tmp_path / "ap.png", PIXELS), geometry=replace(BY_HAND, **changes))


def test_a_picture_has_one_frame(tmp_path):
    path = save(tmp_path / "ap.png", PIXELS)
    assert frame_count(path) == 1
    with pytest.raises(InputError, match="has no frame 2"):
        read_xray(path, CAMERA_FILE, frame=2)


# --- Camera files of other programs ---


def test_a_camera_file_may_say_that_the_image_is_stored_mirrored(tmp_path):
    # The dark pixel at column 3 of 5 comes to column 1; the mask, of the stored image, goes with it.
    mask = np.full((4, 5), 255, np.uint8)
    mask[0, 0] = 0
    path, mask_path = save(tmp_path / "ap.png", PIXELS), save(tmp_path / "mask.png", mask)
    camera_file = replace(CAMERA_FILE, flip_columns=True, mask=mask_path, notes=("assumed this",))
    xray = read_xray(path, camera_file)
    assert xray.line_integrals[1, 1] == pytest.approx(np.log(10))
    assert np.argwhere(~xray.mask).tolist() == [[0, 4]]
    assert xray.notes[0] == "assumed this"
    assert "flipped left-right" in xray.notes[1]
    np.testing.assert_array_equal(xray.camera.K, CAMERA_FILE.K)


@pytest.mark.parametrize("ending", ["png", "nrrd", "nii.gz"])
def test_the_size_of_a_picture(tmp_path, ending):
    assert xray_size(save(tmp_path / f"ap.{ending}", PIXELS)) == (5, 4)
    with pytest.raises(InputError, match="no such file"):
        xray_size(tmp_path / "gone.png")


def test_the_size_of_a_dicom_file(tmp_path):
    path = tmp_path / "ap.dcm"
    write_dicom_xray(path, PIXELS, CArm(1000.0, 700.0, 0.0, 0.0), (0.5, 0.4))
    assert xray_size(path) == (5, 4)
