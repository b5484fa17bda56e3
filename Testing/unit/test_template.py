"""CTs in one template frame: small bodies of ellipsoids, and the real pelves of two patients."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import about, apply, rotation_angle_deg, translation
from xrayreg.images import Grid, LabelMap, Volume, read_volume
from xrayreg.learn import (
    fit_to_template,
    in_template_frame,
    moved,
    packed_template,
    template_of,
    unpacked_template,
)

CENTRE = np.array([30.0, -40.0, 250.0])
# Centre and half axes, mm: a basin and a spine, no symmetry carries them into themselves.
TRUNK = (
    ((-60, 10, -40), (22, 30, 45)),
    ((60, 10, -40), (22, 30, 45)),
    ((0, 45, -20), (35, 14, 30)),
    ((0, 40, 50), (16, 16, 60)),
    ((40, -30, -70), (45, 12, 12)),
)
SHELL = (((0, 0, 0), (75, 90, 80)),)  # the outer of a skull


def body(
    parts, motion=None, voxel_mm=3.0, low=(-110, -70, -110), high=(110, 90, 110), name="body", hollow=0.0
):
    """The ellipsoids about CENTRE, moved by a motion, sampled from the formula in a box."""
    size = np.round((np.array(high) - low) / voxel_mm).astype(int)
    affine = np.diag([voxel_mm] * 3 + [1.0])
    affine[:3, 3] = CENTRE + low
    index = np.stack(np.meshgrid(*map(np.arange, size[::-1]), indexing="ij")[::-1], axis=-1)
    points = apply(affine, index.astype(float))
    points = points if motion is None else apply(np.linalg.inv(motion), points)
    hu = np.full(points.shape[:-1], 20, np.float32)
    for centre, half in parts:
        radius = np.sqrt((((points - CENTRE - centre) / half) ** 2).sum(axis=-1))
        hu[(radius < 1) & (radius > hollow)] = 800
    return Volume(hu, Grid(tuple(size.tolist()), affine), name)


def twist(degrees, mm):
    return about(CENTRE, np.concatenate([np.radians(degrees), mm]))


@pytest.fixture(scope="module")
def template():
    return template_of(body(TRUNK, name="template"))


@pytest.mark.parametrize(
    ("degrees", "mm", "low", "high"),
    [
        ((0, 0, 0), (0, 0, 700), (-110, -70, 590), (110, 90, 810)),  # another origin
        ((20, -20, 20), (40, -40, 40), (-150, -150, -150), (150, 150, 150)),
        ((-15, 5, 12), (10, 25, -30), (-130, -75, -90), (130, 120, 40)),  # cropped: half the spine is missing
    ],
)
def test_known_motions_are_found(template, degrees, mm, low, high):
    motion = twist(degrees, mm)
    fit = fit_to_template(body(TRUNK, motion, 2.5, low, high), template)
    error = fit.template_from_patient @ motion  # identity if all is right
    assert rotation_angle_deg(error) < 1
    assert np.linalg.norm(apply(error, CENTRE) - CENTRE) < 1
    assert fit.after.similarity > 0.95 > fit.before.similarity
    assert fit.after.share > 0.9


def test_the_same_on_every_run_and_on_any_grid(template):
    motion = twist((8, -4, 6), (15, 5, -10))
    ct = body(TRUNK, motion)
    first, second = (fit_to_template(ct, template).template_from_patient for _ in range(2))
    assert np.array_equal(first, second)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = ct.grid.size[0] - 1
    left_handed = Volume(
        np.ascontiguousarray(ct.hu[:, :, ::-1]), Grid(ct.grid.size, ct.grid.patient_from_index @ flip)
    )
    assert left_handed.grid.is_left_handed
    between = np.linalg.inv(first) @ fit_to_template(left_handed, template).template_from_patient
    assert rotation_angle_deg(between) < 0.2
    assert np.linalg.norm(apply(between, CENTRE) - CENTRE) < 0.2


def test_a_folder_is_brought_to_its_first_ct_and_what_does_not_fit_is_told():
    motion = twist((5, -8, 3), (12, 0, 20))
    cts = [
        body(TRUNK, name="first"),
        body(SHELL, hollow=0.9, name="skull"),
        body(TRUNK, motion, name="second"),
    ]
    told, steps = [], []
    first, second = in_template_frame(cts, left_out=told.append, report=steps.append)
    assert [each.volume.name for each in (first, second)] == ["first", "second"]
    assert len(told) == 1
    assert str(told[0]).startswith("skull: ")
    assert "template first" in str(told[0])
    assert len(steps) == 3
    assert np.array_equal(first.template_from_patient, np.eye(4))
    assert np.array_equal(first.volume.grid.patient_from_index, cts[0].grid.patient_from_index)
    # What lay at motion(p) lies at p again.
    where = apply(second.template_from_patient, apply(motion, CENTRE))
    np.testing.assert_allclose(where, CENTRE, atol=1)
    assert second.volume.hu is cts[2].hu
    with pytest.raises(InputError, match=r"^skull: .*template first.*leave it out"):
        in_template_frame(cts[:2])


def test_a_template_that_most_cts_do_not_fit_is_refused(template):
    skull = body(SHELL, hollow=0.9, name="skull")
    told = []
    with pytest.raises(InputError, match=r"^template: 0 of 1 CTs fit the template"):
        in_template_frame([skull], template, told.append)
    with pytest.raises(InputError, match="0 of 0"):
        in_template_frame([])


def test_no_ct_and_no_bone_are_refused(template):
    ct = body(TRUNK)
    with pytest.raises(InputError, match=r"^body: it is of kind 'mr'"):
        fit_to_template(Volume(ct.hu, ct.grid, "body", kind="mr"), template)
    with pytest.raises(InputError, match=r"^body: it is only 12 mm thick"):
        fit_to_template(body(TRUNK, low=(-110, -70, -6), high=(110, 90, 6)), template)
    with pytest.raises(InputError, match=r"^water: less than 5 ml are bone \(above 325 HU\)"):
        template_of(Volume(np.zeros_like(ct.hu), ct.grid, "water"))


def test_moved_changes_the_grid_only():
    """Index (1, 2, 3) lies at (10, 20, 30); a quarter turn about z, then 5 mm along x: (-15, 10, 30)."""
    affine = translation([9.0, 18.0, 27.0])
    volume = Volume(np.zeros((5, 4, 3), np.float32), Grid((3, 4, 5), affine), frame_of_reference_uid="1.2.3")
    motion = np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    result = moved(volume, motion)
    np.testing.assert_allclose(apply(result.grid.patient_from_index, np.array([1.0, 2, 3])), [-15, 10, 30])
    assert result.hu is volume.hu
    assert result.frame_of_reference_uid == ""
    labels = moved(LabelMap(np.zeros((5, 4, 3), np.uint8), volume.grid, {1: "hip"}), motion)
    assert np.array_equal(labels.grid.patient_from_index, result.grid.patient_from_index)
    with pytest.raises(InputError, match="not a rigid"):
        moved(volume, np.diag([1.1, 1, 1, 1]))


def test_a_template_goes_through_a_network_file(template):
    tensors, description = packed_template(template)
    assert sum(each.numel() * each.element_size() for each in tensors.values()) < 200_000
    again = unpacked_template({"weight": torch.zeros(2), **tensors}, json.loads(json.dumps(description)))
    assert np.array_equal(again.bone, template.bone)
    assert np.array_equal(again.grid.patient_from_index, template.grid.patient_from_index)
    assert again.name == "template"


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, description: (tensors, None),
        lambda tensors, description: ({}, description),
        lambda tensors, description: ({name: each.float() for name, each in tensors.items()}, description),
        lambda tensors, description: ({name: each * 0 for name, each in tensors.items()}, description),
        lambda tensors, description: (tensors, {**description, "voxel_mm": float("nan")}),
        lambda tensors, description: (tensors, {**description, "origin_mm": [1, 2]}),
    ],
)
def test_a_damaged_template_is_refused(template, damage):
    with pytest.raises(InputError, match=r"^net.pt: its template of the anatomy is missing or damaged"):
        unpacked_template(*damage(*packed_template(template)), where="net.pt")


def test_pelves_of_two_patients_come_together(data):
    """One with everything, one masked to the hip bones."""
    pelvis = read_volume(data / "pelvis_ct_3mm" / "example_ct.nii.gz")
    hips = read_volume(data / "hipbones_ct" / "pelvisSegmIntensityLPI.mha")
    fit = fit_to_template(hips, template_of(pelvis))
    assert distance_to_bone(hips, pelvis, np.eye(4)) > 100
    assert distance_to_bone(hips, pelvis, fit.template_from_patient) < 8


def distance_to_bone(volume, other, other_from_volume):
    """Mean, mm, of one CT's bone surface (above 250 HU) from that of the other, whose voxels are cubes."""
    surfaces = [
        sitk.BinaryContour(sitk.BinaryThreshold(sitk.GetImageFromArray(each.hu), 250.0, 1e9))
        for each in (volume, other)
    ]
    points = np.argwhere(sitk.GetArrayFromImage(surfaces[0]))[::50, ::-1].astype(float)
    index = apply(other.grid.index_from_patient @ other_from_volume @ volume.grid.patient_from_index, points)
    inside = np.clip(index, 0, np.array(other.grid.size) - 1)
    distance = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(surfaces[1], False, False, False))
    i, j, k = np.rint(inside).astype(int).T
    voxel_mm = other.grid.spacing_mm[0]
    return float(
        (voxel_mm * (np.maximum(distance[k, j, i], 0) + np.linalg.norm(index - inside, axis=1))).mean()
    )
