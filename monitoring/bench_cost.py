"""What the monitoring of a month costs beside what the month's features cost, in processor time.

Belongs here: the measurement. The world that it is measured on, and the goals' command, are in `assets/`.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from monitoring.drift import drift, thresholds_of
from monitoring.estimated import Labelled, Unlabelled, cbpe, pape
from monitoring.recalibration import expit
from monitoring.sketches import Sketch
from monitoring.sketching import feature_sketch
from pipeline.calendar import month_after
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray, Payoffs
from pipeline.encoding import Encoding, model_fields
from pipeline.features import write_features
from pipeline.lake import Lake
from pipeline.splits import as_frame

GOAL = 0.10
MONTHLY = ("sketch", "drift", "estimate")
REFERENCE_MONTHS, LABELLED_ROWS, ROUNDS = 24, 60_000, 9
BUDGET_SHARE = 0.05


def monitoring_cost(dataset: Dataset, lake: Lake, key: str, *, rounds: int = ROUNDS) -> dict[str, Any]:
    """Seconds of processor time of each part, the median of `rounds` after one that warms up; and the goal.

    The goal is about a month's sketch, its drift and one estimate; the thresholds are made once for each release. Left
    out are reading the log, scoring labelled months, realised performance, drift of scores, tables and skew. The
    features are written on the way. Scores and outcomes are made up: what they say makes no difference to the cost.

    Each round has every part once, and the share is the median of the rounds' own: whatever else the machine does slows
    what is measured one after the other alike.
    """
    write_features(dataset, lake, [key], threads=1)
    sketch = feature_sketch(dataset, lake, key)
    reference = _reference(sketch)
    thresholds, (labelled, month) = thresholds_of(reference), _scored(dataset, lake, key)
    parts = {
        "features": lambda: write_features(dataset, lake, [key], threads=1),
        "sketch": lambda: feature_sketch(dataset, lake, key),
        "drift": lambda: drift(sketch, reference, thresholds),
        "estimate": lambda: pape(labelled, month, seed=1),
        "estimate without weights": lambda: cbpe(labelled, month, seed=1),
        "thresholds of a release": lambda: thresholds_of(reference),
    }
    _round(parts)
    found = [_round(parts) for _ in range(rounds)]
    share = statistics.median(sum(each[name] for name in MONTHLY) / each["features"] for each in found)
    return {
        "customers": sketch.rows,
        "seconds": {name: statistics.median(each[name] for each in found) for name in parts},
        "goals": [
            {
                "name": "processor time of a month's sketch, drift and estimate, as a share of its features, at most",
                "goal": GOAL,
                "measured": round(share, 4),
                "met": bool(share <= GOAL),
            }
        ],
    }


def _reference(sketch: Sketch) -> list[Sketch]:
    """Two years that are like the month, but for a hundredth that each of them is higher or lower."""
    random, months = np.random.default_rng(1), []
    for i in range(REFERENCE_MONTHS):
        numbers = {
            name: replace(number, quantiles=tuple(q * random.normal(1, 0.01) for q in number.quantiles))
            for name, number in sketch.numbers.items()
        }
        months.append(replace(sketch, key=month_after(sketch.key, i - REFERENCE_MONTHS), numbers=numbers))
    return months


def _scored(dataset: Dataset, lake: Lake, key: str) -> tuple[Labelled, Unlabelled]:
    """The month's customers as its own, and some of them again as if their outcome were known."""
    frame, random = as_frame(lake.read("features", "customers", key), dataset), np.random.default_rng(1)
    features = Encoding(model_fields(dataset.fields())).matrix(frame, len(frame))
    p = expit(random.normal(-2.5, 1.0, len(frame)))
    known = random.permutation(len(frame))[:LABELLED_ROWS]
    left: FloatArray = (random.random(len(known)) < p[known]).astype(np.float64)
    payoffs = Payoffs(random.gamma(4.0, 25.0, len(frame)), np.full(len(frame), 10.0))
    month = Unlabelled(p, payoffs, features, int(BUDGET_SHARE * len(frame)))
    return Labelled(p[known], left, features[known]), month


def _round(parts: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of processor time of each part, all threads together."""
    seconds = {}
    for name, part in parts.items():
        began = time.process_time()
        part()
        seconds[name] = time.process_time() - began
    return seconds
