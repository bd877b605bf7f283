"""Calls to customers: those that a call list orders, and an old courtesy campaign that picks at random."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import BoolArray, FloatArray, IntArray
from pipeline.simulator.draws import Draws
from pipeline.simulator.hazard import REACHED_SHARE
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY, Month
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.state import Customers
from pipeline.simulator.subscription import event
from pipeline.simulator.tables import Batch, cents, identifiers, words

_ACCEPTED, _DECLINED, _UNREACHABLE = range(3)
_DISCOUNT = 0.1
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
    reached = called & (draws.uniform("campaign/reached", customers.number) < REACHED_SHARE)
    return Calls(called, reached, is_ordered)


def campaign(
    customers: Customers, life: Life, made: Calls, leaves: BoolArray
) -> tuple[Customers, list[Batch], BoolArray]:
    """The calls as rows, the discounts that came of them, and who took one.

    A call comes before the cancellation of those who leave in spite of it, or because of it.
    """
    room = np.minimum(life.until - life.month.start, _CALLED_WITHIN_DAYS * DAY)
    at = life.month.start + (life.uniform("campaign/at") * room).astype(np.int64)
    takes = life.uniform("campaign/accepts") < _STAYERS_WHO_ACCEPT
    accepted = made.reached & ~leaves & takes
    outcome = np.where(made.reached, np.where(accepted, _ACCEPTED, _DECLINED), _UNREACHABLE).astype(np.int8)
    customers = replace(customers, price=_discounted(customers.price, accepted))
    discounts = event("discounted", customers.only(accepted), at=at[accepted], month=life.month)
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
    return customers, [discounts, rows], accepted


def _discounted(price: FloatArray, who: BoolArray) -> FloatArray:
    return np.where(who, cents(price * (1.0 - _DISCOUNT)), price)
