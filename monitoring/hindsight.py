"""What the alarms of a replay were worth, once it is known what really happened: true or false, found or missed.

An event reaches as far as its data do. A window of features holds a month for three, and labels mature later still: so
an event explains alarms in its own months and in the `REACH_MONTHS` after them; where it stays, after its first month.
What looks at the tables of a month alone is explained in the event's own months only. An event is found by the first
alarm that could have seen it, and also explains what follows from it: damaged tables make bad scores, but bad scores do
not find damaged tables.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitoring.evidence import CHANGES

REACH_MONTHS = 3
MONTHS_A_YEAR = 12
REPAIR = "repair"
"""The alarm that is no evidence: the contract stopped the month, and somebody had to have the feed repaired."""
PLANNED = frozenset({"stale_model", "no_release"})  # evidence that a training is due by plan: nobody is alarmed

OF_THE_MONTH = frozenset({REPAIR, "volume", "quarantine"})  # seen in the tables that arrived in the month, nowhere else

_DATA = frozenset({REPAIR, "damage", "volume", "quarantine", "skew"})
_CUSTOMERS = frozenset({"drift", "score_drift"})
_RESULTS = CHANGES | {"worse_than_previous_release"}
FINDS: Mapping[str, frozenset[str]] = {
    "feed": _DATA | {"drift"},
    "prices": _CUSTOMERS | _RESULTS,
    "mix": _CUSTOMERS | _RESULTS,
    "reasons": _RESULTS,
    "season": frozenset(),
    "calls": frozenset(),
}
"""The kinds of evidence that find an event of a kind. A season and our own calls are no reason for an alarm."""
FOLLOWS: Mapping[str, frozenset[str]] = {
    "feed": _CUSTOMERS | _RESULTS,
    "prices": frozenset({"volume"}),  # a rise is a row of everybody's whom it meets
    "mix": frozenset({"volume"}),  # and who signs up is one
    "reasons": _CUSTOMERS,
}
"""The kinds that it explains besides."""

State = Literal["found", "missed", "still open", "needs no alarm"]


@dataclass(frozen=True)
class Alarm:
    """A month in which monitoring saw something, or the contract stopped the tables.

    Args:
        month: its key.
        kinds: the kinds of evidence, each once, in their order.
        explained_by: by the kinds that an event explains, the places of those events in the list of what happened.
    """

    month: str
    kinds: tuple[str, ...]
    explained_by: Mapping[str, tuple[int, ...]]

    @property
    def is_false(self) -> bool:
        """Whether nothing that happened explains any of it."""
        return not self.explained_by

    @property
    def events(self) -> tuple[int, ...]:
        """The events that explain it."""
        return tuple(sorted({event for events in self.explained_by.values() for event in events}))


@dataclass(frozen=True)
class Fate:
    """What became of an event.

    Args:
        state: found, missed, still open where the replay ended before its reach did, or not to be alarmed of at all.
        month: the month in which it was found.
        months_until: how many months after its first one; 0 is the same month.
    """

    state: State
    month: str | None = None
    months_until: int | None = None


@dataclass(frozen=True)
class Hindsight:
    """Every alarm and every event that the replay came to; `fates` are in the events' order."""

    months: int
    alarms: tuple[Alarm, ...]
    fates: tuple[Fate, ...]

    @property
    def false_alarms(self) -> int:
        """Months of alarm that nothing explains."""
        return sum(alarm.is_false for alarm in self.alarms)

    @property
    def false_alarms_a_year(self) -> float:
        """The same by year; 0 where nothing was played."""
        return self.false_alarms * MONTHS_A_YEAR / max(self.months, 1)

    def count(self, state: State) -> int:
        """How many events have a fate."""
        return sum(fate.state == state for fate in self.fates)

    @property
    def months_until_found(self) -> float | None:
        """On average over the events that were found; None where none was."""
        known = [fate.months_until for fate in self.fates if fate.months_until is not None]
        return sum(known) / len(known) if known else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold, the figures among them."""
        return {
            "alarms": [asdict(alarm) | {"is_false": alarm.is_false} for alarm in self.alarms],
            "events": [asdict(fate) for fate in self.fates],
            "alarm_months": len(self.alarms),
            "false_alarms": self.false_alarms,
            "false_alarms_a_year": self.false_alarms_a_year,
            "events_found": self.count("found"),
            "events_missed": self.count("missed"),
            "months_until_found": self.months_until_found,
        }


def judged(months: Sequence[Mapping[str, Any]], happened: Sequence[Mapping[str, Any]]) -> Hindsight:
    """Alarms against events.

    Args:
        months: as `month_as_noted` gives them, in their order, with `repairs`: those that were played.
        happened: the scenario's events as plain values; those that begin after the last month are left out.
    """
    met = [event for event in happened if event["place"] <= len(months)]
    alarms: list[Alarm] = []
    explained: Mapping[str, tuple[int, ...]] = {}
    for place, month in enumerate(months, start=1):
        kinds = kinds_of(month)
        explained = {kind: events for kind in kinds if (events := _explaining(kind, place, met, explained))}
        if kinds:
            alarms.append(Alarm(month["month"], kinds, explained))
    places = {month["month"]: place for place, month in enumerate(months, start=1)}
    return Hindsight(len(months), tuple(alarms), tuple(_fate(event, alarms, places) for event in met))


def kinds_of(month: Mapping[str, Any]) -> tuple[str, ...]:
    """What a month alarmed of, each kind once; empty where it was quiet."""
    repaired = [REPAIR] if month["repairs"] else []
    seen = [evidence["kind"] for evidence in month["evidence"] if evidence["kind"] not in PLANNED]
    return tuple(dict.fromkeys([*repaired, *seen]))


def _explaining(
    kind: str, place: int, events: Sequence[Mapping[str, Any]], before: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    """Events that explain a kind of alarm: they reach the month, or explained the same kind in the month before it."""
    goes_on = before.get(kind, ())
    return tuple(
        i
        for i, event in enumerate(events)
        if i in goes_on or (kind in _explains(event["kind"]) and _reaches(event, kind, place))
    )


def _explains(event_kind: str) -> frozenset[str]:
    return FINDS[event_kind] | FOLLOWS.get(event_kind, frozenset())


def _reaches(event: Mapping[str, Any], kind: str, place: int) -> bool:
    """Whether an alarm of a kind, at a place, may be due to an event."""
    is_over = kind in OF_THE_MONTH and event.get("last") is not None
    return bool(event["place"] <= place <= (event["last"] if is_over else _end(event)))


def _end(event: Mapping[str, Any]) -> int:
    """The last place at which an event explains a new alarm of any kind."""
    last: int | None = event.get("last")
    return (event["place"] if last is None else last) + REACH_MONTHS


def _fate(event: Mapping[str, Any], alarms: Iterable[Alarm], places: Mapping[str, int]) -> Fate:
    finds = FINDS[event["kind"]]
    if not finds:
        return Fate("needs no alarm")
    for alarm in alarms:
        place = places[alarm.month]
        if any(kind in finds and _reaches(event, kind, place) for kind in alarm.kinds):
            return Fate("found", alarm.month, place - event["place"])
    return Fate("missed" if _end(event) <= len(places) else "still open")
