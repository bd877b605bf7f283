"""Every prediction ever given, batch and online, in one table of one schema.

The batch writes the table. The service does not: it appends lines to a spool file with `append`, which needs no
database driver, waits for none, and goes on while a database is down. Whoever reads the table absorbs the spool first,
so a reader sees every line that was written before it asked.

Belongs here: the schema, the table, reading it. The spool itself lives in `spool.py`.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.calendar import SNAPSHOT, month_after, month_start
from pipeline.errors import ChurnError
from pipeline.feature_kinds import Field
from pipeline.spool import Absorbed, absorb_spool, append_lines
from pipeline.state import create_if_missing

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

SPOOL_NAME = "predictions"
ROWS_AT_ONCE = 5_000
BATCH_COLUMNS = ("customer_id", "probability", "contact", "decision_reason", "release", "served_by")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One row of the log, and the table's whole schema.

    Args:
        id: unique; writing the same one twice changes nothing.
        snapshot: month whose close the features describe; None where the caller brought them.
        customer_id: None where the caller did not say.
        expected_value: of a contact, in the dataset's currency.
        decision_reason: one of policy.WHY, or "holdout" for a customer of the control group.
        served_by: "champion", "last_good" or "rule".
        fallback_reason: why the champion did not answer; empty where it did.
        features: values that were scored, None where missing.
    """

    id: str
    predicted_at: datetime
    dataset: str
    source: Literal["batch", "online"]
    snapshot: str | None = None
    customer_id: str | None = None
    probability: float
    expected_value: float | None
    contact: bool
    decision_reason: str
    release: str
    served_by: str
    fallback_reason: str = ""
    features: Mapping[str, float | str | None]
    request_id: str = ""


@cache
def predictions_table() -> "sa.Table":
    """The table of `Prediction`, on whichever database."""
    import sqlalchemy as sa

    kinds = {str: sa.Text, datetime: sa.DateTime, float: sa.Double, bool: sa.Boolean}
    columns = [_column(item.name, item.type, kinds) for item in fields(Prediction)]
    table = sa.Table("predictions", sa.MetaData(), *columns)
    # all that tells which batch of a month was written last, so that its rows alone are read
    batch = ("dataset", "snapshot", "source", "predicted_at", "release")
    sa.Index("predictions_by_snapshot", *(table.c[name] for name in batch))
    # a month's answers of the service, without its batch, which is of that month too and far more
    sa.Index("predictions_by_time", table.c.dataset, table.c.source, table.c.predicted_at)
    return table


def append(root: Path, predictions: Sequence[Prediction]) -> None:
    """Note online predictions in the spool under a dataset's folder; some tens of microseconds, standard library only.

    Raises:
        OSError: the disk is full or not there.
        ChurnError: nobody has absorbed the spool for so long that it reached its limit.
    """
    append_lines(root, SPOOL_NAME, (json.dumps(_row(p), default=_as_text, allow_nan=False) for p in predictions))


def absorb(root: Path, engine: "sa.Engine") -> Absorbed:
    """Move the spool into the table. Safe to repeat, to interrupt and to run twice at once."""
    create_if_missing(engine, predictions_table())
    return absorb_spool(root, SPOOL_NAME, lambda lines: _insert_lines(engine, lines))


def log_batch(
    engine: "sa.Engine", predictions: Iterable[Prediction], *, dataset: str, snapshot: str, release: str
) -> int:
    """Write a month's scores, in place of those that the same release gave for it before; returns how many."""
    import sqlalchemy as sa

    table = predictions_table()
    create_if_missing(engine, table)
    same = (table.c.dataset == dataset) & (table.c.snapshot == snapshot) & (table.c.release == release)
    rows, written = (_row(p) for p in predictions), 0
    with engine.begin() as connection:
        connection.execute(sa.delete(table).where(same & (table.c.source == "batch")))
        while chunk := list(islice(rows, ROWS_AT_ONCE)):
            connection.execute(sa.insert(table), chunk)
            written += len(chunk)
    return written


def read_predictions(
    engine: "sa.Engine",
    dataset: str,
    *,
    root: Path | None = None,
    month: str | None = None,
    release: str | None = None,
    source: Literal["batch", "online"] | None = None,
) -> "pd.DataFrame":
    """The log of a dataset, oldest first, one column per value of `Prediction`; `features` holds a dict in each row.

    Args:
        engine: the state database.
        dataset: name of the dataset.
        root: the dataset's folder, whose spool is absorbed first.
        month: batch rows of this snapshot, and online rows answered in this month.
        release: rows that this release answered.
        source: rows of the batch, or of the service.
    """
    import sqlalchemy as sa

    if root is not None:
        absorb(root, engine)
    table = predictions_table()
    create_if_missing(engine, table)
    conditions = [table.c.dataset == dataset]
    conditions += [_of_month(table, month)] if month else []
    conditions += [table.c.release == release] if release else []
    conditions += [table.c.source == source] if source else []
    return _frame(engine, sa.select(table).where(*conditions).order_by(table.c.predicted_at, table.c.id))


def newest_batch(engine: "sa.Engine", dataset: str, snapshot: str) -> str | None:
    """The release whose list of a snapshot was written last; None where no batch was run.

    A release of a later month came when customers had been called: what it says of the month, when that is run again,
    is left out.
    """
    import sqlalchemy as sa

    table = predictions_table()
    create_if_missing(engine, table)
    query = sa.select(table.c.release).where(_of_batch(dataset, snapshot)).order_by(table.c.predicted_at.desc())
    with engine.connect() as connection:
        found: str | None = connection.execute(query.limit(1)).scalar()
    return found


def read_batch(engine: "sa.Engine", dataset: str, snapshot: str) -> "pd.DataFrame":
    """What the newest batch said of each customer of a snapshot: the columns of `BATCH_COLUMNS`.

    Where a month was scored by several releases, customers are called from the list that was written last, which is
    that of `newest_batch`.
    """
    import sqlalchemy as sa

    table = predictions_table()
    create_if_missing(engine, table)
    same = _of_batch(dataset, snapshot)
    newest = sa.select(sa.func.max(table.c.predicted_at)).where(same).scalar_subquery()
    columns = [table.c[name] for name in BATCH_COLUMNS]
    return _frame(engine, sa.select(*columns).where(same, table.c.predicted_at == newest).order_by(table.c.customer_id))


def read_online(engine: "sa.Engine", dataset: str, first: datetime, end: datetime, *, root: Path) -> "pd.DataFrame":
    """What the service answered from `first` until before `end`, oldest first; the spool under `root` is absorbed."""
    import sqlalchemy as sa

    absorb(root, engine)
    table = predictions_table()
    online = (table.c.dataset == dataset) & (table.c.source == "online")
    within = (table.c.predicted_at >= first) & (table.c.predicted_at < end)
    return _frame(engine, sa.select(table).where(online, within).order_by(table.c.predicted_at, table.c.id))


def logged_features(log: "pd.DataFrame", declared: Sequence[Field]) -> "pd.DataFrame":
    """The features of logged rows as models expect them: float64 with NaN for numbers, objects for categories."""
    import pandas as pd

    features = log["features"].tolist()
    return pd.DataFrame(
        {
            field.name: pd.Series(
                [row.get(field.name) for row in features],
                index=log.index,
                dtype="float64" if field.kind == "number" else object,
            )
            for field in declared
        }
    )


def _frame(engine: "sa.Engine", query: "sa.Select[Any]") -> "pd.DataFrame":
    import pandas as pd

    with engine.connect() as connection:
        found = connection.execute(query).all()
    return pd.DataFrame([tuple(row) for row in found], columns=[column.name for column in query.selected_columns])


def _of_batch(dataset: str, snapshot: str) -> "sa.ColumnElement[bool]":
    """Rows of the batches of a snapshot, but for those of later releases."""
    import sqlalchemy as sa

    table = predictions_table()
    same = (table.c.dataset == dataset) & (table.c.snapshot == snapshot) & (table.c.source == "batch")
    return same & (sa.func.substr(table.c.release, 1, len(snapshot)) <= snapshot)  # an id begins with its month


def _of_month(table: "sa.Table", month: str) -> "sa.ColumnElement[bool]":
    if month == SNAPSHOT:
        return table.c.snapshot == month
    answered = (table.c.predicted_at >= month_start(month)) & (table.c.predicted_at < month_start(month_after(month)))
    return (table.c.snapshot == month) | ((table.c.source == "online") & answered)


def _insert_lines(engine: "sa.Engine", lines: Iterable[bytes]) -> Absorbed:
    """Insert spooled lines in one transaction; a line that is no prediction is handed back, not raised."""
    coming, written, unreadable = iter(lines), 0, list[bytes]()
    with engine.begin() as connection:
        while chunk := list(islice(coming, ROWS_AT_ONCE)):
            parsed = [_parsed(line) for line in chunk]
            unreadable += [line for line, row in zip(chunk, parsed, strict=True) if row is None]
            rows = [row for row in parsed if row is not None]
            if rows:
                connection.execute(_insert_new(engine), rows)
            written += len(rows)
    return Absorbed(written, tuple(unreadable))


def _insert_new(engine: "sa.Engine") -> Any:
    """An insert that leaves rows alone that are already there."""
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_postgresql

        return insert_postgresql(predictions_table()).on_conflict_do_nothing(index_elements=["id"])
    if engine.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as insert_sqlite

        return insert_sqlite(predictions_table()).on_conflict_do_nothing(index_elements=["id"])
    raise ChurnError(
        "state database",
        expected="SQLite or PostgreSQL",
        found=engine.dialect.name,
        remedy="Set CHURN_STATE_URL to one of them.",
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The row of a spooled line, or None where the line was cut short or is no prediction."""
    try:
        stored = json.loads(line)
        stored["predicted_at"] = datetime.fromisoformat(stored["predicted_at"])
        return _row(Prediction(**stored))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _row(prediction: Prediction) -> dict[str, Any]:
    """A prediction as every database takes it. Raises TypeError or ValueError where a value is not what it must be."""
    row = {name: _clean(value) for name, value in vars(prediction).items()}
    row["probability"] = float(prediction.probability)
    row["contact"] = bool(prediction.contact)
    row["features"] = {name: _clean(value) for name, value in prediction.features.items()}
    return row


def _clean(value: Any) -> Any:
    """No NUL and no half characters in text, which databases refuse; None for a number that JSON has no word for."""
    if isinstance(value, float):  # most values of a batch are: what they do not need costs as much as the insert
        return value if math.isfinite(value) else None
    if isinstance(value, str) and (not value.isascii() or "\0" in value):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the prediction log")


def _column(name: str, annotation: Any, kinds: Mapping[Any, Any]) -> "sa.Column[Any]":
    """A column for an annotation: `str | None` is nullable text, a mapping is JSON, a literal is text."""
    import sqlalchemy as sa

    parts: tuple[Any, ...] = getattr(annotation, "__args__", ())
    is_optional = type(None) in parts
    kind = kinds.get(parts[0] if is_optional else annotation, sa.Text)
    if name == "features":
        kind = sa.JSON(none_as_null=True)
    return sa.Column(name, kind, primary_key=name == "id", nullable=is_optional)
