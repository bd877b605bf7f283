"""The raw tables of the simulated company: their columns, and rows in batches.

A batch has at most one row for each customer, so that whatever befalls a row (it comes late, it is damaged) can be
drawn by the customer's number, like everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.simulator.arrays import CodeArray, FloatArray, IntArray

_TEXT, _NUMBER, _INTEGER, _MOMENT = pa.string(), pa.float64(), pa.int64(), pa.timestamp("us")

SCHEMAS: dict[str, pa.Schema] = {
    "customers": pa.schema(
        {
            "customer_id": _TEXT,
            "signed_up_at": _MOMENT,
            "region": _TEXT,
            "age_band": _TEXT,
            "payment_method": _TEXT,
            "channel": _TEXT,
            "contract_at_sign_up": _TEXT,
            "recorded_at": _MOMENT,
        }
    ),
    "subscription_events": pa.schema(
        {
            "event_id": _TEXT,
            "customer_id": _TEXT,
            "event": _TEXT,
            "plan": _TEXT,
            "contract": _TEXT,
            "monthly_price": _NUMBER,
            "happened_at": _MOMENT,
            "recorded_at": _MOMENT,
        }
    ),
    "usage": pa.schema(
        {
            "customer_id": _TEXT,
            "week_started_at": _MOMENT,
            "week_ended_at": _MOMENT,
            "minutes": _NUMBER,
            "gigabytes": _NUMBER,
            "active_days": _INTEGER,
            "recorded_at": _MOMENT,
        }
    ),
    "invoices": pa.schema(
        {
            "invoice_id": _TEXT,
            "customer_id": _TEXT,
            "amount": _NUMBER,
            "overage": _NUMBER,
            "issued_at": _MOMENT,
            "recorded_at": _MOMENT,
        }
    ),
    "payments": pa.schema(
        {
            "payment_id": _TEXT,
            "invoice_id": _TEXT,
            "customer_id": _TEXT,
            "amount": _NUMBER,
            "status": _TEXT,
            "happened_at": _MOMENT,
            "recorded_at": _MOMENT,
        }
    ),
    "support_tickets": pa.schema(
        {
            "ticket_id": _TEXT,
            "customer_id": _TEXT,
            "topic": _TEXT,
            "status": _TEXT,
            "happened_at": _MOMENT,
            "recorded_at": _MOMENT,
        }
    ),
    "retention_contacts": pa.schema(
        {
            "contact_id": _TEXT,
            "customer_id": _TEXT,
            "campaign": _TEXT,
            "outcome": _TEXT,
            "happened_at": _MOMENT,
            "recorded_at": _MOMENT,
        }
    ),
}

Values: TypeAlias = "IntArray | FloatArray | pa.Array"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of one table, at most one for each customer.

    Args:
        name: names the draws about its rows; unique within the table and month.
        numbers: customer numbers, ascending, shape (rows,).
        columns: the columns besides `customer_id` and `recorded_at`; a column of moments in seconds.
        recorded_at: when the company's systems get each row, unless it comes late.
        is_exact: whether the rows are on time and undamaged, because the label or the money hangs on them.
    """

    table: str
    name: str
    numbers: IntArray
    columns: Mapping[str, Values]
    recorded_at: IntArray
    is_exact: bool = False

    def rows(self, recorded_at: IntArray) -> pa.Table:
        """The batch as an Arrow table of the declared types."""
        columns = {"customer_id": identifiers("C", self.numbers), "recorded_at": recorded_at, **self.columns}
        schema = SCHEMAS[self.table]
        return pa.table([_arrow(columns[item.name], item.type) for item in schema], schema=schema)


def identifiers(prefix: str, numbers: IntArray, suffix: str = "", digits: int = 7) -> pa.Array:
    """Ids such as "C0000123", made digit by digit in one buffer: millions of Python strings would take seconds."""
    width = len(prefix) + digits + len(suffix)
    text = np.empty((len(numbers), width), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text[:, len(prefix) + digits :] = np.frombuffer(suffix.encode(), dtype=np.uint8)
    rest = numbers
    for place in range(len(prefix) + digits - 1, len(prefix) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, place] = digit + ord("0")
    offsets = np.arange(0, width * (len(numbers) + 1), width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))


def customer_numbers(customer_ids: Sequence[str]) -> IntArray:
    """The numbers behind customer ids, ascending and without doubles."""
    return np.unique(np.array([int(name[1:]) for name in customer_ids], dtype=np.int64))


def words(codes: CodeArray, vocabulary: Sequence[str]) -> pa.Array:
    """The words that codes stand for; a negative code is a missing value."""
    return pa.array(vocabulary).take(pa.array(codes, mask=codes < 0))


def repeated(word: str, rows: int) -> pa.Array:
    """A column with one word in it."""
    return pa.repeat(pa.scalar(word), rows)


def cents(amounts: FloatArray) -> FloatArray:
    """Amounts in whole cents."""
    return np.round(amounts, 2)


def within(rows: pa.Table, end: int) -> tuple[pa.Table, pa.Table]:
    """The rows recorded before `end`, and the others."""
    is_due = pc.less(rows["recorded_at"], pa.scalar(end * 1_000_000, pa.int64()).cast(_MOMENT))
    return rows.filter(is_due), rows.filter(pc.invert(is_due))


def _arrow(values: Values, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if kind == _MOMENT:
        return pa.array(values * 1_000_000).cast(_MOMENT)
    return pa.array(values, type=kind)
