"""Scenes as files: Slicer's .mrb bundles."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import slicer


def write_mrb(scene, path: str | Path) -> None:
    """Write the scene to ``path``; the file is there complete or, on failure, as it was before.

    Raises:
        OSError: if Slicer could not write the bundle, with Slicer's own words.
    """
    path = Path(path)
    # The bundle's inner folder takes the file's name, so the name is final and the folder temporary;
    # it lies beside the target because a rename is atomic only within one file system.
    with TemporaryDirectory(prefix=".scene-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        messages = slicer.vtkMRMLMessageCollection()
        if not scene.WriteToMRB(str(temporary), None, messages) or not temporary.is_file():
            words = " ".join(messages.GetAllMessagesAsString().split())
            raise OSError(f"{path}: the scene could not be written{': ' + words if words else ''}")
        os.replace(temporary, path)


def read_mrb(scene, path: str | Path) -> None:
    """Add the content of a bundle to the scene.

    Raises:
        OSError: if Slicer could not read it, with Slicer's own words.
    """
    messages = slicer.vtkMRMLMessageCollection()
    if not scene.ReadFromMRB(str(path), False, messages):
        words = " ".join(messages.GetAllMessagesAsString().split())
        raise OSError(f"{path}: the scene could not be read{': ' + words if words else ''}")
