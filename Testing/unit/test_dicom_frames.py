"""Which frames of a run make an X-ray: from text, combined by hand-worked numbers, refused if they move."""

import numpy as np
import pydicom
import pytest
from dicom_images import dataset_of, save, waves
from PIL import Image
from pydicom.pixels import pixel_array
from xrayreg.errors import InputError
from xrayreg.geometry import CameraFile
from xrayreg.images import FrameChoice, frame_choice, read_xray
from xrayreg.images import dicom_pixels as pixels_module
from xrayreg.images.dicom_frames import combined, frames_of
from xrayreg.images.dicom_pixels import frame_pixels

LN2 = np.log(2)


# --- Text ---


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("12", FrameChoice("one", (12, 12))),
        ("mean", FrameChoice("mean")),
        ("MIN", FrameChoice("min")),
        ("mean:5-12", FrameChoice("mean", (5, 12))),
        ("max:7", FrameChoice("max", (7, 7))),
        ("dsa", FrameChoice("dsa")),
        ("dsa:30", FrameChoice("dsa", (30, 30))),
        ("dsa:30,1-5", FrameChoice("dsa", (30, 30), (1, 5))),
        ("dsa:30-40,2", FrameChoice("dsa", (30, 40), (2, 2))),
    ],
)
def test_choices_are_read_and_written_alike(text, choice):
    assert frame_choice(text) == choice
    assert str(choice) == text.lower()
    assert frame_choice(str(choice)) == choice
    assert choice.as_json == (12 if text == "12" else text.lower())


def test_numbers_and_choices_are_choices():
    assert frame_choice(3) == FrameChoice("one", (3, 3))
    assert frame_choice(FrameChoice("mean")) == FrameChoice("mean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "frame  is not understood"),
        ("median", "frame median is not understood"),
        ("3-5", "frame 3-5 is not understood"),
        ("-1", "is not understood"),
        ("1.5", "is not understood"),
        ("mean:", "is not understood"),
        ("mean:9-5", "9 is after 5"),
        ("mean:1-5,6", "only dsa has mask frames"),
    ],
)
def test_what_is_no_choice_is_refused(text, message):
    with pytest.raises(InputError) as error:
        frame_choice(text)
    assert " ".join(message.split()) in str(error.value)


# --- Combined ---

# Four frames of 2 x 2: intensities by hand. Frame 1 and 2 are the mask; a vessel halves pixel (0, 0) in frame
# 3 and pixel (0, 1) in frame 4.
RUN = np.array(
    [
        [[1000, 800], [400, 200]],
        [[1000, 800], [400, 200]],
        [[500, 800], [400, 200]],
        [[1000, 400], [400, 200]],
    ],
    np.uint16,
)


def result(choice, run=RUN, **tags):
    return frame_pixels(dataset_of(run, 16, **tags), "run.dcm", choice)


def intensities(choice):
    run = frames_of(dataset_of(RUN), frame_choice(choice), "run.dcm")
    return combined(run, lambda frame: RUN[frame - 1].astype(float), "run.dcm")


def test_mean_smallest_and_largest_are_of_intensities():
    np.testing.assert_array_equal(intensities("mean:3-4"), [[750, 600], [400, 200]])
    np.testing.assert_array_equal(intensities("mean"), [[875, 700], [400, 200]])
    np.testing.assert_array_equal(intensities("min"), [[500, 400], [400, 200]])
    np.testing.assert_array_equal(intensities("max:3-4"), [[1000, 800], [400, 200]])


def test_a_mean_of_log_frames_is_that_of_their_intensities():
    # A table says that values 1, 2, 3 are 100, 200, 400: the mean of 100 and 400 is 250, of 2 and 3 that of
    # 200 and 400, 300. The mean of the values, 2 for the first, would be 200.
    item = pydicom.Dataset()
    item.LUTFunction = "TO_LINEAR"
    item.add_new("LUTDescriptor", "US", [3, 1, 16])
    item.add_new("LUTData", "US", [100, 200, 400])
    tags = {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipLUTSequence": [item]}
    run = np.array([[[1, 2]], [[3, 3]]], np.uint16)
    found = result("mean", run, **tags).line_integrals[0]
    assert found[0] - found[1] == pytest.approx(np.log(300 / 250), rel=1e-5)
    # Without a table the full range of 65535 counts as ln(1000), and exp(-ln 1000 x) is averaged.
    run = np.array([[[0, 65535]], [[65535, 65535]]], np.uint16)
    found = result("mean", run, PixelIntensityRelationship="LOG").line_integrals[0]
    assert found[0] - found[1] == pytest.approx(-np.log((1 + 1e-3) / 2), rel=1e-5)


def test_a_subtraction_leaves_the_contrast_agent_alone():
    found = result("dsa:3,1-2")
    np.testing.assert_allclose(found.line_integrals, [[LN2, 0], [0, 0]], atol=1e-6)
    assert found.notes == ("subtracted: frame 3 less the mean of frames 1 to 2",)
    both = result("dsa:3-4,1-2")  # the darkest of the contrast frames: the whole tree
    np.testing.assert_allclose(both.line_integrals, [[LN2, LN2], [0, 0]], atol=1e-6)
    assert "the smallest intensity in frames 3 to 4 less the mean of frames 1 to 2" in both.notes[0]


def test_a_subtraction_is_done_on_logarithms_of_intensities_whatever_is_stored():
    # Sign -1: stored = 65535 - intensity; the same run upside down subtracts to the same.
    upside_down = (65535 - RUN.astype(int)).astype(np.uint16)
    found = result("dsa:3-4,1-2", upside_down, PixelIntensityRelationshipSign=-1)
    np.testing.assert_allclose(found.line_integrals, [[LN2, LN2], [0, 0]], atol=1e-6)


def mask_item(**tags):
    item = pydicom.Dataset()
    item.MaskOperation = "AVG_SUB"
    item.MaskFrameNumbers = [1, 2]
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return item


def test_the_file_says_which_frames_are_the_mask():
    both = result("dsa", MaskSubtractionSequence=[mask_item()])  # all but the mask's own
    np.testing.assert_allclose(both.line_integrals, [[LN2, LN2], [0, 0]], atol=1e-6)
    fourth = result("dsa:4", MaskSubtractionSequence=[mask_item()])
    np.testing.assert_allclose(fourth.line_integrals, [[0, LN2], [0, 0]], atol=1e-6)
    assert fourth.first_frame == 4
    ranged = result("dsa", MaskSubtractionSequence=[mask_item(ApplicableFrameRange=[3, 3])])
    np.testing.assert_allclose(ranged.line_integrals, [[LN2, 0], [0, 0]], atol=1e-6)
    two = [mask_item(ApplicableFrameRange=[3, 3]), mask_item(ApplicableFrameRange=[4, 4], MaskFrameNumbers=2)]
    assert "less the mean of frame 2" in result("dsa:4", MaskSubtractionSequence=two).notes[0]


def test_the_mask_is_moved_as_the_file_says():
    # A mask that rises by 100 a column, moved by half a column to the right: 50 less at each column but the
    # first, which has no mask any more; half a row down leaves out the first row.
    mask = np.tile(np.arange(1000, 2000, 100), (3, 1))
    run = np.stack([mask, np.full((3, 10), 500)]).astype(np.uint16)
    item = mask_item(MaskFrameNumbers=1, MaskSubPixelShift=[0.0, 0.5])
    found = result("dsa", run, MaskSubtractionSequence=[item])
    np.testing.assert_allclose(found.line_integrals[0, 1:], np.log((mask[0, 1:] - 50) / 500), rtol=1e-5)
    assert not found.mask[:, 0].any()
    assert found.mask[:, 1:].all()
    assert np.isfinite(found.line_integrals).all()
    assert "moved 0 rows down and 0.5 columns to the right" in found.notes[0]
    item.MaskSubPixelShift = [0.5, 0.0]
    found = result("dsa", run, MaskSubtractionSequence=[item])
    assert not found.mask[0].any()
    assert found.mask[1:].all()


@pytest.mark.parametrize(
    ("choice", "items", "message"),
    [
        ("dsa", None, "MaskSubtractionSequence (0028,6100) is missing"),
        ("dsa", [{"MaskOperation": "TID"}], "has no mask (AVG_SUB) for these frames, only TID"),
        ("dsa:4", [{"ApplicableFrameRange": [1, 3]}], "has no mask (AVG_SUB) for these frames"),
        ("dsa", [{}, {}], "has 2 masks (AVG_SUB)"),
        ("dsa", [{"MaskFrameNumbers": 9}], "MaskFrameNumbers (0028,6110) is [9], the run has frames 1 to 4"),
        ("dsa", [{"MaskFrameNumbers": [1, 2, 3, 4]}], "no frame is left but those of the mask"),
        ("dsa:2,1-3", None, "frame 2 is both contrast and mask"),
        ("dsa:5,1", None, "has no frame 5"),
        ("mean:2-9", None, "has no frame 9"),
        ("0", None, "has no frame 0"),
    ],
)
def test_choices_that_the_run_does_not_have(choice, items, message):
    tags = {} if items is None else {"MaskSubtractionSequence": [mask_item(**each) for each in items]}
    with pytest.raises(InputError) as error:
        result(choice, **tags)
    assert message in str(error.value)
    assert "run.dcm" in str(error.value)


@pytest.mark.parametrize("choice", ["1", "mean", "dsa:2,1"])
def test_black_runs_are_refused(choice):
    with pytest.raises(InputError, match=r"run\.dcm: the .* black: no pixel has a positive intensity"):
        result(choice, np.zeros_like(RUN))


def test_pixels_that_any_frame_leaves_out_are_left_out():
    run = RUN.copy()
    run[2, 1, 1] = 0  # padding in frame 3 alone
    assert result("4", run, PixelPaddingValue=0).mask.all()
    for choice in ("mean", "min", "dsa:3,1-2"):
        np.testing.assert_array_equal(result(choice, run, PixelPaddingValue=0).mask, [[1, 1], [1, 0]])


# --- Motion ---


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"PositionerPrimaryAngleIncrement": "1"}, "the C-arm moves 3 degrees over frames 1 to 4"),
        ({"PositionerSecondaryAngleIncrement": ["0", "0", "0", "0.2"]}, "the C-arm moves 0.2 degrees"),
        ({"TableLateralIncrement": ["0", "5", "5", "5"]}, "the table moves 5 mm"),
        ({"PositionerMotion": "DYNAMIC"}, "PositionerMotion (0018,1500) is DYNAMIC and no increment"),
        ({"TableMotion": "DYNAMIC"}, "TableMotion (0018,1134) is DYNAMIC and no increment"),
    ],
)
def test_frames_that_move_are_not_combined(tags, message):
    for choice in ("mean", "min", "max", "dsa:3-4,1-2"):
        with pytest.raises(InputError) as error:
            result(choice, **tags)
        assert message in str(error.value)
    assert result("4", **tags).first_frame == 4  # a single one may


def test_only_the_frames_that_are_combined_must_stand_still():
    tags = {"TableLateralIncrement": ["0", "5", "5", "5.2"], "TableMotion": "DYNAMIC"}
    assert result("mean:2-4", **tags).first_frame == 2
    with pytest.raises(InputError, match="the table moves 5 mm over frames 1 to 2"):
        result("mean:1-2", **tags)


# --- Through the door ---


def test_read_xray_takes_numbers_text_and_choices(tmp_path, monkeypatch):
    run = np.stack([waves(phase=0.3 * n) for n in range(5)]) + 100
    path = save(dataset_of(run, 16), tmp_path / "run.dcm")
    camera_file = CameraFile((53, 40), np.array([[900.0, 0, 26], [0, 900, 20], [0, 0, 1]]), np.eye(4))
    read = []
    original = pixels_module.stored_pixels

    def counted(dataset, where, frame):
        read.append(frame)
        return original(dataset, where, frame)

    monkeypatch.setattr(pixels_module, "stored_pixels", counted)
    by_number, by_text = (read_xray(path, camera_file, frame=frame) for frame in (3, "3"))
    assert read == [3, 3]  # no other frame is decompressed
    np.testing.assert_array_equal(by_number.line_integrals, by_text.line_integrals)
    mean = read_xray(path, camera_file, frame="mean:2-4")
    assert read[2:] == [2, 3, 4]
    expected = run[1:4].mean(axis=0)
    difference = mean.line_integrals + np.log(expected)
    assert np.ptp(difference) < 1e-5
    assert "each pixel has its mean intensity in frames 2 to 4" in mean.notes
    for choice in (None, "mean:1-6", "everything"):
        with pytest.raises(InputError):
            read_xray(path, camera_file, frame=choice)


def test_pictures_have_no_frames_to_combine(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(waves()).save(path)
    with pytest.raises(InputError, match="has no frame mean"):
        read_xray(path, frame="mean")


def test_a_real_run_is_combined(data):
    path = data / "xray_dicom" / "fo-dicom_XA_rubo_96frames.dcm"
    camera_file = CameraFile((512, 512), np.array([[4000.0, 0, 256], [0, 4000, 256], [0, 0, 1]]), np.eye(4))
    one = read_xray(path, camera_file, frame="40")
    dark, bright = (read_xray(path, camera_file, frame=f"{kind}:20-60") for kind in ("min", "max"))
    # I0 differs between the three by a constant; the darkest of frames is nowhere brighter than one of them.
    assert np.median(dark.line_integrals - one.line_integrals) >= np.median(
        bright.line_integrals - one.line_integrals
    )
    with pytest.raises(InputError, match="only NONE"):  # its Mask Subtraction Sequence subtracts nothing
        read_xray(path, camera_file, frame="dsa")
    subtracted = read_xray(path, camera_file, frame="dsa:40,1-3").line_integrals
    frames = {n: pixel_array(path, index=n - 1).astype(float) for n in (1, 2, 3, 40)}
    mask = (frames[1] + frames[2] + frames[3]) / 3
    bright = (mask > 20) & (frames[40] > 20)
    np.testing.assert_allclose(subtracted[bright], np.log(mask[bright] / frames[40][bright]), atol=1e-5)
