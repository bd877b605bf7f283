"""What monitoring keeps of each month: one JSON file for each kind of figure and month, under the dataset's folder.

`<dataset>/monitoring/<kind>/<month>.json`; `assets/monitoring.py` has an asset for each kind.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from upath import UPath

from pipeline.bootstrap import Interval
from pipeline.lake import Lake, write_json

Kind = Literal[
    "sketches",
    "health",
    "drift",
    "scores",
    "estimated",
    "realised",
    "skew",
    "service",
    "decay",
    "staleness",
    "decisions",
]


def write_figures(lake: Lake, kind: Kind, key: str, value: Any) -> None:
    """Write the figures of a month, in place of earlier ones."""
    write_json(_path(lake, kind, key), value)


def read_figures(lake: Lake, kind: Kind, key: str) -> Any:
    """The figures of a month; None where there are none."""
    path = _path(lake, kind, key)
    return json.loads(path.read_bytes()) if path.exists() else None


def keys_of(lake: Lake, kind: Kind) -> list[str]:
    """The months that have such figures, oldest first."""
    folder = lake.root / "monitoring" / kind
    return sorted(path.stem for path in folder.iterdir() if path.suffix == ".json") if folder.exists() else []


def _path(lake: Lake, kind: Kind, key: str) -> UPath:
    return lake.root.joinpath("monitoring", kind, f"{key}.json")


def intervals_as_dict(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Intervals as plain values; what does not exist is None."""
    return {name: {part: known(value) for part, value in vars(found).items()} for name, found in intervals.items()}


def interval_from_dict(stored: Mapping[str, float | None]) -> Interval:
    """The inverse, of one."""
    return Interval(**{part: math.nan if value is None else value for part, value in stored.items()})


def known(value: float) -> float | None:
    """A number as JSON can hold it; None for one that does not exist."""
    return value if math.isfinite(value) else None
