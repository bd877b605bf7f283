"""A world on disk: its raw tables by month, its truth apart from them, and the state to go on from.

simulated/source/<table>/<month>.parquet   what a company would have; the pipeline reads nothing else
simulated/truth/<month>.parquet            what no company has: for the project's own benchmarks and tests
simulated/truth/dirt/<month>.parquet       which rows were damaged
simulated/world/{world.json, state.npz}    what the world is made of, and where it stands
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
from pipeline.simulator.state import State, state_as_bytes, state_from_bytes
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

    def state(self) -> State:
        """Where the world stands; before its first month if it has not begun."""
        self._require_same_parameters()
        path = self.root / "world" / "state.npz"
        return state_from_bytes(path.read_bytes()) if path.exists() else first_state(self.parameters)

    def live_until(self, key: str) -> None:
        """Make every month up to `key` that is not there yet, without calls. Other processes wait meanwhile."""
        with _only_one(self.root / "world"):
            state = self.state()
            while month_of(self.parameters.first, state.months).key <= key:
                state = self._live(state, NOBODY)

    def live_a_month(self, called: IntArray) -> State:
        """Make the next month, in which the customers with the numbers in `called` are called."""
        with _only_one(self.root / "world"):
            return self._live(self.state(), called)

    def _live(self, state: State, called: IntArray) -> State:
        key = month_of(self.parameters.first, state.months).key
        lived = step(state, self.parameters, called)
        self._write(lived, key)
        return lived.state

    def _write(self, lived: Step, key: str) -> None:
        """Write a month, its state last: a month that was cut short is simply lived again, to the same bytes."""
        for table, rows in lived.tables.items():
            _write_parquet(self.raw_path(table, key), rows)
        _write_parquet(self.truth_path(key), lived.truth)
        _write_parquet(self.dirt_path(key), lived.planted)
        write_atomically(self.root / "world" / "state.npz", state_as_bytes(lived.state))

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
