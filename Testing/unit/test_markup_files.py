"""Slicer markups: points land in patient LPS whatever frame the file uses."""

import json

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.images import Markup, read_markups, write_markups


def markups_file(folder, *entries):
    path = folder / "plan.mrk.json"
    path.write_text(json.dumps({"markups": list(entries)}))
    return path


def entry(kind="Fiducial", system="LPS", points=((1, 2, 3), (4, 5, 6)), **fields):
    control_points = [{"label": f"P{n}", "position": list(p)} for n, p in enumerate(points)]
    return {
        "type": kind,
        "coordinateSystem": system,
        "coordinateUnits": "mm",
        "controlPoints": control_points,
    } | fields


@pytest.mark.parametrize(
    ("system", "first"), [("LPS", [1, 2, 3]), ("RAS", [-1, -2, 3]), ("0", [-1, -2, 3]), ("1", [1, 2, 3])]
)
def test_points_are_lps(tmp_path, system, first):
    (markup,) = read_markups(markups_file(tmp_path, entry(system=system)))
    np.testing.assert_array_equal(markup.points[0], first)
    assert markup.labels == ("P0", "P1")
    assert markup.name == "plan"


@pytest.mark.parametrize(
    ("kind", "expected", "count"),
    [("Fiducial", "points", 3), ("Line", "line", 3), ("Curve", "curve", 3), ("ClosedCurve", "curve", 4)],
)
def test_kinds(tmp_path, kind, expected, count):
    points = ((0, 0, 0), (1, 0, 0), (0, 1, 0))
    (markup,) = read_markups(markups_file(tmp_path, entry(kind, points=points, name="osteotomy")))
    assert (markup.kind, len(markup.points), markup.name) == (expected, count, "osteotomy")
    if kind == "ClosedCurve":
        np.testing.assert_array_equal(markup.points[-1], markup.points[0])


def test_points_never_placed_are_left_out(tmp_path):
    points = [
        {"label": "A", "position": [1, 2, 3], "positionStatus": "defined"},
        {"label": "B", "position": [0, 0, 0], "positionStatus": "undefined"},
    ]
    (markup,) = read_markups(markups_file(tmp_path, entry(controlPoints=points)))
    assert markup.labels == ("A",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "Plane"}, "type is 'Plane' - supported are Fiducial, Line, Curve, ClosedCurve"),
        ({"coordinateSystem": None}, "coordinateSystem is None - it must be LPS or RAS"),
        ({"coordinateUnits": "cm"}, "coordinateUnits is 'cm'"),
        ({"controlPoints": []}, "Fiducial has 0 placed point(s)"),
        ({"type": "Line", "controlPoints": [{"position": [1, 2, 3]}]}, "Line has 1 placed point(s)"),
        ({"controlPoints": [{"position": [1, 2]}]}, "controlPoints[0].position is [1, 2]"),
        ({"controlPoints": [{"label": "A"}]}, "controlPoints[0].position is None"),
    ],
)
def test_errors_name_file_markup_field_and_remedy(tmp_path, fields, message):
    path = markups_file(tmp_path, entry(), entry() | fields)
    with pytest.raises(InputError) as error:
        read_markups(path)
    assert f"{path} markups[1]: " in str(error.value)
    assert message in str(error.value)
    assert " - " in str(error.value)


def test_files_that_are_no_markups(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_markups(tmp_path / "absent.mrk.json")
    for text, says in (
        ("{", "not a JSON file"),
        ("[]", "'markups' is missing"),
        ('{"markups": []}', "missing or empty"),
    ):
        (tmp_path / "x.mrk.json").write_text(text)
        with pytest.raises(InputError, match=says):
            read_markups(tmp_path / "x.mrk.json")


PLAN = (
    Markup("targets", "points", np.array([[1.5, -2, 3], [4, 5, 6.25]]), ("a", "b")),
    Markup("axis", "line", np.array([[0.0, 0, 0], [0, 0, 100]]), ("", "")),
    Markup("cut", "curve", np.array([[0.0, 0, 0], [1, 1, 1], [2, 0, 0]]), ("", "", "")),
)


def test_round_trip(tmp_path):
    write_markups(tmp_path / "plan.mrk.json", PLAN)
    for markup, again in zip(PLAN, read_markups(tmp_path / "plan.mrk.json"), strict=True):
        assert (markup.name, markup.kind, markup.labels) == (again.name, again.kind, again.labels)
        np.testing.assert_array_equal(markup.points, again.points)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_slicer_reads_what_is_written(tmp_path, number):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    markup = PLAN[number]
    path = tmp_path / "plan.mrk.json"
    write_markups(path, (markup,))
    scene = slicer.vtkMRMLScene()
    kind = {"points": "Fiducial", "line": "Line", "curve": "Curve"}[markup.kind]
    node = (
        scene.AddNewNodeByClass(f"vtkMRMLMarkups{kind}Node") or getattr(slicer, f"vtkMRMLMarkups{kind}Node")()
    )
    storage = slicer.vtkMRMLMarkupsJsonStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    assert node.GetNumberOfControlPoints() == len(markup.points)
    position = [0.0, 0.0, 0.0]
    node.GetNthControlPointPosition(0, position)
    np.testing.assert_allclose(position, markup.points[0] * [-1, -1, 1])  # Slicer is in RAS
    assert node.GetNthControlPointLabel(0) == markup.labels[0]
