"""What a replay came to, read back from the file that it wrote: months, what really happened, and what it was worth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.bootstrap import Interval
from pipeline.errors import SourceError
from pipeline.lake import Lake
from pipeline.simulator.scenarios import Event

FILE = ("replay", "outcome.json")
NEVER, PIPELINE, MONTHLY, BEST = "never retrained", "this pipeline", "retrained every month", "the best possible"
WAYS = (NEVER, PIPELINE, MONTHLY, BEST)
"""The ways of running the company, as they are named in the file."""
BY_RULE = "rule"
"""What a month is served by while the rule answers, and the release of what the rule said."""


@dataclass(frozen=True)
class Decided:
    """What monitoring decided after a month; `action` is a word such as `watch`."""

    action: str = "nothing"
    reasons: tuple[str, ...] = ()
    starts_training: bool = False


@dataclass(frozen=True)
class Seen:
    """A piece of evidence: its kind, and a sentence."""

    kind: str
    says: str


@dataclass(frozen=True)
class PlayedMonth:
    """A month as it was noted when it was done.

    Args:
        estimated: figures that its labels should show later, by name; empty where nothing was estimated.
        realised: of snapshots whose labels matured in the month, their figures by name.
        realised_release: of the same snapshots, what had scored them.
        release: what serves at its end, or would if the rule did not.
        promoted: whether that release is the month's own.
        served_by: champion or rule.
        repairs: why the contract stopped the month until the feed was repaired; empty where it did not.
    """

    month: str
    release: str | None
    promoted: bool
    served_by: str
    decision: Decided | None = None
    evidence: tuple[Seen, ...] = ()
    estimated: Mapping[str, Interval] = field(default_factory=dict)
    realised: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    realised_release: Mapping[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()

    @property
    def is_trained(self) -> bool:
        """Whether a training was started after it."""
        return self.decision is not None and self.decision.starts_training


@dataclass(frozen=True)
class Values:
    """Expected profit of each way of running the company: by month, in all, and how much more this pipeline earned."""

    profit: Mapping[str, tuple[float, ...]]
    total: Mapping[str, float]
    share: Interval
    more: Mapping[str, Interval]


@dataclass(frozen=True)
class Outcome:
    """A replay that was played and valued."""

    scenario: str
    description: str
    customers: int
    currency: str
    months: tuple[PlayedMonth, ...]
    happened: tuple[Event, ...]
    values: Values

    @property
    def keys(self) -> list[str]:
        """The months that were played, in their order."""
        return [month.month for month in self.months]

    @property
    def met(self) -> tuple[Event, ...]:
        """What happened in the months that were played."""
        return tuple(event for event in self.happened if event.place <= len(self.months))

    def realised(self, metric: str) -> dict[str, Interval]:
        """A figure of each snapshot whose labels have matured, as it was last found."""
        found = {key: figures for month in self.months for key, figures in month.realised.items()}
        return {key: figures[metric] for key, figures in found.items() if _is_known(figures.get(metric))}

    def errors(self, metric: str) -> dict[str, float]:
        """Realised less estimated, of the months in which both are about the same release.

        A month that promoted a release was estimated for the one before; one that the rule scored, for none.
        """
        scored_by = {key: release for month in self.months for key, release in month.realised_release.items()}
        realised = self.realised(metric)
        return {
            month.month: realised[month.month].value - month.estimated[metric].value
            for month in self.months
            if month.month in realised
            and _is_known(month.estimated.get(metric))
            and not month.promoted
            and scored_by.get(month.month) == month.release
        }


def stored_outcome(lake: Lake, scenario: str) -> dict[str, Any]:
    """The file as it is.

    Raises:
        SourceError: there is none, or it is no JSON.
    """
    path = lake.root.joinpath(*FILE)
    if not path.exists():
        raise SourceError(
            f"report of scenario {scenario!r}",
            expected=f"a replay at {path}",
            found="none",
            remedy=f"Run `churn replay --scenario {scenario}` first.",
        )
    try:
        return _json().validate_json(path.read_bytes())
    except ValidationError as error:
        raise _unreadable(scenario, error.errors()[0]["msg"]) from error


def outcome_of(stored: Mapping[str, Any]) -> Outcome:
    """The outcome as typed values.

    Raises:
        SourceError: a part is missing, or is not what it should be.
    """
    scenario = str(stored.get("scenario", "calm"))
    try:
        months = [{**month, **_split(month.get("realised", {}))} for month in stored.get("months", [])]
        found = _outcome().validate_python({**stored, "months": months})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unreadable(scenario, f"{where}: {first['msg']}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable(scenario, f"months: {error!r}") from error
    valued = {way: len(profit) for way, profit in found.values.profit.items()}
    if valued != dict.fromkeys(WAYS, len(found.months)) or not found.months:
        raise _unreadable(scenario, f"{len(found.months)} months, and profit of {valued or 'nothing'}")
    return found


def _split(realised: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of each snapshot, and apart from them the release that they are of."""
    figures = {
        key: {name: each for name, each in found.items() if name != "release"} for key, found in realised.items()
    }
    return {"realised": figures, "realised_release": {key: found["release"] for key, found in realised.items()}}


def _is_known(found: Interval | None) -> bool:
    return found is not None and math.isfinite(found.value)


def _unreadable(scenario: str, found: str) -> SourceError:
    return SourceError(
        f"report of scenario {scenario!r}",
        expected=f"{'/'.join(FILE)} as a replay writes it",
        found=found,
        remedy=f"Run `churn replay --scenario {scenario}` again; it plays no month twice, and writes the file anew.",
    )


@cache
def _outcome() -> TypeAdapter[Outcome]:
    return TypeAdapter(Outcome)


@cache
def _json() -> TypeAdapter[dict[str, Any]]:
    return TypeAdapter(dict[str, Any])
