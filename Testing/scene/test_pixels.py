"""Outlines, plan and ellipses in Slicer's slice view, pixel by pixel where the core projects them."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from dataclasses import replace

from finding import add_registration
from PIL import Image
from xrayreg.geometry import Camera, CArm
from xrayreg.images import Markup, Xray
from xrayreg.overlays import Overlay, ellipse_points, layers_on, structure_outlines
from xrayreg.register import PoseUncertainty, RegisteredView, Registration
from xrayreg.render import Density
from XrayRegistrationLib import roles
from XrayRegistrationLib.offscreen import offscreen_windows
from XrayRegistrationLib.slices import show_xray
from XrayRegistrationLib.views import save, slice_logic, slice_window

PLAN = Markup("plan", "points", np.array([[2.0, -6.0, 14.0], [20, 4, 26], [6, -10, 30]]), ("a", "b", "c"))
UNCERTAINTY = PoseUncertainty(np.diag([4e-4, 4e-4, 4e-4, 0.3, 0.5, 0.2]))


def carm(primary_deg, secondary_deg):
    return CArm(1100, 780, primary_deg, secondary_deg, 5, isocenter=(8, -4, 20))


CAMERAS = {
    "square": carm(0, 0).camera((241, 200), (0.4, 0.4)),
    # Principal point off centre by a fifth of the image, rows half as high as columns are wide.
    "oblique": carm(50, -20).camera((160, 320), (0.5, 0.25), (112.0, 118.5)),
    "large": carm(-30, 15).camera((1230, 1100), (0.08, 0.08), (600.3, 570.0)),  # shown in averaged pixels
}


_CORNER = np.array([0.5, -0.5])
"""Slicer's slice views show at each pixel what lies at its lower left corner: images stand half a screen
pixel to the right and up from where points are drawn."""


class Shown:
    """What is drawn on one X-ray, and its pictures.

    Args:
        across: screen pixels for each column of the X-ray.
    """

    def __init__(self, opened, folder, volume, labels, camera: Camera, across: int):
        self._opened, self._file, self.camera, self.labels = opened, folder / "slice.png", camera, labels
        column_mm, row_mm = camera.pixel_spacing_mm
        self._scale = across * np.array([1.0, row_mm / column_mm])
        # One more than the X-ray needs: corners of screen pixels then do not lie between pixels of the X-ray.
        self._size = tuple(round(n) + 1 for n in self._scale * camera.size)
        dark = np.zeros(camera.size[::-1], np.float32)
        xray = Xray(dark, camera, np.ones(dark.shape, bool), "view")
        overlay = Overlay(labels, tuple(labels.names), (PLAN,))
        self.layers = layers_on(Density.from_volume(volume), camera, overlay, UNCERTAINTY.in_image)
        layers = replace(self.layers, drr=np.zeros_like(self.layers.drr))
        registration = Registration(volume, (RegisteredView(xray, camera, 0.9, 0.5),), {})
        result = add_registration(
            opened.scene, registration, {"view": layers}, segmentation=labels, uncertainty=UNCERTAINTY
        )
        (self._xray,) = roles.references(result, roles.VIEW)
        self._points, *self._ellipses = roles.references(self._xray, roles.REPROJECTED)
        self._points.GetDisplayNode().SetPointLabelsVisibility(False)  # words have the points' colour
        self._logic = slice_logic(opened, "view", self._size)

    def picture(self, *, points=False, ellipses=False, outlines=False):
        """[row, column] bool: where the picture of the slice view is not black."""
        for node, visible in ((self._points, points), *((each, ellipses) for each in self._ellipses)):
            node.SetDisplayVisibility(visible)
        show_xray(self._logic, self._xray, outlines=outlines)
        node, mm = self._logic.GetSliceNode(), self.camera.pixel_spacing_mm[0] / self._scale[0]
        node.SetFieldOfView(self._size[0] * mm, self._size[1] * mm, 1)
        node.UpdateMatrices()
        with offscreen_windows():
            save(slice_window(self._opened, self._logic, self._size), self._file)
        with Image.open(self._file) as image:
            return np.asarray(image.convert("RGB")).max(axis=-1) > 60

    def on_screen(self, uv):
        """Where image points (..., 2) must be on the screen: the X-ray's middle is the picture's."""
        middle = (np.array(self.camera.size) - 1) / 2
        return (np.asarray(uv) - middle) * self._scale + (np.array(self._size) - 1) / 2

    def in_image(self, screen):
        """The way back."""
        middle = (np.array(self.camera.size) - 1) / 2
        return (np.asarray(screen) - (np.array(self._size) - 1) / 2) / self._scale + middle


@pytest.fixture(params=[("square", 1), ("square", 3), ("oblique", 2), ("oblique", 4), ("large", 1)], ids=str)
def shown(request, opened, opengl, volume, labels, tmp_path):
    name, across = request.param
    return Shown(opened, tmp_path, volume, labels, CAMERAS[name], across)


def positions(mask):
    """(n, 2) column, row of the True pixels."""
    return np.argwhere(mask)[:, ::-1].astype(float)


def test_outlines_are_on_their_pixels(shown):
    drawn = shown.picture(outlines=True)
    camera = shown.layers.camera
    factor = shown.camera.size[0] // camera.size[0]
    every = structure_outlines(shown.labels, camera, tuple(shown.labels.names))
    borders = np.any(list(every.values()), axis=0)
    rows, columns = np.indices(drawn.shape)
    uv = shown.in_image(np.stack([columns, rows], axis=-1) - _CORNER)
    u, v = np.floor((uv + 0.5) / factor).astype(int).reshape(-1, 2).T
    inside = (u >= 0) & (u < camera.size[0]) & (v >= 0) & (v < camera.size[1])
    expected = np.zeros(drawn.size, bool)
    expected[inside] = borders[v[inside], u[inside]]
    expected = expected.reshape(drawn.shape)
    assert expected.sum() > 100
    np.testing.assert_array_equal(drawn, expected)


def test_the_plan_is_where_the_core_projects_it(shown):
    drawn = positions(shown.picture(points=True))
    expected = shown.on_screen(shown.camera.project(PLAN.points))
    nearest = np.linalg.norm(drawn[:, None] - expected, axis=-1).argmin(axis=1)
    assert np.bincount(nearest).min() > 3
    seen = np.array([drawn[nearest == number].mean(axis=0) for number in range(len(expected))])
    assert np.abs(seen - expected).max() < 0.75  # crosses are drawn on whole pixels
    assert np.abs((seen - expected).mean(axis=0)).max() < 0.5


def test_ellipses_are_where_the_core_puts_them(shown):
    drawn = positions(shown.picture(ellipses=True))
    centres = shown.camera.project(PLAN.points)
    nearest = np.linalg.norm(drawn[:, None] - shown.on_screen(centres), axis=-1).argmin(axis=1)
    for number, (point, centre) in enumerate(zip(PLAN.points, centres, strict=True)):
        line = shown.on_screen(ellipse_points(centre, UNCERTAINTY.in_image(shown.camera, point)))
        pixels = drawn[nearest == number]
        assert len(pixels) > 20
        inwards = shown.on_screen(centre) - line[:-1]
        inwards /= np.linalg.norm(inwards, axis=1)[:, None]
        offsets = pixels[:, None] - line[:-1]
        closest = np.linalg.norm(offsets, axis=-1).argmin(axis=1)
        depth = (offsets[np.arange(len(pixels)), closest] * inwards[closest]).sum(axis=-1)
        for part in np.array_split(np.arange(72), 8):  # a shifted line lies inside on one side
            assert abs(depth[np.isin(closest, part)].mean()) < 0.5
