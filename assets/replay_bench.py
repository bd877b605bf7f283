"""Measures what the README claims of months of production: by replays of scenarios in another world than their own."""

import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assets.replay import replay
from monitoring.evidence import LOSSES
from monitoring.pulls import NORMAL_95
from pipeline.datasets.registry import load_dataset
from pipeline.replay_outcome import PIPELINE
from pipeline.settings import Settings

SEED = 59  # scenarios, rules of monitoring and trainings were settled with others
SCENARIOS = ("calm", "price_rise", "competitor", "new_market")
GOAL_SHARE, GOAL_TRAININGS_A_YEAR, GOAL_SECONDS = 0.90, 2.0, 120.0
QUICK_CUSTOMERS, CUSTOMERS = 5_000, 20_000  # the others as many as the simulated company has by default

Told = Callable[[str, int, int], None]


def replay_goals(settings: Settings, *, customers: int | None = None, progress: Told) -> dict[str, Any]:
    """What each scenario earned, how it was alarmed and trained, beside the goals.

    A replay that was begun goes on; one that is whole is read.
    """
    customers = customers or CUSTOMERS
    found = {name: _played(settings, name, customers, progress) for name in SCENARIOS}
    goals = [goal for name, outcome in found.items() for goal in _goals_of(name, outcome)]
    return {"customers": customers, "seed": SEED, "scenarios": found, "goals": goals}


def speed_goals(settings: Settings, *, progress: Told) -> dict[str, Any]:
    """Seconds of a whole replay of two years from nothing, with the customers that it has by default."""
    own = _own(settings, "calm", QUICK_CUSTOMERS).model_copy(update={"home": str(settings.root() / "bench" / "speed")})
    shutil.rmtree(own.home, ignore_errors=True)
    began = time.perf_counter()
    replay(load_dataset(own), own, months=own.replay_months, progress=progress)
    seconds = time.perf_counter() - began
    goal = _goal(f"seconds of {own.replay_months} months of {QUICK_CUSTOMERS:,} customers", seconds, GOAL_SECONDS)
    return {"seconds": seconds, "goals": [goal]}


def _played(settings: Settings, name: str, customers: int, progress: Told) -> dict[str, Any]:
    own = _own(settings, name, customers)
    return replay(load_dataset(own), own, months=own.replay_months, progress=progress)


def _own(settings: Settings, name: str, customers: int) -> Settings:
    """A home of its own, so that no replay of a user is touched."""
    home = str(settings.root() / "bench" / f"{customers}")
    return settings.model_copy(
        update={"dataset": f"simulated_{name}", "home": home, "seed": SEED, "replay_customers": customers}
    )


def _goals_of(name: str, outcome: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The goals that are set for a scenario."""
    months, values, hindsight = outcome["months"], outcome["values"], outcome["hindsight"]
    if name == "calm":
        trainings = 12 * sum(month["decision"]["starts_training"] for month in months) / len(months)
        return [
            _goal("calm: trainings a year", trainings, GOAL_TRAININGS_A_YEAR),
            _goal("calm: false alarms a year", hindsight["false_alarms_a_year"], 0.5),
            *_estimates(name, months),
            _against_expected(months, values["profit"][PIPELINE]),
        ]
    if name == "new_market":
        return _estimates(name, months)
    more = values["more"]["never retrained"]
    found = [
        _goal(f"{name}: share of the best possible", values["share"]["value"], GOAL_SHARE, at_least=True),
        _goal(f"{name}: lower end of what it earns more than never trained again", more["low"], 0.0, at_least=True),
    ]
    return found + (_found_at_once(months, outcome["happened"]) if name == "competitor" else [])


def _found_at_once(months: Sequence[Mapping[str, Any]], happened: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Months between the first whose labels could show the event and the first in which results did show it."""
    place = next(event["place"] for event in happened if event["kind"] == "reasons")
    shown = LOSSES | {"calibration_drift"}
    seen = [i for i, month in enumerate(months, 1) if any(each["kind"] in shown for each in month["evidence"])]
    late = min((i - place for i in seen if i >= place), default=len(months))
    return [_goal("competitor: months until realised performance shows it, from the first that could", late, 0.0)]


def _estimates(name: str, months: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How far estimated figures are from realised ones, on average over the months: one month is mostly chance.

    Of the months whose list is by the release that was estimated: where another was promoted in between, both may be
    right.
    """
    estimated = {month["month"]: month.get("estimated") for month in months}
    realised = _realised(months)
    both = [key for key in _scored_as_estimated(months) if estimated[key]]
    auc, profit = (
        [realised[key][figure]["value"] - estimated[key][figure]["value"] for key in both if figure in realised[key]]
        for figure in ("roc_auc", "profit")
    )
    promised = sum(estimated[key]["profit"]["value"] for key in both) / max(len(both), 1)
    shares = [each / max(promised, 1e-9) for each in profit]
    return [
        _error_goal(f"{name}: mean error of estimated ROC-AUC", auc, 0.01),
        _error_goal(f"{name}: mean error of estimated profit, as a share", shares, 0.05),
    ]


def _error_goal(name: str, errors: Sequence[float], goal: float) -> dict[str, Any]:
    """How far errors are from zero on average, and how far they may be by their spread over the months (95 %).

    The range is rather too wide: what a month's control group had by luck is expected of the months after it, so that
    their errors are of the other sign.
    """
    mean = abs(statistics.fmean(errors)) if errors else math.nan
    reach = NORMAL_95 * statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else math.nan
    return _goal(name, mean, goal) | {"low": max(mean - reach, 0.0), "high": mean + reach}


def _realised(months: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The figures of each snapshot whose labels are known, as they were last found."""
    return {snapshot: figures for month in months for snapshot, figures in month["realised"].items()}


def _scored_as_estimated(months: Sequence[Mapping[str, Any]]) -> list[str]:
    """The months whose labels are known and whose list is by the release that was estimated."""
    of = {month["month"]: month.get("estimated_of") for month in months}
    return [key for key, figures in _realised(months).items() if key in of and of[key] in (None, figures["release"])]


def _against_expected(months: Sequence[Mapping[str, Any]], expected: Sequence[float]) -> dict[str, Any]:
    """How far estimated profit is from what the lists were expected to earn by the true probabilities.

    Realised profit hangs on a control group of a tenth of the list, and strays by some 4 % in two years by itself.
    """
    true = dict(zip((month["month"] for month in months), expected, strict=True))
    estimated = {month["month"]: month["estimated"]["profit"]["value"] for month in months if month.get("estimated")}
    both = [key for key in _scored_as_estimated(months) if key in estimated]
    apart = sum(true[key] - estimated[key] for key in both) / max(sum(estimated[key] for key in both), 1e-9)
    return _goal("calm: mean error of estimated profit against the expected one, as a share", abs(apart), 0.05)


def _goal(name: str, measured: float, goal: float, *, at_least: bool = False) -> dict[str, Any]:
    met = measured >= goal if at_least else measured <= goal
    sense = "at least" if at_least else "at most"
    return {"name": f"{name}, {sense}", "goal": goal, "measured": measured, "met": bool(met)}
