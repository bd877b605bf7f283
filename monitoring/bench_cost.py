"""What the monitoring of a month costs beside what the month's features cost, in processor time.

Belongs here: the measurement. The company that it is measured on, and the goals' command, are in `assets/`.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from monitoring.month import LOOKS, decide_month, look
from monitoring.reference import write_sketch
from monitoring.watched import WatchedMonth
from pipeline.declaration import Dataset
from pipeline.features import write_features
from pipeline.settings import Settings

GOAL = 0.10
FEATURES = "features"
OF_DATA = ("sketch", "health", "drift", "skew")  # the looks that need neither a model nor labels


def monitoring_cost(dataset: Dataset, settings: Settings, key: str, *, rounds: int) -> dict[str, Any]:
    """Seconds of processor time of each part, the median of `rounds` after one that warms up; and the goals.

    The monitoring is all that a month has: the sketch of its features, every look, and the decision. Left out are what
    is made once for each release, its reference and the curve of its age, and everything that Dagster adds.

    Each round has every part once, in the order of a month's run, whose steps share what they read. The share is the
    median of the rounds' own: whatever else the machine does slows what is measured one after the other alike.
    """
    _round(dataset, settings, key)
    found = [_round(dataset, settings, key) for _ in range(rounds)]
    parts = [name for name in found[0] if name != FEATURES]
    month = WatchedMonth(dataset, settings, key)
    return {
        "customers": month.sketch.rows,
        "rung": month.release.manifest.rung if month.release else "",
        "seconds": {name: statistics.median(each[name] for each in found) for name in found[0]},
        "goals": [
            _goal("every look", parts, found),
            _goal("of it the looks at tables, features and callers", OF_DATA, found),
        ],
    }


def _goal(what: str, parts: Sequence[str], rounds: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    share = statistics.median(sum(each[name] for name in parts) / each[FEATURES] for each in rounds)
    return {
        "name": f"processor time of a month's monitoring, {what}, as a share of building its features, at most",
        "goal": GOAL,
        "measured": round(share, 4),
        "met": bool(share <= GOAL),
    }


def _round(dataset: Dataset, settings: Settings, key: str) -> dict[str, float]:
    """Seconds of processor time of each part, all threads together."""
    month = WatchedMonth(dataset, settings, key)
    parts: Mapping[str, Callable[[], object]] = {
        FEATURES: partial(write_features, dataset, month.lake, [key], threads=1),
        "sketch": partial(write_sketch, dataset, month.lake, key),
        **{kind: partial(look, month, kind) for kind in LOOKS},
        "decision": partial(decide_month, month),
    }
    seconds = {}
    for name, part in parts.items():
        began = time.process_time()
        part()
        seconds[name] = time.process_time() - began
    return seconds
