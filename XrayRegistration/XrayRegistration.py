"""Slicer module "X-ray Registration". Slicer imports it at every start, so nothing heavy is imported here."""
# ruff: noqa: N802, PT009, PT027 - method names and tests follow Slicer

import json
import tempfile
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class XrayRegistration(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("X-ray Registration")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = []
        self.parent.contributors = ["XrayRegistration contributors"]
        self.parent.helpText = _(
            "Finds where the patient was when an X-ray was taken, by matching it with a CT of the patient. "
            "Choose the folder that the command line program <i>xrayreg</i> wrote and load it: the CT, each "
            "X-ray at its place on the detector, the simulated X-ray (DRR), the C-arm and the bones appear "
            "in the scene."
        )
        self.parent.acknowledgementText = _("Open source under the Apache License 2.0. Not a medical device.")


class XrayRegistrationWidget(ScriptedLoadableModuleWidget):
    """The panel: choose a result folder, load it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.ui = None
        self.logic = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/XrayRegistration.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = XrayRegistrationLogic()
        self.ui.resultFolder.currentPathChanged.connect(self.onFolderChanged)
        self.ui.loadButton.clicked.connect(self.onLoad)
        self.onFolderChanged()

    def onFolderChanged(self, path=None):
        self.ui.loadButton.enabled = bool(self.ui.resultFolder.currentPath)

    def onLoad(self, checked=False):
        self.ui.resultLabel.text = ""
        try:
            result = self.logic.loadResult(self.ui.resultFolder.currentPath)
            self.logic.showResult(result)
        except Exception as error:
            slicer.util.errorDisplay(_("The result could not be loaded.") + f"\n{error}")
            return
        self.ui.resultFolder.addCurrentPathToHistory()
        self.ui.resultLabel.text = self.logic.summary(result)


class XrayRegistrationLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        # Every result has its own node; several may be in the scene.
        self.isSingletonParameterNode = False

    def loadResult(self, folder):
        """Add a result folder to the scene and return its result node; on error nothing changes.

        Raises:
            xrayreg.errors.InputError: in one line, what is wrong with the folder.
        """
        from XrayRegistrationLib.results import load_result

        return load_result(slicer.mrmlScene, folder, self._addScene)

    def showResult(self, result):
        """Show the X-rays in the slice views, at most one each, and all of them in 3D."""
        from XrayRegistrationLib.roles import VIEW, references
        from XrayRegistrationLib.slices import show_xray

        layout = slicer.app.layoutManager()
        if layout is None:  # no main window
            return
        for name, xray in zip(layout.sliceViewNames(), references(result, VIEW), strict=False):
            sliceLogic = layout.sliceWidget(name).sliceLogic()
            show_xray(sliceLogic, xray)
            sliceLogic.GetSliceNode().SetSliceVisible(1)
        slicer.util.resetThreeDViews()

    def summary(self, result):
        """One line per view: its name and how well it matches."""
        from XrayRegistrationLib.results import summary

        return summary(result)

    def _addScene(self, path):
        slicer.util.loadScene(str(path), {"clear": False})


class XrayRegistrationTest(ScriptedLoadableModuleTest):
    """Self-test, run inside Slicer."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_ABadFolderLeavesTheSceneAlone()
        self.setUp()
        self.test_AResultFolderIsLoaded()

    def test_ABadFolderLeavesTheSceneAlone(self):
        from xrayreg.errors import InputError

        before = slicer.mrmlScene.GetNumberOfNodes()
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(InputError):
            XrayRegistrationLogic().loadResult(folder)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_AResultFolderIsLoaded(self):
        from XrayRegistrationLib import roles

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "any name")
        node.SetAttribute(roles.MODULE_ATTRIBUTE, roles.MODULE)
        plan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "plan")
        plan.AddControlPoint(1, 2, 3)
        node.AddNodeReferenceID(roles.PLAN, plan.GetID())
        with tempfile.TemporaryDirectory() as folder:
            slicer.util.saveScene(str(Path(folder) / "scene.mrb"))
            (Path(folder) / "registration.json").write_text(json.dumps({"schema_version": 1}))
            slicer.mrmlScene.Clear()
            result = XrayRegistrationLogic().loadResult(folder)
        self.assertEqual(result.GetAttribute(roles.MODULE_ATTRIBUTE), roles.MODULE)
        plans = roles.references(result, roles.PLAN)
        self.assertEqual([tuple(p.GetNthControlPointPosition(0)) for p in plans], [(1.0, 2.0, 3.0)])
