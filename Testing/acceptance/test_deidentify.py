"""`xrayreg register --deidentify`: a patient's name in the inputs is in nothing that is written or said."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import phantom
import pytest

NAME = "Miller"


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> list[str]:
    """DICOM X-rays, CT, segmentation and plan whose names, tags and folder tell the patient's name."""
    folder = tmp_path_factory.mktemp("phantom") / f"{NAME}^Anna"
    folder.mkdir()
    ct = phantom.write_ct(folder / f"{NAME}_ct.nii.gz")
    xrays = [
        phantom.write_dicom(folder / f"{NAME}_{view.name}.dcm", view, patient_name=f"{NAME}^Anna")
        for view in phantom.make_views(ct)
    ]
    plan = phantom.write_plan(folder / f"{NAME}_screw.mrk.json", phantom.targets()[:2], "LPS")
    segmentation = phantom.write_segmentation(folder / f"{NAME}_labels.nii.gz", phantom.LEFT_HANDED)
    given = ["--volume", ct, "--segmentation", segmentation, "--plan", plan]
    given += [part for xray in xrays for part in ("--xray", xray)]
    return [*map(str, given), "--search-deg", "0", "--search-mm", "0"]


def files_with(name: str, folder: Path) -> set[str]:
    """The files that hold the name in their own name or anywhere in their bytes, unpacked."""
    found = set()
    for path in folder.rglob("*"):
        shown = str(path.relative_to(folder))
        contents = [(shown, path.read_bytes() if path.is_file() else b"")]
        if path.suffix == ".mrb":
            with zipfile.ZipFile(path) as bundle:
                contents += [(f"{shown}/{inner}", bundle.read(inner)) for inner in bundle.namelist()]
        for inner, data in contents:
            if name.lower().encode() in inner.lower().encode() + unpacked(data).lower():
                found.add(inner)
    return found


def unpacked(data: bytes) -> bytes:
    """With what a gzip stream inside an NRRD holds."""
    start = data.find(b"\x1f\x8b\x08") if data.startswith(b"NRRD") else -1
    return data if start < 0 else data[:start] + gzip.GzipFile(fileobj=io.BytesIO(data[start:])).read()


def test_names_are_there_unless_they_are_taken_out(xrayreg, arguments, tmp_path):
    answer = xrayreg("register", *arguments, "--out", tmp_path / "out")
    assert answer.code == 0
    named = files_with(NAME, tmp_path / "out")
    assert {"registration.json", "report.html", f"overlay_{NAME}_frontal.png"} <= named


def test_no_name_is_written_or_said(xrayreg, arguments, tmp_path):
    answer = xrayreg("register", *arguments, "--deidentify", "--out", tmp_path / "out")
    assert answer.code == 0
    assert files_with(NAME, tmp_path / "out") == set()
    assert NAME not in answer.out + answer.err
    result = json.loads((tmp_path / "out" / "registration.json").read_text())
    assert [view["name"] for view in result["views"]] == ["view_1", "view_2"]
    assert {target["markup"] for target in result["targets"]} == {"plan_1"}
    described = [result["inputs"]["volume"], result["inputs"]["segmentation"], *result["inputs"]["xrays"]]
    assert all(each["path"] is None and each["reason"] == "de-identified" for each in described)
    assert all(len(each["sha256"]) == 64 for each in described)
    assert (tmp_path / "out" / "overlay_view_2.png").is_file()
