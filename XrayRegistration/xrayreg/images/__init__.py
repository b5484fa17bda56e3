"""Volumes, X-rays, label maps and plans: reading, checking, intensities."""

from .bones import segment_bones
from .boxes import Box, box_around, grid_of
from .carm_in_tags import StatedCArm, stated_carm
from .checksums import sha256, sha256_of_files
from .content_masks import field_mask, mask_names, masked_by_content, without_burned_in, without_metal
from .dicom_frames import FrameChoice, frame_choice
from .drr_files import write_drr_nrrd
from .geometry_file import GeometryFile, completed_geometry, read_geometry_file, write_geometry_file
from .grid_writer import itk_image, write_grid_nrrd
from .itk_files import ITK_SUFFIXES
from .label_check import LabelFit, check_fit, label_fit
from .label_files import read_label_map
from .label_grids import check_overlap, resample_labels
from .landmark_files import landmarks_of, paired, read_landmarks2d, read_landmarks3d
from .markup_files import read_markups, write_markups
from .markups import Markup
from .masks import without_polygon
from .mr import body_mask, corrected_for_bias
from .pictures import PICTURE_SUFFIXES
from .shutters import Shutter
from .spatial_registration import (
    SpatialRegistration,
    frame_of_reference_uid,
    read_spatial_registration,
    write_spatial_registration,
)
from .thumbnails import thumbnail_png
from .turns import Turn
from .volume import KINDS, WATER_PER_MM, Grid, LabelMap, Volume, attenuation_per_mm, looks_like_hu
from .volume_files import read_volume
from .xray import Xray, line_integrals_from_transmission
from .xray_dicom import DicomXray, camera_from_dicom, read_dicom_xray
from .xray_dicom_writer import carm_for_dicom, write_dicom_line_integrals, write_dicom_xray
from .xray_files import DICOM_SUFFIXES, frame_count, read_xray, view_name, xray_size
from .xray_geometry import XrayGeometry, geometry_found

__all__ = [
    "DICOM_SUFFIXES",
    "ITK_SUFFIXES",
    "KINDS",
    "PICTURE_SUFFIXES",
    "WATER_PER_MM",
    "Box",
    "DicomXray",
    "FrameChoice",
    "GeometryFile",
    "Grid",
    "LabelFit",
    "LabelMap",
    "Markup",
    "Shutter",
    "SpatialRegistration",
    "StatedCArm",
    "Turn",
    "Volume",
    "Xray",
    "XrayGeometry",
    "attenuation_per_mm",
    "body_mask",
    "box_around",
    "camera_from_dicom",
    "carm_for_dicom",
    "check_fit",
    "check_overlap",
    "completed_geometry",
    "corrected_for_bias",
    "field_mask",
    "frame_choice",
    "frame_count",
    "frame_of_reference_uid",
    "geometry_found",
    "grid_of",
    "itk_image",
    "label_fit",
    "landmarks_of",
    "line_integrals_from_transmission",
    "looks_like_hu",
    "mask_names",
    "masked_by_content",
    "paired",
    "read_dicom_xray",
    "read_geometry_file",
    "read_label_map",
    "read_landmarks2d",
    "read_landmarks3d",
    "read_markups",
    "read_spatial_registration",
    "read_volume",
    "read_xray",
    "resample_labels",
    "segment_bones",
    "sha256",
    "sha256_of_files",
    "stated_carm",
    "thumbnail_png",
    "view_name",
    "without_burned_in",
    "without_metal",
    "without_polygon",
    "write_dicom_line_integrals",
    "write_dicom_xray",
    "write_drr_nrrd",
    "write_geometry_file",
    "write_grid_nrrd",
    "write_markups",
    "write_spatial_registration",
    "xray_size",
]
