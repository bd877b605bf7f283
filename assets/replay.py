"""Plays months of production one after the other, through the same assets that run them when they are real.

In each month the world lives first, with the calls that the month before ordered; its tables arrive, labels mature,
monitoring decides, and what it decides is done. Beside it, another process values what other ways of running the
company would have chosen. A month that was cut short is played again from where it began: the journal has the months
that are done, and the pointer and the order as they were when the last one began.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from assets.acting import act, must_list_again
from assets.instance import open_instance, prepare_instance, quietly
from assets.jobs import BATCH, CLOSE_MONTH, HISTORY
from assets.run import RANGE_END, RANGE_START, Progress, bury_the_dead, execute
from assets.work import PARTITION, RETRAIN
from pipeline.calendar import Monthly, month_after
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import Lake, lake_of, write_atomically, write_json
from pipeline.pointer import COPY_FILE, POINTER_FILE
from pipeline.serving_order import ORDER_FILE
from pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from monitoring.watched import WatchedMonth
    from pipeline.simulator.store import World

FOLDER = "replay"
BEGUN = "begun.json"
QUICK = {  # without pages and records that nobody reads of months that are played, or messages that alarm somebody
    "pages": False,
    "mlflow": False,
    "webhook_url": None,
    "smtp_url": None,
    "search_candidates": 2,
    "training_rows": 60_000,  # every leaver is among them
}


def replay(dataset: Dataset, settings: Settings, *, months: int, progress: Progress) -> dict[str, Any]:
    """Play the months of a scenario that were not played yet, and value them all; returns what the page is made of.

    Args:
        dataset: a scenario of the simulated company.
        settings: where.
        months: how many months to play in all.
        progress: told of each month that ends.

    Raises:
        ChurnError: a month failed for another reason than its feed.
    """
    quick = settings.model_copy(update=QUICK)
    home = prepare_instance(dataset, settings)
    with quietly(home), open_instance(home) as instance:
        bury_the_dead(instance)
        stage = Stage(dataset, quick, instance)
        stage.warm_up()
        for place, key in enumerate(stage.played(months)):
            progress(key, place, months)
            stage.play(key)
        progress("valuing", months, months)
        return stage.outcome(months)


@dataclass
class Stage:
    """One scenario and the instance that its months run on."""

    dataset: Dataset
    settings: Settings
    instance: "dg.DagsterInstance"

    @property
    def lake(self) -> Lake:
        """Where everything is read and written."""
        return lake_of(self.settings, self.dataset.name)

    @cached_property
    def folder(self) -> UPath:
        """The journal."""
        return self.lake.root / FOLDER

    @cached_property
    def world(self) -> "World":
        """The company."""
        from pipeline.simulator.source import SimulatedSource

        source = self.dataset.source
        if not isinstance(source, SimulatedSource):
            raise ChurnError(
                f"replay of {self.dataset.name!r}",
                expected="a scenario of the simulated company",
                found="another dataset, whose customers cannot be called again",
                remedy="See `churn replay --help` for the scenarios.",
            )
        return source.world(self.settings)

    @cached_property
    def jobs(self) -> Any:
        """The jobs of the code location."""
        from assets.definitions import build_definitions

        definitions = build_definitions(self.dataset, self.settings)
        return {name: definitions.resolve_job_def(name) for name in (HISTORY, CLOSE_MONTH, RETRAIN, BATCH)}

    @cached_property
    def clerk(self) -> Any:
        """The process beside this one."""
        from pipeline.clerk import Clerk

        return Clerk()

    @cached_property
    def calendar(self) -> Monthly:
        """Its months."""
        calendar = self.dataset.calendar
        if not isinstance(calendar, Monthly):
            raise TypeError("a scenario has months")
        return calendar

    def warmed(self) -> list[str]:
        """The months before the replay."""
        from pipeline.simulator.scenarios import WARM_UP_MONTHS

        return self.calendar.keys()[:WARM_UP_MONTHS]

    def played(self, months: int) -> list[str]:
        """The months to play."""
        return self.calendar.keys()[len(self.warmed()) :][:months]

    def warm_up(self) -> None:
        """The months before, all at once, and the first release at their end."""
        keys = self.warmed()
        if self.journal(keys[-1]):
            return
        self._begin(keys[-1])
        self.world.live_until(keys[-1])
        self._run(HISTORY, {RANGE_START: keys[0], RANGE_END: keys[-1]})
        self._close(keys[-1])
        first = self._watched(keys[-1]).release
        if first is None:
            raise ChurnError(
                f"replay of {self.dataset.name!r}",
                expected="a first release at the end of the ordinary months",
                found="none: the gate refused it",
                remedy=f"See promotion_decision of {keys[-1]} in the Dagster UI.",
            )
        write_json(self.folder / "first.json", first.id)
        self._note(keys[-1], [])

    def play(self, key: str) -> None:
        """One month, unless it was played before."""
        if not self.journal(key):
            self._begin(key)
            self.world.live_month(key, self._called(month_after(key, -1)))
            self._note(key, self._closed(key))
        self._value(key)

    def outcome(self, months: int) -> dict[str, Any]:
        """Everything that was played, with what it was worth."""
        from monitoring.hindsight import judged
        from pipeline.candidates import Run
        from pipeline.simulator.scenarios import scenario_of
        from pipeline.value_replay import values_of

        said = [text for text in self.clerk.settle() if text.startswith("not done")]
        if said:
            raise ChurnError(
                "valuing the months", expected="every month valued", found=said[0], remedy="Run the replay again."
            )
        keys, scenario = self.played(months), scenario_of(self.dataset.name)
        found: dict[str, Any] = {
            "scenario": scenario.name if scenario else self.dataset.name,
            "description": self.dataset.description,
            "customers": self.settings.replay_customers,
            "currency": self.dataset.economics.currency,
            "months": [self.journal(key) for key in keys],
            "happened": [dict(vars(event)) for event in scenario.what_happened] if scenario else [],
            "values": values_of(Run(self.dataset, self.settings, keys[-1]), keys),
        }
        found["hindsight"] = judged(found["months"], found["happened"]).as_dict()
        write_json(self.folder / "outcome.json", found)
        return found

    def journal(self, key: str) -> dict[str, Any] | None:
        """What was noted of a month when it was done."""
        path = self.folder / f"{key}.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def _run(self, job: str, tags: dict[str, str]) -> None:
        execute(self.jobs[job], self.instance, lambda *_: None, tags)

    def _closed(self, key: str) -> list[str]:
        """Close a month; where its feed stops it, have the feed repaired, as somebody would, and run it again."""
        from pipeline.simulator.feed import is_repaired, repair

        root = self.dataset.source.root(self.settings)  # type: ignore[attr-defined]
        try:
            self._close(key)
        except ChurnError as error:
            if is_repaired(root, key):
                raise
            repair(root, key)
            self._close(key)
            return [error.found]
        return []

    def _close(self, key: str) -> None:
        """The month's run, and what monitoring then asks for."""
        self._run(CLOSE_MONTH, {PARTITION: key})
        watched = self._watched(key)
        acted = act(watched)
        if acted.starts_training:  # which makes the list again
            self._run(RETRAIN, {PARTITION: key})
        elif must_list_again(watched, acted):
            self._run(BATCH, {PARTITION: key})

    def _called(self, key: str) -> Any:
        """The numbers of the customers whom the list of a month ordered to call."""
        from pipeline.simulator.tables import customer_numbers

        scores = self.lake.read("scores", "customers", key)
        return customer_numbers(scores.filter(scores["contact"])["customer_id"].to_pylist())

    def _watched(self, key: str) -> "WatchedMonth":
        from monitoring.watched import WatchedMonth

        return WatchedMonth(self.dataset, self.settings, key)

    def _value(self, key: str) -> None:
        """Have the month valued beside, unless it was."""
        from pipeline.value_replay import value_month

        if not self.lake.path("replay", "choices", key).exists():
            first = json.loads((self.folder / "first.json").read_bytes())
            self.clerk.give(value_month, self.settings, key, first, log=Path(str(self.folder)) / "values.log")

    def _note(self, key: str, repairs: Sequence[str]) -> None:
        """The month is done."""
        from monitoring.replayed import month_as_noted

        write_json(self.folder / f"{key}.json", {**month_as_noted(self._watched(key)), "repairs": list(repairs)})

    def _begin(self, key: str) -> None:
        """Remember what may move in the month; where it began before and was cut short, put that back."""
        path, root = self.folder / BEGUN, self._watched(key).root
        stored = json.loads(path.read_bytes()) if path.exists() else {}
        files = {"releases/" + name: root / "releases" / name for name in (POINTER_FILE, COPY_FILE)}
        files[ORDER_FILE] = root / ORDER_FILE
        if stored.get("key") == key:
            for name, content in stored["files"].items():
                _put_back(files[name], content)
            return
        found = {name: file.read_text() if file.exists() else None for name, file in files.items()}
        write_json(path, {"key": key, "files": found})


def _put_back(path: Path, content: str | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(UPath(path), content.encode())
