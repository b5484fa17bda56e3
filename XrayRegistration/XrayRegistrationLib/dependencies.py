"""Python packages that Slicer does not bring, installed when they are first needed.

torch comes through the PyTorch extension, which knows the computer's graphics card; the rest through Slicer's
package manager. Nothing is installed, and the network is left alone, when Slicer runs tests.
"""

import importlib.util
from pathlib import Path

import slicer
from slicer.i18n import tr as _

_REQUIREMENTS = Path(__file__).parents[1] / "Resources" / "requirements.txt"


def ensure() -> None:
    """Ask the user, install, and return when all is there.

    Raises:
        ImportError: in one line, what is missing and what to do.
    """
    if not slicer.app.testingEnabled():
        _install()
    if importlib.util.find_spec("torch") is None:
        raise ImportError(
            _("PyTorch is missing: install the PyTorch extension (Extensions Manager), then restart Slicer")
        )


def _install() -> None:
    import slicer.packaging

    slicer.packaging.pip_ensure(
        slicer.packaging.load_requirements(_REQUIREMENTS), requester="X-ray Registration"
    )
    if importlib.util.find_spec("torch") is None and importlib.util.find_spec("PyTorchUtils") is not None:
        import PyTorchUtils

        PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
