"""How fast DRRs follow a view that is moved by hand, on the demo case, and pictures of the panels for it.

python Testing/gui/measure_moving.py FOLDER
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import slicer
from harness import slicer_application
from take_pictures import load
from xrayreg.evaluate import PLAN
from xrayreg.geometry import flip_ras_lps
from XrayRegistrationLib import layouts, roles
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.landmarking import landmark_list, landmark_list_on
from XrayRegistrationLib.offscreen import offscreen_windows
from XrayRegistrationLib.overlays import add_markup_on
from XrayRegistrationLib.views import write_pictures

SECONDS = 5.0


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with headless() as opened, offscreen_windows(), slicer_application(opened) as application:
        desk = application.open_module()
        load(application)
        ui = desk.manual._ui
        start = time.perf_counter()
        with application.longest_block() as block:
            ui.manualButton.collapsed = False
            application.wait_until(lambda: ui.motions.enabled)
        print(f"the CT was prepared in {time.perf_counter() - start:.1f} s", end=", ")
        print(f"the GUI held for {block.milliseconds:.0f} ms at most")
        measure(desk, application)
        ui.rightSlider.value = 30
        ui.tiltUpSlider.value = 12
        application.process(2)
        application.picture(application.panel, folder / "panels_by_hand.png")
        write_pictures(opened, desk.session, folder)
        application.click(ui.backButton)
        ui.manualButton.collapsed = True
        landmarks(desk, application)
        application.picture(application.panel, folder / "panels_landmarks.png")
        print(application.errors or "no errors")


def measure(desk, application) -> None:
    """Drags as fast as events come."""
    views = roles.references(desk.session, roles.VIEW)
    desk.arrange(layouts.X_RAYS)
    mouse = slicer.app.layoutManager().sliceWidget("Xray1").sliceView().interactor()
    drawn = []
    nodes = {}

    def note(caller, event):
        drawn.append(caller)

    desk.manual._ui.rightSlider.value = 1  # the DRRs are made
    application.process(2)
    for view in views:
        node = view.GetNodeReference(roles.DRR)
        nodes[view] = node
        node.AddObserver(node.ImageDataModifiedEvent, note)
    desk.manual._ui.mouseButton.checked = True
    mouse.SetEventInformation(100, 100, 0, 0)
    mouse.InvokeEvent("LeftButtonPressEvent")
    moves, end = 0, time.perf_counter() + SECONDS
    with application.longest_block() as block:
        while time.perf_counter() < end:
            mouse.SetEventInformation(100 + moves % 40, 100 + moves % 30, 0, 0)
            mouse.InvokeEvent("MouseMoveEvent")
            application.process()
            moves += 1
    mouse.InvokeEvent("LeftButtonReleaseEvent")
    rates = [drawn.count(node) / SECONDS for node in nodes.values()]
    print(f"{moves / SECONDS:.0f} moves per second; DRRs per second:", *(f"{rate:.1f}" for rate in rates))
    print(f"the GUI held for {block.milliseconds:.0f} ms at most while moving")
    with application.longest_block() as block:
        application.process(1.5)
    print(f"and for {block.milliseconds:.0f} ms when at rest: {drawn[-1].GetImageData().GetDimensions()[:2]}")


def landmarks(desk, application) -> None:
    """The plan's points as landmarks, seen 3 pixels beside their places."""
    from XrayRegistrationLib.nodes import camera_of

    points = landmark_list(desk.session)
    for markup in PLAN:
        for number, point in enumerate(markup.points):
            points.AddControlPointWorld(*flip_ras_lps(point), f"{markup.name} {number + 1}")
            for xray in roles.references(desk.session, roles.VIEW):
                camera = camera_of(xray)
                there = landmark_list_on(xray)
                clicked = add_markup_on(
                    xray, "measure", "vtkMRMLMarkupsFiducialNode", [camera.project(point) + [3, 0]], camera
                )
                at = [0.0, 0.0, 0.0]
                clicked.GetNthControlPointPositionWorld(0, at)
                there.AddControlPointWorld(*at, f"{markup.name} {number + 1}")
    desk.landmarks._ui.landmarksButton.collapsed = False
    desk.refresh()
    application.click(desk.landmarks._ui.landmarkStartButton)
    application.wait_until(lambda: not desk.busy)


if __name__ == "__main__":
    main()
