"""A world on disk: its raw tables by month, its truth apart from them, and the state to go on from.

<dataset>/source/<table>/<month>.parquet   what a company would have; the pipeline reads nothing else
<dataset>/truth/<month>.parquet            what no company has: for the project's own benchmarks and tests
<dataset>/truth/dirt/<month>.parquet       which rows were damaged
<dataset>/world/{world.json, state.npz}    what the world is made of, and where it stands
<dataset>/world/called/<month>.json        the numbers of the customers whom a call list had called
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from pipeline.errors import SourceError
from pipeline.lake import canonical_json, write_atomically
from pipeline.simulator.arrays import IntArray
from pipeline.simulator.months import month_of
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.state import State, months_passed, state_as_bytes, state_from_bytes
from pipeline.simulator.world import Step, first_state, step

NOBODY = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class World:
    """A simulated company under `root`, made of `parameters`."""

    root: UPath
    parameters: WorldParameters

    def raw_path(self, table: str, key: str) -> UPath:
        """Where the rows of a table lie that were recorded in a month."""
        return self.root / "source" / table / f"{key}.parquet"

    def truth_path(self, key: str) -> UPath:
        """Where the truth about the customers at a month's close lies."""
        return self.root / "truth" / f"{key}.parquet"

    def dirt_path(self, key: str) -> UPath:
        """Where it is written which rows of a month were damaged."""
        return self.root / "truth" / "dirt" / f"{key}.parquet"

    def called_path(self, key: str) -> UPath:
        """Where it is written whom a call list had called in a month."""
        return self.root / "world" / "called" / f"{key}.json"

    def state(self) -> State:
        """Where the world stands; before its first month if it has not begun."""
        self._require_same_parameters()
        path = self._state_path
        return state_from_bytes(path.read_bytes()) if path.exists() else first_state(self.parameters)

    def months_lived(self) -> list[str]:
        """The months that the world has behind it, oldest first."""
        self._require_same_parameters()
        if not self._state_path.exists():
            return []
        with self._state_path.open("rb") as file:
            return [month_of(self.parameters.first, i).key for i in range(months_passed(file))]

    def live_until(self, key: str) -> None:
        """Make every month up to `key` that is not there yet, without calls. Other processes wait meanwhile."""
        with _only_one(self.root / "world"):
            if key in self.months_lived():
                return
            state = self.state()
            while self._next_key(state) <= key:
                state = self._live(state, NOBODY)

    def live_a_month(self, called: IntArray) -> State:
        """Make the next month, in which the customers with the numbers in `called` are called."""
        with _only_one(self.root / "world"):
            return self._live(self.state(), called)

    def live_month(self, key: str, called: IntArray) -> None:
        """Make the month `key`, in which those in `called` are called; nothing where it was made so before.

        Raises:
            SourceError: it was made with other calls, or another month comes first.
        """
        with _only_one(self.root / "world"):
            if key in self.months_lived():
                self._require_same_calls(key, called)
                return
            state = self.state()
            self._require_next(key, self._next_key(state))
            self._live(state, called)

    @property
    def _state_path(self) -> UPath:
        return self.root / "world" / "state.npz"

    def _next_key(self, state: State) -> str:
        return month_of(self.parameters.first, state.months).key

    def _live(self, state: State, called: IntArray) -> State:
        lived = step(state, self.parameters, called)
        self._write(lived, self._next_key(state), called)
        return lived.state

    def _write(self, lived: Step, key: str, called: IntArray) -> None:
        """Write a month, its state last: a month that was cut short is simply lived again, to the same bytes."""
        for table, rows in lived.tables.items():
            _write_parquet(self.raw_path(table, key), rows)
        _write_parquet(self.truth_path(key), lived.truth)
        _write_parquet(self.dirt_path(key), lived.planted)
        write_atomically(self.called_path(key), _as_list(called))
        write_atomically(self._state_path, state_as_bytes(lived.state))

    def _require_same_calls(self, key: str, called: IntArray) -> None:
        if self.called_path(key).read_bytes() != _as_list(called):
            raise SourceError(
                f"the simulated world at {self.root}, month {key}",
                expected="a month that was not lived yet, or that was lived with the same calls",
                found="one that was lived with other calls",
                remedy=f"What happened cannot be changed: remove {self.root} and begin anew.",
            )

    def _require_next(self, key: str, upcoming: str) -> None:
        if key != upcoming:
            raise SourceError(
                f"the simulated world at {self.root}",
                expected=f"the month {upcoming}, which comes next",
                found=key,
                remedy="Live the months in their order.",
            )

    def _require_same_parameters(self) -> None:
        path, wanted = self.root / "world" / "world.json", canonical_json(self.parameters.as_dict())
        if not path.exists():
            write_atomically(path, wanted)
            return
        stored, asked = json.loads(path.read_bytes()), json.loads(wanted)
        other = sorted(name for name in stored.keys() | asked.keys() if stored.get(name) != asked.get(name))
        if other:
            raise SourceError(
                f"the simulated world at {self.root}",
                expected=_listed(asked, other),
                found=f"{_listed(stored, other)}, as it was begun",
                remedy=f"Two worlds must not mix: remove {self.root}, or choose another CHURN_HOME, or go back to "
                "the settings that it was begun with.",
            )


def _as_list(called: IntArray) -> bytes:
    return canonical_json(np.unique(called).tolist())


def _listed(values: dict[str, object], names: list[str]) -> str:
    return ", ".join(f"{name}={values.get(name)}" for name in names)


def _write_parquet(path: UPath, rows: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    write_atomically(path, sink.getvalue().to_pybytes())


@contextmanager
def _only_one(folder: UPath) -> Iterator[None]:
    """Hold a world's lock; where it is not on this machine, one process must be enough."""
    if folder.protocol not in ("", "file", "local"):
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with Path(str(folder / "lock")).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
