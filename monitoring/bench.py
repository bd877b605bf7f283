"""How often monitoring cries wolf, and what it finds, measured on worlds whose truth is known.

The seeds are no ones that any threshold or floor was chosen with. Every rule judges the very same months.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitoring.bench_rules import RULES, BoolArray, Case, Judge
from monitoring.bench_shifts import SHIFTS, targets
from monitoring.bench_worlds import LAYOUT, Truth, World, sampled, truth_of
from pipeline.calendar import month_after

GOAL_FALSE_ALARMS, GOAL_FOUND = 0.5, 0.95
OURS = "ours"
FIRST = "2020-01"

WORLDS = (
    World("calm"),
    World("seasonal", season=0.15),
    World("jittering", jitter=0.03),
    World("seasonal and jittering", season=0.15, jitter=0.03),
)
HARDER = (
    World("larger jitter", season=0.15, jitter=0.06),
    World("uneven jitter", season=0.15, jitter=0.03, uneven=0.4),
    World("lingering jitter", season=0.15, jitter=0.03, memory=0.7),
    World("trend", season=0.15, jitter=0.03, trend=0.03),
)


@dataclass(frozen=True)
class BenchSettings:
    """How much is simulated.

    Args:
        customers: sizes of a month.
        worlds: how many worlds of each kind and size.
        reference_months: how many months a release has to compare with.
        live_months: how many months each world is then watched.
        shifted_months: how many of those are also judged with each fault.
    """

    customers: tuple[int, ...] = (2_000, 10_000, 100_000)
    worlds: int = 60
    reference_months: int = 24
    live_months: int = 24
    shifted_months: int = 6
    rules: tuple[str, ...] = field(default=tuple(RULES))
