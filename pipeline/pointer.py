"""The one pointer that says which release is current: compare-and-swap to promote, one call to roll back.

It is a small JSON file beside the releases; neither MLflow nor a database has a say. It needs a local folder, or a
volume with working `flock` and atomic renames; an object store is refused by `release.releases_root`.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from upath import UPath

from pipeline.errors import ReleaseError
from pipeline.lake import canonical_json, write_atomically
from pipeline.manifest import RELEASE_ID, SHA256
from pipeline.release import Release, load_release, verify_release
from pipeline.release_files import read_plain_file

POINTER_FILE = "current.json"
COPY_FILE = "current.copy.json"  # written after the pointer; a damaged pointer is mended from it
LARGEST_POINTER_BYTES = 4_000_000

Action = Literal["promote", "rollback"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One change of the pointer. `digest` is the release's content digest."""

    release: str
    digest: str
    at: str
    why: str
    action: Action = "promote"


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """Which release is current. `generation` grows with every change; `history` ends with the current entry."""

    generation: int
    history: tuple[Entry, ...]

    @property
    def release(self) -> str:
        """The id of the current release."""
        return self.history[-1].release

    @property
    def digest(self) -> str:
        """The content digest that the current release must have."""
        return self.history[-1].digest

    def standing(self) -> list[Entry]:
        """The current entry and those a rollback goes back to, newest first.

        A release that was rolled back from is not among them: going back twice never goes forward.
        """
        stack: list[Entry] = []
        for entry in self.history:
            if entry.action == "rollback" and entry.release in [below.release for below in stack]:
                while stack[-1].release != entry.release:
                    stack.pop()
            if not stack or stack[-1].release != entry.release:
                stack.append(entry)
        return stack[::-1]

    def as_dict(self) -> dict[str, Any]:
        """The pointer as it is stored."""
        history = [asdict(entry) for entry in self.history]
        return {"release": self.release, "digest": self.digest, "generation": self.generation, "history": history}


def read_pointer(root: Path) -> Pointer | None:
    """The pointer, or None where nothing was ever promoted.

    Raises:
        ReleaseError: the pointer is damaged, or was removed although something was promoted.
    """
    pointer = _read(root / POINTER_FILE)
    if pointer is None and (root / COPY_FILE).exists():
        raise _damaged(root / POINTER_FILE, "no file, although there is a copy of it")
    return pointer


def generation_of(root: Path) -> int:
    """The generation that a promotion decided now must expect; 0 where nothing was ever promoted."""
    pointer = read_pointer(root)
    return pointer.generation if pointer else 0


def current_release(root: Path) -> Release | None:
    """The release that is current, fully verified, or None where nothing was ever promoted."""
    pointer = read_pointer(root)
    return release_of(root, pointer.history[-1]) if pointer else None


def entries_to_serve(root: Path) -> list[Entry]:
    """The current entry and the ones before it, newest first; from the pointer's copy where the pointer is damaged."""
    pointer, _ = _pointer_or_copy(root)
    return pointer.standing() if pointer else []


def release_of(root: Path, entry: Entry) -> Release:
    """The release that an entry of the pointer names.

    Raises:
        ReleaseError: it does not verify, or is not the one that was promoted.
    """
    release = load_release(root / entry.release)
    if release.digest != entry.digest:
        raise ReleaseError(
            f"release {entry.release}",
            expected=f"the content digest {entry.digest[:12]} that was promoted",
            found=release.digest[:12],
            remedy="Roll back with `churn release rollback`.",
        )
    return release


def promote(root: Path, release_id: str, expected_generation: int, why: str, *, at: datetime | None = None) -> Pointer:
    """Make a release current, if the pointer is still the one that was seen when this was decided.

    Raises:
        ReleaseError: the release does not verify, or somebody else moved the pointer first.
    """
    release = verify_release(root / _release_id(release_id))
    with locked(root):
        pointer = read_pointer(root)
        found = pointer.generation if pointer else 0
        if pointer and found == expected_generation + 1 and _is_promotion_of(release, pointer.history[-1]):
            return pointer  # as was asked for, by somebody who was interrupted then
        if found != expected_generation:
            raise ReleaseError(
                f"promotion of {release_id}",
                expected=f"the pointer at generation {expected_generation}, as it was when this was decided",
                found=f"generation {found}, at {pointer.release if pointer else 'no release'}",
                remedy="Run the gate again: it must compare with the release that is current now.",
            )
        if pointer and pointer.release == release.id:
            return pointer
        return _moved(root, pointer, _entry(release, why, at, "promote"))


def _is_promotion_of(release: Release, entry: Entry) -> bool:
    return (entry.action, entry.release, entry.digest) == ("promote", release.id, release.digest)


def rollback(root: Path, why: str, to: str | None = None, *, at: datetime | None = None) -> Pointer:
    """Go back to the newest earlier release that verifies, or to the one named; mends a damaged pointer too.

    Raises:
        ReleaseError: no earlier release verifies.
    """
    with locked(root):
        pointer, is_damaged = _pointer_or_copy(root)
        release = _newest_earlier(root, pointer, is_damaged) if to is None else verify_release(root / _release_id(to))
        return _moved(root, pointer, _entry(release, why, at, "rollback"))


def _pointer_or_copy(root: Path) -> tuple[Pointer | None, bool]:
    """The pointer and whether it is damaged or lost; then its copy, at a generation that was never given."""
    try:
        return read_pointer(root), False
    except ReleaseError:
        with suppress(ReleaseError):
            copy = _read(root / COPY_FILE)
            return (replace(copy, generation=copy.generation + 1) if copy else None), True
    return None, True


def _newest_earlier(root: Path, pointer: Pointer | None, is_damaged: bool) -> Release:
    """The first that verifies; where the pointer is damaged, that may be the release that was current."""
    entries = pointer.standing() if pointer else []
    for entry in entries if is_damaged else entries[1:]:
        try:
            return release_of(root, entry)
        except ReleaseError:
            continue
    raise ReleaseError(
        f"rollback in {root}",
        expected="an earlier release that verifies",
        found=f"{max(len(entries) - 1, 0)} earlier, none of them whole",
        remedy="The service answers by the rule meanwhile. See `churn release list`, or run a month for a new one.",
    )


def _entry(release: Release, why: str, at: datetime | None, action: Action) -> Entry:
    when = (at or datetime.now(UTC).replace(tzinfo=None)).isoformat(timespec="seconds")
    return Entry(release=release.id, digest=release.digest, at=when, why=why, action=action)


def _moved(root: Path, pointer: Pointer | None, entry: Entry) -> Pointer:
    """Only ever called under the lock."""
    history = (*pointer.history, entry) if pointer else (entry,)
    moved = Pointer(generation=pointer.generation + 1 if pointer else 1, history=history)
    for name in (POINTER_FILE, COPY_FILE):
        write_atomically(UPath(root / name), canonical_json(moved.as_dict()))
    return moved


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process that holds it, so a kill leaves none behind."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> Pointer | None:
    try:
        return _parsed(json.loads(read_plain_file(path, LARGEST_POINTER_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {str(error)[:200]}") from error


def _damaged(path: Path, found: str) -> ReleaseError:
    return ReleaseError(
        f"pointer {path}",
        expected="the name, digest, generation and history of the current release",
        found=found,
        remedy="Run `churn release rollback`: it mends the pointer from its copy.",
    )


def _parsed(stored: Mapping[str, Any]) -> Pointer:
    """Raises ValueError, KeyError or TypeError where the file is not a pointer."""
    history = tuple(Entry(**entry) for entry in stored["history"])
    pointer = Pointer(generation=stored["generation"], history=history)
    if not history or not isinstance(pointer.generation, int) or pointer.generation < 1:
        raise ValueError("no history or no generation")
    for entry in history:
        if not RELEASE_ID.fullmatch(entry.release) or not SHA256.fullmatch(entry.digest):
            raise ValueError("an entry that names no release")
    if pointer.as_dict() != dict(stored):
        raise ValueError("a current release that is not the last of its history")
    return pointer


def _release_id(name: str) -> str:
    if not RELEASE_ID.fullmatch(name):
        expected = "an id such as 2025-06-0123456789ab"
        raise ReleaseError(f"release {name!r}", expected=expected, found="none", remedy="See `churn release list`.")
    return name
