"""Landmark files: who is where in the patient, and where in which view."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.images import Markup, paired, read_landmarks2d, read_landmarks3d, write_markups

TABLE = "view,label,u,v\nap,L1 tip,10.5,20\nap,L2 tip,0,-0.5\nlateral,L1 tip,300,40\n"


def csv_file(folder, text, encoding="utf-8"):
    path = folder / "clicks.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_positions_by_view_and_label(tmp_path, encoding, line_end):
    found = read_landmarks2d(csv_file(tmp_path, TABLE.replace("\n", line_end), encoding))
    assert found == {
        "ap": {"L1 tip": (10.5, 20.0), "L2 tip": (0.0, -0.5)},
        "lateral": {"L1 tip": (300.0, 40.0)},
    }
    assert list(found["ap"]) == ["L1 tip", "L2 tip"]


@pytest.mark.parametrize(
    "text",
    [
        "v,u,label,view\n2,1,Wirbelkörper,ap\n",
        "view,label,u,v,comment\nap,Wirbelkörper,1,2,clear\n",
        'view, label, u, v\n"ap", "Wirbelkörper", 1, 2\n',
        "view,label,u,v\n\n,,,\nap,Wirbelkörper,1e0,2.0\n\n",
    ],
)
def test_order_of_columns_further_columns_blanks_and_quotes_do_not_matter(tmp_path, text):
    assert read_landmarks2d(csv_file(tmp_path, text)) == {"ap": {"Wirbelkörper": (1.0, 2.0)}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column view and label and u and v missing"),
        ("view,label,x,y\nap,A,1,2\n", "column u and v missing - head it view,label,u,v"),
        ("view;label;u;v\nap;A;1;2\n", "missing - head it view,label,u,v, with commas between"),
        ("view,label,u,v\n", "holds no landmark"),
        ("view,label,u,v\nap,A,1,2\nap,B,left,2\n", "line 3: u is 'left', not a number"),
        ("view,label,u,v\nap,A,1,\n", "line 2: v is '', not a number"),
        ("view,label,u,v\nap,A,nan,2\n", "line 2: u is 'nan', not a number"),
        ("view,label,u,v\nap,A,1,inf\n", "line 2: v is 'inf', not a number"),
        ("view,label,u,v\nap,A,1\n", "line 2: 3 fields under 4 columns"),
        ("view,label,u,v\nap,A,10,5,20,5\n", "line 2: 6 fields under 4 columns"),  # decimal commas
        ("view,label,u,v\n,A,1,2\n", "line 2: view is empty"),
        ("view,label,u,v\nap,,1,2\n", "line 2: label is empty"),
        ("view,label,u,v\nap,A,1,2\nlat,A,1,2\nap, A,3,4\n", "line 4: A is there twice in view ap"),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path, text, message):
    path = csv_file(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_landmarks2d(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert " - " in str(error.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(InputError, match=r"absent.csv: no such file - "):
        read_landmarks2d(tmp_path / "absent.csv")
    (tmp_path / "image.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_landmarks2d(tmp_path / "image.csv")


def markups(folder, *lists):
    path = folder / "landmarks.mrk.json"
    write_markups(
        path,
        tuple(
            Markup(f"list {n}", "points", np.array([point for _, point in one], float), tuple(dict(one)))
            for n, one in enumerate(lists)
        ),
    )
    return path


def test_points_of_all_lists_by_label(tmp_path):
    path = markups(tmp_path, [("L1", (1, 2, 3)), ("", (9, 9, 9))], [(" L2 ", (4, 5, 6))])
    found = read_landmarks3d(path)
    assert list(found) == ["L1", "L2"]
    np.testing.assert_array_equal(found["L2"], [4, 5, 6])  # LPS, as written


def test_labels_must_tell_points_apart(tmp_path):
    path = markups(tmp_path, [("L1", (1, 2, 3))], [("L1", (4, 5, 6))])
    with pytest.raises(InputError, match=r"landmarks.mrk.json: two points are labelled L1 - "):
        read_landmarks3d(path)
    with pytest.raises(InputError, match=r"no control point has a label - "):
        read_landmarks3d(markups(tmp_path, [("", (1, 2, 3))]))


POINTS = {"A": np.array([1.0, 2, 3]), "B": np.array([4.0, 5, 6]), "C": np.array([7.0, 8, 9])}


def test_pairs_come_in_the_order_of_the_view_without_what_it_does_not_show():
    labels, points, pixels = paired(POINTS, {"C": (30.0, 31.0), "A": (10.0, 11.0)})
    assert labels == ("C", "A")
    np.testing.assert_array_equal(points, [[7, 8, 9], [1, 2, 3]])
    np.testing.assert_array_equal(pixels, [[30, 31], [10, 11]])


def test_a_view_that_shows_none():
    labels, points, pixels = paired(POINTS, {})
    assert (labels, points.shape, pixels.shape) == ((), (0, 3), (0, 2))


def test_labels_without_a_place_in_the_patient_are_named():
    with pytest.raises(
        InputError, match="no position in the patient for a, D - the 3D landmarks are A, B, C"
    ):
        paired(POINTS, {"A": (1, 2), "a": (1, 2), "D": (3, 4)})
