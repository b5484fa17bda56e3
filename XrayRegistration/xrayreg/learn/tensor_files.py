"""Files of named tensors with a description: safetensors, whole or untouched, never a pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError

_KEY = "xrayreg"  # of our description among the file's metadata
_MOST_BYTES = 8 * 2**30  # a checkpoint of a ResNet-152 has 1 GB
_MOST_HEADER_BYTES = 100_000_000  # as safetensors itself has it
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_AGAIN = "copy it again, or make it anew"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], kind: str, description: dict) -> None:
    """Write one safetensors file whose metadata hold the description and the checksum of the tensors.

    It is written beside its place and then moved there, so that the old file or the new one is there
    whenever this process ends, killed or not.

    Args:
        tensors: by name; they are copied to the CPU, row-major.
        kind: what the file is, as `read_tensors` shall find it.
        description: what JSON can hold.

    Raises:
        InputError: without safetensors.
        OSError: if the file cannot be written.
    """
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    header = {"kind": kind, "sha256": _checksum(plain), "description": description}
    metadata = {_KEY: json.dumps(header, allow_nan=False)}
    content = _safetensors(path).save(plain, metadata)
    staged = path.with_name(f".{path.name}.part")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_tensors` wrote: the tensors, on the CPU, and the description.

    The file is read whole, not mapped: on Windows a mapped file cannot be replaced.

    Raises:
        InputError: names the file and why it is none, is damaged or is of another kind; without safetensors.
    """
    content = _content(path, kind)
    header = _header(content, path, kind)
    try:
        tensors = _safetensors(path).load(content)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged header leads to
        raise InputError(f"is damaged ({error})", where=path, remedy=_AGAIN) from None
    if header.get("sha256") != _checksum(tensors):
        raise InputError("is damaged: its checksum is another", where=path, remedy=_AGAIN)
    return tensors, header["description"]


def load_weights(module: torch.nn.Module, weights: Mapping[str, Tensor], where: object) -> None:
    """Copy weights into a module of the same tensors.

    Raises:
        InputError: names a tensor that is missing, too many, of another shape or not finite.
    """
    expected = module.state_dict()
    check_shapes(weights, {name: tensor.shape for name, tensor in expected.items()}, where)
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"weight {name} is not finite", where=where, remedy="train it anew")
    module.load_state_dict(dict(weights))


def check_shapes(tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple], where: object) -> None:
    """Raise InputError unless the tensors have just these names and shapes."""
    remedy = "it belongs to a network of another configuration"
    for name, shape in shapes.items():
        if name not in tensors:
            raise InputError(f"has no tensor {name}", where=where, remedy=remedy)
        found = tuple(tensors[name].shape)
        if found != tuple(shape):
            what = f"tensor {name} is of shape {found}, not {tuple(shape)}"
            raise InputError(what, where=where, remedy=remedy)
    for name in tensors:
        if name not in shapes:
            raise InputError(f"has a tensor {name}, which has no place", where=where, remedy=remedy)


def _plain(tensor: Tensor) -> Tensor:
    """A copy of its own: tensors that share memory are refused by safetensors."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """Of the bytes of all tensors in the order of their names; safetensors itself has none."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _content(path: Path, kind: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            what = f"has {size / 1e9:.0f} GB, more than any {kind}"
            raise InputError(what, where=path, remedy="check the path")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no such file", where=path, remedy="check the path") from None
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        raise InputError(what, where=path, remedy="check the path") from None


def _header(content: bytes, path: Path, kind: str) -> dict:
    """Our entry among the metadata: {"kind", "sha256", "description"}."""
    if content.startswith(_PICKLES):
        raise InputError(
            "is a pickle, which can run any program: not opened",
            where=path,
            remedy=f"give a {kind} of `xrayreg train`; networks of xvr have to be imported",
        )
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > _MOST_HEADER_BYTES or content[8:9] != b"{":
        raise InputError(f"is no {kind}: not a safetensors file", where=path, remedy="check the path")
    if len(content) < 8 + length:
        raise InputError("is cut off", where=path, remedy=_AGAIN)
    try:
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        header = json.loads(metadata[_KEY]) if _KEY in metadata else None
    except (ValueError, TypeError, RecursionError, AttributeError):
        raise InputError("is damaged: its header is no JSON", where=path, remedy=_AGAIN) from None
    if header is None:
        raise InputError(f"is no {kind} of ours: it has no description", where=path, remedy="check the path")
    if not isinstance(header, dict) or not isinstance(header.get("description"), dict):
        raise InputError("is damaged: its description is malformed", where=path, remedy=_AGAIN)
    if header.get("kind") != kind:
        raise InputError(f"is a {header.get('kind')}, not a {kind}", where=path, remedy="check the path")
    return header


def _safetensors(where: Path):
    try:
        import safetensors.torch
    except ImportError:
        what = "needs safetensors, which is not installed"
        raise InputError(what, where=where, remedy="pip install 'xrayreg[networks]'") from None
    return safetensors.torch
