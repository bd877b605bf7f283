"""Has the data changed since the release was made? The library's face: sketches in, thresholds and findings out.

Distances are in `distances.py`, what a month is compared with in `baseline.py` and `season.py`, when a distance is an
alarm in `thresholds.py`, and how alarms become messages in `causes.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitoring.baseline import unrelated_months
from monitoring.causes import Comparison, Finding, found_causes
from monitoring.distances import Channel, Distances, distances, names_of
from monitoring.season import baseline_of
from monitoring.sketches import Sketch
from monitoring.stack import Layout, layout_of, stack_of
from monitoring.thresholds import DriftThresholds, calibrated


def thresholds_of(reference: Sequence[Sketch]) -> DriftThresholds:
    """What to monitor by, from the months that a release was made of. The floors alone where there are few months."""
    layout, keys = layout_of(reference[0]), [sketch.key for sketch in reference]
    baseline = baseline_of(stack_of(reference, layout), keys, layout)
    found = calibrated(baseline.strays(), unrelated_months(keys), baseline.noise())
    restless = {channel: _marked(names_of(channel, layout), is_so) for channel, is_so in found.restless.items()}
    return DriftThresholds(float(found.c), len(reference), _by_name(found.limits, layout), restless)


def drift(
    sketch: Sketch,
    reference: Sequence[Sketch],
    thresholds: DriftThresholds,
    *,
    sources: Mapping[str, str] | None = None,
) -> list[Finding]:
    """What is wrong with a month, one finding for each cause, the gravest first; empty where nothing is.

    Args:
        sketch: the month.
        reference: the months of the release; those of the same season are chosen here.
        thresholds: as `thresholds_of` gave them when the release was made.
        sources: the table that each field comes from, so that a broken feed is one finding and not one per field.

    Raises:
        ContractError: the month has other fields than the reference.
    """
    comparison = _comparison(sketch, reference)
    return found_causes(comparison, thresholds, sources or {})


def measured(sketch: Sketch, reference: Sequence[Sketch]) -> dict[Channel, dict[str, float]]:
    """The distances of a month by channel and name, for tables and charts; those that exist."""
    return _by_name(_comparison(sketch, reference).distances, layout_of(sketch))


def _comparison(sketch: Sketch, reference: Sequence[Sketch]) -> Comparison:
    layout = layout_of(reference[0])
    baseline = baseline_of(stack_of(reference, layout), [month.key for month in reference], layout)
    before, now = baseline.live([sketch.key]), stack_of([sketch], layout)
    found = {channel: values[0] for channel, values in distances(now, before, layout).items()}
    return Comparison(sketch.key, layout, before, now, found)


def _by_name(values: Distances, layout: Layout) -> dict[Channel, dict[str, float]]:
    return {channel: _named(names_of(channel, layout), found) for channel, found in values.items()}


def _marked(names: Sequence[str], is_so: Any) -> tuple[str, ...]:
    return tuple(name for name, each in zip(names, is_so, strict=True) if each)


def _named(names: Sequence[str], values: Any) -> dict[str, float]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    return {name: float(value) for name, value in zip(names, flat, strict=True) if np.isfinite(value)}
