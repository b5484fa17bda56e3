"""Checksums, by which a result names the images that it was made from."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """Checksum of a file, or of all the files in and below a folder in the order of their paths."""
    return sha256_of_files(sorted(path.rglob("*")) if path.is_dir() else [path])


def sha256_of_files(paths: list[Path]) -> str:
    """Checksum of several files, one behind the other; what is no file is left out."""
    digest = hashlib.sha256()
    for file in paths:
        if file.is_file():
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()
