"""Harness pictures of the panels and views for the docs, and how long the GUI is held, on the demo case.

    python Testing/gui/take_pictures.py FOLDER

Drawn by Qt stand-ins for Slicer's widgets (`harness`): the order, words and states are the module's, the
look is not Slicer's.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import slicer
from harness import slicer_application
from xrayreg.evaluate import PLAN, fetch_demo_case, write_demo_views
from xrayreg.images import read_label_map, read_volume
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.offscreen import offscreen_windows
from XrayRegistrationLib.scene import add_markup, add_volume
from XrayRegistrationLib.segments import add_segmentation
from XrayRegistrationLib.views import write_pictures


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with headless() as opened, offscreen_windows(), slicer_application(opened) as application:
        desk = application.open_module()
        application.picture(application.panel, folder / "panels_start.png")
        load(desk, application)
        application.picture(application.panel, folder / "panels_ready.png")
        for what in ("first", "second"):
            application.click(desk.register._ui.runButton)
            with application.longest_block() as block:
                if what == "first":
                    hint = desk.register._ui.registerHint
                    application.wait_until(lambda hint=hint: "refining" in hint.text, timeout_s=120)
                    application.picture(application.panel, folder / "panels_running.png")
                application.wait_until(lambda: not desk.busy, timeout_s=300)
            print(f"{what} registration: the GUI was held for {block.milliseconds:.0f} ms at most")
            if what == "first":
                application.picture(application.panel, folder / "panels_review.png")
                write_pictures(opened, desk.session, folder)
                application.click(desk.review._ui.undoButton)
        print(application.errors or "no errors")


def load(desk, application) -> None:
    """The chest CT, its bones, the plan and the two X-rays."""
    case = fetch_demo_case()
    ct = read_volume(case.volume)
    volume = add_volume(slicer.mrmlScene, ct)
    bones = add_segmentation(slicer.mrmlScene, read_label_map(case.segmentation, case.structures))
    segments, display = bones.GetSegmentation(), bones.GetDisplayNode()
    for number in range(segments.GetNumberOfSegments()):
        is_bone = segments.GetNthSegment(number).GetName().startswith(("vertebra", "rib"))
        display.SetSegmentVisibility(segments.GetNthSegmentID(number), is_bone)
    plan = [add_markup(slicer.mrmlScene, markup) for markup in PLAN]
    desk.preoperative._ui.volumeSelector.setCurrentNode(volume)
    desk.preoperative._ui.segmentationSelector.setCurrentNode(bones)
    for node in plan:
        desk.preoperative._ui.planSelector.setCheckState(node, 2)
    with tempfile.TemporaryDirectory() as folder:
        for view in write_demo_views(ct, Path(folder)):
            desk.xrays._ui.xrayPath.currentPath = str(view.path)
            application.click(desk.xrays._ui.addButton)


if __name__ == "__main__":
    main()
