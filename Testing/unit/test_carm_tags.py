"""The proof of the C-arm's tags: what lies at a known place in the patient lands where the camera says.

First with spots that are drawn by formulas written out here, whose tags are written here too; then with DRRs
that go through our own writer. LAO 30, CRAN 20 throughout: sin 30 = 0.5, cos 30 = 0.8660254,
sin 20 = 0.3420201, cos 20 = 0.9396926.
"""

import numpy as np
import pydicom
import pytest
import torch
from xrayreg.geometry import CArm
from xrayreg.images import Grid, Turn, read_dicom_xray, write_dicom_xray
from xrayreg.render import Density, render

ISOCENTER = (12.0, -20.0, 150.0)
TO_DETECTOR, TO_ISOCENTER = 1200.0, 750.0

# The detector lies to the patient's left and front and towards the head of the isocenter:
# (sin 30 cos 20, -cos 30 cos 20, sin 20). The source is 750 mm the other way.
TO_THE_DETECTOR = np.array([0.4698463, -0.8137977, 0.3420201])
SOURCE = ISOCENTER - 750.0 * TO_THE_DETECTOR
# Who looks from the detector at the patient, head up, has on the right: (cos 30, sin 30, 0), left and back;
# and below: right x beam, that is (sin 30 sin 20, -cos 30 sin 20, -cos 20), mostly to the feet.
RIGHT = np.array([0.8660254, 0.5, 0.0])
BELOW = np.array([0.1710101, -0.2961981, -0.9396926])

# Balls, patient LPS, mm; no turn or flip carries one onto another.
BALLS = np.array([[12.0, -20, 150], [42, -20, 150], [12, 20, 165], [0, -45, 118], [-28, 5, 178]])


def mm_on_detector(point):
    """To the right and below of the central ray's foot, as seen from the detector, head up; by a pinhole."""
    ray = point - SOURCE
    return 1200.0 * np.array([ray @ RIGHT, ray @ BELOW]) / (ray @ TO_THE_DETECTOR)


def test_the_formulas_hold_for_the_isocenter_and_a_point_beside_it():
    # The isocenter is on the central ray. 30 mm to the patient's left of it: along RIGHT 25.98076, BELOW
    # 5.130303, and 30 * 0.4698463 = 14.09539 nearer to the detector: 1200 / 764.09539 = 1.570484 times that.
    np.testing.assert_allclose(mm_on_detector(BALLS[0]), [0, 0], atol=1e-4)
    np.testing.assert_allclose(mm_on_detector(BALLS[1]), [40.80237, 8.05706], atol=1e-4)


# --- Spots drawn by hand ---

# A detector of 400 x 500 elements of 0.5 mm; of it, 340 rows and 400 columns from row 20, column 60, two rows
# binned into one: 170 rows of 1 mm, 400 columns of 0.5 mm. The detector's middle, where the central ray
# meets it, is 100 - 10 = 90 mm below the field's upper edge and 125 - 30 = 95 mm right of its left edge.
ROWS, COLUMNS, ROW_MM, COLUMN_MM = 170, 400, 1.0, 0.5
CENTRE_RIGHT_MM, CENTRE_BELOW_MM = 95.0, 90.0


def drawn(upside_down):
    """[row, column] uint16 on the detector's own rows and columns, a dark spot for each ball.

    upside_down: of a patient who lies feet first, whose feet are at the detector's upper edge.
    """
    row, column = np.mgrid[:ROWS, :COLUMNS]
    image = np.full((ROWS, COLUMNS), 60000.0)
    for ball in BALLS:
        right, below = mm_on_detector(ball) * (-1 if upside_down else 1)
        u = (CENTRE_RIGHT_MM + right) / COLUMN_MM - 0.5  # the first pixel's middle is half a pixel in
        v = (CENTRE_BELOW_MM + below) / ROW_MM - 0.5
        image *= 1 - 0.5 * np.exp(-((row - v) ** 2 / 8 + (column - u) ** 2 / 18))
    return np.round(image).astype(np.uint16)


# RIGHT in letters is LP, its reverse RA; BELOW is FAL, its reverse HPR. Turned clockwise, what was at the
# bottom comes to the left, and the rows run as the columns did upwards.
LETTERS = {
    ("head", 0): ("LP", "FAL"),
    ("head", 90): ("HPR", "LP"),
    ("head", 180): ("RA", "HPR"),
    ("head", 270): ("FAL", "RA"),
    ("feet", 0): ("RA", "HPR"),
    ("feet", 90): ("FAL", "RA"),
    ("feet", 180): ("LP", "FAL"),
    ("feet", 270): ("HPR", "LP"),
}
REVERSE = {"LP": "RA", "RA": "LP", "FAL": "HPR", "HPR": "FAL"}
# About the equipment: a patient who lies feet first is turned half about the vertical axis.
EQUIPMENT = {"HFS": (30.0, 20.0), "FFS": (-30.0, -20.0), "HFP": (-150.0, 20.0), "HFDL": (120.0, 20.0)}


def spots_file(path, position, rotation, flip):
    """A file of drawn spots whose geometry tags are all written here."""
    stored = np.rot90(drawn(position.startswith("F")), -rotation // 90)
    stored = stored[:, ::-1] if flip else stored
    write_dicom_xray(path, np.full((8, 8), 1, np.uint16), CArm(1200.0, 750.0, 0.0, 0.0), (1.0, 1.0))
    dataset = pydicom.dcmread(path)
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = "30", "20"
    dataset.PatientPosition = position
    item = dataset.IsocenterReferenceSystemSequence[0]
    item.PositionerIsocenterPrimaryAngle, item.PositionerIsocenterSecondaryAngle = EQUIPMENT[position]
    item.PositionerIsocenterDetectorRotationAngle = 0.0
    on_its_side = rotation in (90, 270)
    dataset.ImagerPixelSpacing = ["0.5", "1"] if on_its_side else ["1", "0.5"]
    dataset.FieldOfViewRotation = str(rotation)
    dataset.FieldOfViewHorizontalFlip = "YES" if flip else "NO"
    dataset.FieldOfViewOrigin = ["20", "60"]
    dataset.DetectorActiveDimensions = ["200", "250"]
    dataset.DetectorElementSpacing = ["0.5", "0.5"]
    row, column = LETTERS["feet" if position.startswith("F") else "head", rotation]
    dataset.PatientOrientation = [REVERSE[row] if flip else row, column]
    dataset.save_as(path)
    return path


def centroids(xray, near, half):
    """(n, 2) centres of gravity of the line integrals around the pixels ``near``, background taken off."""
    image = np.where(xray.mask, xray.line_integrals, 0.0) - np.median(xray.line_integrals)
    result = []
    for u, v in np.round(near).astype(int):
        rows, columns = np.mgrid[v - half : v + half + 1, u - half : u + half + 1]
        weight = image[rows, columns]
        assert weight.max() > 0.3  # there is a spot
        result.append([(columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()])
    return np.array(result)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("position", ["HFS", "FFS"])
def test_spots_land_where_the_camera_says(tmp_path, position, rotation, flip):
    xray = read_dicom_xray(spots_file(tmp_path / "x.dcm", position, rotation, flip), ISOCENTER)
    expected = xray.camera.project(BALLS)
    assert np.abs(centroids(xray, expected, 15) - expected).max() < 0.01
    np.testing.assert_allclose(xray.camera.size, (COLUMNS, ROWS))
    np.testing.assert_allclose(xray.camera.source_patient, SOURCE, atol=1e-4)
    # The camera sees the image from the source, head up. HFS: the detector's columns are counted from the
    # right; FFS, who lies the other way under it, its rows from below.
    right, below = mm_on_detector(BALLS[3])
    u, v = COLUMNS - (CENTRE_RIGHT_MM + right) / COLUMN_MM - 0.5, (CENTRE_BELOW_MM + below) / ROW_MM - 0.5
    if position == "FFS":
        u, v = (CENTRE_RIGHT_MM - right) / COLUMN_MM - 0.5, ROWS - (CENTRE_BELOW_MM - below) / ROW_MM - 0.5
    np.testing.assert_allclose(expected[3], [u, v], atol=1e-3)


@pytest.mark.parametrize("position", ["HFP", "HFDL"])
def test_spots_of_patients_who_do_not_lie_on_the_back(tmp_path, position):
    xray = read_dicom_xray(spots_file(tmp_path / "x.dcm", position, 0, False), ISOCENTER)
    expected = xray.camera.project(BALLS)
    assert np.abs(centroids(xray, expected, 15) - expected).max() < 0.01


def test_position_of_isocenter_projection_goes_before_the_middle_of_the_detector(tmp_path):
    # 10 elements right of and 6 above where the middle, 199.5 rows and 249.5 columns, would be: 5 mm and
    # 3 mm, 10 columns and 3 rows. Seen from the source, right is left.
    path = spots_file(tmp_path / "x.dcm", "HFS", 0, False)
    before = read_dicom_xray(path).camera
    dataset = pydicom.dcmread(path)
    dataset.PositionOfIsocenterProjection = [193.5, 259.5]
    dataset.PhysicalDetectorSize = [200.0, 250.0]
    dataset.save_as(path)
    after = read_dicom_xray(path).camera
    np.testing.assert_allclose(after.K[:2, 2] - before.K[:2, 2], [-10, -3], atol=1e-4)


# --- DRRs through our own writer ---

VOXELS, VOXEL_MM = (110, 100, 90), 1.0


def balls_density():
    """Small dense balls, soft enough (2 mm) for the grid to carry their places to a thousandth."""
    origin = np.array(ISOCENTER) - (np.array(VOXELS) - 1) / 2 * VOXEL_MM
    axes = [origin[n] + np.arange(VOXELS[n]) * VOXEL_MM for n in range(3)]
    values = np.zeros(VOXELS[::-1])
    for ball in BALLS:
        x, y, z = (np.exp(-((axes[n] - ball[n]) ** 2) / (2 * 2.0**2)) for n in range(3))
        values += 0.25 * z[:, None, None] * y[:, None] * x
    affine = np.eye(4)
    affine[:3, 3] = origin
    return Density(torch.as_tensor(values, dtype=torch.float32), Grid(VOXELS, affine))


@pytest.mark.parametrize(
    ("position", "turn", "letters"),
    [
        ("HFS", Turn(0, True), ("RA", "FAL")),
        ("FFS", Turn(0, True), ("LP", "HPR")),
        ("HFS", Turn(1, False), ("HPR", "LP")),
        ("FFS", Turn(3, True), ("FAL", "LP")),
        ("HFDR", Turn(0, False), ("LP", "FAL")),
    ],
)
def test_drr_written_as_xa_is_read_back_to_a_hundredth_of_a_pixel(tmp_path, position, turn, letters):
    carm = CArm(TO_DETECTOR, TO_ISOCENTER, 30.0, 20.0, isocenter=ISOCENTER)
    size, spacing, point = (260, 220), (0.8, 0.9), (110.0, 131.5)  # the middle is at 129.5, 109.5
    camera = carm.camera(size, spacing, point)
    transmission = np.exp(-render(balls_density(), camera, subsamples=2).numpy())
    path = tmp_path / "drr.dcm"
    write_dicom_xray(
        path,
        np.round(60000 * transmission).astype(np.uint16),
        carm,
        spacing,
        field_of_view=turn,
        patient_position=position,
        principal_point=point,
    )
    written = pydicom.dcmread(path)
    assert tuple(written.PatientOrientation) == letters
    assert written.FieldOfViewRotation == 90 * turn.clockwise
    xray = read_dicom_xray(path, ISOCENTER)
    np.testing.assert_allclose(xray.camera.camera_from_patient, camera.camera_from_patient, atol=1e-4)
    np.testing.assert_allclose(xray.camera.K, camera.K, atol=1e-6)
    expected = camera.project(BALLS)
    assert np.abs(centroids(xray, expected, 20) - expected).max() < 0.01
    # The pinhole once more, by the formulas above: the source sees left and right exchanged.
    right_below = np.array([mm_on_detector(ball) for ball in BALLS])
    by_hand = np.array(point) + right_below * [-1, 1] / spacing
    np.testing.assert_allclose(expected, by_hand, atol=1e-3)
