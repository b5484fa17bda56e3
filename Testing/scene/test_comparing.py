"""What is laid over the X-rays: comparisons with the DRR, and outlines that can be shown one by one."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from PIL import Image
from xrayreg.geometry import detector_from_image, patient_from_detector
from xrayreg.overlays import checkerboard, difference, edges, matched
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.comparing import comparison_of
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.mrml import array_of, remove_references, world_from_index
from XrayRegistrationLib.nodes import camera_of, segment_colors, xray_of
from XrayRegistrationLib.overlays import Structure, outlined, show_outlines, show_structure
from XrayRegistrationLib.scene import show_drr
from XrayRegistrationLib.slices import blend_xray, show_xray
from XrayRegistrationLib.views import save, slice_logic, slice_window

EXPECTED = {
    roles.CHECKERBOARD: checkerboard,
    roles.DIFFERENCE: difference,
    roles.EDGES: lambda xray, drr: edges(drr) * 255,
    roles.FLICKER: matched,
}
RIB, SPINE = Structure("rib", (1.0, 0.2, 0.2)), Structure("spine", (0.2, 1.0, 0.2))


@pytest.fixture
def view(result):
    """The frontal X-ray, and over it a DRR of half its pixels with a bright square."""
    node = result.GetNthNodeReference(roles.VIEW, 0)
    camera = camera_of(node).binned(2)
    drr = np.ones(camera.size[::-1], np.float32)
    drr[20:40, 8:20] = 2
    show_drr(node, drr, camera)
    return node


def node_count(node):
    return node.GetScene().GetNumberOfNodes()


@pytest.mark.parametrize("mode", EXPECTED)
def test_a_comparison_is_the_cores_and_lies_on_the_detector(view, mode):
    node = comparison_of(view, mode)
    drr = array_of(view.GetNodeReference(roles.DRR))[0]
    np.testing.assert_allclose(array_of(node)[0], EXPECTED[mode](xray_of(view).binned(2), drr))
    camera = camera_of(view)
    placed = patient_from_detector(camera) @ detector_from_image(camera.binned(2))
    np.testing.assert_allclose(np.diag([-1, -1, 1, 1]) @ world_from_index(node), placed, atol=1e-9)
    assert comparison_of(view, roles.BLEND) is view.GetNodeReference(roles.DRR)


def test_a_comparison_is_made_once_and_anew_when_an_image_has_changed(view):
    node = comparison_of(view, roles.CHECKERBOARD)
    image, count = node.GetImageData(), node_count(view)
    assert comparison_of(view, roles.CHECKERBOARD).GetImageData() is image
    camera = camera_of(view).binned(2)
    show_drr(view, np.eye(*camera.size[::-1], dtype=np.float32) + 1, camera)
    assert comparison_of(view, roles.CHECKERBOARD) is node
    expected = checkerboard(xray_of(view).binned(2), array_of(view.GetNodeReference(roles.DRR))[0])
    np.testing.assert_array_equal(array_of(node)[0], expected)
    assert comparison_of(view, roles.DIFFERENCE) is node
    assert node_count(view) == count


def test_without_a_drr_there_is_nothing_to_compare(view):
    remove_references(view, roles.DRR)
    assert comparison_of(view, roles.CHECKERBOARD) is None


def test_a_saved_comparison_is_not_made_again(opened, result, view, tmp_path):
    comparison_of(view, roles.DIFFERENCE)
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (back,) = roles.result_nodes(other.scene)
        first = back.GetNthNodeReference(roles.VIEW, 0)
        image = first.GetNodeReference(roles.COMPARISON).GetImageData()
        assert comparison_of(first, roles.DIFFERENCE).GetImageData() is image


def test_the_flickering_drr_has_the_x_rays_contrast(view):
    view.GetDisplayNode().SetWindowLevel(7.0, 3.0)
    display = comparison_of(view, roles.FLICKER).GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (7.0, 3.0)


def pictured(opened, view, mode, path, outlines=False):
    """[row, column, colour] of a slice view, 240 x 240, in which the X-ray's rows are two pixels high."""
    logic = slice_logic(opened, mode, (240, 240))
    show_xray(logic, view, 1.0, outlines, mode)
    save(slice_window(opened, logic, (240, 240)), path)
    return np.asarray(Image.open(path).convert("RGB"), dtype=int)


def test_edges_are_seen_over_the_x_ray_and_the_x_ray_between_them(opened, opengl, view, tmp_path):
    bare = pictured(opened, view, roles.BLEND, tmp_path / "bare.png")  # opaque: the DRR alone
    assert bare.any()
    picture = pictured(opened, view, roles.EDGES, tmp_path / "edges.png")
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    edge = (green > 200) & (blue > 200) & (red < 60)
    # The square's rows 20 and 40 of the DRR, 40 and 80 of the X-ray, 80 and 160 of the picture.
    rows = np.nonzero(edge)[0]
    assert rows.min() == pytest.approx(80, abs=6)
    assert rows.max() == pytest.approx(160, abs=6)
    grey = picture[~edge & (red == green) & (green == blue)]
    assert grey.max() > 100  # the X-ray's ramp


def test_each_structure_has_the_color_it_was_given_and_can_be_hidden(opened, opengl, view, tmp_path):
    camera = camera_of(view)
    labels = np.zeros(camera.size[::-1], np.int16)
    labels[20:40], labels[60:80] = 3, 7
    show_outlines(view, labels, camera, {3: RIB, 7: SPINE, 9: Structure("not here", (0, 0, 1))})
    assert [(each.name, each.shown) for each in outlined([view])] == [("rib", True), ("spine", True)]
    np.testing.assert_allclose(outlined([view])[0].color, RIB.color, atol=0.01)
    for hidden in ((), ("rib",), ("rib", "spine")):
        for name in ("rib", "spine"):
            show_structure([view], name, name not in hidden)
        picture = pictured(opened, view, roles.BLEND, tmp_path / "outlines.png", outlines=True)
        reddish = (picture[..., 0] > picture[..., 1] + 80).sum()
        greenish = ((picture[..., 1] > picture[..., 0] + 80) & (picture[..., 1] > picture[..., 2] + 80)).sum()
        assert (reddish > 100, greenish > 100) == ("rib" not in hidden, "spine" not in hidden)


def test_names_colors_and_what_is_hidden_come_back(opened, result, view, tmp_path):
    labels = np.zeros((10, 10), np.int16)
    labels[2], labels[5] = 3, 7
    show_outlines(view, labels, camera_of(view).cropped((0, 0), (10, 10)), {3: RIB, 7: SPINE})
    show_structure([view], "rib", False)
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (back,) = roles.result_nodes(other.scene)
        views = roles.references(back, roles.VIEW)
        assert [(each.name, each.shown) for each in outlined(views)] == [("rib", False), ("spine", True)]
        show_structure(views, "rib", True)
        table = views[0].GetNodeReference(roles.OUTLINES).GetDisplayNode().GetColorNode()
        rgba = np.zeros(4)
        table.GetColor(3, rgba)
        np.testing.assert_allclose(rgba, [1, 0.2, 0.2, 1], atol=0.01)
        assert table.GetLookupTable().GetTableRange() == (0, table.GetNumberOfColors() - 1)


def test_segments_give_their_colors(result):
    colors = segment_colors(result.GetNodeReference(roles.SEGMENTATION))
    assert set(colors) == {"vertebra_T8", "vertebra_T7"}
    assert segment_colors(None) == {}


def test_blending_again_changes_nothing(opened, view):
    logic = slice_logic(opened, "view", (100, 100))
    blend_xray(logic, view, 1.0, False, roles.CHECKERBOARD)
    assert logic.GetSliceCompositeNode().GetForegroundVolumeID() == view.GetNodeReferenceID(roles.COMPARISON)
    blend_xray(logic, view, 0.4, False)
    assert logic.GetSliceCompositeNode().GetForegroundVolumeID() == view.GetNodeReferenceID(roles.DRR)
