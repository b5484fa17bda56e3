"""Harness pictures of the panels and views for the docs, and how long the GUI is held, on the demo case.

    python Testing/gui/take_pictures.py FOLDER

Drawn by Qt stand-ins for Slicer's widgets (`harness`): the order, words and states are the module's, the
look is not Slicer's.
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import slicer
from harness import slicer_application
from view_pictures import arrangement_picture
from XrayRegistrationLib import layouts
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.offscreen import offscreen_windows
from XrayRegistrationLib.views import write_pictures


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with headless() as opened, offscreen_windows(), slicer_application(opened) as application:
        desk = application.open_module()
        application.picture(application.panel, folder / "panels_start.png")
        load(application)
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
                take_arrangements(opened, desk, application, folder)
                application.click(desk.review._ui.undoButton)
        print(application.errors or "no errors")


def take_arrangements(opened, desk, application, folder: Path) -> None:
    """A picture of each arrangement of views, and of 3D along the beam."""
    manager = slicer.app.layoutManager()
    names = {layouts.X_RAYS: "xrays", layouts.ONE_X_RAY: "one_xray", layouts.X_RAYS_AND_3D: "xrays_and_3d"}
    for kind, name in names.items():
        desk.arrange(kind)
        arrangement_picture(opened, manager).save(folder / f"views_{name}.png")
    application.click(desk.views._ui.beamButton)
    arrangement_picture(opened, manager).save(folder / "views_along_the_beam.png")


def load(application) -> None:
    """The sample, as by a click in the Sample Data module."""
    application.module.XrayRegistration(SimpleNamespace())
    slicer.app.startupCompleted.emit()
    ((source,),) = slicer.modules.sampleDataSources.values()
    source.customDownloader(source)
    application.wait_until(lambda: application.selected or application.errors, timeout_s=600)


if __name__ == "__main__":
    main()
