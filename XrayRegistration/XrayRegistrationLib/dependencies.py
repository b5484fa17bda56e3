"""Python packages that Slicer does not bring, installed when they are first needed.

torch comes through the PyTorch extension, which knows the computer's graphics card; the rest through Slicer's
package manager. Nothing is installed, and the network is left alone, when Slicer runs tests.
"""

import importlib.util
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_RESOURCES = Path(__file__).parents[1] / "Resources"


def ensure(networks: bool = False) -> None:
    """Ask the user, install, and return when all is there.

    Args:
        networks: also what pose networks need.

    Raises:
        ImportError: in one line, what is missing and what to do.
    """
    if not slicer.app.testingEnabled():
        _install()
    if importlib.util.find_spec("torch") is None:
        raise ImportError(
            _("PyTorch is missing: install the PyTorch extension (Extensions Manager), then restart Slicer")
        )
    if networks and not slicer.app.testingEnabled():
        _pip("requirements-networks.txt")  # after torch, which they need: else pip would choose one


def _install() -> None:
    _pip("requirements.txt")
    if importlib.util.find_spec("torch") is None and importlib.util.find_spec("PyTorchUtils") is not None:
        import PyTorchUtils

        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)


def _pip(name: str) -> None:
    import slicer.packaging

    slicer.packaging.pip_ensure(
        slicer.packaging.load_requirements(_RESOURCES / name), requester="X-ray Registration"
    )
