"""Where the world stands when a month closes: everything that the next month depends on, and nothing else."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from pipeline.simulator.arrays import BoolArray, CodeArray, FloatArray, IntArray
from pipeline.simulator.months import WEEKS_A_MONTH

WEEKS_REMEMBERED = 12


@dataclass(frozen=True, kw_only=True)
class Customers:
    """The active customers, one array for each thing known or hidden about them, ordered by `number`.

    Moments are seconds since 1970; 0 stands for "never". Categories are positions in the tuples of `vocabulary.py`;
    an `age_band` of -1 was not told. `weekly_gigabytes` has the shape (customers, 12), the newest week last.
    `engagement`, `trait` and `response` are hidden: no table shows them.
    """

    number: IntArray
    signed_up_at: IntArray
    region: CodeArray
    age_band: CodeArray
    payment_method: CodeArray
    channel: CodeArray
    billing_day: CodeArray

    plan: CodeArray
    contract: CodeArray
    contract_started_at: IntArray
    contract_ends_at: IntArray
    price: FloatArray
    price_raised_at: IntArray

    taste: FloatArray
    engagement: FloatArray
    months_of_decline_left: CodeArray
    weekly_gigabytes: FloatArray
    overage_usd: FloatArray

    unreliability: FloatArray
    failures: CodeArray
    failures_1_month_ago: CodeArray

    ticket_opened_at: IntArray
    ticket_resolves_at: IntArray
    ticket_topic: CodeArray
    tickets: CodeArray
    tickets_1_month_ago: CodeArray

    trait: FloatArray
    response: FloatArray

    @property
    def gigabytes(self) -> FloatArray:
        """Used in the last four weeks, in gigabytes a month."""
        return self.weekly_gigabytes[:, -4:].mean(axis=1) * WEEKS_A_MONTH

    def __len__(self) -> int:
        return len(self.number)

    def only(self, kept: BoolArray) -> "Customers":
        """The customers that `kept` marks."""
        return Customers(**{name: values[kept] for name, values in self.arrays().items()})

    def joined_by(self, others: "Customers") -> "Customers":
        """These and, after them, others with higher numbers."""
        newer = others.arrays()
        return Customers(**{name: np.concatenate([values, newer[name]]) for name, values in self.arrays().items()})

    def arrays(self) -> dict[str, Any]:
        """Every array by its name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, kw_only=True)
class State:
    """The world at the close of a month.

    Args:
        months: how many months have passed.
        customers: who is active.
        next_number: number of the next customer to sign up.
        competitor: pressure of competitors' offers in each region in the month to come.
        pending: by table, rows that happened and are not recorded yet.
    """

    months: int
    customers: Customers
    next_number: int
    competitor: FloatArray
    pending: Mapping[str, pa.Table] = field(default_factory=dict)


def state_as_bytes(state: State) -> bytes:
    """The state as an npz file; the same state gives the same bytes."""
    arrays: dict[str, Any] = {f"customers.{name}": values for name, values in state.customers.arrays().items()}
    for name, rows in sorted(state.pending.items()):
        arrays[f"pending.{name}"] = np.frombuffer(_as_stream(rows), dtype=np.uint8)
    sink = io.BytesIO()
    np.savez(sink, clock=np.array([state.months, state.next_number]), competitor=state.competitor, **arrays)
    return sink.getvalue()


def state_from_bytes(content: bytes) -> State:
    """The inverse of `state_as_bytes`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        months, next_number = (int(value) for value in stored["clock"])
        return State(
            months=months,
            next_number=next_number,
            competitor=stored["competitor"],
            customers=Customers(**{item.name: stored[f"customers.{item.name}"] for item in fields(Customers)}),
            pending={
                name.removeprefix("pending."): pa.ipc.open_stream(stored[name].tobytes()).read_all()
                for name in stored.files
                if name.startswith("pending.")
            },
        )


def months_passed(file: BinaryIO) -> int:
    """How many months a stored state has behind it; nothing else of it is read."""
    with np.load(file, allow_pickle=False) as stored:
        return int(stored["clock"][0])


def _as_stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    return bytes(sink.getvalue())
