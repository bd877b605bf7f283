"""How much customers use what they pay for: a hidden engagement that drifts and sometimes declines, seen weekly."""

from dataclasses import replace

import numpy as np

from pipeline.simulator.arrays import FloatArray
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY, WEEK, WEEKS_A_MONTH
from pipeline.simulator.state import WEEKS_REMEMBERED, Customers
from pipeline.simulator.tables import Batch

_DECLINE_SHARE = 0.02
_DECLINE_MONTHS = 3
_RECORDED_AFTER = 4 * 3600


def using(customers: Customers, life: Life) -> tuple[Customers, list[Batch]]:
    """A month of usage: one batch for each week that ends in it."""
    customers = _engaged(customers, life)
    weeks = [_week(customers, life, int(ended_at), place) for place, ended_at in enumerate(life.month.mondays())]
    used = np.zeros((len(customers), len(weeks)))
    for place, week in enumerate(weeks):
        used[np.searchsorted(customers.number, week.numbers), place] = week.columns["gigabytes"]
    remembered = np.concatenate([customers.weekly_gigabytes, used], axis=1)[:, -WEEKS_REMEMBERED:]
    return replace(customers, weekly_gigabytes=remembered), weeks


def _engaged(customers: Customers, life: Life) -> Customers:
    begins = (life.uniform("usage/decline") < _DECLINE_SHARE) & (customers.months_of_decline_left == 0)
    left = np.where(begins, _DECLINE_MONTHS, customers.months_of_decline_left)
    step = 0.06 * life.normal("usage/engagement") - np.where(left > 0, 0.32, 0.0)
    return replace(
        customers,
        engagement=0.93 * customers.engagement + step,
        months_of_decline_left=np.maximum(left - 1, 0).astype(np.int8),
    )


def _week(customers: Customers, life: Life, ended_at: int, place: int) -> Batch:
    there = life.is_there(ended_at)
    present = customers.only(there)
    luck = {name: life.normal(f"usage/{name}/{place}")[there] for name in ("gigabytes", "minutes", "days")}
    # the first week of a customer is a part of one
    part = np.clip((ended_at - present.signed_up_at) / WEEK, 0.0, 1.0)
    season = life.parameters.usage_season[life.month.of_year] * life.modifiers.usage
    return Batch(
        table="usage",
        name=f"week{place}",
        numbers=present.number,
        recorded_at=np.full(len(present), ended_at + _RECORDED_AFTER),
        columns={
            "week_started_at": np.full(len(present), ended_at - 7 * DAY),
            "week_ended_at": np.full(len(present), ended_at),
            "minutes": np.round(part * season * _minutes(present, luck["minutes"]), 1),
            "gigabytes": np.round(part * season * _gigabytes(present, luck["gigabytes"]), 3),
            "active_days": np.round(part * _active_days(present, luck["days"])).astype(np.int64),
        },
    )


def _gigabytes(customers: Customers, luck: FloatArray) -> FloatArray:
    return np.exp(customers.taste + customers.engagement + 0.12 * luck - 0.007) / WEEKS_A_MONTH


def _minutes(customers: Customers, luck: FloatArray) -> FloatArray:
    by_age = np.array([35.0, 50.0, 65.0, 80.0, 55.0])[customers.age_band]
    return by_age * np.exp(0.7 * customers.engagement + 0.25 * luck)


def _active_days(customers: Customers, luck: FloatArray) -> FloatArray:
    return 7.0 / (1.0 + np.exp(-(1.6 + 1.3 * customers.engagement + 0.5 * luck)))
