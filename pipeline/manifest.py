"""What a release says about itself: where it comes from, and the size and SHA-256 of each of its files."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from pipeline.errors import ReleaseError
from pipeline.lake import canonical_json
from pipeline.model_file import MODEL_FILE

MANIFEST_FILE = "manifest.json"
CONTENT_FILES = (MODEL_FILE, "rule.json", "fields.json", "policy.json", "reference.json")  # what answers depend on
EVIDENCE_FILES = ("golden.json", "evaluation.json", "drift.json", "card.md")
FILES = (*CONTENT_FILES, *EVIDENCE_FILES)  # a constant list: no manifest can name a file of its own
FORMAT = 1
RELEASE_ID = re.compile(r"(\d{4}-\d{2}|snapshot)-[0-9a-f]{12}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def month_of_release(name: str) -> str:
    """The month that a release was made in, which its id begins with."""
    return name.rpartition("-")[0]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a release comes from. Versions are digests or numbers that change when data or code do."""

    dataset: str
    run_key: str
    data_version: str
    code_version: str
    created_at: datetime
    mlflow_run_id: str = ""
    dagster_run_id: str = ""


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """What a file must be."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The first file read of a release; `manifest_digest` is over all the others of its values."""

    id: str
    dataset: str
    run_key: str
    rung: str
    data_version: str
    code_version: str
    created_at: str
    mlflow_run_id: str
    dagster_run_id: str
    content_digest: str
    files: Mapping[str, StoredFile]

    def as_bytes(self) -> bytes:
        """The manifest as it is stored."""
        values = {"format": FORMAT, **asdict(self)}
        return canonical_json(values | {"manifest_digest": _sha256(canonical_json(values))})


def manifest_of(files: Mapping[str, bytes], rung: str, origin: Origin) -> Manifest:
    """The manifest of files that are about to be written."""
    stored = {name: StoredFile(sha256=_sha256(content), size=len(content)) for name, content in files.items()}
    digest = content_digest(stored)
    return Manifest(
        id=f"{origin.run_key}-{digest[:12]}",
        rung=rung,
        content_digest=digest,
        files=stored,
        **(asdict(origin) | {"created_at": origin.created_at.isoformat(timespec="seconds")}),
    )


def content_digest(files: Mapping[str, StoredFile]) -> str:
    """SHA-256 over everything that an answer depends on: the same model trained twice has the same one."""
    return _sha256("".join(f"{name} {files[name].sha256}\n" for name in CONTENT_FILES).encode())


def manifest_from_bytes(content: bytes) -> Manifest:
    """The inverse of `Manifest.as_bytes`.

    Raises:
        ReleaseError: it is not a manifest, or it was edited.
    """
    try:
        stored = json.loads(content)
        expected = stored.pop("manifest_digest")
        found = _sha256(canonical_json(stored))
        if stored.pop("format") != FORMAT or expected != found:
            raise ValueError(f"format or content changed: written as {str(expected)[:12]}, now {found[:12]}")
        manifest = _manifest(stored)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ReleaseError(
            MANIFEST_FILE,
            expected=f"a manifest of format {FORMAT} as it was written",
            found=f"{type(error).__name__}: {str(error)[:200]}",
            remedy="Do not edit releases: roll back, or run the month again.",
        ) from error
    return manifest


def _manifest(stored: Mapping[str, Any]) -> Manifest:
    """Raises ValueError, TypeError or KeyError where a value is not what it must be."""
    files = {name: StoredFile(**values) for name, values in stored["files"].items()}
    manifest = Manifest(**(dict(stored) | {"files": files}))
    texts = [getattr(manifest, item.name) for item in fields(manifest) if item.name != "files"]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a value that is not text")
    if set(files) != set(FILES):
        raise ValueError(f"files {sorted(files)} instead of {sorted(FILES)}")
    if not all(isinstance(f.size, int) and SHA256.fullmatch(f.sha256) for f in files.values()):
        raise ValueError("a size or digest that is none")
    if manifest.content_digest != content_digest(files):
        raise ValueError("a content digest that its files do not have")
    if manifest.id != f"{manifest.run_key}-{manifest.content_digest[:12]}" or not RELEASE_ID.fullmatch(manifest.id):
        raise ValueError(f"an id that is not its own: {manifest.id[:60]!r}")
    return manifest


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
