"""Which engine integrates: the compiled ones where they can, the reference everywhere else."""

import importlib
import warnings
from functools import cache
from types import ModuleType

import torch

# By the device of the volume: the module, and the package that it needs; for CUDA, of torch's version.
_CUDA = (torch.version.cuda or "").split(".")[0]
_COMPILED = {"cpu": (".cpu", "numba"), "cuda": (".cuda", f"numba-cuda[cu{_CUDA}]")}


def compiled_engine(values: torch.Tensor) -> ModuleType | None:
    """The engine with compiled kernels for a volume, or None: then the torch reference serves.

    Kernels are for float32. An engine is a module with `line_integrals`, `by_volume` and
    `label_integrals`.
    """
    if values.dtype != torch.float32 or values.device.type not in _COMPILED:
        return None
    return _imported(values.device.type)


@cache
def _imported(device: str) -> ModuleType | None:
    module, package = _COMPILED[device]
    try:
        return importlib.import_module(module, __package__)
    except ImportError as problem:
        warnings.warn(
            f"rendering on {device} is many times slower without {package}: pip install it ({problem})",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
