"""Every rung judged on the same untouched rows: metrics, slices, errors, what a rung goes by, and the verdict."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any

import pandas as pd
from pydantic import Field as PydanticField
from pydantic import TypeAdapter, ValidationError

from pipeline.bootstrap import Draws, Interval
from pipeline.calibration import CalibrationBin, calibration_curve
from pipeline.campaign import Groups
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.error_analysis import ErrorAnalysis, error_analysis
from pipeline.errors import ReleaseError
from pipeline.holdout import Holdout, checked_probability, frame_digest, holdout_of_frame, sorted_frame
from pipeline.importance import FieldImportance, importance_of
from pipeline.max_profit import reason_without_empc
from pipeline.metrics import drawn_metrics, metrics_of
from pipeline.scoring import Scorer
from pipeline.settings import Settings
from pipeline.slices import SliceFigures, slice_figures, slice_groups
from pipeline.splits import Split
from pipeline.verdict import Comparison, Verdict, against_chance, comparisons_of, simplest_first, verdict_of
from pipeline.wording import Unit, unit_of


@dataclass(frozen=True)
class Part:
    """One part of the split: `train`, `calibration` or `test`. A row is a customer in a month."""

    name: str
    snapshots: tuple[str, ...]
    rows: int
    customers: int
    churners: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is known about the rungs of one run. Profits are in `currency` a `period`, against contacting nobody.

    Args:
        test_digest: SHA-256 over the content of the test rows; the gate refuses a report about other rows.
        data_version: version of the data that the rungs were fitted on, as the caller gave it.
        period: `month`, or `campaign` where the dataset has no time and the test customers are contacted once.
        parts: what the rungs were fitted on, calibrated on and judged by.
        rows: customers in a month, over all test snapshots.
        rungs: the metrics of each rung, simplest first; see `metrics.METRICS`.
        comparisons: paired differences in profit of every rung against every simpler one.
        against_chance: profit of each rung less that of as many contacts drawn by lot.
        contacts: customers that each rung contacts per month.
        calibration: promised against observed shares of leavers in bins, for each rung.
        errors: where the chosen rung loses money.
        importance: what the chosen rung goes by.
        notes: what was left out, and why.
        scores: the test rows with `p_<rung>`, `gain` and `loss`, for plots and the gate; not part of the report.
    """

    dataset: str
    run_key: str
    data_version: str
    test_digest: str
    currency: str
    period: str
    budget_share: float
    parts: tuple[Part, ...]
    snapshots: tuple[str, ...]
    rows: int
    customers: int
    churners: int
    base_rate: float
    rungs: Mapping[str, Mapping[str, Interval]]
    comparisons: tuple[Comparison, ...]
    against_chance: Mapping[str, Interval]
    contacts: Mapping[str, float]
    calibration: Mapping[str, tuple[CalibrationBin, ...]]
    verdict: Verdict
    slices: tuple[SliceFigures, ...]
    errors: ErrorAnalysis
    importance: tuple[FieldImportance, ...]
    notes: tuple[str, ...] = ()
    scores: Annotated[Any, PydanticField(exclude=True)] = field(default=None, compare=False, repr=False)

    @property
    def unit(self) -> Unit:
        """What profits are counted in."""
        return Unit(self.currency, self.period)

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON values; a figure that does not exist is None."""
        stored: dict[str, Any] = json.loads(_adapter().dump_json(self))
        return stored


@dataclass(frozen=True)
class _Judged:
    """The test rows, scored once by every rung and drawn once for all figures."""

    dataset: Dataset
    frame: pd.DataFrame
    rows: Holdout
    scores: Mapping[str, FloatArray]
    groups: Groups
    drawn: Draws

    @property
    def names(self) -> tuple[str, ...]:
        """The rungs, simplest first."""
        return tuple(self.scores)


def evaluate_rungs(
    dataset: Dataset,
    split: Split,
    rungs: Mapping[str, Scorer],
    settings: Settings,
    *,
    run_key: str = "",
    data_version: str = "",
    incumbent: str | None = None,
) -> Evaluation:
    """Judge every rung on `split.test`, which nothing else may have looked at; `incumbent` is the one that answers now.

    Raises:
        ChurnError: there are no test rows, or a rung gives something that is no probability.
    """
    judged = _judge(dataset, sorted_frame(split.test), rungs, settings)
    can_tell = not split.is_shared or incumbent == "rule"
    verdict, comparisons, chance = _verdict(judged, incumbent, can_tell=can_tell)
    scorer, p = rungs[verdict.rung], judged.scores[verdict.rung]
    frame, rows = judged.frame, judged.rows
    return Evaluation(
        **_facts(judged),
        run_key=run_key,
        data_version=data_version,
        parts=tuple(part_of(name, getattr(split, name)) for name in ("train", "calibration", "test")),
        rungs={name: metrics_of(judged.drawn, name) for name in judged.names},
        comparisons=comparisons,
        against_chance=chance,
        contacts={name: judged.drawn.values[name, "contacts"] for name in judged.names},
        calibration={name: calibration_curve(judged.drawn, name, judged.scores[name]) for name in judged.names},
        verdict=verdict,
        slices=slice_figures(judged.drawn, judged.groups, rows, judged.names),
        errors=error_analysis(scorer, frame, rows, p, groups=judged.groups, fields=dataset.fields()),
        importance=importance_of(scorer, frame, rows, seed=settings.seed),
        scores=scored_frame(frame, rows, judged.scores),
    )


def evaluation_from_dict(stored: Mapping[str, Any]) -> Evaluation:
    """The inverse of `Evaluation.as_dict`, without the scores.

    Raises:
        ReleaseError: it is not a whole evaluation.
    """
    try:
        return _adapter().validate_json(json.dumps(stored))
    except (ValidationError, TypeError, ValueError) as error:
        raise ReleaseError(
            "evaluation report",
            expected="every figure that an evaluation has",
            found=str(error)[:300],
            remedy="Do not repair it by hand: evaluate again.",
        ) from error


def scored_frame(frame: pd.DataFrame, rows: Holdout, scores: Mapping[str, FloatArray]) -> pd.DataFrame:
    """What the gate and the plots need of the test rows: who, when, whether they left, scores and payoffs."""
    known = frame[["customer_id", "snapshot", "churned"]]
    return known.assign(
        **{f"p_{name}": p for name, p in scores.items()}, gain=rows.payoffs.gain, loss=rows.payoffs.loss
    )


def _judge(dataset: Dataset, frame: pd.DataFrame, rungs: Mapping[str, Scorer], settings: Settings) -> _Judged:
    rows = holdout_of_frame(dataset, frame)
    names = simplest_first(list(rungs))
    scores = {name: checked_probability(name, rungs[name].probability(frame, len(frame))) for name in names}
    groups = slice_groups(dataset, frame)
    drawn = drawn_metrics(rows, scores, settings, economics=dataset.economics, groups=groups)
    return _Judged(dataset, frame, rows, scores, groups, drawn)


def _verdict(
    judged: _Judged, incumbent: str | None, *, can_tell: bool
) -> tuple[Verdict, tuple[Comparison, ...], dict[str, Interval]]:
    comparisons = comparisons_of(judged.drawn, judged.names)
    chance = against_chance(judged.drawn, judged.names)
    profits = {name: judged.drawn.interval(name, "profit") for name in judged.names}
    unit = unit_of(judged.dataset)
    verdict = verdict_of(profits, comparisons, chance, unit, incumbent=incumbent, can_tell=can_tell)
    return verdict, comparisons, chance


def part_of(name: str, rows: pd.DataFrame) -> Part:
    """A part of the split as a report has it."""
    snapshots = tuple(sorted(rows["snapshot"].unique()))
    return Part(name, snapshots, len(rows), rows["customer_id"].nunique(), int(rows["churned"].sum()))


def _facts(judged: _Judged) -> dict[str, Any]:
    """What the figures are about."""
    economics, rows = judged.dataset.economics, judged.rows
    left_out = reason_without_empc(economics)
    return {
        "dataset": judged.dataset.name,
        "test_digest": frame_digest(judged.frame),
        "currency": economics.currency,
        "period": unit_of(judged.dataset).period,
        "budget_share": economics.budget_share,
        "snapshots": tuple(sorted(judged.frame["snapshot"].unique())),
        "rows": len(rows),
        "customers": rows.customers,
        "churners": int(rows.churned.sum()),
        "base_rate": float(rows.churned.mean()),
        "notes": (left_out,) if left_out else (),
    }


@cache
def _adapter() -> TypeAdapter[Evaluation]:
    return TypeAdapter(Evaluation)
