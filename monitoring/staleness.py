"""How long a model stays good: one is trained on old months and asked about each month after them.

The curve is that of a model like the release, not of the release itself, whose later months are not lived yet. Its
figure is skill, the share of the base rate's log loss that the model saves, so that months with more leavers compare
with others. A straight line through it says when a tenth is lost; where the line does not fall for sure, nobody knows
an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.evidence import Evidence
from monitoring.figures import read_figures, write_figures
from monitoring.watched import WatchedMonth
from pipeline.calendar import Monthly, months_between
from pipeline.candidates import Run
from pipeline.control_group import representative, without_called
from pipeline.gate_figures import skill
from pipeline.labels import matured
from pipeline.splits import Split, has_both_outcomes, labelled_rows
from pipeline.training import fit_with
from pipeline.wording import percent

MOST_AGES = 12
FEWEST_AGES, FEWEST_TRAINED = 5, 3
ROWS = 20_000  # that the model is fitted on: its curve is wanted, not its height
LOST_SHARE = 0.10  # of the skill; as much profit is what the gate lets a candidate be worse by
ROUTINE_MONTHS = 8  # nothing need be wrong: with more history, a stronger rung may pay that did not before
FEWEST_MONTHS = 3  # between two rivals: the gate tests on as many months, which should be others by then
SURE_T = -2.0  # how many standard errors the slope must lie below zero


@dataclass(frozen=True)
class Aged:
    """The skill of a model on the rows of one month, `months` after the newest that it learned from."""

    months: int
    snapshot: str
    skill: float


def keep_decay(run: Run) -> dict[str, Any]:
    """Measure the curve of a model like the month's candidate, and keep it."""
    curve = decay_curve(run)
    found = {"curve": [dict(vars(point)) for point in curve], "best_before_months": best_before_months(curve)}
    write_figures(run.lake, "decay", run.key, found)
    return found


def decay_curve(run: Run) -> list[Aged]:
    """Skill by age, the youngest first; empty where there is too little history, or no time."""
    labelled = matured(run.dataset, run.key)
    ages = min(MOST_AGES, len(labelled) - FEWEST_TRAINED - 1)
    if not isinstance(run.dataset.calendar, Monthly) or ages < FEWEST_AGES:
        return []
    known, later = labelled[:-ages], labelled[-ages:]
    train, calibration = (
        labelled_rows(run.dataset, run.lake, keys, only=without_called) for keys in (known[:-1], known[-1:])
    )
    name = run.evaluation().verdict.rung
    parameters = run.read(f"rungs/{name}/training.json")["parameters"] if name != "rule" else {}
    if name == "rule" or not all(map(has_both_outcomes, (train, calibration))):
        return []
    few = run.settings.model_copy(update={"training_rows": ROWS})
    split = Split(train, calibration, calibration)  # no test part: the months after it are asked one by one
    scorer = fit_with(name, run.dataset, split, parameters, few).scorer  # type: ignore[arg-type]
    points = []
    for key in later:
        rows = labelled_rows(run.dataset, run.lake, [key], only=representative)
        if has_both_outcomes(rows):
            saved = skill(rows["churned"].to_numpy(dtype=np.float64), scorer.probability(rows, len(rows)))
            points.append(Aged(months_between(known[-1], key), key, float(saved)))
    return points


def best_before_months(curve: Sequence[Aged]) -> int | None:
    """The age at which a straight line through the curve has lost its share; None where it does not fall for sure."""
    if len(curve) < FEWEST_AGES:
        return None
    ages, skills = (
        np.array([getattr(point, name) for point in curve], dtype=np.float64) for name in ("months", "skill")
    )
    slope, height = np.polyfit(ages, skills, 1)
    left = skills - (height + slope * ages)
    error = np.sqrt((left**2).sum() / (len(ages) - 2) / ((ages - ages.mean()) ** 2).sum())
    if height <= 0 or slope >= SURE_T * error or slope >= 0:
        return None
    return max(1, int(np.floor(LOST_SHARE * height / -slope)))


def age_of(watched: WatchedMonth) -> dict[str, Any]:
    """How old the release is, and how long a model like it stayed good; empty without a release."""
    if watched.release is None:
        return {}
    trained = watched.release.manifest.run_key
    stored = read_figures(watched.lake, "decay", trained) or {}
    limit = stored.get("best_before_months")
    return {
        "release": watched.release.id,
        "age_months": months_between(trained, watched.key),
        "months_since_training": months_between(max(trained, watched.last_judged), watched.key),
        "best_before_months": limit,
    }


def staleness_evidence(watched: WatchedMonth, found: dict[str, Any]) -> list[Evidence]:
    """Whether the release is older than its declaration, than a model like it stayed good, or long without a rival."""
    if not found:
        return []
    age, limit, release = found["age_months"], found["best_before_months"], found["release"]
    since = found["months_since_training"]
    if watched.gone:
        says = f"{release} needs {', '.join(watched.gone)}, which is not declared any more, or as another kind"
    elif watched.redeclared:
        says = f"{release} was made with other fields than are declared now: {', '.join(watched.redeclared)}"
    elif limit is not None and age >= limit and since >= FEWEST_MONTHS:
        says = f"{release} is {age} months old; a model like it lost {percent(LOST_SHARE, 0)} of its skill in {limit}"
    elif since >= ROUTINE_MONTHS:
        says = f"{since} months have passed since {release} had a rival"
    else:
        return []
    return [Evidence(watched.key, "stale_model", f"{watched.key}: {says}", release)]
