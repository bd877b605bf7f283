"""The releases that can be taken down and served: verified when read, and again when their files change."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ReleaseError
from pipeline.pointer import Entry
from pipeline.release import Release, verify_release
from pipeline.release_files import release_files_stat
from serving.rungs import Fault

RECHECK_SECONDS = 60.0  # bytes can rot without a new time or size
RETRY_SECONDS = 2.0  # a disk that could not be read may be back
LONGEST_TEXT = 200

Stat = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class _Seen:
    stat: Stat
    found: Release | Fault
    until: float


class Shelf:
    """Reads releases from a folder and remembers them as long as their files stay as they were."""

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._root, self._clock = root, clock
        self._seen: dict[str, _Seen] = {}

    def is_fresh(self, entry: Entry) -> bool:
        """Whether `get` answers from memory."""
        seen = self._seen.get(entry.release)
        return seen is not None and seen.until > self._clock() and seen.stat == self._stat(entry)

    def get(self, entry: Entry) -> Release | Fault:
        """The release of a pointer's entry, every byte verified, or what is wrong with it."""
        if not self.is_fresh(entry):
            stat = self._stat(entry)  # taken before reading: what changes meanwhile is seen the next time
            found = self._read(entry)
            lasts = RETRY_SECONDS if isinstance(found, Fault) else RECHECK_SECONDS
            self._seen[entry.release] = _Seen(stat, found, self._clock() + lasts)
        return self._seen[entry.release].found

    def keep_only(self, names: set[str]) -> None:
        """Forget every release but these."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}

    def _stat(self, entry: Entry) -> Stat:
        return release_files_stat(self._root / entry.release)

    def _read(self, entry: Entry) -> Release | Fault:
        try:
            release = verify_release(self._root / entry.release)
        except ReleaseError as error:
            text = f"expected {error.expected}; found {error.found}".replace(f"{self._root}/", "")
            return Fault("damaged", f"{entry.release}: {text}"[:LONGEST_TEXT])
        except Exception as error:  # a release can be wrong in ways that nobody thought of
            return Fault("damaged", f"{entry.release}: {type(error).__name__}")
        if release.digest != entry.digest:
            return Fault("damaged", f"{entry.release}: not the content that was promoted")
        return release
