"""How well performance is estimated before labels are known, measured in months whose truth is known.

One month's realised figure is itself a draw: with 5,000 customers its ROC-AUC strays by more than 0.01 from what it is
on average, so nothing can be within 0.01 of it. The goals are therefore about the mean over many months, the bias, and
the mean absolute error is reported beside the noise of the realised figure, which is the part that nobody can foresee.

Customers come from a small world of its own: five numbers, one with gaps, and a mark. One model states the true
probabilities; another, a logistic regression, knows neither the bend in one feature nor how two go together.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monitoring.estimated import Labelled, Unlabelled, pape
from monitoring.expected import expected_auc
from monitoring.recalibration import expit
from pipeline.economics import FloatArray, Payoffs, contacts

GOAL_AUC, GOAL_PROFIT = 0.01, 0.05
BLIND = 0.01  # how little concept drift may move the estimate, which is to say that it is not seen
SEED = 20_261_125
LABELLED_ROWS, FITTED_ROWS = 60_000, 20_000
BUDGET_SHARE, LOSS = 0.1, 10.0
NUMBERS = 5


@dataclass(frozen=True)
class Concept:
    """Where customers come from and why they leave.

    Args:
        moved: how far the first two numbers are from usual, in standard deviations.
        wider: what the third number is multiplied by.
        marked: share of customers with the mark.
        pull: how much the second number makes customers leave.
    """

    name: str
    moved: float = 0.0
    wider: float = 1.0
    marked: float = 0.2
    pull: float = 0.5


USUAL = Concept("calm")
SHIFTED = Concept("covariate shift", moved=0.4, wider=1.2, marked=0.35)
CHANGED = Concept("concept drift", pull=-0.5)
MODELS = ("calibrated", "misspecified")


@dataclass(frozen=True)
class Customers:
    """A sample: features of shape (rows, NUMBERS + 1), what each is worth, and the true probability of leaving."""

    features: FloatArray
    gain: FloatArray
    chance: FloatArray


@dataclass(frozen=True)
class EstimateSettings:
    """How much is simulated: sizes of a month, and how many months of each."""

    customers: tuple[int, ...] = (5_000, 20_000, 100_000)
    months: int = 24


QUICK = EstimateSettings(customers=(5_000,), months=4)


@dataclass(frozen=True)
class Row:
    """One model in many months of one kind; every figure is of ROC-AUC and, as a share of realised, of profit.

    Args:
        estimated, realised: means over the months.
        bias: mean of estimated less realised.
        bias_sd: its standard error.
        error: mean absolute error by month.
        noise: mean distance of the realised figure from what it is on average, which nobody can foresee.
        inside: share of months whose realised figure is inside the interval.
    """

    figure: str
    world: str
    model: str
    customers: int
    estimated: float
    realised: float
    bias: float
    bias_sd: float
    error: float
    noise: float
    inside: float


def estimation_errors(
    settings: EstimateSettings | None = None,
    *,
    seed: int = SEED,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Everything measured, and the goals with whether they are met; plain values. About a minute of one core."""
    settings = settings or EstimateSettings()
    worlds = (USUAL, SHIFTED, CHANGED)
    kinds = [(world, model, n) for n in settings.customers for world in worlds for model in MODELS]
    rows = []
    for done, (world, model, customers) in enumerate(kinds, 1):
        random = np.random.default_rng([seed, customers, worlds.index(world), MODELS.index(model)])
        rows += _row(world, model, customers, [_month(world, model, customers, random) for _ in range(settings.months)])
        progress(f"{world.name}, {customers:,}", done, len(kinds))
    return {"goals": _goals(rows), "rows": [asdict(row) for row in rows], "settings": asdict(settings)}


def drawn_customers(concept: Concept, rows: int, random: np.random.Generator) -> Customers:
    """A month of customers who have nothing to do with each other."""
    numbers = random.normal(size=(rows, NUMBERS))
    numbers[:, :2] += concept.moved
    numbers[:, 2] *= concept.wider
    mark = (random.random(rows) < concept.marked).astype(np.float64)
    chance = _chance(numbers, mark, concept.pull)
    gaps = np.where(random.random(rows) < 0.1, np.nan, numbers[:, 4])
    features = np.column_stack([numbers[:, :4], gaps, mark])
    return Customers(features, random.gamma(4.0, 25.0, rows), chance)


def _month(
    world: Concept, model: str, customers: int, random: np.random.Generator
) -> dict[str, tuple[float, float, float, bool]]:
    """For each figure: estimated, realised, realised on average, and whether the interval holds it."""
    known, now = drawn_customers(USUAL, LABELLED_ROWS, random), drawn_customers(world, customers, random)
    score = _model(model, random)
    labelled = Labelled(score(known), _outcome(known, random), known.features, _payoffs(known))
    p, payoffs = score(now), _payoffs(now)
    month = Unlabelled(p, payoffs, now.features, int(BUDGET_SHARE * customers))
    estimate = pape(labelled, month, seed=int(random.integers(2**31))).metrics
    chosen, left = contacts(payoffs.expected(p), month.budget), _outcome(now, random)
    realised = {"roc_auc": _auc(p, left), "profit": float(payoffs.realised(left)[chosen].sum())}
    average = {"roc_auc": _auc(p, now.chance), "profit": float(payoffs.expected(now.chance)[chosen].sum())}
    found = {}
    for name, value in realised.items():
        interval = estimate[name]
        found[name] = (interval.value, value, average[name], interval.low <= value <= interval.high)
    return found


def _payoffs(customers: Customers) -> Payoffs:
    return Payoffs(customers.gain, np.full(len(customers.gain), LOSS))


def _model(name: str, random: np.random.Generator) -> Callable[[Customers], FloatArray]:
    """The release: made before the month, from the usual concept."""
    if name == "calibrated":
        return _as_usual
    from sklearn.linear_model import LogisticRegression

    past = drawn_customers(USUAL, FITTED_ROWS, random)
    model = LogisticRegression().fit(np.nan_to_num(past.features), _outcome(past, random))
    return lambda customers: np.asarray(model.predict_proba(np.nan_to_num(customers.features))[:, 1])


def _as_usual(customers: Customers) -> FloatArray:
    """The probabilities that are true as long as the concept is."""
    return _chance(customers.features, customers.features[:, NUMBERS], USUAL.pull)


def _chance(numbers: FloatArray, mark: FloatArray, pull: float) -> FloatArray:
    bent = 0.9 * numbers[:, 0] + pull * numbers[:, 1] + 0.3 * numbers[:, 2] ** 2
    return expit(bent - 2.6 - 1.2 * mark + 0.3 * mark * numbers[:, 0])


def _outcome(customers: Customers, random: np.random.Generator) -> FloatArray:
    return (random.random(len(customers.chance)) < customers.chance).astype(np.float64)


def _auc(score: FloatArray, chance: FloatArray) -> float:
    """Of outcomes, or expected where they are only likely; scores have no ties here."""
    ordered = chance[np.argsort(score, kind="stable")]
    return float(expected_auc(np.ones(len(score)), ordered[None])[0][0])


def _row(world: Concept, model: str, customers: int, months: Sequence[dict[str, Any]]) -> list[Row]:
    rows = []
    for figure in ("roc_auc", "profit"):
        estimated, realised, average, inside = np.array([month[figure] for month in months], dtype=np.float64).T
        unit = 1.0 if figure == "roc_auc" else realised.mean()
        error = (estimated - realised) / unit
        rows.append(
            Row(
                figure,
                world.name,
                model,
                customers,
                estimated=float(estimated.mean()),
                realised=float(realised.mean()),
                bias=float(error.mean()),
                bias_sd=float(error.std() / np.sqrt(len(error))),
                error=float(np.abs(error).mean()),
                noise=float(np.abs((realised - average) / unit).mean()),
                inside=float(inside.mean()),
            )
        )
    return rows


def _goals(rows: Sequence[Row]) -> list[dict[str, Any]]:
    limits, goals = {"roc_auc": GOAL_AUC, "profit": GOAL_PROFIT}, []
    calm = {
        (row.model, row.customers): row.estimated for row in rows if row.world == USUAL.name and row.figure == "roc_auc"
    }
    for row in rows:
        where = f"{row.model} model, {row.customers:,} customers"
        if row.world != CHANGED.name:
            name = f"mean error of estimated {row.figure}, {row.world}, {where}"
            goals.append(_goal(name, abs(row.bias), limits[row.figure]))
        elif row.figure == "roc_auc":
            name = f"concept drift is not seen: change of estimated {row.figure}, {where}"
            goals.append(_goal(name, abs(row.estimated - calm[row.model, row.customers]), BLIND))
    return goals


def _goal(name: str, measured: float, at_most: float) -> dict[str, Any]:
    return {
        "name": name,
        "goal": f"at most {at_most}",
        "measured": round(measured, 4),
        "met": bool(measured <= at_most),
    }
