"""DRRs: differentiable X-rays of a volume, and simulated X-rays for tests."""

from .attenuation import (
    IODINE_PER_MM,
    CtContrast,
    ct_attenuation,
    ct_density,
    density_of,
    inverted_mr_density,
    mr_density,
    random_contrast,
    vessel_density,
)
from .density import Density
from .project import PROJECTORS, render, render_bodies, render_labels, render_with_pose_jacobian
from .simulate import Detector, detected, simulate_xray
from .spectrum import C_ARM_BEAM, Spectrum, materials_of, polyenergetic, render_polyenergetic

__all__ = [
    "C_ARM_BEAM",
    "IODINE_PER_MM",
    "PROJECTORS",
    "CtContrast",
    "Density",
    "Detector",
    "Spectrum",
    "ct_attenuation",
    "ct_density",
    "density_of",
    "detected",
    "inverted_mr_density",
    "materials_of",
    "mr_density",
    "polyenergetic",
    "random_contrast",
    "render",
    "render_bodies",
    "render_labels",
    "render_polyenergetic",
    "render_with_pose_jacobian",
    "simulate_xray",
    "vessel_density",
]
