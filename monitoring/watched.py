"""A month under watch: the release that answers, what it is compared with, and the customers that it scores."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.figures import Kind, write_figures
from monitoring.outcomes import Matured, matured_outcomes
from monitoring.reference import Reference, month_sketch, reference_from_dict
from monitoring.sketches import Sketch
from pipeline.candidates import Run
from pipeline.declaration import Dataset
from pipeline.errors import ReleaseError, SourceError
from pipeline.labels import newly_matured
from pipeline.lake import Lake, lake_of
from pipeline.manifest import month_of_release
from pipeline.pointer import Entry, entries_to_serve, release_of
from pipeline.release import Release, releases_root
from pipeline.scored import ScoredMonth, evenly, fields_gone, scored_month
from pipeline.scoring import RUNGS
from pipeline.settings import Settings
from pipeline.state import state_engine

if TYPE_CHECKING:
    import sqlalchemy as sa

SCORED_ROWS = 12_000  # at least, of the month


@dataclass
class WatchedMonth:
    """One dataset, one month that closed; what several steps read is read once."""

    dataset: Dataset
    settings: Settings
    key: str
    _matured: dict[str, Matured | None] = field(default_factory=dict, init=False, repr=False)

    @property
    def lake(self) -> Lake:
        """Where everything is read and written."""
        return lake_of(self.settings, self.dataset.name)

    @property
    def root(self) -> Path:
        """The dataset's folder."""
        return Path(str(self.lake.root))

    @property
    def releases(self) -> Path:
        """The folder of the releases and of the pointer."""
        return releases_root(self.root)

    @cached_property
    def standing(self) -> list[Release]:
        """The releases that could answer in the month, the current one first; those that are damaged are left out.

        Those that were made in the month answered after it: a look says the same before and after a training, and
        neither has to wait for the other. The first release is looked at in its own month, for want of another.
        """
        entries = entries_to_serve(self.releases)
        before = [entry for entry in entries if month_of_release(entry.release) < self.key]
        its_own = [entry for entry in entries if month_of_release(entry.release) == self.key]
        return list(islice(self._whole(before or its_own), 2))

    @property
    def release(self) -> Release | None:
        """The one under watch; None before anything passed the gate."""
        return self.standing[0] if self.standing else None

    @property
    def answers_now(self) -> Release | None:
        """The one that answers at this moment, of whatever month."""
        return next(self._whole(entries_to_serve(self.releases)), None)

    def _whole(self, entries: Sequence[Entry]) -> Iterator[Release]:
        for entry in entries:
            with suppress(ReleaseError):
                yield release_of(self.releases, entry)

    @cached_property
    def reference(self) -> Reference | None:
        """What the release is compared with; None where it was made without."""
        stored = self.release.evidence("drift.json") if self.release else {}
        return reference_from_dict(stored) if stored else None

    @cached_property
    def everybody(self) -> ScoredMonth | None:
        """The month's customers as the release sees them; None where it needs what is not declared any more."""
        if self.release is None or self.gone:
            return None
        return scored_month(self.lake, self.release, self.key)

    @cached_property
    def scored(self) -> ScoredMonth | None:
        """Of many customers every second, third ...: as many as it takes to tell what the release does this month."""
        return self.everybody and replace(self.everybody, features=evenly(self.everybody.features, SCORED_ROWS))

    @property
    def gone(self) -> list[str]:
        """Fields that the release needs and that are not declared any more, or as another kind."""
        return fields_gone(self.dataset, self.release) if self.release else []

    @property
    def redeclared(self) -> list[str]:
        """Fields that are declared otherwise than when the release was made: new, gone, or of other values."""
        made_with, declared = (
            {field.name: (field.kind, field.categories) for field in fields}
            for fields in (self.release.fields if self.release else self.dataset.fields(), self.dataset.fields())
        )
        return sorted(name for name in made_with | declared if made_with.get(name) != declared.get(name))

    @cached_property
    def sketch(self) -> Sketch:
        """The sketch of the month's features."""
        return month_sketch(self.dataset, self.lake, self.key)

    @property
    def is_trained(self) -> bool:
        """Whether the gate has judged a candidate of the month, whatever it said."""
        return (self.lake.root / "reports" / self.key / "decision.json").exists()

    @property
    def found_no_news(self) -> bool:
        """Whether the gate has judged the month's candidate, which was to learn of a change and found no news in it.

        The rule has a handful of rates and is asked nothing of the kind: where it is proposed, no model may have found
        any. A report that is gone or damaged says nothing.
        """
        run, models = Run(self.dataset, self.settings, self.key), [name for name in RUNGS if name != "rule"]
        with suppress(SourceError, ValueError, KeyError):
            proposed = run.read("evaluation.json")["verdict"]["rung"]
            asked = models if proposed == "rule" else [proposed]
            found = [run.read(f"rungs/{name}/training.json").get("is_no_news", False) for name in asked]
            return self.is_trained and all(found)
        return False

    @property
    def last_judged(self) -> str:
        """The last month before this one whose candidate the gate has judged; empty where it never has."""
        folder = self.lake.root / "reports"
        keys = sorted((path.name for path in folder.iterdir()), reverse=True) if folder.exists() else []
        return next((key for key in keys if key < self.key and replace(self, key=key).is_trained), "")

    @property
    def newly_matured(self) -> list[str]:
        """The snapshots whose outcome became known in the month."""
        return newly_matured(self.dataset, self.key)

    def matured(self, snapshot: str) -> Matured | None:
        """The outcomes of a snapshot that a batch had scored, as the release of today sees its customers."""
        if snapshot not in self._matured and self.release is not None:
            engine = self.engine()
            found = matured_outcomes(self.dataset, self.lake, engine, self.release, snapshot)
            engine.dispose()
            if snapshot not in self.newly_matured:
                return found
            self._matured[snapshot] = found  # what the month is about; the months before are asked for once
        return self._matured.get(snapshot)

    def engine(self) -> "sa.Engine":
        """The state database; whoever asks disposes of it."""
        return state_engine(self.settings, self.lake)

    def write(self, kind: Kind, value: Any) -> None:
        """Keep figures of the month."""
        write_figures(self.lake, kind, self.key, value)
