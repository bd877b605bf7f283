"""Measures what the README claims of months of production: by replays of scenarios, each in several unseen worlds."""

import json
import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from upath import UPath

from assets.replay import replay
from monitoring.evidence import SHOWN
from pipeline.datasets.registry import load_dataset
from pipeline.lake import write_json
from pipeline.replay_outcome import PIPELINE
from pipeline.settings import Settings

SEEDS = (97, 101, 103)  # scenarios, rules of monitoring and trainings were settled with others
SCENARIOS = ("calm", "price_rise", "competitor", "new_market")
GOAL_SHARE, GOAL_TRAININGS_A_YEAR, GOAL_SECONDS = 0.90, 2.0, 120.0
QUICK_CUSTOMERS, CUSTOMERS = 5_000, 20_000  # the others as many as the simulated company has by default

Told = Callable[[str, int, int], None]
Outcome = Mapping[str, Any]
"""What one replay came to."""


def replay_goals(settings: Settings, *, customers: int | None = None, progress: Told) -> dict[str, Any]:
    """What each scenario earned in each world, how it was alarmed and trained, beside the goals.

    A replay that was begun goes on. What one came to is kept in the `bench` folder and read from then on; to measure
    anew, remove it. The months themselves are a gigabyte for each, and are not kept.
    """
    customers = customers or CUSTOMERS
    found = {name: [_played(settings, name, seed, customers, progress) for seed in SEEDS] for name in SCENARIOS}
    goals = [goal for name, outcomes in found.items() for goal in _goals_of(name, outcomes)]
    scenarios = {name: dict(zip(map(str, SEEDS), outcomes, strict=True)) for name, outcomes in found.items()}
    about = {"months": settings.replay_months, "customers": customers, "seeds": SEEDS}
    return {**about, "scenarios": scenarios, "goals": goals}


def speed_goals(settings: Settings, *, progress: Told) -> dict[str, Any]:
    """Seconds of a whole replay of two years from nothing, with the customers that it has by default."""
    home = settings.root() / "bench" / "speed"
    own = _own(settings, "calm", SEEDS[0], QUICK_CUSTOMERS).model_copy(update={"home": str(home)})
    shutil.rmtree(own.home, ignore_errors=True)
    began = time.perf_counter()
    replay(load_dataset(own), own, months=own.replay_months, progress=progress)
    seconds = time.perf_counter() - began
    goal = _goal(f"seconds of {own.replay_months} months of {QUICK_CUSTOMERS:,} customers", seconds, GOAL_SECONDS)
    return {"seconds": seconds, "goals": [goal]}


def _played(settings: Settings, name: str, seed: int, customers: int, progress: Told) -> Outcome:
    kept = UPath(settings.root() / "bench" / f"{name}_{settings.replay_months}_{customers}_{seed}.json")
    if not kept.exists():
        own = _own(settings, name, seed, customers)
        found = replay(load_dataset(own), own, months=own.replay_months, progress=progress)
        write_json(kept, found)
        shutil.rmtree(Path(own.home) / own.dataset)
    outcome: Outcome = json.loads(kept.read_bytes())
    return outcome


def _own(settings: Settings, name: str, seed: int, customers: int) -> Settings:
    """A home of its own, so that no replay of a user is touched."""
    home = str(settings.root() / "bench" / f"{customers}_{seed}")
    return settings.model_copy(
        update={"dataset": f"simulated_{name}", "home": home, "seed": seed, "replay_customers": customers}
    )


def _goals_of(name: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The goals that are set for a scenario, over all its worlds."""
    if name == "calm":
        return [
            _mean_goal("calm: trainings a year", [_trainings_a_year(each) for each in outcomes], GOAL_TRAININGS_A_YEAR),
            _mean_goal("calm: false alarms a year", [_false_alarms_a_year(each) for each in outcomes], 0.5),
            *_estimates(name, outcomes),
            _against_expected(outcomes),
        ]
    if name == "new_market":
        return _estimates(name, outcomes)
    shares = [each["values"]["share"]["value"] for each in outcomes]
    least = min(each["values"]["more"]["never retrained"]["low"] for each in outcomes)
    more = f"{name}: lower end of what it earns more than never trained again, in the worst world"
    found = [
        _mean_goal(f"{name}: share of the best possible", shares, GOAL_SHARE, at_least=True),
        _goal(more, least, 0.0, at_least=True),
    ]
    return [*found, _found_at_once(outcomes)] if name == "competitor" else found


def _trainings_a_year(outcome: Outcome) -> float:
    months = outcome["months"]
    return 12 * sum(month["decision"]["starts_training"] for month in months) / len(months)


def _false_alarms_a_year(outcome: Outcome) -> float:
    return float(outcome["hindsight"]["false_alarms_a_year"])


def _found_at_once(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Months between the first whose labels could show the event and the first in which results did show it."""
    late = max(_months_late(each["months"], each["happened"]) for each in outcomes)
    name = "competitor: months until realised performance shows it, from the first that could, in the worst world"
    return _goal(name, late, 0.0)


def _months_late(months: Sequence[Mapping[str, Any]], happened: Sequence[Mapping[str, Any]]) -> int:
    place = next(event["place"] for event in happened if event["kind"] == "reasons")
    seen = [i for i, month in enumerate(months, 1) if any(each["kind"] in SHOWN for each in month["evidence"])]
    return min((i - place for i in seen if i >= place), default=len(months))


def _estimates(name: str, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """How far estimated figures are from realised ones on average over a world's months; one month is mostly chance."""
    return [
        _mean_goal(f"{name}: mean error of estimated {what}", [_mean_error(each, figure) for each in outcomes], goal)
        for what, figure, goal in (("ROC-AUC", "roc_auc", 0.01), ("profit, as a share", "profit", 0.05))
    ]


def _mean_error(outcome: Outcome, figure: str) -> float:
    errors = _errors(outcome["months"], figure)
    return abs(statistics.fmean(errors)) if errors else math.nan


def _errors(months: Sequence[Mapping[str, Any]], figure: str) -> list[float]:
    """Realised less estimated by month; of money as a share of what was estimated on average.

    Of the months whose list is by the release that was estimated: where another was promoted in between, both may be
    right.
    """
    estimated = {month["month"]: month.get("estimated") for month in months}
    realised = _realised(months)
    both = [key for key in _scored_as_estimated(months) if estimated[key]]
    apart = [
        realised[key][figure]["value"] - estimated[key][figure]["value"] for key in both if figure in realised[key]
    ]
    promised = sum(estimated[key]["profit"]["value"] for key in both) / max(len(both), 1)
    return [each / max(promised, 1e-9) for each in apart] if figure == "profit" else apart


def _realised(months: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The figures of each snapshot whose labels are known, as they were last found."""
    return {snapshot: figures for month in months for snapshot, figures in month["realised"].items()}


def _scored_as_estimated(months: Sequence[Mapping[str, Any]]) -> list[str]:
    """The months whose labels are known and whose list is by the release that was estimated."""
    of = {month["month"]: month.get("estimated_of") for month in months}
    return [key for key, figures in _realised(months).items() if key in of and of[key] in (None, figures["release"])]


def _against_expected(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How far estimated profit is from what the lists were expected to earn by the true probabilities.

    Realised profit hangs on a control group of a tenth of the list, and strays by some 4 % in two years by itself.
    """
    apart = [abs(_share_above_estimate(each["months"], each["values"]["profit"][PIPELINE])) for each in outcomes]
    return _mean_goal("calm: mean error of estimated profit against the expected one, as a share", apart, 0.05)


def _share_above_estimate(months: Sequence[Mapping[str, Any]], expected: Sequence[float]) -> float:
    true = dict(zip((month["month"] for month in months), expected, strict=True))
    estimated = {month["month"]: month["estimated"]["profit"]["value"] for month in months if month.get("estimated")}
    both = [key for key in _scored_as_estimated(months) if key in estimated]
    total = sum(estimated[key] for key in both)
    return sum(true[key] - estimated[key] for key in both) / max(total, 1e-9)


def _mean_goal(name: str, measured: Sequence[float], goal: float, *, at_least: bool = False) -> dict[str, Any]:
    """The mean over the worlds, and how far they reach."""
    found = _goal(f"{name}, over the worlds", statistics.fmean(measured), goal, at_least=at_least)
    return found | {"low": min(measured), "high": max(measured)}


def _goal(name: str, measured: float, goal: float, *, at_least: bool = False) -> dict[str, Any]:
    met = measured >= goal if at_least else measured <= goal
    sense = "at least" if at_least else "at most"
    return {"name": f"{name}, {sense}", "goal": goal, "measured": measured, "met": bool(met)}
