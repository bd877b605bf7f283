"""What goes wrong between what happened and what was recorded: late rows, doubles, impossible or missing values.

A late row is right and only comes weeks after it happened; the others break the contract of their table. What was
planted is written beside the truth, so that quarantine can be compared with it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.simulator.arrays import BoolArray, FloatArray, IntArray
from pipeline.simulator.draws import Draws
from pipeline.simulator.months import DAY
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.tables import Batch, identifiers

_LATE_DAYS = (5, 45)
# damage is kept rare in every batch, so that no month is stopped for what is meant to be quarantined
_MAX_DAMAGED_SHARE = 0.01
_SHARE_OF_USUAL = {"usage": 0.5, "subscription_events": 0.5}  # reported by machines, and checked by bills


@dataclass(frozen=True)
class Damage:
    """One way to spoil a row: put `value` (None for a missing one) into `column`; without a column, double the row."""

    kind: str
    share: float
    column: str = ""
    value: str | float | None = None


_DOUBLED = Damage("doubled", 0.3)
DAMAGES: dict[str, tuple[Damage, ...]] = {
    "customers": (
        _DOUBLED,
        Damage("unknown category", 0.35, "region", "overseas"),
        Damage("missing", 0.35, "payment_method"),
    ),
    "subscription_events": (
        _DOUBLED,
        Damage("impossible", 0.25, "monthly_price", 0.0),
        Damage("unknown category", 0.2, "plan", "legacy_2009"),
        Damage("missing", 0.25, "monthly_price"),
    ),
    "usage": (
        _DOUBLED,
        Damage("impossible", 0.25, "minutes", -1.0),
        Damage("impossible", 0.2, "gigabytes", 99_999.0),
        Damage("missing", 0.25, "minutes"),
    ),
    "invoices": (
        _DOUBLED,
        Damage("impossible", 0.4, "amount", -1.0),
        Damage("missing", 0.3, "amount"),
    ),
    "payments": (
        _DOUBLED,
        Damage("impossible", 0.25, "amount", 1_000_000.0),
        Damage("unknown category", 0.2, "status", "PD"),
        Damage("missing", 0.25, "status"),
    ),
    "support_tickets": (
        _DOUBLED,
        Damage("unknown category", 0.4, "topic", "???"),
        Damage("missing", 0.3, "topic"),
    ),
    "retention_contacts": (
        _DOUBLED,
        Damage("unknown category", 0.7, "outcome", "n/a"),
    ),
}
PLANTED = pa.schema({"table": pa.string(), "kind": pa.string(), "column": pa.string(), "customer_id": pa.string()})


def recorded(batch: Batch, draws: Draws, parameters: WorldParameters) -> tuple[pa.Table, pa.Table]:
    """The rows of a batch as the company's systems got them, and what was done to them (schema `PLANTED`)."""
    if batch.is_exact:
        return batch.rows(batch.recorded_at), PLANTED.empty_table()
    care = _SHARE_OF_USUAL.get(batch.table, 1.0)
    late_share = care * parameters.late_share
    drawn = draws.uniform(f"{batch.table}/{batch.name}/late", batch.numbers)
    is_late = drawn < late_share
    rows = batch.rows(_delayed(batch.recorded_at, is_late, drawn / max(late_share, 1e-9)))
    return _damaged(batch, rows, ~is_late, draws, care * parameters.dirt_share)


def _delayed(recorded_at: IntArray, is_late: BoolArray, how: FloatArray) -> IntArray:
    fewest, most = _LATE_DAYS
    delay = (fewest + (most - fewest) * how) * DAY
    return np.where(is_late, recorded_at + delay.astype(np.int64), recorded_at)


def _damaged(batch: Batch, rows: pa.Table, on_time: BoolArray, draws: Draws, share: float) -> tuple[pa.Table, pa.Table]:
    drawn = draws.uniform(f"{batch.table}/{batch.name}/dirt", batch.numbers)
    candidates = np.flatnonzero(on_time & (drawn < share))
    most = int(_MAX_DAMAGED_SHARE * len(drawn))
    hit = np.sort(candidates[np.argsort(drawn[candidates], kind="stable")][:most])
    damages = DAMAGES[batch.table]
    edges = np.cumsum([damage.share for damage in damages])[:-1]
    which = np.searchsorted(edges, drawn[hit] / max(share, 1e-9), side="right")
    planted = []
    for i, damage in enumerate(damages):
        rows = _spoiled(rows, hit[which == i], damage)
        planted.append(_noted(batch, hit[which == i], damage))
    return rows, pa.concat_tables(planted)


def _spoiled(rows: pa.Table, hit: IntArray, damage: Damage) -> pa.Table:
    if len(hit) == 0:
        return rows
    if not damage.column:
        return pa.concat_tables([rows, rows.take(hit)])
    place, kind = rows.schema.get_field_index(damage.column), rows.schema.field(damage.column).type
    mask = np.zeros(len(rows), dtype=bool)
    mask[hit] = True
    spoiled = pc.if_else(pa.array(mask), pa.scalar(damage.value, kind), rows[damage.column].combine_chunks())
    return rows.set_column(place, rows.schema.field(place), spoiled)


def _noted(batch: Batch, hit: IntArray, damage: Damage) -> pa.Table:
    fixed = [pa.repeat(pa.scalar(text), len(hit)) for text in (batch.table, damage.kind, damage.column)]
    return pa.table([*fixed, identifiers("C", batch.numbers[hit])], schema=PLANTED)
