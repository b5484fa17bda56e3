"""Every file under some paths, read as far as an audit needs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .camera_items import read_camera, read_geometry
from .dicom_items import read_dicom
from .findings import Finding, Item, from_damage, from_error
from .grid_items import read_grid, read_picture_file
from .plan_items import read_landmarks, read_plan, read_result
from .seen import Seen
from .sniffing import camera_format, may_be_camera, rightly_named, sniff
from .walking import Place, reached

# What register knows of a calibration, and check does not.
_INCOMPLETE = ("choose one", "give size", "give isocenter", "give a point of the patient")
_READERS = {
    "markups": read_plan,
    "landmarks": read_landmarks,
    "registration": read_result,
    "geometry": read_geometry,
}
_NONE_OF_OURS = (
    "is no volume, segmentation, X-ray, camera file, plan or result that can be told by its content"
)


@dataclass(frozen=True)
class Given:
    """What the user says beside the files.

    Attributes:
        voxel_mm: (x, y, z) of TIFF stacks.
        names: CSV with the names of labels; else such a file in the folder of a label map is taken.
    """

    voxel_mm: tuple[float, float, float] | None = None
    names: Path | None = None


def read_everything(
    paths: list[Path], given: Given, report: Callable[[str], None]
) -> tuple[list[Seen], list[str]]:
    """Everything that was reached, in its order, and the paths of what is none of ours.

    Raises:
        InputError: for a path that is not there.
    """
    groups, links = reached(paths)
    seen, left_out = [], links
    for places in groups:
        here, others = _read_folder(places, given, report)
        seen += here
        left_out += others
    return seen, left_out


def _read_folder(
    places: list[Place], given: Given, report: Callable[[str], None]
) -> tuple[list[Seen], list[str]]:
    """The files of one folder, or one that was named."""
    seen, kinds = [], []
    for place in places:
        try:
            kinds.append((place, sniff(place.path)))
        except OSError as error:
            finding = Finding("problem", f"cannot be opened ({error.strerror})", "check its rights")
            seen.append(Seen(place, Item(str(place.path), "unreadable file", {}, (finding,))))
    results = [place for place, kind in kinds if kind == "registration"]
    if results and not results[0].is_named:  # whatever lies beside it belongs to it
        return [*seen, *(read_result(place) for place in results)], []
    names = given.names or next((place.path for place, kind in kinds if kind == "names"), None)
    dicom = [place for place, kind in kinds if kind == "dicom"]
    if dicom:
        report(f"reading {len(dicom)} DICOM file(s) in {dicom[0].path.parent}")
        seen += read_dicom(dicom)
    left_out = []
    for place, kind in kinds:
        if kind == "dicom":
            continue
        one = _read_one(place, kind, given.voxel_mm, names, report)
        if one is None:
            left_out.append(str(place.path))
        else:
            seen.append(one)
    return seen, left_out


def _read_one(
    place: Place, kind: str, voxel_mm: tuple | None, names: Path | None, report: Callable[[str], None]
) -> Seen | None:
    """One file that is no DICOM; None for what a walk leaves out."""
    if not rightly_named(place.path, kind):
        remedy = "give it the ending of its format" if kind == "grid" else "name it .png or .tif"
        finding = Finding("problem", f"its name does not say that it is a {kind} file", remedy)
        return Seen(place, Item(str(place.path), "misnamed file", {}, (finding,)))
    if kind in ("grid", "picture"):
        report(f"reading {place.path}")
    try:
        if kind == "grid":
            return read_grid(place, names)
        if kind == "picture":
            return read_picture_file(place, voxel_mm, names)
        if kind in _READERS:
            return _READERS[kind](place)
        if kind == "camera" or (place.is_named and may_be_camera(place.path) and kind != "names"):
            return read_camera(place)
    except InputError as error:
        if error.remedy.startswith(_INCOMPLETE):
            finding = from_error(error, "missing")
            facts = {"told_by": f"content: {camera_format(place.path)}"}
            return Seen(place, Item(str(place.path), "camera file", facts, (finding,)))
        if kind:
            return Seen(place, Item(str(place.path), f"unreadable {kind} file", {}, (from_error(error),)))
    except Exception as error:  # no damaged file may keep the others from being told
        return Seen(place, Item(str(place.path), f"unreadable {kind} file", {}, (from_damage(error),)))
    if kind == "names":
        return Seen(
            place, Item(str(place.path), "names of labels (CSV)", {"told_by": "content: its columns"})
        )
    if place.is_named:
        finding = Finding("problem", _NONE_OF_OURS, "docs/check.md lists what can be read")
        return Seen(place, Item(str(place.path), "unknown file", {}, (finding,)))
    return None
