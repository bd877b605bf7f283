"""Did the month's tables arrive as usual? How many rows, how many of them unusable, and how late they were.

Compared with the months before under floors that a person would act on: a table grows and shrinks by itself, and half
of it missing is another matter. What the contract refuses never gets here: it stops the month.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from monitoring.evidence import Evidence
from pipeline.declaration import Dataset
from pipeline.lake import Lake
from pipeline.profile import rows_of_file
from pipeline.wording import percent

MONTHS_BEFORE = 6
LEAST_SHARE, MOST_TIMES = 0.6, 1.6  # of the usual number of rows
FEWEST_ROWS = 200  # usually; a table with fewer doubles by chance
QUARANTINE_FLOOR, QUARANTINE_TIMES = 0.02, 3.0
LATE_DAYS = 7  # silent for a week longer than in any month before, a table has stopped arriving


@dataclass(frozen=True)
class TableHealth:
    """One table in one month.

    Args:
        rows: that came in.
        usual_rows: median of the months before; 0 where there are none.
        quarantined_share: of the rows.
        usual_quarantined_share: median of the months before.
        days_silent: from the newest trusted row to the end of the month; None where no row has a moment.
        usual_days_silent: the most of the months before: calls, for one, may all be made when a month begins.
    """

    table: str
    rows: int
    usual_rows: float
    quarantined_share: float
    usual_quarantined_share: float
    days_silent: float | None
    usual_days_silent: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


def table_health(dataset: Dataset, lake: Lake, key: str) -> list[TableHealth]:
    """How each table of a month arrived."""
    before = [month for month in dataset.calendar.keys() if month < key][-MONTHS_BEFORE:]
    ours = {feature.table for feature in dataset.features if feature.is_own_action}  # they follow our campaigns
    return [_health(dataset, lake, table.name, key, before) for table in dataset.tables if table.name not in ours]


def health_evidence(found: Sequence[TableHealth], key: str) -> list[Evidence]:
    """What is unusual, one for each table."""
    told = {health.table: _unusual(health) for health in found}
    return [
        Evidence(key, "quarantine" if "quarantine" in says else "volume", f"{key}: {table}: {says}", about=(table,))
        for table, says in told.items()
        if says
    ]


def _health(dataset: Dataset, lake: Lake, table: str, key: str, before: Sequence[str]) -> TableHealth:
    rows, quarantined = _rows(lake, table, key)
    earlier = [_rows(lake, table, month) for month in before if lake.path("raw", table, month).exists()]
    return TableHealth(
        table=table,
        rows=rows,
        usual_rows=float(median([each for each, _ in earlier])) if earlier else 0.0,
        quarantined_share=quarantined / max(rows, 1),
        usual_quarantined_share=float(median([bad / max(each, 1) for each, bad in earlier])) if earlier else 0.0,
        days_silent=_days_silent(dataset, lake, table, key),
        usual_days_silent=max((_days_silent(dataset, lake, table, month) or 0.0 for month in before), default=0.0),
    )


def _rows(lake: Lake, table: str, key: str) -> tuple[int, int]:
    """Rows that came in, and how many of them are in quarantine; from the files' footers."""
    paths = (lake.path("raw", table, key), lake.path("quarantine", table, key))
    rows, quarantined = (rows_of_file(path) if path.exists() else 0 for path in paths)
    return rows, quarantined


def _days_silent(dataset: Dataset, lake: Lake, name: str, key: str) -> float | None:
    """Days from the newest row to the month's end; from the file's statistics, so that no row is read."""
    import pyarrow.parquet as pq

    table, path = dataset.table(name), lake.path("trusted", name, key)
    if table.known_at is None or not path.exists():
        return None
    with path.open("rb") as file:
        about = pq.read_metadata(file)
    place = about.schema.to_arrow_schema().names.index(table.known_at)
    newest = [about.row_group(i).column(place).statistics for i in range(about.num_row_groups)]
    known = [found.max for found in newest if found is not None and found.has_min_max]
    return (dataset.calendar.as_of(key) - max(known)).total_seconds() / 86_400 if known else None


def _unusual(health: TableHealth) -> str:
    """What is wrong with a table; empty where nothing is."""
    times = health.rows / health.usual_rows if health.usual_rows >= FEWEST_ROWS else 1.0
    if health.quarantined_share > max(QUARANTINE_FLOOR, QUARANTINE_TIMES * health.usual_quarantined_share):
        usual = percent(health.usual_quarantined_share)
        return f"{percent(health.quarantined_share)} of the rows are in quarantine, usually {usual}"
    if not LEAST_SHARE <= times <= MOST_TIMES:
        return f"{health.rows:,} rows came in, usually {health.usual_rows:,.0f}"
    silent = health.days_silent or 0.0
    if health.usual_rows >= FEWEST_ROWS and silent > health.usual_days_silent + LATE_DAYS:
        return f"no row for the last {silent:.1f} days of the month, before at most {health.usual_days_silent:.1f}"
    return ""
