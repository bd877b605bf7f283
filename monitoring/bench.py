"""How often monitoring cries wolf and what it finds, measured in worlds whose truth is known, beside the usual rules.

The seed is none that a threshold or a floor was chosen with. All rules judge the very same months.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitoring.bench_retail import retail_months
from monitoring.bench_rules import RULES, BoolArray, Case
from monitoring.bench_shifts import SHIFTS, targets
from monitoring.bench_worlds import LAYOUT, World, sampled, truth_of
from monitoring.sketching import sketched_rows
from pipeline.calendar import month_after

Progress = Callable[[str, int, int], None]
"""Told what was judged, how many kinds of months are done, and how many there are."""
GOAL_FALSE_ALARMS, GOAL_FOUND = 0.5, 0.95
OURS = "ours"
FIRST = "2020-01"
SEED = 20_261_124

WORLDS = (
    World("calm"),
    World("seasonal", season=0.15),
    World("jittering", jitter=0.03),
    World("seasonal and jittering", season=0.15, jitter=0.03),
)
HARDER = (  # judged by their false alarms alone: what is usual there hides a part of the faults
    World("larger jitter", season=0.15, jitter=0.06),
    World("uneven jitter", season=0.15, jitter=0.03, uneven=0.4),
    World("lingering jitter", season=0.15, jitter=0.03, memory=0.7),
)
TREND = World("trend", season=0.15, jitter=0.03, trend=0.03)  # a real change, if a slow one: no alarm is false for sure
JUDGED = (*WORLDS, *HARDER, TREND)
NO_RETAIL = "null months of real customers: name the Online Retail table with --retail or CHURN_RETAIL_PATH"
COMPARED = WORLDS[-1]  # where the usual rules are judged too
FAULTS = {
    f"{shift}, {'seasonal' if is_seasonal else 'unseasonal'} field": (shift, is_seasonal)
    for shift in SHIFTS
    for is_seasonal in (False, True)
}


@dataclass(frozen=True)
class BenchSettings:
    """How much is simulated.

    Args:
        customers: sizes of a month.
        worlds: how many of each kind and size.
        reference_months: how many months a release is compared with.
        live_months: how many months each world is then watched.
        shifted_months: how many of those are also judged with each fault.
        retail_worlds: how many of each kind and size are drawn from real customers.
    """

    customers: tuple[int, ...] = (2_000, 10_000, 100_000)
    worlds: int = 160
    reference_months: int = 24
    live_months: int = 24
    shifted_months: int = 6
    retail_worlds: int = 40


QUICK = BenchSettings(worlds=12, live_months=12, shifted_months=2, retail_worlds=4)
"""A look in seconds; too few months to say whether a goal is met."""


@dataclass(frozen=True)
class Row:
    """One rule in one kind of world.

    Args:
        false_alarms: months with an alarm, a year, though nothing was wrong.
        false_alarms_sd: the standard error of that, by world.
        found: share of faults seen in their first month in the field that has them, by fault and kind of field.
    """

    rule: str
    world: str
    customers: int
    months: int
    false_alarms: float
    false_alarms_sd: float
    found: Mapping[str, float]


def operating_characteristics(
    settings: BenchSettings | None = None,
    *,
    seed: int = SEED,
    retail: Path | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Everything measured, and the goals with whether they are met; plain values.

    Args:
        settings: how much is simulated; about three minutes of one core by default.
        seed: of all worlds.
        retail: the Online Retail table, for null months with the shapes of real customers.
        progress: told of every kind of months that was judged.
    """
    settings = settings or BenchSettings()
    kinds = [(i, place) for i in range(len(settings.customers)) for place in range(len(JUDGED))]
    total, rows = len(kinds) + (retail is not None), []
    for done, (i, place) in enumerate(kinds, 1):
        world, random = JUDGED[place], np.random.default_rng([seed, i, place])
        names = tuple(RULES) if world is COMPARED else (OURS,)
        rows += _judged(world, settings.customers[i], settings, random, names)
        progress(f"{world.name}, {settings.customers[i]:,}", done, total)
    if retail is not None:
        rows += _retail(retail, settings, seed)
        progress("real customers", total, total)
    return {
        "goals": _goals(rows, settings),
        "rows": [asdict(row) for row in rows],
        "settings": asdict(settings),
        "left_out": [] if retail is not None else [NO_RETAIL],
    }


def _judged(
    world: World, customers: int, settings: BenchSettings, random: np.random.Generator, names: Sequence[str]
) -> list[Row]:
    cut, worlds = settings.reference_months, settings.worlds
    rows, keys = sketched_rows(customers), _keys(cut + settings.live_months)
    truth = truth_of(world, worlds, len(keys), random)
    drawn = sampled(truth, rows, random)
    case = Case(drawn.only(slice(cut)), drawn.only(slice(cut, None)), LAYOUT, keys[:cut], keys[cut:], rows)
    judges = {name: RULES[name](case) for name in names}
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for fault, (shift, is_seasonal) in FAULTS.items():
        mark, field = targets(shift, worlds, is_seasonal=is_seasonal)
        broken = SHIFTS[shift](truth.only(slice(cut, cut + settings.shifted_months)), mark)
        live = sampled(broken, rows, random)
        for name, judge in judges.items():
            found[name][fault] = float(judge(live)[np.arange(worlds), :, field].mean())
    return [_row(name, world.name, customers, judges[name](case.live), found[name]) for name in names]


def _retail(path: Path, settings: BenchSettings, seed: int) -> list[Row]:
    rows = []
    months = (settings.reference_months, settings.live_months)
    for name, case in retail_months(path, *months, worlds=settings.retail_worlds, seed=seed):
        rows.append(_row(OURS, name, case.customers, RULES[OURS](case)(case.live), {}))
    return rows


def _row(rule: str, world: str, customers: int, alarms: BoolArray, found: Mapping[str, float]) -> Row:
    by_world = 12 * alarms.any(axis=-1).mean(axis=-1)
    sd = float(by_world.std() / np.sqrt(len(by_world)))
    months = alarms.shape[0] * alarms.shape[1]
    return Row(rule, world, customers, months, float(by_world.mean()), sd, found)


def _goals(rows: Sequence[Row], settings: BenchSettings) -> list[dict[str, Any]]:
    ours = [row for row in rows if row.rule == OURS and row.world != TREND.name]
    goals = []
    for row in ours:
        name = f"false alarms a year: {row.world}, {row.customers:,} customers"
        goals.append(_goal(name, row.false_alarms, at_most=GOAL_FALSE_ALARMS))
    names = {world.name for world in WORLDS}
    for customers in settings.customers:
        judged = [row for row in ours if row.customers == customers and row.world in names]
        for fault in FAULTS:
            lowest = min(row.found[fault] for row in judged)
            goals.append(_goal(f"found within a month: {fault}, {customers:,} customers", lowest, at_least=GOAL_FOUND))
    return goals


def _goal(name: str, measured: float, *, at_most: float | None = None, at_least: float | None = None) -> dict[str, Any]:
    is_met = measured <= at_most if at_most is not None else measured >= (at_least or 0.0)
    goal = f"at most {at_most}" if at_most is not None else f"at least {at_least}"
    return {"name": name, "goal": goal, "measured": round(measured, 4), "met": bool(is_met)}


def _keys(months: int) -> list[str]:
    return [month_after(FIRST, i) for i in range(months)]
