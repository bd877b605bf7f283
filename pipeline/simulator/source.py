"""The simulated company as a source of raw tables: it lives the months that are asked for, and no more."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.calendar import Monthly
from pipeline.errors import SourceError
from pipeline.settings import Settings
from pipeline.simulator.parameters import WorldParameters
from pipeline.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "simulated"


@dataclass(frozen=True)
class SimulatedSource:
    """Reads the raw tables of a simulated world, which it makes as far as it is needed."""

    calendar: Monthly
    parameters: WorldParameters = field(default_factory=WorldParameters)

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` recorded in the month `key`.

        Raises:
            SourceError: the world has no such month or table, or the one on disk was begun with other settings.
        """
        from pipeline.lake import read_parquet
        from pipeline.simulator.store import World

        self._require(table, key)
        world = World(settings.root() / FOLDER, self.parameters)
        world.live_until(key)
        return read_parquet(world.raw_path(table.name, key))

    def _require(self, table: Table, key: str) -> None:
        from pipeline.simulator.tables import SCHEMAS

        if key not in self.calendar.keys():
            raise SourceError(
                f"the simulated world, table {table.name!r}, month {key!r}",
                expected=f"a month from {self.calendar.first} to {self.calendar.last}",
                found=repr(key),
                remedy="Ask for one of these, or set CHURN_SIMULATED_MONTHS to a higher number.",
            )
        if table.name not in SCHEMAS:
            raise SourceError(
                f"the simulated world, table {table.name!r}",
                expected=f"one of {', '.join(SCHEMAS)}",
                found=repr(table.name),
                remedy="Correct the name of the table.",
            )
