"""Versions of code: a digest of the sources, so that nobody has to remember to raise a number."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent


def code_version(*modules: str, declared: object = "") -> str:
    """Changes when one of these modules of `pipeline` does, or what was declared; all modules where none is named."""
    paths = [FOLDER / f"{name}.py" for name in modules] or sorted(FOLDER.rglob("*.py"))
    digest = hashlib.sha256(repr(declared).encode())
    for path in paths:
        digest.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
