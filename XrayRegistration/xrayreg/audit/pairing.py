"""Which camera file is an X-ray's."""

from collections.abc import Sequence
from pathlib import Path

from ..images import view_name
from .findings import Finding, Fit
from .seen import Seen, SeenCamera, SeenGeometry
from .sniffing import tokens
from .walking import nearest
from .xrays import Shot, with_camera_file, with_geometry_file, without_camera

_PUT_GEOMETRY_BEHIND = "name them alike, or put --geometry behind its --xray"
_PUT_BEHIND = "name them alike, or put --camera behind its --xray"


def with_cameras(seen: Sequence[Seen]) -> tuple[list[Seen], list[Fit]]:
    """Each X-ray, read with its camera file if name and size tell one, and what is said of that."""
    cameras = [each for each in seen if isinstance(each, SeenCamera)]
    geometries = [each for each in seen if isinstance(each, SeenGeometry)]
    done, fits, used = [], [], set()
    for each in seen:
        if isinstance(each, Shot):
            camera, fit = _camera_of(each, nearest(each.place, cameras))
            fits += [fit] if fit else []
            if camera is not None:
                used.add(camera.item.path)
                each = with_camera_file(each, camera.item.path, camera.file)
            else:
                each, fit = _completed(each, nearest(each.place, geometries))
                fits += [fit] if fit else []
        done.append(each)
    if any(isinstance(each, Shot) for each in seen):
        fits += [_unused(camera) for camera in cameras if camera.item.path not in used]
    return _without_masks(done, cameras), fits


def _camera_of(shot: Shot, cameras: list[SeenCamera]) -> tuple[SeenCamera | None, Fit | None]:
    """Of one name; else of one size, and with the most words of the name in common."""
    alike = [each for each in cameras if _stem(each) == shot.name.lower()]
    fitting = [each for each in alike or cameras if each.file.size == shot.size]
    if alike and not fitting:
        size, other = shot.size, alike[0].file.size
        text = f"is {size[0]} x {size[1]} pixels, the camera file of its name says {other[0]} x {other[1]}"
        remedy = "use the camera file made for this image; cropped or scaled images need their own"
        return None, Fit(
            (shot.item.path, alike[0].item.path), "size", {}, (Finding("problem", text, remedy),)
        )
    if not fitting or not (shot.is_picture or alike):
        return None, None
    in_common = [len(tokens(shot.place.path) & tokens(each.place.path)) for each in fitting]
    best = [each for each, n in zip(fitting, in_common, strict=True) if n == max(in_common)]
    if len(best) > 1:
        text = f"{len(best)} camera files fit its size, and nothing says which is its own"
        return None, Fit((shot.item.path,), "camera file", {}, (Finding("missing", text, _PUT_BEHIND),))
    how = "its name and size" if max(in_common) else "its size"
    assumed = () if alike else (Finding("assumed", f"taken for this X-ray's by {how}", _PUT_BEHIND),)
    return best[0], Fit((shot.item.path, best[0].item.path), "camera file", {"by": how}, assumed)


def _completed(shot: Shot, geometries: list[SeenGeometry]) -> tuple[Shot, Fit | None]:
    """The X-ray with a geometry.json of its name, or with the only one beside it."""
    alike = [each for each in geometries if _stem(each).removesuffix("_geometry") == shot.name.lower()]
    fitting = alike or geometries
    if shot.camera is not None or len(fitting) != 1:
        return (without_camera(shot) if shot.is_picture else shot), None
    assumed = Finding("assumed", "taken for this X-ray's: no other is beside it", _PUT_GEOMETRY_BEHIND)
    fit = Fit((shot.item.path, fitting[0].item.path), "geometry", {}, () if alike else (assumed,))
    return with_geometry_file(shot, fitting[0].place.path), fit


def _stem(camera: Seen) -> str:
    return view_name(camera.place.path).removesuffix(".json").removesuffix(".txt").lower()


def _unused(camera: SeenCamera) -> Fit:
    columns, rows = camera.file.size
    return Fit(
        (camera.item.path,),
        "camera file",
        {},
        (Finding("note", f"no X-ray here is {columns} x {rows} pixels and named like it"),),
    )


def _without_masks(seen: list[Seen], cameras: list[SeenCamera]) -> list[Seen]:
    """Pictures that a camera file names as its mask are no X-rays."""
    masks = {Path(each.file.mask).resolve() for each in cameras if each.file.mask is not None}
    return [each for each in seen if not (isinstance(each, Shot) and each.place.path.resolve() in masks)]
