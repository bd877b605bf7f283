"""Calls to customers: those that a call list orders, and an old courtesy campaign that picks at random."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import BoolArray, IntArray
from pipeline.simulator.draws import Draws
from pipeline.simulator.hazard import reached_share
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY, Month
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.state import Customers
from pipeline.simulator.tables import Batch, identifiers, words

_ACCEPTED, _DECLINED, _UNREACHABLE = range(3)
_STAYERS_WHO_ACCEPT = 0.25
_CALLED_WITHIN_DAYS = 3


@dataclass(frozen=True)
class Calls:
    """Who is called in a month, who is reached, and by which campaign; each of shape (customers,)."""

    called: BoolArray
    reached: BoolArray
    is_ordered: BoolArray


def calls(customers: Customers, month: Month, ordered: IntArray, draws: Draws, parameters: WorldParameters) -> Calls:
    """The calls of a month to those who were customers when it began: the ordered ones, and the courtesy calls."""
    existed = customers.signed_up_at < month.start
    is_ordered = np.isin(customers.number, ordered) & existed
    at_random = draws.uniform("campaign/courtesy", customers.number) < parameters.courtesy_share
    called = is_ordered | (at_random & existed)
    share = reached_share(parameters.of_month(month.key))
    reached = called & (draws.uniform("campaign/reached", customers.number) < share)
    return Calls(called, reached, is_ordered)


def campaign(customers: Customers, life: Life, made: Calls, leaves: BoolArray) -> tuple[BoolArray, IntArray, Batch]:
    """Who took the offer of a call, when each customer would be called, and the calls as rows.

    A call comes before the cancellation of those who leave in spite of it, or because of it.
    """
    room = np.minimum(life.until - life.month.start, _CALLED_WITHIN_DAYS * DAY)
    at = life.month.start + (life.uniform("campaign/at") * room).astype(np.int64)
    accepted = made.reached & ~leaves & (life.uniform("campaign/accepts") < _STAYERS_WHO_ACCEPT)
    outcome = np.where(made.reached, np.where(accepted, _ACCEPTED, _DECLINED), _UNREACHABLE).astype(np.int8)
    who = made.called
    rows = Batch(
        table="retention_contacts",
        name="call",
        numbers=customers.number[who],
        recorded_at=at[who] + 3600,
        columns={
            "contact_id": identifiers("K", customers.number[who], f"-{life.month.digits}"),
            "campaign": words(made.is_ordered[who].astype(np.int8), v.CAMPAIGNS),
            "outcome": words(outcome[who], v.OUTCOMES),
            "happened_at": at[who],
        },
    )
    return accepted, at, rows
