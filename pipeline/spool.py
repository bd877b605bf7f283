"""A file that several processes append lines to, and that others move elsewhere without losing one. Standard library.

A line is safe once `append_lines` returned, a killed process included; a power cut may cost the last seconds.
"""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.errors import ChurnError

LARGEST_SPOOL_BYTES = 2 * 1024**3  # some three million predictions that nobody came for: better stop than fill the disk


@dataclass(frozen=True)
class Absorbed:
    """What became of spooled lines."""

    rows: int
    unreadable: tuple[bytes, ...] = ()


def append_lines(root: Path, name: str, lines: Iterable[str]) -> None:
    """Append lines whole, also when several processes do so at once."""
    content = "".join(f"{line}\n" for line in lines).encode()
    with _locked_spool(root, name) as descriptor:
        size = os.fstat(descriptor).st_size
        if size + len(content) > LARGEST_SPOOL_BYTES:
            raise ChurnError(
                f"spool {_folder(root) / name}.jsonl",
                expected=f"at most {LARGEST_SPOOL_BYTES:,} bytes waiting",
                found=f"{size:,}",
                remedy="Run whatever reads the log, such as the month's monitoring: it absorbs the spool.",
            )
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # somebody was killed, or the disk full, within a line
            content = b"\n" + content
        _write_all(descriptor, content)


def absorb_spool(root: Path, name: str, take: Callable[[Iterable[bytes]], Absorbed]) -> Absorbed:
    """Hand everything spooled to `take`, and remove it once that returned.

    `take` must not mind to see a line again: after a kill between its commit and the removal it will. Lines that it
    calls unreadable are kept in `<name>.unreadable` for whoever wonders.
    """
    _claim(root, name)
    rows, unreadable = 0, list[bytes]()
    for path in sorted(_folder(root).glob(f"{name}-*.jsonl")):
        with path.open("rb") as file:
            if not _is_mine(file):
                continue
            absorbed = take(line for line in file if line.strip())
            _keep(_folder(root) / f"{name}.unreadable", absorbed.unreadable)
            path.unlink(missing_ok=True)
        rows += absorbed.rows
        unreadable += absorbed.unreadable
    return Absorbed(rows, tuple(unreadable))


@contextmanager
def _locked_spool(root: Path, name: str) -> Iterator[int]:
    """The open spool file, locked; never one that was claimed between opening and locking."""
    path = _folder(root) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _claim(root: Path, name: str) -> None:
    """Rename the spool, so that writers go on in a new one while this one is absorbed."""
    with _locked_spool(root, name) as descriptor:
        if os.fstat(descriptor).st_size:
            os.rename(_folder(root) / f"{name}.jsonl", _folder(root) / f"{name}-{uuid.uuid4().hex}.jsonl")


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_mine(file: IO[bytes]) -> bool:
    """Whether no other process is absorbing the file."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _keep(path: Path, lines: Iterable[bytes]) -> None:
    kept = b"".join(lines)
    if kept:
        with path.open("ab") as file:
            file.write(kept)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _folder(root: Path) -> Path:
    return Path(str(root)) / "spool"
