"""What the tests by clicks do again and again, and how they tell that nothing has changed."""

import numpy as np
import phantom


def add(application, desk, path, camera=""):
    ui = desk.xrays._ui
    ui.xrayPath.currentPath = str(path)
    ui.cameraPath.currentPath = str(camera)
    application.click(ui.addButton)


def run_to_the_end(application, desk):
    application.click(desk.register._ui.runButton)
    assert desk.busy
    application.wait_until(lambda: not desk.busy, timeout_s=180)


def state(scene):
    """Every node, transform and image of a scene, to see whether anything has changed."""
    from XrayRegistrationLib.mrml import array_of, matrix_array

    result = {}
    for number in range(scene.GetNumberOfNodes()):
        node, what = scene.GetNthNode(number), None
        if node.IsA("vtkMRMLLinearTransformNode"):
            what = matrix_array(node.GetMatrixTransformToParent()).round(9).tolist()
        elif node.IsA("vtkMRMLScalarVolumeNode"):
            what = float(array_of(node).sum(dtype=np.float64))
        result[node.GetID()] = what
    return result


def worst_tre(session, files):
    """How far the phantom's targets are from where they really are, in any view, mm."""
    from xrayreg.evaluate import tre
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of

    found = [camera_of(node).camera_from_patient for node in roles.references(session, roles.VIEW)]
    truth = [view.truth.camera_from_patient for view in files.views]
    return max(tre(phantom.targets(), a, b).max() for a, b in zip(found, truth, strict=True))
