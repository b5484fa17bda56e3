"""The harness behaves as PythonQt and Slicer do where our module relies on it."""

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("PySide6.QtUiTools", reason="PySide6-Essentials is not installed")
pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
from harness import slicer_application
from layout_stand_in import LayoutManager, SliceView, SliceWidget, ThreeDView, ThreeDWidget
from slicer_stand_in import SlicerApp
from ui_files import STANDINS
from XrayRegistrationLib import roles
from XrayRegistrationLib.headless import headless

NAMES = json.loads((Path(__file__).parents[1] / "slicer_names.json").read_text(encoding="utf-8"))
OURS = ("standin_widgets", "node_combo_boxes", "checkable_combo_box")
VOLUME = "vtkMRMLScalarVolumeNode"
PANEL = """<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout" name="rows">
 <item><widget class="ctkCollapsibleButton" name="section">
  <property name="text"><string>Images</string></property>
  <layout class="QVBoxLayout" name="contents">
   <item><widget class="qMRMLNodeComboBox" name="ct">
    <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
   </widget></item>
   <item><widget class="qMRMLCheckableNodeComboBox" name="xrays">
    <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
   </widget></item>
   <item><widget class="ctkSliderWidget" name="opacity">
    <property name="maximum"><double>1.0</double></property>
    <property name="value"><double>0.5</double></property>
   </widget></item>
   <item><widget class="ctkPathLineEdit" name="folder">
    <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Readable</set></property>
   </widget></item>
   <item><widget class="QPushButton" name="go">
    <property name="text"><string>Go</string></property>
   </widget></item>
  </layout>
 </widget></item>
</layout></widget>
<connections>%s</connections></ui>
"""
CONNECTION = (
    "<connection><sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
    "<receiver>%s</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection>"
)


@pytest.fixture
def qt(application):
    import qt

    return qt


@pytest.fixture
def load(application, tmp_path):
    """Loads PANEL with these widgets connected to the scene; returns (panel, its children)."""

    def load(*connected):
        path = tmp_path / "Panel.ui"
        path.write_text(PANEL % "".join(CONNECTION % name for name in connected))
        panel = slicer.util.loadUI(str(path))
        panel.setMRMLScene(slicer.mrmlScene)
        panel.show()
        return panel, slicer.util.childWidgetVariables(panel)

    return load


@pytest.fixture
def ui(load):
    panel, children = load("ct", "xrays")
    children.panel = panel  # Python owns the window
    return children


def add(name: str, kind: str = VOLUME):
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


# Qt from Python


def test_properties_are_attributes(qt):
    button = qt.QPushButton("Load")
    assert (button.text, button.enabled) == ("Load", True)
    button.enabled = False
    button.toolTip = "why"
    assert (button.enabled, button.toolTip) == (False, "why")
    with pytest.raises(TypeError):
        button.text()


@pytest.mark.parametrize("name", ["txt", "clicked", "setText", "_private"])
def test_an_unknown_attribute_cannot_be_set(qt, name):
    with pytest.raises(AttributeError):
        setattr(qt.QPushButton(), name, "x")


def test_an_unknown_attribute_cannot_be_read(qt):
    button = qt.QPushButton()
    for name in ("txt", "_raw_thing", "connect"):
        assert not hasattr(button, name)
    for name in ("QPushButtom", "Signal", "_handler"):
        assert not hasattr(qt, name)


@pytest.mark.parametrize("value", [None, "yes"])
def test_a_property_refuses_another_type(qt, value):
    with pytest.raises(AttributeError):
        qt.QPushButton().enabled = value


def test_enums_are_ints(qt):
    label = qt.QLabel("x")
    label.alignment = qt.Qt.AlignRight | qt.Qt.AlignTop
    assert isinstance(label.alignment, int)
    assert label.alignment == 0x2 | 0x20
    label.alignment = 4
    assert label.alignment == qt.Qt.AlignHCenter
    assert qt.Qt.Checked == 2


def test_items_of_a_table_take_flags_and_come_back(qt):
    table = qt.QTableWidget(1, 1)
    item = qt.QTableWidgetItem("T8")
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    table.setItem(0, 0, item)
    assert table.item(0, 0).text() == "T8"
    assert table.item(0, 0).flags() & qt.Qt.ItemIsEnabled
    assert not table.item(0, 0).flags() & qt.Qt.ItemIsEditable
    assert table.item(0, 1) is None


def test_a_slot_gets_as_many_values_as_it_takes(qt, application):
    heard = []
    button = qt.QPushButton()
    button.checkable = True
    button.clicked.connect(lambda: heard.append("none"))
    button.clicked.connect(lambda checked: heard.append(checked))
    button.clicked.connect(heard.append)
    button.clicked.connect(lambda *values: heard.append(values))
    button.show()
    application.click(button)
    assert heard == ["none", True, True, (True,)]


def test_a_slot_can_be_disconnected(qt, application):
    heard = []
    edit = qt.QLineEdit()
    edit.textChanged.connect(heard.append)
    edit.text = "a"
    assert edit.textChanged.disconnect(heard.append)
    edit.text = "b"
    assert heard == ["a"]
    assert not edit.textChanged.disconnect(heard.append)


def test_timers_call_and_stop(qt, application):
    beats = []
    timer = qt.QTimer()
    timer.interval = 1
    timer.timeout.connect(lambda: beats.append(1))
    timer.start()
    application.wait_until(lambda: len(beats) >= 3, 10)
    timer.stop()
    count = len(beats)
    application.process(0.05)
    assert len(beats) == count


def test_waiting_ends_with_words(application):
    with pytest.raises(AssertionError, match=r"not within 0\.05 s"):
        application.wait_until(lambda: False, 0.05)


def test_dialogs_wait_for_nobody_and_can_be_answered(qt, monkeypatch):
    with pytest.raises(AssertionError, match="getOpenFileNames"):
        qt.QFileDialog.getOpenFileNames(None, "Choose")
    with pytest.raises(AssertionError, match="exec"):
        qt.QDialog().exec_()
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileNames", lambda *args: ["a.dcm"])
    assert qt.QFileDialog.getOpenFileNames(None, "Choose") == ["a.dcm"]


def test_a_destroyed_widget_says_so(qt):
    parent = qt.QWidget()
    child = qt.QLabel("x", parent)
    del parent
    assert not child
    with pytest.raises(ValueError, match="destroyed"):
        child.text = "y"


# The widgets of CTK and Slicer


def test_stand_ins_offer_only_what_the_real_widgets_have():
    for kind in STANDINS.values():
        qt_names = {n for base in kind.__mro__ if base.__module__.startswith("PySide6") for n in vars(base)}
        ours = {n for base in kind.__mro__ if base.__module__ in OURS for n in vars(base)}
        extra = {n for n in ours if not n.startswith("_")} - qt_names
        extra -= {*NAMES["classes"][kind.__name__], *NAMES["enums"].get(kind.__name__, ())}
        assert not extra - {"staticMetaObject", "STEPS"}, kind.__name__


@pytest.mark.parametrize(
    ("ours", "real"),
    [
        (SlicerApp, "qSlicerApplication"),
        (LayoutManager, "qSlicerLayoutManager"),
        (SliceWidget, "qMRMLSliceWidget"),
        (ThreeDWidget, "qMRMLThreeDWidget"),
        (ThreeDView, "qMRMLThreeDView"),
        (SliceView, "qMRMLSliceView"),
    ],
)
def test_the_application_offers_only_what_the_real_one_has(ours, real):
    assert {n for n in vars(ours) if not n.startswith("_")} <= set(NAMES["classes"][real])


def test_without_connection_a_selector_has_no_scene(load):
    add("CT")
    panel, ui = load("xrays")
    assert ui.xrays.enabled
    assert ui.ct.mrmlScene() is None
    assert not ui.ct.enabled
    assert ui.ct.currentNode() is None
    assert panel


def test_a_connection_to_a_missing_widget_is_an_error(load):
    with pytest.raises(RuntimeError, match="'mri'"):
        load("mri")


def test_a_selector_follows_the_scene(ui):
    heard = []
    ui.ct.currentNodeChanged.connect(heard.append)
    ct, other = add("CT"), add("other CT")
    add("a model", "vtkMRMLModelNode")
    hidden = add("hidden")
    hidden.HideFromEditorsOn()
    hidden.Modified()
    assert heard == [ct]
    assert ui.ct.nodeCount() == 2
    slicer.mrmlScene.RemoveNode(ct)
    assert heard == [ct, other]
    slicer.mrmlScene.Clear(0)
    assert heard == [ct, other, None]
    assert ui.ct.currentNodeID == ""


def test_a_selector_with_none_starts_there_and_can_be_set(ui):
    ui.ct.noneEnabled = True
    ct = add("CT")
    assert ui.ct.currentNode() is None
    ui.ct.setCurrentNode(ct)
    assert ui.ct.currentNodeID == ct.GetID()
    ui.ct.setCurrentNode(None)
    assert ui.ct.currentNode() is None
    with pytest.raises(TypeError):
        ui.ct.setCurrentNode("CT")


def test_a_selector_lists_only_the_types_and_attributes_asked_for(ui):
    labels = add("labels", "vtkMRMLLabelMapVolumeNode")
    assert ui.ct.currentNode() is labels
    ui.ct.showChildNodeTypes = False
    assert ui.ct.currentNode() is None
    ct = add("CT")
    assert ui.ct.currentNode() is ct
    ui.ct.addAttribute(VOLUME, "role", "preop")
    assert ui.ct.currentNode() is None
    ct.SetAttribute("role", "preop")
    assert ui.ct.currentNode() is ct
    with pytest.raises(AttributeError):
        ui.ct.nodeTypes = VOLUME


def test_a_node_chosen_before_the_scene_is_chosen_with_it(load):
    add("first")
    second = add("second")
    panel, ui = load()
    ui.ct.setCurrentNode(second)
    assert ui.ct.currentNode() is None
    ui.ct.setMRMLScene(slicer.mrmlScene)
    assert ui.ct.currentNode() is second
    assert panel


def test_nodes_are_checked_and_forgotten_when_removed(ui, qt):
    heard = []
    frontal, lateral = add("frontal"), add("lateral")
    ui.xrays.checkedNodesChanged.connect(lambda: heard.append(ui.xrays.checkedNodes()))
    ui.xrays.setCheckState(lateral, qt.Qt.Checked)
    ui.xrays.setCheckState(lateral, qt.Qt.Checked)
    assert ui.xrays.checkState(lateral) == qt.Qt.Checked
    assert ui.xrays.checkState(frontal) == qt.Qt.Unchecked
    slicer.mrmlScene.RemoveNode(lateral)
    assert heard == [[lateral], []]


def test_a_slider_keeps_its_range_and_tells_once(ui):
    heard = []
    ui.opacity.valueChanged.connect(heard.append)
    assert ui.opacity.value == 0.5
    ui.opacity.value = 0.25
    ui.opacity.value = 0.25
    ui.opacity.value = 7
    assert heard == [0.25, 1.0]
    ui.opacity.maximum = 0.5
    assert heard == [0.25, 1.0, 0.5]


def test_a_path_tells_of_changes_and_keeps_its_filters(ui):
    import ctk

    heard = []
    ui.folder.currentPathChanged.connect(heard.append)
    ui.folder.currentPath = "/a"
    ui.folder.currentPath = "/a"
    ui.folder.addCurrentPathToHistory()
    assert heard == ["/a"]
    assert ui.folder.filters == ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Readable


def test_only_what_the_user_could_press_is_pressed(ui, application):
    pressed, folded = [], []
    ui.go.clicked.connect(lambda: pressed.append(1))
    ui.section.contentsCollapsed.connect(folded.append)
    application.click(ui.go)
    ui.section.collapsed = True
    with pytest.raises(AssertionError, match="'section' is collapsed"):
        application.click(ui.go)
    ui.section.collapsed = False
    ui.go.enabled = False
    with pytest.raises(AssertionError, match="disabled"):
        application.click(ui.go)
    ui.go.enabled = True
    ui.go.visible = False
    with pytest.raises(AssertionError, match="hidden"):
        application.click(ui.go)
    assert (pressed, folded) == ([1], [True, False])


def test_a_collapsed_section_takes_less_room(ui, application, tmp_path):
    from PIL import Image

    application.picture(ui.panel, tmp_path / "open.png", 300)
    ui.section.collapsed = True
    application.picture(ui.panel, tmp_path / "closed.png", 300)
    opened, closed = (Image.open(tmp_path / f"{name}.png") for name in ("open", "closed"))
    assert opened.width == closed.width == 300
    assert closed.height < opened.height / 2
    assert len(opened.convert("L").getcolors()) > 10


# The application


def test_the_beat_measures_how_long_events_wait(qt, application):
    with application.longest_block() as quiet:
        application.process(0.2)
    with application.longest_block() as busy:
        qt.QTimer.singleShot(20, lambda: time.sleep(0.4))
        application.process(0.6)
    assert quiet.milliseconds < 200
    assert 390 < busy.milliseconds < 800


def run(action) -> None:
    """One application from start to end."""
    with headless() as opened, slicer_application(opened) as application:
        action(application)


def test_an_error_in_a_slot_fails_the_test_that_does_not_expect_it():
    def press(application):
        import qt

        button = qt.QPushButton()
        button.clicked.connect(lambda: 1 / 0)
        button.show()
        application.click(button)

    with pytest.raises(AssertionError, match="division"):
        run(press)


def test_an_error_in_an_observer_fails_the_test_too():
    def observe(application):
        event = slicer.vtkMRMLScene.NodeAddedEvent
        slicer.mrmlScene.AddObserver(event, lambda caller, event: 1 / 0)
        add("CT")

    with pytest.raises(AssertionError, match="division"):
        run(observe)


def test_nothing_of_one_application_reaches_the_next():
    late = []
    with headless() as opened, slicer_application(opened):
        import qt

        qt.QTimer.singleShot(0, lambda: late.append(1))
    with headless() as opened, slicer_application(opened) as app:
        app.process(0.05)
    assert late == []
    assert not hasattr(slicer, "app")
    with pytest.raises(ImportError):
        import ctk  # noqa: F401


def test_messages_and_answers(application):
    slicer.util.errorDisplay("wrong", detailedText="more")
    slicer.util.infoDisplay("so")
    application.answers = [False]
    assert slicer.util.confirmOkCancelDisplay("Delete?") is False
    with pytest.raises(AssertionError, match="Really"):
        slicer.util.confirmYesNoDisplay("Really?")
    assert (application.errors, application.messages) == (["wrong"], ["so"])
    assert application.questions == ["Delete?", "Really?"]


def test_settings_start_empty(application):
    assert slicer.util.settingsValue("any", 5, int, slicer.app.settings()) == 5
    slicer.app.settings().setValue("any", 6)
    assert slicer.util.settingsValue("any", 5, int, slicer.app.settings()) == 6


def test_a_parameter_node_is_made_once_if_single(application):
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class SomeLogic(ScriptedLoadableModuleLogic):
        pass

    logic = SomeLogic()
    assert logic.getParameterNode() is logic.getParameterNode()
    logic.isSingletonParameterNode = False
    slicer.mrmlScene.AddNode(logic.createParameterNode())
    assert len(logic.getAllParameterNodes()) == 2
    assert logic.getParameterNode().GetAttribute("ModuleName") == "Some"


# Our module in it


@pytest.fixture
def result_folder(tmp_path):
    """The smallest result there is: a plan, no view."""
    with headless() as opened, slicer_application(opened):
        node = add("a result", "vtkMRMLScriptedModuleNode")
        node.SetAttribute(roles.MODULE_ATTRIBUTE, roles.MODULE)
        plan = add("plan", "vtkMRMLMarkupsFiducialNode")
        plan.AddControlPoint(1, 2, 3)
        node.AddNodeReferenceID(roles.PLAN, plan.GetID())
        assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    (tmp_path / "registration.json").write_text(json.dumps({"schema_version": 1}))
    return tmp_path


def test_the_load_button_waits_for_a_folder_and_loads_it(result_folder, application):
    ui = application.open_module().ui
    assert not ui.loadButton.enabled
    ui.resultFolder.currentPath = str(result_folder)
    before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode")
    application.click(ui.loadButton)
    assert application.errors == []
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == before + 1


def test_the_load_button_says_what_is_wrong_with_a_folder(application, tmp_path):
    ui = application.open_module().ui
    ui.resultFolder.currentPath = str(tmp_path)
    application.click(ui.loadButton)
    assert len(application.errors) == 1
    assert "registration.json" in application.errors[0]
    assert ui.resultLabel.text == ""


def test_the_modules_own_tests_pass(application):
    application.open_module()
    application.module.XrayRegistrationTest().runTest()
    assert application.messages == []  # nothing was left out
