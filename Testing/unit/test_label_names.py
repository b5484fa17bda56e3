"""Names of labels from the tables of other programs, and segments that Slicer keeps in layers."""

import json

import numpy as np
import pytest
import SimpleITK
from xrayreg.errors import InputError
from xrayreg.images import read_label_map
from xrayreg.images.label_names import read_names

HIPS = {1: "hip left", 7: "hip right"}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.csv", "group,structure,id\nbones,hip left,1\nbones,hip right,7\n", HIPS),
        ("t.csv", "LabelValue,Name,Color_R\n0,Background,0\n1,hip left,3\n7,hip right,4\n", HIPS),
        ("t.ctbl", "# Color table\n0 Background 0 0 0 0\n1 hip_left 9 9 9 255\n", {1: "hip_left"}),
        ("t.ctbl", "1 hip left 9 9 9 255\n7 hip right 9 9 9 255\n", HIPS),
        ("t.json", json.dumps({"1": "hip left", "7": "hip right"}), HIPS),
        ("t.json", json.dumps({"background": 0, "hip left": 1, "hip right": 7}), HIPS),
        (
            "dataset.json",
            json.dumps({"labels": {"0": "background", "1": "hip left", "7": "hip right"}}),
            HIPS,
        ),
        (
            "dataset.json",
            "\ufeff" + json.dumps({"labels": {"background": 0, "hip left": 1}}),
            {1: "hip left"},
        ),
    ],
)
def test_tables_of_names(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_names(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.json", "{", "cannot be read as JSON"),
        ("t.json", "[1, 2]", "holds no table of labels"),
        ("t.json", '{"hip": [1, 2], "all": 3}', "entry 'hip': id 'hip' is no integer"),
        ("t.json", '{"1": "a", "01": "b"}', "entry '01': id 1 has two names, a and b"),
        ("t.ctbl", "1 hip 9 9 9\n", "line 1: is no line of a colour table"),
        ("t.ctbl", "one hip 9 9 9 255\n", "line 1: id 'one' is no integer"),
        ("t.csv", "id,name\n1,hip\n", "column structure missing"),
    ],
)
def test_tables_that_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        read_names(tmp_path / name)
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / name))


def save_layers(path, layers, segments):
    """layers: [k, j, i, layer]; segments: (layer, label value, name)."""
    image = SimpleITK.GetImageFromArray(layers, isVector=True)
    for n, (layer, value, name) in enumerate(segments):
        image.SetMetaData(f"Segment{n}_Name", name)
        image.SetMetaData(f"Segment{n}_LabelValue", str(value))
        image.SetMetaData(f"Segment{n}_Layer", str(layer))
    SimpleITK.WriteImage(image, str(path))
    return path


def test_layers_that_do_not_overlap_are_one_label_map(tmp_path):
    layers = np.zeros((4, 3, 2, 2), np.uint8)
    layers[0, 0, 0, 0], layers[1, 1, 1, 1], layers[2, 2, 0, 1] = 1, 1, 2
    # Label value 1 is in both layers: segments are numbered in their order.
    path = save_layers(tmp_path / "s.seg.nrrd", layers, [(0, 1, "femur"), (1, 1, "tibia"), (1, 2, "nail")])
    label_map = read_label_map(path)
    assert label_map.names == {1: "femur", 2: "tibia", 3: "nail"}
    assert (label_map.labels[0, 0, 0], label_map.labels[1, 1, 1], label_map.labels[2, 2, 0]) == (1, 2, 3)
    assert np.count_nonzero(label_map.labels) == 3
    # Values that differ are kept.
    layers[1, 1, 1, 1] = 5
    path = save_layers(tmp_path / "s.seg.nrrd", layers, [(0, 1, "femur"), (1, 5, "tibia"), (1, 2, "nail")])
    assert read_label_map(path).names == {1: "femur", 5: "tibia", 2: "nail"}
    path = save_layers(tmp_path / "s.seg.nrrd", layers, [(0, 1, "femur"), (4, 5, "tibia")])
    with pytest.raises(InputError, match="segment tibia is said to be in layer 4 of 2"):
        read_label_map(path)
