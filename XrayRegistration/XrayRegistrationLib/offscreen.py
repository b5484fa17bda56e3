"""Whether this machine can draw off-screen at all, found out where a crash cannot hurt."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PACKAGES = "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri libxrender1 libx11-6"
"""Debian and Ubuntu packages with which VTK draws without a screen or a graphics card."""

_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(16, 16)
renderer = vtk.vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
pixel = vtk.vtkUnsignedCharArray()
window.GetPixelData(8, 8, 8, 8, 0, pixel, 0)
raise SystemExit(0 if pixel.GetValue(0) == 255 else 3)
"""


@contextmanager
def offscreen_windows() -> Iterator[None]:
    """VTK render windows made inside need no X server: on Linux they are drawn through EGL."""
    name = "VTK_DEFAULT_OPENGL_WINDOW"
    if not sys.platform.startswith("linux") or name in os.environ:
        yield
        return
    os.environ[name] = "vtkEGLRenderWindow"
    try:
        yield
    finally:
        del os.environ[name]


def opengl_problem(timeout_s: float = 60) -> str | None:
    """None if VTK can draw off-screen here, else one line that says what to install.

    VTK ends the whole process where the OpenGL libraries are missing or broken, so another process
    tries it by drawing a red square and looking at its colour.
    """
    remedy = f"on Debian or Ubuntu: apt-get install {PACKAGES}"
    try:
        with offscreen_windows():
            probe = subprocess.run(
                [sys.executable, "-c", _PROBE],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return f"OpenGL did not draw an off-screen picture within {timeout_s:g} s ({remedy})"
    except OSError as error:
        return f"off-screen drawing could not be tried: {error}"
    if probe.returncode == 0:
        return None
    if b"No module named" in probe.stderr:
        return "VTK is not installed (pip install slicer-core)"
    return f"OpenGL cannot draw off-screen on this machine ({remedy})"
