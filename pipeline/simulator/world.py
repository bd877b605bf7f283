"""One step of the world: from the state at the close of a month to the close of the next, and the rows in between.

`step` is a function of its arguments alone. Whoever is called in the month is one of them, so that a call list can
change who leaves; customers who are not called live the same month whether or not others are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipeline.simulator.arrays import FloatArray, IntArray
from pipeline.simulator.billing import billing
from pipeline.simulator.campaign import Calls, calls, campaign
from pipeline.simulator.dirt import recorded
from pipeline.simulator.draws import Draws
from pipeline.simulator.hazard import churn_probability, churn_probability_if_contacted, churn_probability_if_reached
from pipeline.simulator.life import Life
from pipeline.simulator.months import Month, month_of
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.people import customer_rows, first_customers, signed_up
from pipeline.simulator.state import Customers, State
from pipeline.simulator.subscription import event, subscriptions
from pipeline.simulator.support import support
from pipeline.simulator.tables import SCHEMAS, Batch, identifiers, within
from pipeline.simulator.usage import using

_USUAL_PRESSURE = np.array([0.0, 0.15, 0.35, -0.05, 0.5])
_HORIZON_DAYS = 28
_ENTERED_WITHIN_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a month brought.

    Args:
        state: the world at its close.
        tables: the rows recorded in it, by table.
        truth: for each customer active at its close, the probability of leaving within 28 days, uncalled and called.
        planted: the damaged rows among `tables`, schema `dirt.PLANTED`.
    """

    state: State
    tables: Mapping[str, pa.Table]
    truth: pa.Table
    planted: pa.Table


def first_state(parameters: WorldParameters) -> State:
    """The world before its first month."""
    month = month_of(parameters.first, 0)
    customers = first_customers(parameters, month, Draws(parameters.seed, 0))
    return State(months=0, customers=customers, next_number=len(customers), competitor=_USUAL_PRESSURE)


def step(state: State, parameters: WorldParameters, called: IntArray) -> Step:
    """The month after `state`, in which the customers with the numbers in `called` are called."""
    month, draws = month_of(parameters.first, state.months), Draws(parameters.seed, state.months + 1)
    newcomers = signed_up(parameters, month, state.next_number, draws)
    present = replace(state, customers=state.customers.joined_by(newcomers))
    lived, batches = _lived(present, month, parameters, draws, called)
    arrivals = present.customers if state.months == 0 else newcomers
    tables, pending, planted = _recorded([*_arrived(arrivals, month, draws), *batches], state, month, draws, parameters)
    after = State(
        months=state.months + 1,
        customers=lived,
        next_number=state.next_number + len(newcomers),
        competitor=_drifted(state.competitor, draws),
        pending=pending,
    )
    return Step(state=after, tables=tables, truth=truth_of(after, parameters), planted=planted)


def truth_of(state: State, parameters: WorldParameters) -> pa.Table:
    """Each customer's probability of leaving in the 28 days after the state: if not called, and if called."""
    month = month_of(parameters.first, state.months)
    # who cancels does so at any moment of the month alike
    share = min(_HORIZON_DAYS, month.days) / month.days
    return pa.table(
        {
            "customer_id": identifiers("C", state.customers.number),
            "churn_probability": share * churn_probability(state, month, parameters),
            "churn_probability_if_contacted": share * churn_probability_if_contacted(state, month, parameters),
        }
    )


def _lived(
    state: State, month: Month, parameters: WorldParameters, draws: Draws, called: IntArray
) -> tuple[Customers, list[Batch]]:
    """Who is still there when the month closes, and the rows of everybody's month."""
    customers = state.customers
    made = calls(customers, month, called, draws, parameters)
    cancels_at = _cancellations(state, month, parameters, made, draws)
    life = Life(
        month=month,
        parameters=parameters,
        draws=draws,
        number=customers.number,
        since=customers.signed_up_at,
        until=cancels_at,
    )
    leaves = cancels_at < month.end
    took_offer, called_at, call_rows = campaign(customers, life, made, leaves)
    customers, subscription_batches = subscriptions(customers, life, took_offer, called_at)
    customers, support_batches = support(customers, life)
    customers, billing_batches = billing(customers, life)
    customers, usage_batches = using(customers, life)
    cancelled = event("cancelled", customers.only(leaves), at=cancels_at[leaves], month=month, is_exact=True)
    batches = [call_rows, *subscription_batches, cancelled, *support_batches, *billing_batches, *usage_batches]
    return customers.only(~leaves), batches


def _cancellations(state: State, month: Month, parameters: WorldParameters, made: Calls, draws: Draws) -> IntArray:
    """When each customer cancels; the month's end for those who do not. Nobody does in the month they sign up."""
    number = state.customers.number
    uncalled = churn_probability(state, month, parameters)
    probability = np.where(made.reached, churn_probability_if_reached(state, month, parameters), uncalled)
    # the same draw decides with and without a call, so that a call changes only what it changes
    leaves = (draws.uniform("churn/leaves", number) < probability) & (state.customers.signed_up_at < month.start)
    at = month.start + (draws.uniform("churn/at", number) * month.seconds).astype(np.int64)
    return np.where(leaves, at, month.end)


def _arrived(arrivals: Customers, month: Month, draws: Draws) -> list[Batch]:
    """The rows of new customers. Those of before the first month were loaded when it began."""
    known_at = np.maximum(arrivals.signed_up_at, month.start)
    delay = (draws.uniform("people/recorded", arrivals.number) * _ENTERED_WITHIN_SECONDS).astype(np.int64)
    started = event("started", arrivals, at=arrivals.contract_started_at, month=month, is_exact=True)
    return [customer_rows(arrivals, known_at + delay), started]


def _recorded(
    batches: list[Batch], state: State, month: Month, draws: Draws, parameters: WorldParameters
) -> tuple[dict[str, pa.Table], dict[str, pa.Table], pa.Table]:
    """The rows recorded in the month, those that will be later, and what was planted."""
    pieces = {name: [state.pending.get(name, schema.empty_table())] for name, schema in SCHEMAS.items()}
    planted = []
    for batch in batches:
        rows, damaged = recorded(batch, draws, parameters)
        pieces[batch.table].append(rows)
        planted.append(damaged)
    due, pending = {}, {}
    for name in SCHEMAS:
        due[name], pending[name] = within(pa.concat_tables(pieces.pop(name)), month.end)
    return due, pending, pa.concat_tables(planted)


def _drifted(pressure: FloatArray, draws: Draws) -> FloatArray:
    regions = np.arange(len(pressure), dtype=np.int64)
    return _USUAL_PRESSURE + 0.8 * (pressure - _USUAL_PRESSURE) + 0.02 * draws.normal("competitor", regions)
