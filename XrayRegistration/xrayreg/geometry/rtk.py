"""RTK's ThreeDCircularProjectionGeometry: C-arm geometries of the Reconstruction Toolkit (XML).

Per projection nine numbers, mm and degrees (openrtk.org, "RTK 3D circular projection geometry"). With
R = Rz(-InPlaneAngle) Rx(-OutOfPlaneAngle) Ry(-GantryAngle), a point R p = (x, y, z) of the volume is seen at

    U = SDD (x - SourceOffsetX) / (SID - z) + SourceOffsetX - ProjectionOffsetX

on the detector, mm, and V likewise; U and V are the ITK coordinates of the projection image, in which V
points up where rows count downwards. The volume's frame is that of the file which RTK projects, as ITK reads
it: LPS, mm.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import InputError
from .camera import Camera
from .camera_file import CameraFile
from .frames import axis_rotation
from .projection_matrix import camera_from_projection_matrix
from .text_files import chosen, known_size, parse_xml, read_text

ROOT = "RTKThreeDCircularGeometry"
_VERSIONS = ("2", "3")
_MATRIX_TOLERANCE = 1e-3  # RTK's own
_CONVERT = "convert it in Python: read_rtk(path, size, detector=RtkDetector(...)), write_camera_file"


@dataclass(frozen=True)
class RtkDetector:
    """Where pixels lie in RTK's detector coordinates, as the header of the projection image says.

    Attributes:
        origin_mm: (U, V) of the first pixel's centre.
        spacing_mm: by how much U grows with the column and V with the row; negative where the image runs
            against them (Direction -1).
    """

    origin_mm: tuple[float, float]
    spacing_mm: tuple[float, float]


@dataclass(frozen=True)
class RtkProjection:
    """The nine numbers of a projection, in mm and degrees, as RTK names them."""

    SourceToIsocenterDistance: float = 0.0
    SourceToDetectorDistance: float = 0.0
    GantryAngle: float = 0.0
    ProjectionOffsetX: float = 0.0
    ProjectionOffsetY: float = 0.0
    OutOfPlaneAngle: float = 0.0
    InPlaneAngle: float = 0.0
    SourceOffsetX: float = 0.0
    SourceOffsetY: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) from the volume to the axes U, V and towards the source."""
        in_plane = axis_rotation(2, -self.InPlaneAngle)
        return in_plane @ axis_rotation(0, -self.OutOfPlaneAngle) @ axis_rotation(1, -self.GantryAngle)

    @property
    def source(self) -> np.ndarray:
        """(3,) mm, in those axes."""
        return np.array([self.SourceOffsetX, self.SourceOffsetY, self.SourceToIsocenterDistance])

    @property
    def matrix(self) -> np.ndarray:
        """(3, 4) from the volume, mm, to (U, V), mm; its third row is minus the distance from the source."""
        sdd, (sx, sy, _) = self.SourceToDetectorDistance, self.source
        on_detector = np.array(
            [
                [-sdd, 0, sx - self.ProjectionOffsetX],
                [0, -sdd, sy - self.ProjectionOffsetY],
                [0, 0, 1],
            ]
        )
        return on_detector @ np.column_stack([self.rotation, -self.source])


def camera_from_rtk(
    projection: RtkProjection, size: tuple[int, int], detector: RtkDetector, where: object = None
) -> CameraFile:
    """The camera of an RTK projection.

    Where the rows of the image count upwards, it is mirrored, and flipped left-right when it is read.

    Args:
        size: (columns, rows) of the projection image.

    Raises:
        InputError: for parallel rays, or a detector or distances that cannot be.
    """
    sdd, spacing = projection.SourceToDetectorDistance, np.array(detector.spacing_mm, dtype=float)
    if not sdd > 0:
        raise InputError(
            f"SourceToDetectorDistance is {sdd:g}",
            where=where,
            remedy="only cone beams are read",
        )
    if not (np.isfinite(spacing).all() and spacing.all() and np.isfinite(detector.origin_mm).all()):
        raise InputError(f"the detector's spacing {detector.spacing_mm} or origin is impossible", where=where)
    pixels_from_mm = np.eye(3)
    pixels_from_mm[[0, 1], [0, 1]] = 1 / spacing
    pixels_from_mm[:2, 2] = -np.array(detector.origin_mm) / spacing
    mirrored = bool(spacing[0] * spacing[1] > 0)  # U, V and the beam are left-handed
    in_front = projection.rotation.T @ (projection.source - [0, 0, sdd / 2])
    result = camera_from_projection_matrix(
        pixels_from_mm @ projection.matrix,
        size,
        pixel_origin="centre",
        in_front=in_front,
        flip_columns=mirrored,
        where=where,
    )
    return CameraFile(
        result.size,
        result.K,
        result.camera_from_patient,
        source_to_detector_mm=sdd,
        flip_columns=mirrored,
    )


def rtk_from_camera(camera: Camera) -> tuple[RtkProjection, RtkDetector]:
    """RTK's numbers of a camera and its image: the way back; rows count downwards (negative V spacing).

    The detector's origin (0, 0) mm is put into the image's middle.

    Raises:
        InputError: without a source-to-detector distance, or for a skewed K.
    """
    if camera.K[0, 1] != 0:
        raise InputError("K has a skew; RTK knows rectangular pixels only")
    sdd, (du, dv) = camera.require_source_to_detector(), camera.pixel_spacing_mm
    middle = (np.array(camera.size) - 1) / 2
    detector = RtkDetector((-middle[0] * du, middle[1] * dv), (du, -dv))
    rotation = np.diag([1.0, -1, -1]) @ camera.camera_from_patient[:3, :3]
    source = rotation @ camera.source_patient
    principal = (camera.K[:2, 2] - middle) * [du, -dv]
    out_of_plane = np.arcsin(np.clip(rotation[2, 1], -1, 1))
    if abs(rotation[2, 1]) < 1 - 1e-12:
        gantry = np.arctan2(-rotation[2, 0], rotation[2, 2])
        in_plane = np.arctan2(-rotation[0, 1], rotation[1, 1])
    else:  # the two turn about one axis
        gantry, in_plane = np.arctan2(rotation[0, 2], rotation[0, 0]), 0.0
    angles = [-float(np.degrees(angle)) for angle in (gantry, out_of_plane, in_plane)]
    offset = source[:2] - principal
    return (
        RtkProjection(
            SourceToIsocenterDistance=float(source[2]),
            SourceToDetectorDistance=sdd,
            GantryAngle=angles[0],
            ProjectionOffsetX=float(offset[0]),
            ProjectionOffsetY=float(offset[1]),
            OutOfPlaneAngle=angles[1],
            InPlaneAngle=angles[2],
            SourceOffsetX=float(source[0]),
            SourceOffsetY=float(source[1]),
        ),
        detector,
    )


def rtk_xml(projections: list[RtkProjection]) -> str:
    """The geometry file (version 3) of projections."""
    root = ElementTree.Element(ROOT, version="3")
    for projection in projections:
        element = ElementTree.SubElement(root, "Projection")
        for field in fields(RtkProjection):
            ElementTree.SubElement(element, field.name).text = repr(getattr(projection, field.name))
        rows = (" ".join(repr(float(x)) for x in row) for row in projection.matrix)
        ElementTree.SubElement(element, "Matrix").text = "\n".join(rows)
    ElementTree.indent(root)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def read_rtk_projections(path: str | Path) -> list[RtkProjection]:
    """Every projection of a geometry file; a number that a projection leaves out stays as it was before.

    Raises:
        InputError: names what is malformed, of another version or contradictory (a Matrix that is not that of
            the numbers), or that the detector is a cylinder.
    """
    path = Path(path)
    root = parse_xml(read_text(path), path)
    if root.tag != ROOT or root.get("version") not in _VERSIONS:
        raise InputError(
            f"is <{root.tag}> version {root.get('version')}, not {ROOT} version {' or '.join(_VERSIONS)}",
            where=path,
        )
    names = {field.name for field in fields(RtkProjection)}
    now: dict[str, float] = {}
    projections = []
    for element in root:
        if element.tag == "RadiusCylindricalDetector" and _number(element, path) != 0:
            raise InputError("has a cylindrical detector", where=path, remedy="only flat ones are read")
        if element.tag != "Projection":
            now.update({element.tag: _number(element, path)} if element.tag in names else {})
            continue
        now.update({each.tag: _number(each, path) for each in element if each.tag in names})
        projections.append(RtkProjection(**now))
        _check_matrix(element, projections[-1], f"{path}, projection {len(projections)}")
    return projections


def read_rtk(
    path: str | Path,
    size: tuple[int, int] | None = None,
    detector: RtkDetector | None = None,
    index: int | None = None,
) -> CameraFile:
    """Read one projection of a geometry file as `camera_from_rtk` does.

    Args:
        index: which projection, counted from 1.

    Raises:
        InputError: as `read_rtk_projections`; without ``detector`` or ``size``, which the file does not hold.
    """
    path = Path(path)
    projection = chosen(read_rtk_projections(path), index, path)
    if detector is None:
        raise InputError("RTK's geometry does not say where the pixels lie", where=path, remedy=_CONVERT)
    return camera_from_rtk(projection, known_size(size, path), detector, path)


def _number(element: ElementTree.Element, path: Path) -> float:
    try:
        value = float(element.text or "")
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"<{element.tag}> is '{element.text}', not a number", where=path)
    return value


def _check_matrix(element: ElementTree.Element, projection: RtkProjection, where: str) -> None:
    text = element.findtext("Matrix")
    if text is None:
        return
    try:
        matrix = np.array(text.split(), dtype=float).reshape(3, 4)
    except ValueError:
        raise InputError("<Matrix> is not 3x4 numbers", where=where) from None
    if not np.allclose(matrix, projection.matrix, rtol=1e-6, atol=_MATRIX_TOLERANCE):
        raise InputError(
            "<Matrix> is not that of the distances, angles and offsets", where=where, remedy="write it again"
        )
