"""What a release is monitored by: the months it was made of, as sketches of their features and of its scores.

Made when the release is made and kept inside it, so that whoever compares a month with it years later needs no rows.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from monitoring.distances import Channel
from monitoring.drift import thresholds_of
from monitoring.figures import read_figures, write_figures
from monitoring.sketches import Sketch, sketch_from_dict
from monitoring.sketching import feature_sketch, table_sketch
from monitoring.thresholds import DriftThresholds, thresholds_from_dict
from pipeline.calendar import Monthly
from pipeline.candidates import Run
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.lake import Lake
from pipeline.scored import columns_of_features, evenly
from pipeline.scoring import Scorer, log_odds
from pipeline.slices import groups_of_rows

MOST_MONTHS = 24
SCORED_ROWS = 4_000  # of a reference month: as many as tell its scores apart from another month's
SCORE = "log-odds"
LEAST_OF_SCORES: Mapping[Channel, float] = {"shift": 0.2, "spread": 0.2}
"""What is worth a look, as the distances of `distances.py`: a level that moved by about a quarter in log-odds."""


@dataclass(frozen=True)
class Usual:
    """Reference months of one kind of sketch, and from which distance on a month is an alarm."""

    months: tuple[Sketch, ...]
    thresholds: DriftThresholds

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {"months": [month.as_dict() for month in self.months], "thresholds": self.thresholds.as_dict()}


@dataclass(frozen=True)
class Reference:
    """Of features, and of the release's scores, overall and by slice."""

    features: Usual
    scores: Usual

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the release."""
        return {"features": self.features.as_dict(), "scores": self.scores.as_dict()}


def reference_from_dict(stored: Mapping[str, Any]) -> Reference:
    """The inverse of `Reference.as_dict`."""
    return Reference(*(_usual_from_dict(stored[name]) for name in ("features", "scores")))


def reference_for(dataset: Dataset, lake: Lake, keys: Sequence[str], scorer: Scorer, *, threads: int = 1) -> Reference:
    """The reference of a release that is made of the snapshots `keys`: the newest two years of them."""
    newest = list(keys)[-MOST_MONTHS:]
    with ThreadPoolExecutor(threads) as pool:
        features = list(pool.map(lambda key: month_sketch(dataset, lake, key), newest))
        tables = list(pool.map(lambda key: _scores(dataset, lake, key, scorer), newest))
    names = sorted({name for table in tables for name in table})
    scores = [score_sketch(table, names, key=key) for table, key in zip(tables, newest, strict=True)]
    usual, known = _usual(scores), _usual(features)
    ours = {feature.name for feature in dataset.features if feature.is_own_action}
    return Reference(
        replace(known, thresholds=_without(known.thresholds, ours)),
        replace(usual, thresholds=_of_levels(usual.thresholds)),
    )


def reference_of_run(run: Run) -> dict[str, Any]:
    """The reference of a month's candidate as plain values; none where there is no time, so nothing to compare."""
    calendar = run.dataset.calendar
    if not isinstance(calendar, Monthly):
        return {}
    scorer = run.rung(run.evaluation().verdict.rung)  # type: ignore[arg-type]
    keys = calendar.snapshots(run.key)
    return reference_for(run.dataset, run.lake, keys, scorer, threads=run.settings.threads).as_dict()


def month_sketch(dataset: Dataset, lake: Lake, key: str) -> Sketch:
    """The sketch of a month's features, from its file where it was made before."""
    stored = read_figures(lake, "sketches", key)
    return sketch_from_dict(stored) if stored else write_sketch(dataset, lake, key)


def write_sketch(dataset: Dataset, lake: Lake, key: str) -> Sketch:
    """Make the sketch of a month's features and keep it."""
    sketch = feature_sketch(dataset, lake, key)
    write_figures(lake, "sketches", key, sketch.as_dict())
    return sketch


def write_sketches(dataset: Dataset, lake: Lake, keys: Sequence[str], *, threads: int = 1) -> list[Sketch]:
    """The same for several months, `threads` at a time."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda key: write_sketch(dataset, lake, key), keys))


def scores_by_slice(dataset: Dataset, features: pa.Table, probability: FloatArray) -> dict[str, FloatArray]:
    """Scores in log-odds, overall and in each group of each slice, NaN outside of it; shape (rows,) each."""
    score = log_odds(np.asarray(probability, dtype=np.float64))
    groups = groups_of_rows(dataset, features)
    by_group = {
        f"{SCORE} where {cut} is {group}": np.where(inside, score, np.nan) for (cut, group), inside in groups.items()
    }
    return {SCORE: score} | by_group


def score_sketch(scores: Mapping[str, FloatArray], names: Sequence[str], *, key: str) -> Sketch:
    """The sketch of a month's scores; a group that nobody belongs to is missing altogether."""
    nobody = np.full(len(scores[SCORE]), np.nan)
    rows = pa.table({name: pa.array(scores.get(name, nobody), from_pandas=True) for name in names})
    return table_sketch(rows, [Field(name=name, kind="number") for name in names], key=key)


def _scores(dataset: Dataset, lake: Lake, key: str, scorer: Scorer) -> dict[str, FloatArray]:
    features = evenly(lake.read("features", "customers", key), SCORED_ROWS)
    probability = scorer.probability(columns_of_features(features, scorer.fields), len(features))
    return scores_by_slice(dataset, features, probability)


def _usual(months: Sequence[Sketch]) -> Usual:
    return Usual(tuple(months), thresholds_of(months))


def _without(thresholds: DriftThresholds, names: set[str]) -> DriftThresholds:
    """No alarm for these fields, nor for a pair that has one of them."""
    kept = {
        channel: {name: limit for name, limit in limits.items() if not names & set(name.split("~"))}
        for channel, limits in thresholds.values.items()
    }
    return replace(thresholds, values=kept)


def _of_levels(thresholds: DriftThresholds) -> DriftThresholds:
    """How high and how different scores are; how many customers a slice has, its field tells.

    A model that leans on what is a little unlike itself moves by more than its fields do, and nobody would act on that.
    """
    values = {
        channel: {name: max(limit, least) for name, limit in thresholds.values[channel].items()}
        for channel, least in LEAST_OF_SCORES.items()
    }
    return replace(thresholds, values=values)


def _usual_from_dict(stored: Mapping[str, Any]) -> Usual:
    months = tuple(sketch_from_dict(month) for month in stored["months"])
    return Usual(months, thresholds_from_dict(stored["thresholds"]))
