"""Harness pictures of each panel and arrangement of views for the docs, and how long the GUI is held.

    python Testing/gui/take_pictures.py FOLDER

One walk through the module on the demo case. Drawn by Qt stand-ins for Slicer's widgets (`harness`): the
order, words and states are the module's, the look is not Slicer's.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import slicer
from harness import Application, slicer_application
from moved_chest import AT_REST, BONES, moved_xrays
from PIL import Image
from view_pictures import arrangement_picture, save_small, side_by_side, view_picture
from xrayreg.geometry import flip_ras_lps
from XrayRegistrationLib import layouts, roles
from XrayRegistrationLib.bodies import bodies_of
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.landmarking import landmark_list, landmark_list_on
from XrayRegistrationLib.mrml import array_of
from XrayRegistrationLib.nodes import camera_of
from XrayRegistrationLib.offscreen import offscreen_windows
from XrayRegistrationLib.overlays import on_detector
from XrayRegistrationLib.scene import show_pixels

LANDMARKS = {
    "T7 spinous process": (-2.9, 126.4, -170.0),
    "T9 spinous process": (4.9, 120.1, -215.0),
    "T8 left transverse": (31.6, 111.7, -162.5),
    "T8 right transverse": (-31.0, 106.7, -167.5),
    "T10 left transverse": (34.4, 102.5, -207.5),
    "T10 right transverse": (-23.3, 97.6, -212.5),
}
"""Outermost points of vertebrae in the demo case's segmentation, patient LPS, mm."""
MIXED_UP = {"T9 spinous process": (0.6, 125.0, -192.5)}
"""That of T8, which the first X-ray is given instead."""
MINUTES = 3
"""That a network is trained for."""
CLICKS_OFF_PX = 1.5
"""Standard deviation of what a person clicks."""


@dataclass(frozen=True)
class Walk:
    """What all steps need.

    Attributes:
        folder: for the pictures.
        files: a folder for what the module reads and writes.
    """

    opened: object
    application: Application
    desk: object
    folder: Path
    files: Path

    @property
    def xrays(self) -> list:
        return roles.references(self.desk.session, roles.VIEW)

    def panel(self, section, name: str) -> None:
        """A picture of one section."""
        self.application.picture(section, self.folder / f"panel_{name}.png")

    def views(self, name: str) -> None:
        """A picture of the views as they are arranged."""
        picture = arrangement_picture(self.opened, slicer.app.layoutManager())
        save_small(picture, self.folder / f"views_{name}.jpg")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        headless() as opened,
        offscreen_windows(),
        slicer_application(opened) as application,
        TemporaryDirectory(prefix="patient-") as files,
    ):
        desk = application.open_module()
        walk = Walk(opened, application, desk, folder, Path(files))
        application.picture(application.panel, folder / "panels_start.png")
        load(application)
        inputs(walk)
        register(walk, "first")
        found = [camera_of(xray) for xray in walk.xrays]
        application.click(desk.review._ui.undoButton)
        register(walk, "second")
        arrangements(walk)
        points(walk, found)
        comparisons(walk)
        review(walk)
        export(walk)
        application.click(desk.review._ui.undoButton)
        by_hand(walk)
        landmarks(walk, found)
        network(walk)
        bones(walk)
        print(application.errors or "no errors")


def load(application) -> None:
    """The sample, as by a click in the Sample Data module."""
    application.module.XrayRegistration(SimpleNamespace())
    slicer.app.startupCompleted.emit()
    ((source,),) = slicer.modules.sampleDataSources.values()
    source.customDownloader(source)
    application.wait_until(lambda: application.selected or application.errors, timeout_s=600)


def inputs(walk: Walk) -> None:
    """What is registered, and an X-ray that does not say how it was taken."""
    desk, ui = walk.desk, walk.desk.xrays._ui
    walk.panel(desk.preoperative._ui.preoperativeButton, "preoperative")
    ui.xrayTable.selectRow(0)
    walk.panel(ui.xraysButton, "xrays")
    path = walk.files / "frontal.png"
    Image.fromarray(array_of(walk.xrays[0])[0].astype(np.uint16)).save(path)
    ui.xrayPath.currentPath = str(path)
    walk.panel(ui.xraysButton, "geometry")
    ui.xrayPath.currentPath = ""


def register(walk: Walk, what: str) -> None:
    """Pictures are taken of the first: the second is measured without that."""
    application, ui = walk.application, walk.desk.register._ui
    if what == "first":
        walk.panel(ui.registerButton, "register")
    application.click(ui.runButton)
    with application.longest_block() as block:
        if what == "first":
            application.wait_until(lambda: ui.progressBar.value >= 50, timeout_s=300)
            walk.panel(ui.registerButton, "register_running")
        application.wait_until(lambda: not walk.desk.busy, timeout_s=600)
    print(f"{what} registration: the GUI was held for {block.milliseconds:.0f} ms at most")


def arrangements(walk: Walk) -> None:
    """Each arrangement of views, and 3D along the beam."""
    names = {layouts.X_RAYS: "xrays", layouts.X_RAYS_AND_3D: "xrays_and_3d", layouts.ONE_X_RAY: "one_xray"}
    for kind, name in names.items():
        choose(walk.desk.views._ui.layoutComboBox, layouts.KINDS.index(kind))
        walk.views(name)
    walk.panel(walk.desk.views._ui.viewsButton, "views")
    walk.application.click(walk.desk.views._ui.beamButton)
    walk.views("along_the_beam")


def choose(box, index: int) -> None:
    """As the user does in a combo box."""
    box.currentIndex = index
    box.activated.emit(index)


def points(walk: Walk, cameras: list) -> None:
    """Two points of bones in both X-rays."""
    desk, ui = walk.desk, walk.desk.points._ui
    ui.pointsButton.collapsed = False
    clicks = np.random.default_rng(1).normal(0, CLICKS_OFF_PX, (2, 2, 2))
    shown = [np.array(LANDMARKS[name]) for name in ("T7 spinous process", "T10 left transverse")]
    for view, xray in enumerate(walk.xrays):
        for point, off in zip(shown, clicks[view], strict=True):
            ui.viewComboBox.setCurrentIndex(view)
            walk.application.click(ui.placeButton)
            click_on(xray.GetNodeReference(roles.POINTS_HERE), cameras[view], point, off)
    walk.panel(ui.pointsButton, "points")
    desk.review._ui.outlinesCheckBox.checked = False
    desk.arrange(layouts.X_RAYS)
    walk.views("points")
    walk.application.click(ui.clearButton)
    ui.pointsButton.collapsed = True


def click_on(markups, camera, point: np.ndarray, off: np.ndarray) -> None:
    """As a click in place mode: the point comes, and then its place is defined."""
    (at,) = on_detector([camera.project(point) + off], camera)
    markups.SetNthControlPointPosition(markups.AddControlPoint(*at), *at)
    markups.InvokeCustomModifiedEvent(markups.PointPositionDefinedEvent)


def comparisons(walk: Walk) -> None:
    """The first X-ray compared in four ways."""
    ui, pictures = walk.desk.review._ui, {}
    for checkbox in (ui.outlinesCheckBox, ui.planCheckBox):
        checkbox.checked = False
    for mode in (roles.BLEND, roles.CHECKERBOARD, roles.DIFFERENCE, roles.EDGES):
        ui.compareComboBox.setCurrentIndex(roles.COMPARISONS.index(mode))
        pictures[ui.compareComboBox.currentText] = view_picture(
            walk.opened, slicer.app.layoutManager(), "Xray1"
        )
    save_small(side_by_side(pictures), walk.folder / "compare.jpg")
    ui.compareComboBox.setCurrentIndex(roles.COMPARISONS.index(roles.BLEND))
    for checkbox in (ui.outlinesCheckBox, ui.planCheckBox):
        checkbox.checked = True


def review(walk: Walk) -> None:
    ui = walk.desk.review._ui
    walk.panel(ui.reviewButton, "review")
    ui.commentEdit.text = "Both views fit at T7 to T10."
    walk.application.click(ui.acceptButton)
    walk.panel(ui.reviewButton, "review_accepted")


def export(walk: Walk) -> None:
    """All that can be written."""
    ui = walk.desk.export._ui
    ui.exportFolder.currentPath = str(walk.files / "result")
    boxes = (
        ui.sceneCheckBox,
        ui.transformsCheckBox,
        ui.picturesCheckBox,
        ui.dicomCheckBox,
        ui.reportCheckBox,
    )
    for box in boxes:
        box.checked = True
    walk.application.click(ui.writeButton)
    walk.application.wait_until(lambda: not walk.desk.busy, timeout_s=300)
    walk.panel(ui.exportButton, "export")


def by_hand(walk: Walk) -> None:
    """Moved off, so that it can be seen what moves."""
    ui = walk.desk.manual._ui
    ui.manualButton.collapsed = False
    walk.application.wait_until(lambda: ui.motions.enabled)
    ui.rightSlider.value = 12
    ui.upSlider.value = -8
    ui.turnSlider.value = 5
    walk.application.process(3)  # until the DRRs rest
    walk.panel(ui.manualButton, "manual")
    walk.desk.review._ui.blendSlider.value = 0.5
    walk.views("by_hand")
    walk.application.click(ui.backButton)
    ui.manualButton.collapsed = True


def landmarks(walk: Walk, cameras: list) -> None:
    """Placed in the CT and on both X-rays, one of them wrongly, and started from."""
    desk, ui = walk.desk, walk.desk.landmarks._ui
    ui.landmarksButton.collapsed = False
    in_ct = landmark_list(desk.session)
    for name, point in LANDMARKS.items():
        in_ct.AddControlPointWorld(*flip_ras_lps(np.array(point)), name)
    desk.refresh()
    clicks = np.random.default_rng(2).normal(0, CLICKS_OFF_PX, (len(cameras), len(LANDMARKS), 2))
    for view, xray in enumerate(walk.xrays):
        ui.landmarkView.currentIndex = view
        walk.application.click(ui.placeOnXrayButton)
        placed = LANDMARKS | MIXED_UP if view == 0 else LANDMARKS
        for point, off in zip(placed.values(), clicks[view], strict=True):
            click_on(landmark_list_on(xray), cameras[view], np.array(point), off)
    walk.application.click(ui.landmarkStartButton)
    walk.application.wait_until(lambda: not desk.busy)
    walk.panel(ui.landmarksButton, "landmarks")


def network(walk: Walk) -> None:
    """One in training, which is then cancelled; and where the sample's looks."""
    from XrayRegistrationLib import training

    training.python_slicer = lambda: sys.executable
    application, desk, ui = walk.application, walk.desk, walk.desk.training._ui
    ui.trainingButton.collapsed = False
    ui.networkFile.currentPath = str(walk.files / "chest.safetensors")
    ui.minutesSpinBox.value = MINUTES
    application.click(ui.trainButton)
    with application.longest_block() as block:
        application.wait_until(lambda: ui.trainingBar.value >= 60, timeout_s=120 * MINUTES)
    walk.panel(ui.trainingButton, "training")
    print(f"training: the GUI was held for {block.milliseconds:.0f} ms at most")
    application.click(ui.cancelTrainingButton)
    application.wait_until(lambda: ui.trainButton.enabled)
    desk.network._ui.networkButton.collapsed = False
    walk.panel(desk.network._ui.networkButton, "network")
    application.click(desk.network._ui.attentionButton)
    application.wait_until(lambda: not desk.busy)
    desk.arrange(layouts.X_RAYS)
    walk.views("attention")


def bones(walk: Walk) -> None:
    """X-rays of the patient bent, registered as a whole and then bone by bone."""
    import qt

    application, desk, ui = walk.application, walk.desk, walk.desk.bodies._ui
    for node, xray in zip(walk.xrays, moved_xrays(), strict=True):
        show_pixels(node, xray)
    application.click(desk.register._ui.runButton)
    application.wait_until(lambda: not desk.busy, timeout_s=600)
    ui.bonesButton.collapsed = False
    application.click(ui.noneButton)
    for row in range(ui.boneList.count):
        if ui.boneList.item(row).text() in BONES:
            ui.boneList.item(row).setCheckState(qt.Qt.Checked)
    choose(ui.restComboBox, ui.restComboBox.findText(AT_REST))
    walk.panel(ui.bonesButton, "bones")
    application.click(ui.runBonesButton)
    with application.longest_block() as block:
        application.wait_until(lambda: not desk.busy, timeout_s=1200)
    print(f"bone by bone: the GUI was held for {block.milliseconds:.0f} ms at most")
    ui.bodyTable.selectRow([body.name for body in bodies_of(desk.session)].index("rib_left_8"))
    walk.panel(ui.bonesButton, "bones_found")
    desk.arrange(layouts.X_RAYS_AND_3D)
    walk.views("bones")


if __name__ == "__main__":
    main()
