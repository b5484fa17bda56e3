"""What the tests by clicks do again and again, and how they tell that nothing has changed."""

import numpy as np


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
