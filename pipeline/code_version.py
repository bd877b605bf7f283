"""Versions of code: a digest of the sources, so that nobody has to remember to raise a number."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent


def code_version(*modules: str, declared: object = "", folder: Path = FOLDER) -> str:
    """Changes when one of these modules of a folder does, or what was declared; all modules where none is named."""
    paths = [folder / f"{name}.py" for name in modules] or sorted(folder.rglob("*.py"))
    digest = hashlib.sha256(repr(declared).encode())
    for path in paths:
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
