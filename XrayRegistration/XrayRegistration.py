"""Slicer module "X-ray Registration". Slicer imports it at every start, so nothing heavy is imported here."""
# ruff: noqa: N802, PT009, PT027 - method names and tests follow Slicer

import json
import tempfile
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


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
            "Choose the CT, add X-rays, register, and review: the bones of the CT and the plan appear at "
            "their place on the X-ray, with a statement of how far that can be trusted. Results of the "
            "command line program <i>xrayreg</i> can be loaded too."
        )
        self.parent.acknowledgementText = _(
            "Open source under the Apache License 2.0. Not a medical device. The sample is a chest CT of "
            "LIDC-IDRI (CC BY 3.0, doi:10.7937/K9/TCIA.2015.LO9QL9SX)."
        )
        slicer.app.startupCompleted.connect(registerLayouts)
        slicer.app.startupCompleted.connect(registerSampleData)  # SampleData may be loaded after this module


def registerLayouts():
    """Tell Slicer of our arrangements of views; a scene that uses one is shown with it."""
    from XrayRegistrationLib.screen import register_layouts

    register_layouts()


def registerSampleData():
    """Show the sample in the Sample Data module."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=_("X-ray Registration"),
        sampleName=_("Chest CT with two X-rays"),
        uris=[],  # the X-rays are simulated, so there is nothing that Slicer itself could download
        fileNames=[],
        customDownloader=loadSample,
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "SampleChest.png"),
    )


def loadSample(source=None):
    """Bring the sample into the scene, beside the GUI, and show it in the module."""

    def show(session):
        slicer.util.showStatusMessage(_("Sample loaded"), 3000)
        slicer.util.selectModule("XrayRegistration")
        desk = slicer.util.getModuleWidget("XrayRegistration")
        if not desk.busy:  # else it can be chosen at the top when that is done
            desk.selector.setCurrentNode(session)

    try:
        from XrayRegistrationLib.dependencies import ensure

        ensure()
        from XrayRegistrationLib.sample import load

        load(slicer.mrmlScene, slicer.util.showStatusMessage, show, showError)
    except Exception as error:
        showError(error)


def showError(error):
    """Tell the user; what went wrong in the scene has been put right before."""
    text = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        text = _("There is not enough memory. Close other programs, or use a smaller part of the CT.")
    slicer.util.errorDisplay(text)


class XrayRegistrationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panels in the order of the work, all of one session; see `XrayRegistrationLib.panels`."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.ui = None
        self.panels = []
        self._preview = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from XrayRegistrationLib.panels import (
            BodiesPanel,
            ExportPanel,
            LandmarksPanel,
            LayoutPanel,
            ManualPanel,
            NetworkPanel,
            PointsPanel,
            PreoperativePanel,
            RegisterPanel,
            ReviewPanel,
            TrainingPanel,
            XraysPanel,
        )

        self.logic = XrayRegistrationLogic()
        registerLayouts()
        sessionUi = self._add("Session.ui")
        self.selector = sessionUi.sessionSelector
        self.selector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", "XrayRegistration")
        self.preoperative = PreoperativePanel(self, self._add("Preoperative.ui"))
        self.training = TrainingPanel(self, self._add("Training.ui"))
        self.xrays = XraysPanel(self, self._add("Xrays.ui"))
        self.manual = ManualPanel(self, self._add("Manual.ui"))
        self.landmarks = LandmarksPanel(self, self._add("Landmarks.ui"))
        self.network = NetworkPanel(self, self._add("Network.ui"))
        self.register = RegisterPanel(self, self._add("Register.ui"))
        self.bodies = BodiesPanel(self, self._add("Bodies.ui"))
        self.review = ReviewPanel(self, self._add("Review.ui"))
        self.points = PointsPanel(self, self._add("Points.ui"))
        self.views = LayoutPanel(self, self._add("Layout.ui"))
        self.export = ExportPanel(self, self._add("Export.ui"))
        self.panels = [
            self.preoperative,
            self.training,
            self.xrays,
            self.manual,
            self.landmarks,
            self.network,
            self.register,
            self.bodies,
            self.review,
            self.points,
            self.views,
            self.export,
        ]
        self.ui = self._add("XrayRegistration.ui")
        self.ui.resultFolder.currentPathChanged.connect(self.onFolderChanged)
        self.ui.loadButton.clicked.connect(self.onLoad)
        self.layout.addStretch(1)
        self.selector.currentNodeChanged.connect(self.onSessionChanged)
        self.selector.nodeAddedByUser.connect(self.onSessionAdded)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.followLayout()
        self.onFolderChanged()
        self.enter()

    def enter(self):
        """A session is always there to work in."""
        if self.session is None and not slicer.mrmlScene.IsClosing():
            self.selector.setCurrentNode(self.logic.anySession())
        self.refresh()

    def cleanup(self):
        self._rest()
        self.training.close()
        self.export.abandon()
        self.removeObservers()

    def exit(self):
        """Another module comes: the mouse is not this one's any more, and nothing moves by itself."""
        self.manual.stop()
        self.review.pause()
        self.stopPlacing()

    @property
    def session(self):
        return self.selector.currentNode()

    @property
    def busy(self):
        at_work = (self.preoperative, self.training, self.landmarks, self.network, self.register, self.bodies)
        return any(panel.busy for panel in (*at_work, self.export))

    @property
    def preview(self):
        """Draws views that are moved; made when it is first asked for."""
        if self._preview is None:
            from XrayRegistrationLib.preview import Preview

            self._preview = Preview(self.refresh, self.onNotDrawn, self.onDrawn)
        return self._preview

    def refresh(self):
        if self.busy and self._preview is not None:
            self._preview.stop()
        for panel in self.panels:
            panel.refresh(self.session)
        self.selector.enabled = not self.busy
        self.onFolderChanged()

    def show(self, error):
        showError(error)

    def ensureDependencies(self, networks=False):
        """Raises ImportError, in one line, if something is missing and the user does not want it."""
        from XrayRegistrationLib.dependencies import ensure

        ensure(networks)

    def showViews(self):
        self._showWith(self.logic.showResult)

    def arrange(self, kind, number=0):
        """Give the X-rays views of their own (see `XrayRegistrationLib.layouts`); 3D shows all C-arms."""
        self.logic.arrange(self.session, kind, number)
        self.showViews()
        self.logic.lookAtAll(self.session)

    def followLayout(self):
        """The arrangement may be changed by others too: in Slicer's toolbar, by opening a scene."""
        manager = slicer.app.layoutManager()
        if manager is not None:
            node = manager.layoutLogic().GetLayoutNode()
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.onLayoutChanged)

    def blendViews(self):
        """As showViews, but the views stay where they look."""
        self._showWith(self.logic.blendResult)

    def drawViews(self, views):
        """DRRs of views at their poses follow, once the volume is ready for that."""
        try:
            self.preview.prepare(self.session)
        except Exception as error:
            self.show(error)
            return
        self.preview.show(views)
        self.blendViews()

    def onDrawn(self, resting):
        self.blendViews()
        if resting:
            self.refresh()

    def onNotDrawn(self, error):
        self.manual.close()
        self.show(error)

    def stopPlacing(self):
        """A click must not place a point of what is not shown any more."""
        from XrayRegistrationLib.pointing import stop_placing

        stop_placing()

    def onSessionChanged(self, node=None):
        self.stopPlacing()
        self.refresh()
        self.showViews()

    def onLayoutChanged(self, caller=None, event=None):
        self.views.refresh(self.session)

    def onSessionAdded(self, node):
        self.logic.claim(node)
        self.refresh()

    def onSceneStartClose(self, caller=None, event=None):
        self._rest()

    def onSceneEndClose(self, caller=None, event=None):
        self.enter()

    def onSceneEndImport(self, caller=None, event=None):
        """A session that comes with a scene takes the place of one that is empty."""
        from XrayRegistrationLib.choosing import is_empty
        from XrayRegistrationLib.roles import result_nodes

        empty = self.session
        came = [node for node in result_nodes(slicer.mrmlScene) if not is_empty(node)]
        if came and empty is not None and is_empty(empty):
            self.selector.setCurrentNode(came[-1])
            slicer.mrmlScene.RemoveNode(empty)

    def onFolderChanged(self, path=None):
        self.ui.loadButton.enabled = bool(self.ui.resultFolder.currentPath) and not self.busy

    def onLoad(self, checked=False):
        self.ui.resultLabel.text = ""
        try:
            result = self.logic.loadResult(self.ui.resultFolder.currentPath)
        except Exception as error:
            slicer.util.errorDisplay(_("The result could not be loaded.") + f"\n{error}")
            self.enter()
            return
        self.selector.setCurrentNode(result)
        self.logic.lookAtAll(result)
        self.ui.resultFolder.addCurrentPathToHistory()
        self.ui.resultLabel.text = self.logic.summary(result)

    def _rest(self):
        """Nothing runs, moves or is observed any more in a scene that goes away."""
        at_work = (self.preoperative, self.training, self.landmarks, self.network, self.register, self.bodies)
        for panel in at_work:
            panel.abandon()
        self.manual.stop()
        self.review.pause()
        self.points.forget()
        if self._preview is not None:
            self._preview.abandon()

    def _showWith(self, show):
        if self.session is None:
            return
        try:
            show(self.session, *self.review.look)
        except Exception as error:
            self.review.blend_only()
            show(self.session, *self.review.look)
            self.show(error)

    def _add(self, name):
        """A panel of a .ui file below those before; returns its widgets by name."""
        panel = slicer.util.loadUI(self.resourcePath(f"UI/{name}"))
        self.layout.addWidget(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        return slicer.util.childWidgetVariables(panel)


class XrayRegistrationLogic(ScriptedLoadableModuleLogic):
    """What the panel does, without the panel."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        # Every result has its own node; several may be in the scene.
        self.isSingletonParameterNode = False

    def anySession(self):
        """The scene's last session, or a new one."""
        from XrayRegistrationLib.roles import result_nodes
        from XrayRegistrationLib.scene import add_result

        sessions = result_nodes(slicer.mrmlScene)
        return sessions[-1] if sessions else add_result(slicer.mrmlScene)

    def claim(self, node):
        """Make a node that the user added in the selector a session."""
        from XrayRegistrationLib.scene import make_result

        make_result(node)

    def loadResult(self, folder):
        """Add a result folder to the scene and return its result node; on error nothing changes.

        Raises:
            xrayreg.errors.InputError: in one line, what is wrong with the folder.
        """
        from XrayRegistrationLib.results import load_result

        return load_result(slicer.mrmlScene, folder, self._addScene)

    def showResult(self, result, opacity, outlines, mode):
        """Show the X-rays in the slice views, at most one each, and those in 3D.

        Arguments are those of XrayRegistrationLib.slices.blend_xray.
        """
        from XrayRegistrationLib.screen import xray_views
        from XrayRegistrationLib.slices import show_xray

        for sliceLogic, xray in xray_views(result):
            show_xray(sliceLogic, xray, opacity, outlines, mode)
            sliceLogic.GetSliceNode().SetSliceVisible(1)

    def blendResult(self, result, opacity, outlines, mode):
        """As showResult, but the views stay where they look."""
        from XrayRegistrationLib.screen import xray_views
        from XrayRegistrationLib.slices import blend_xray

        for sliceLogic, xray in xray_views(result):
            blend_xray(sliceLogic, xray, opacity, outlines, mode)

    def arrange(self, result, kind, number):
        """Give the X-rays views of their own."""
        from XrayRegistrationLib.screen import arrange

        arrange(result, kind, number)

    def lookAtAll(self, result):
        """Put the 3D view's camera where all C-arms are in the picture."""
        from XrayRegistrationLib.screen import look_at_all_xrays

        look_at_all_xrays(result)

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
        try:
            from XrayRegistrationLib.dependencies import ensure

            ensure()
        except ImportError as missing:
            self.delayDisplay(f"Registration is not tested: {missing}")
            return
        self.setUp()
        self.test_ARegistrationFindsThePose()
        self.setUp()
        self.test_ACancelledRegistrationLeavesThePosesAlone()

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

    def test_ARegistrationFindsThePose(self):
        from XrayRegistrationLib import roles, selftest

        session, truth = selftest.add_case(slicer.mrmlScene)
        self.assertGreater(selftest.farthest_mm(session, truth), 4.0)
        self.assertEqual(selftest.run(session), "done")
        self.assertLess(selftest.farthest_mm(session, truth), 1.0)
        self.assertIsNotNone(session.GetAttribute(roles.CONFIDENCE))

    def test_ACancelledRegistrationLeavesThePosesAlone(self):
        from XrayRegistrationLib import roles, selftest

        session, truth = selftest.add_case(slicer.mrmlScene)
        start, nodes = selftest.farthest_mm(session, truth), slicer.mrmlScene.GetNumberOfNodes()
        self.assertEqual(selftest.run(session, cancel=lambda text: "refining" in text), "cancelled")
        self.assertEqual(selftest.farthest_mm(session, truth), start)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)
        self.assertIsNone(session.GetAttribute(roles.CONFIDENCE))
