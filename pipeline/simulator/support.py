"""Tickets: opened, escalated when they take long, resolved; that one is still open shows only in what is not there."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import BoolArray, CodeArray, FloatArray, IntArray
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY
from pipeline.simulator.state import Customers
from pipeline.simulator.tables import Batch, identifiers, repeated, words

_ESCALATED_AFTER = 10 * DAY
_RECORDED_AFTER = 600
_TOPIC_SHARES = (0.3, 0.3, 0.15, 0.1, 0.15)


def support(customers: Customers, life: Life) -> tuple[Customers, list[Batch]]:
    """A month of support; a customer has at most one ticket at a time."""
    at = life.moment("support/at")
    opens = (customers.ticket_opened_at == 0) & life.is_there(at)
    opens &= life.uniform("support/opens") < _ticket_probability(customers, life.month.start)
    topic = np.where(opens, life.draws.code("support/topic", life.number, _TOPIC_SHARES), customers.ticket_topic)
    customers = replace(
        customers,
        ticket_opened_at=np.where(opens, at, customers.ticket_opened_at),
        ticket_resolves_at=np.where(opens, at + _patience(topic, life), customers.ticket_resolves_at),
        ticket_topic=topic.astype(np.int8),
        tickets=opens.astype(np.int8),
        tickets_1_month_ago=customers.tickets,
    )
    return _closed(customers, life), _rows(customers, life, opens)


def _ticket_probability(customers: Customers, now: int) -> FloatArray:
    unpaid = 0.05 * ((customers.failures + customers.failures_1_month_ago) > 0)
    raised = 0.05 * (now - customers.price_raised_at < 60 * DAY)
    return 0.035 + unpaid + raised + 0.02 * (customers.overage_usd > 0)


def _patience(topic: CodeArray, life: Life) -> IntArray:
    """How long a ticket stays open, in seconds: days as a rule, weeks for some."""
    is_slow = life.uniform("support/slow") < np.where(topic == v.NETWORK, 0.35, 0.15)
    waits = -np.log1p(-life.uniform("support/resolves"))
    return ((0.2 + np.where(is_slow, 12.0 + 25.0 * waits, 3.5 * waits)) * DAY).astype(np.int64)


def _closed(customers: Customers, life: Life) -> Customers:
    is_open = customers.ticket_resolves_at >= life.month.end
    return replace(customers, ticket_opened_at=np.where(is_open, customers.ticket_opened_at, 0))


def _rows(customers: Customers, life: Life, opens: BoolArray) -> list[Batch]:
    has = customers.ticket_opened_at > 0
    opened_at, resolves_at = customers.ticket_opened_at, customers.ticket_resolves_at
    escalates_at = opened_at + _ESCALATED_AFTER
    moments = {"opened": (opens, opened_at), "escalated": (escalates_at < resolves_at, escalates_at)}
    moments["resolved"] = (has, resolves_at)
    batches = []
    for status, (may, at) in moments.items():
        who = has & may & (at >= life.month.start) & (at < life.month.end) & life.is_there(at)
        batches.append(_status_rows(customers.only(who), status, at[who]))
    return batches


def _status_rows(customers: Customers, status: str, at: IntArray) -> Batch:
    return Batch(
        table="support_tickets",
        name=status,
        numbers=customers.number,
        recorded_at=at + _RECORDED_AFTER,
        columns={
            "ticket_id": _ticket_ids(customers),
            "topic": words(customers.ticket_topic, v.TOPICS),
            "status": repeated(status, len(customers)),
            "happened_at": at,
        },
    )


def _ticket_ids(customers: Customers) -> pa.Array:
    """The customer and the month in which the ticket was opened: a customer opens at most one a month."""
    months = customers.ticket_opened_at.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    year_and_month = (months // 12 + 70) % 100 * 100 + months % 12 + 1
    return pc.binary_join_element_wise(
        identifiers("T", customers.number), identifiers("", year_and_month, digits=4), pa.scalar("-")
    )
