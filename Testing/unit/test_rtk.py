"""RTK's geometry: its matrices by hand, its detector, and the way back."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    CArm,
    RtkDetector,
    RtkProjection,
    camera_from_rtk,
    projection_matrix,
    read_camera_file,
    read_rtk,
    read_rtk_projections,
    rtk_from_camera,
    rtk_xml,
)

# As RTK writes it: what all projections share comes first.
XML = """<?xml version="1.0"?>
<!DOCTYPE RTKGEOMETRY>
<RTKThreeDCircularGeometry version="3">
  <SourceToIsocenterDistance>1000</SourceToIsocenterDistance>
  <SourceToDetectorDistance>1536</SourceToDetectorDistance>
  <Projection>
    <GantryAngle>0</GantryAngle>
    <Matrix>
            -1536 0 0 0
            0 -1536 0 0
            0 0 1 -1000
    </Matrix>
  </Projection>
  <Projection>
    <GantryAngle>90</GantryAngle>
    <ProjectionOffsetX>20</ProjectionOffsetX>
    <SourceOffsetY>4</SourceOffsetY>
  </Projection>
</RTKThreeDCircularGeometry>
"""
SIZE = (200, 100)
DOWNWARDS = RtkDetector((-99.5, 49.5), (1.0, -1.0))  # the centre of the image is (0, 0) mm
UPWARDS = RtkDetector((-99.5, -49.5), (1.0, 1.0))


def test_at_gantry_0_the_source_is_on_z_and_v_is_up():
    projection = RtkProjection(1000, 1536)
    expected = [[-1536, 0, 0, 0], [0, -1536, 0, 0], [0, 0, 1, -1000]]
    np.testing.assert_array_equal(projection.matrix, expected)
    file = camera_from_rtk(projection, SIZE, DOWNWARDS)
    camera = file.camera()
    np.testing.assert_allclose(camera.source_patient, [0, 0, 1000], atol=1e-9)
    # (10, 5, 0) is 1000 mm deep: U = 15.36, V = 7.68; the column grows with U, the row against V.
    np.testing.assert_allclose(camera.project([10, 5, 0]), [99.5 + 15.36, 49.5 - 7.68])
    assert (file.source_to_detector_mm, file.flip_columns) == (1536, False)
    np.testing.assert_allclose(file.K, [[1536, 0, 99.5], [0, 1536, 49.5], [0, 0, 1]], atol=1e-9)


def test_an_image_with_rows_upwards_is_flipped_left_right():
    file = camera_from_rtk(RtkProjection(1000, 1536), SIZE, UPWARDS)
    assert file.flip_columns
    # Stored at column 99.5 + 15.36, row 49.5 + 7.68; after the flip the column is 199 - 114.86.
    np.testing.assert_allclose(file.camera().project([10, 5, 0]), [84.14, 57.18])


def test_gantry_90_and_offsets_by_hand():
    # Ry(-90) maps (x, y, z) to (-z, y, x): the source, (0, 4, 1000) there, is at (1000, 4, 0).
    # (0, 0, 10) goes to (-10, 0, 0): U = 1536 * -10 / 1000 - 20, V = 1536 * (0 - 4) / 1000 + 4.
    projection = RtkProjection(1000, 1536, 90, ProjectionOffsetX=20, SourceOffsetY=4)
    camera = camera_from_rtk(projection, SIZE, DOWNWARDS).camera()
    np.testing.assert_allclose(camera.source_patient, [1000, 4, 0], atol=1e-9)
    np.testing.assert_allclose(camera.project([0, 0, 10]), [99.5 - 35.36, 49.5 + 2.144])
    # The principal point is right under the source: U = -20, V = 4.
    np.testing.assert_allclose(camera.K[:2, 2], [79.5, 45.5])


def test_the_order_of_the_angles_by_hand():
    # R = Rz(-90) Rx(-90) Ry(-90): (0, 0, 1) -> (-1, 0, 0) -> (-1, 0, 0) -> (0, 1, 0), and
    # (0, 1, 0) -> (0, 1, 0) -> (0, 0, -1) -> (0, 0, -1).
    projection = RtkProjection(1000, 1536, GantryAngle=90, OutOfPlaneAngle=90, InPlaneAngle=90)
    np.testing.assert_allclose(projection.rotation @ [0, 0, 1], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(projection.rotation @ [0, 1, 0], [0, 0, -1], atol=1e-15)


def test_the_file_keeps_what_a_projection_leaves_out(tmp_path):
    path = tmp_path / "geometry.xml"
    path.write_text(XML)
    first, second = read_rtk_projections(path)
    assert first == RtkProjection(1000, 1536)
    assert second == RtkProjection(1000, 1536, 90, ProjectionOffsetX=20, SourceOffsetY=4)
    np.testing.assert_allclose(read_rtk(path, SIZE, DOWNWARDS, 2).K[:2, 2], [79.5, 45.5])


def test_the_command_line_is_told_what_is_missing(tmp_path):
    path = tmp_path / "geometry.xml"
    path.write_text(XML)
    with pytest.raises(InputError, match=r"where the pixels lie.*RtkDetector"):
        read_camera_file(f"{path}#1", size=SIZE)
    with pytest.raises(InputError, match="holds 2 cameras"):
        read_camera_file(path, size=SIZE)


@pytest.mark.parametrize(
    "angles", [(31.7, -12.9, 3.3), (-90.0, 0, 0), (180, 60, -170), (0, 0, 0), (0, 90, 20)]
)
def test_any_camera_comes_back(angles, tmp_path):
    carm = CArm(1020.3, 755.5, *angles, (12.0, -34, 56))
    camera = carm.camera((320, 240), (0.29, 0.31), (150.2, 100.9))
    projection, detector = rtk_from_camera(camera)
    (tmp_path / "g.xml").write_text(rtk_xml([projection]))
    file = read_rtk(tmp_path / "g.xml", camera.size, detector)
    assert not file.flip_columns
    assert file.source_to_detector_mm == 1020.3
    np.testing.assert_allclose(file.K, camera.K, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(file.camera_from_patient, camera.camera_from_patient, atol=1e-7)
    # RTK's own matrix and the detector's pixels make the camera's projection matrix.
    to_pixels = np.array([[1 / 0.29, 0, 159.5], [0, -1 / 0.31, 119.5], [0, 0, 1]])
    np.testing.assert_allclose(
        to_pixels @ projection.matrix, -projection_matrix(camera), rtol=1e-9, atol=1e-6
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version="3"', 'version="1"', "version 1, not"),
        ("RTKThreeDCircularGeometry", "Geometry", "is <Geometry>"),
        ("<GantryAngle>90", "<GantryAngle>ninety", "<GantryAngle> is 'ninety'"),
        ("<GantryAngle>0", "<GantryAngle>5", "projection 1: <Matrix> is not that of"),
        ("-1536 0 0 0", "-1536 0 0", "not 3x4"),
        ("Distance>1536<", "Distance>0<", "<Matrix> is not that of"),
        (
            "<Projection>",
            "<RadiusCylindricalDetector>5</RadiusCylindricalDetector><Projection>",
            "cylindrical",
        ),
    ],
)
def test_a_malformed_geometry_is_refused(tmp_path, old, new, message):
    path = tmp_path / "bad.xml"
    path.write_text(XML.replace(old, new) if old.startswith("RTK") else XML.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_rtk(path, SIZE, DOWNWARDS, 1)


def test_parallel_rays_and_impossible_detectors_are_refused():
    with pytest.raises(InputError, match=r"SourceToDetectorDistance is 0.*only cone beams"):
        camera_from_rtk(RtkProjection(1000, 0), SIZE, DOWNWARDS)
    with pytest.raises(InputError, match="spacing"):
        camera_from_rtk(RtkProjection(1000, 1536), SIZE, RtkDetector((0, 0), (1, 0)))


def test_a_cylindrical_detector_is_refused(tmp_path):
    radius = "RadiusCylindricalDetector"
    (tmp_path / "g.xml").write_text(XML.replace("<Projection>", f"<{radius}>5</{radius}><Projection>", 1))
    with pytest.raises(InputError, match="cylindrical"):
        read_rtk_projections(tmp_path / "g.xml")
