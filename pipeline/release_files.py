"""The files of a release on disk: written whole or not at all, read with suspicion."""

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import ReleaseError
from pipeline.manifest import FILES, MANIFEST_FILE, Manifest, manifest_from_bytes

LARGEST_MANIFEST_BYTES = 65_536
REMEDY = "Do not mend it by hand: roll back with `churn release rollback`, or run the month again."


def read_files(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the bytes of every file, each of the size and SHA-256 that the manifest gives.

    Raises:
        ReleaseError: the folder or a file is missing, foreign, a link, cut short, swapped or edited.
    """
    _refuse_strangers(folder)
    manifest = manifest_from_bytes(_read(folder / MANIFEST_FILE, LARGEST_MANIFEST_BYTES))
    if manifest.id != folder.name:
        raise damaged(folder, f"a folder of the name {manifest.id}", folder.name)
    return manifest, {name: _verified(folder, name, manifest) for name in FILES}


def read_file(folder: Path, name: str, manifest: Manifest) -> bytes:
    """The bytes of one file of a release whose manifest was verified before.

    Raises:
        ReleaseError: the file is missing, cut short, swapped or edited.
    """
    return _verified(folder, name, manifest)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder under a temporary name, flush it to the disk, and rename it; the first of two writers wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / f".new-{uuid.uuid4().hex}"
    fresh.mkdir()
    try:
        for name, content in files.items():
            _write(fresh / name, content)
        _sync(fresh)
        _put_aside(folder)
        fresh.rename(folder)
        _sync(folder.parent)
    except OSError:
        if not folder.is_dir():  # otherwise another process wrote the same release first
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def release_files_stat(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Name, time in ns, size and inode of each file: a cheap sign that something changed, for whoever watches.

    Empty where the folder is not there.
    """
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except OSError:
        return ()
    return tuple(sorted((name, s.st_mtime_ns, s.st_size, s.st_ino) for name, s in stats))


def read_plain_file(path: Path, limit_bytes: int) -> bytes:
    """The bytes of a plain file, one more than the limit at most; follows no link and waits on no pipe.

    Raises:
        OSError: it is not there, not a plain file, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a plain file")
        return file.read(limit_bytes + 1)


def damaged(where: Path, expected: str, found: str) -> ReleaseError:
    """The error for a release that is not as it was written."""
    return ReleaseError(f"release {where}", expected=expected, found=found, remedy=REMEDY)


def _refuse_strangers(folder: Path) -> None:
    """The folder must hold exactly the files of a release, all of them plain."""
    if folder.is_symlink() or not folder.is_dir():
        raise damaged(folder, "a folder", "a link" if folder.is_symlink() else "none")
    try:
        with os.scandir(folder) as entries:
            is_plain = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    except OSError as error:
        raise damaged(folder, "a folder that can be read", str(error)) from error
    wanted = {MANIFEST_FILE, *FILES}
    wrong = [f"{name} is missing" for name in sorted(wanted - set(is_plain))]
    wrong += [f"{name} is foreign" for name in sorted(set(is_plain) - wanted)]
    wrong += [f"{name} is no plain file" for name in sorted(wanted & set(is_plain)) if not is_plain[name]]
    if wrong:
        raise damaged(folder, f"exactly the files {', '.join(sorted(wanted))}", "; ".join(wrong))


def _verified(folder: Path, name: str, manifest: Manifest) -> bytes:
    stored = manifest.files[name]
    content = _read(folder / name, stored.size)
    found = hashlib.sha256(content).hexdigest()
    if found != stored.sha256:
        size = f"{len(content)} bytes" if len(content) <= stored.size else f"more than {stored.size} bytes"
        raise damaged(
            folder / name, f"{stored.size} bytes of SHA-256 {stored.sha256[:12]}", f"{size} of SHA-256 {found[:12]}"
        )
    return content


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        return read_plain_file(path, limit_bytes)
    except OSError as error:
        raise damaged(path, "a plain file that can be read", str(error)) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put_aside(folder: Path) -> None:
    """A damaged release makes room for the same one, whole; it is kept for whoever asks how that came."""
    if os.path.lexists(folder):
        folder.rename(folder.parent / f".damaged-{folder.name}-{uuid.uuid4().hex}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
