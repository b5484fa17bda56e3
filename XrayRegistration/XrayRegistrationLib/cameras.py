"""Where the camera of a 3D view stands: at an X-ray's source, or where all C-arms are seen."""

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy
from xrayreg.geometry import along_the_beam, apply, flip_ras_lps

from . import roles
from .mrml import world_from_node
from .nodes import camera_of
from .spot import VIEW_ANGLE_DEG, best_spot


def look_along_beam(camera, session, xray, aspect: float) -> None:
    """Show the patient as a session's X-ray does.

    Args:
        camera: vtkMRMLCameraNode or vtkCamera.
        aspect: width / height of the picture.
    """
    middle = flip_ras_lps(_anatomy_points(session).mean(axis=0))
    eye = along_the_beam(camera_of(xray), middle, aspect)
    _stand(camera, *(flip_ras_lps(each) for each in (eye.position, eye.focus, eye.up)), eye.opening_deg)


def look_at_all(camera, session, aspect: float) -> None:
    """Show the C-arms of a session with the patient between, from oblique, head up; arguments as above."""
    points = np.vstack([_frustum_points(session), _anatomy_points(session)])
    spot = best_spot(points, beams(session), aspect)
    _stand(camera, spot.position, spot.focus, (0.0, 0.0, 1.0), VIEW_ANGLE_DEG)


def beams(session) -> np.ndarray:
    """(views, 3) unit vectors from source to detector, RAS."""
    xrays = roles.references(session, roles.VIEW)
    return np.array([world_from_node(xray.GetNodeReference(roles.FRUSTUM))[:3, 2] for xray in xrays])


def _stand(camera, position, focus, up, opening_deg: float) -> None:
    camera.SetPosition(*position)
    camera.SetFocalPoint(*focus)
    camera.SetViewUp(*up)
    camera.SetViewAngle(opening_deg)


def _anatomy_points(session) -> np.ndarray:
    """(8, 3) RAS: the box around bones or CT; where there is neither, the frustums' corners."""
    bounds = np.zeros(6)
    for node in (session.GetNodeReference(roles.SEGMENTATION), session.GetNodeReference(roles.VOLUME)):
        if node is not None:
            node.GetRASBounds(bounds)
            if bounds[0] < bounds[1]:  # not so while it is empty
                ends = np.meshgrid(bounds[:2], bounds[2:4], bounds[4:], indexing="ij")
                return np.stack(ends, axis=-1).reshape(-1, 3)
    return _frustum_points(session)


def _frustum_points(session) -> np.ndarray:
    """(n, 3) RAS: sources and corners of the detectors."""
    frustums = [xray.GetNodeReference(roles.FRUSTUM) for xray in roles.references(session, roles.VIEW)]
    return np.vstack(
        [
            apply(world_from_node(frustum), vtk_to_numpy(frustum.GetPolyData().GetPoints().GetData()))
            for frustum in frustums
        ]
    )
