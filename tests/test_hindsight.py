"""Alarms against what really happened, on months that are counted by hand."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest

from monitoring.evidence import EvidenceKind
from monitoring.hindsight import FINDS, FOLLOWS, PLANNED, REPAIR, Fate, judged
from pipeline.calendar import month_after
from pipeline.simulator.scenarios import EventKind


def played(count: int, seen: Mapping[int, Sequence[str]] | None = None, repaired: Sequence[int] = ()) -> list[Any]:
    """Months of 2025 of which some saw evidence, by their place from 1."""
    return [
        {
            "month": month_after("2025-01", place - 1),
            "evidence": [{"kind": kind} for kind in (seen or {}).get(place, ())],
            "repairs": ["a column went missing"] if place in repaired else [],
        }
        for place in range(1, count + 1)
    ]


def event(place: int, kind: str, last: int | None = None) -> dict[str, Any]:
    return {"place": place, "kind": kind, "last": last, "says": "", "stops_the_month": False}


def test_where_nothing_happened_every_month_of_alarm_is_a_false_one() -> None:
    found = judged(played(8, {2: ["drift", "drift"], 7: ["volume", "score_drift"]}), [])
    assert [(alarm.month, alarm.kinds, alarm.is_false) for alarm in found.alarms] == [
        ("2025-02", ("drift",), True),
        ("2025-07", ("volume", "score_drift"), True),
    ]
    assert found.false_alarms == 2
    assert found.false_alarms_a_year == 3.0  # 2 in 8 months


def test_quiet_months_have_neither_alarms_nor_figures_to_be_ashamed_of() -> None:
    found = judged(played(24), [])
    assert (found.alarms, found.fates, found.false_alarms_a_year, found.months_until_found) == ((), (), 0.0, None)


def test_a_replay_without_months_has_no_rate_to_divide_by() -> None:
    assert judged([], [event(1, "feed")]).as_dict()["false_alarms_a_year"] == 0.0


def test_an_event_is_found_by_the_first_alarm_that_could_have_seen_it() -> None:
    months = played(12, {4: ["realised_loss"], 5: ["volume"], 6: ["realised_below_estimate"], 7: ["realised_loss"]})
    found = judged(months, [event(5, "reasons")])
    assert found.fates == (Fate("found", "2025-06", 1),)
    assert [alarm.is_false for alarm in found.alarms] == [True, True, False, False]  # too early, another family


@pytest.mark.parametrize(("at", "is_false"), [(4, True), (5, False), (8, False), (9, True)])
def test_what_stays_explains_new_alarms_for_three_months_after_its_first(at: int, is_false: bool) -> None:
    found = judged(played(12, {at: ["realised_loss"]}), [event(5, "reasons")])
    assert found.alarms[0].is_false is is_false
    assert (found.fates[0].state == "missed") is is_false


@pytest.mark.parametrize(("at", "is_false"), [(5, False), (7, False), (10, False), (11, True)])
def test_what_ends_explains_alarms_in_its_months_and_for_three_after_them(at: int, is_false: bool) -> None:
    found = judged(played(12, {at: ["damage"]}), [event(5, "feed", last=7)])
    assert found.alarms[0].is_false is is_false


@pytest.mark.parametrize(("at", "is_false"), [(7, False), (8, True)])
def test_what_looks_at_the_tables_of_a_month_is_explained_in_an_events_own_months(at: int, is_false: bool) -> None:
    found = judged(played(12, {at: ["volume"]}), [event(5, "feed", last=7)])
    assert found.alarms[0].is_false is is_false
    assert judged(played(12, repaired=[at]), [event(5, "feed", last=7)]).alarms[0].is_false is is_false


def test_an_alarm_that_goes_on_without_a_break_keeps_its_explanation() -> None:
    at = {place: ["calibration_drift"] for place in (5, 6, 7, 8, 9, 10, 12)}
    found = judged(played(12, at), [event(5, "reasons")])
    assert [alarm.month for alarm in found.alarms if alarm.is_false] == ["2025-12"]


def test_another_kind_of_alarm_does_not_go_on_from_the_one_before() -> None:
    found = judged(played(12, {8: ["calibration_drift"], 9: ["realised_loss"]}), [event(5, "reasons")])
    assert [alarm.is_false for alarm in found.alarms] == [False, True]


def test_what_follows_from_an_event_is_explained_by_it_but_does_not_find_it() -> None:
    found = judged(played(9, {5: ["score_drift"], 6: ["damage"]}), [event(5, "feed", last=6)])
    assert [alarm.is_false for alarm in found.alarms] == [False, False]
    assert found.fates == (Fate("found", "2025-06", 1),)


@pytest.mark.parametrize("kind", ["prices", "mix"])
def test_the_rows_that_an_event_writes_are_explained_by_it_and_do_not_find_it(kind: str) -> None:
    found = judged(played(9, {5: ["volume"], 6: ["volume"], 8: ["volume"]}), [event(5, kind, last=5)])
    assert [alarm.is_false for alarm in found.alarms] == [False, False, True]  # the second goes on from the first
    assert found.fates == (Fate("missed"),)


def test_a_contract_that_stops_the_month_is_an_alarm_that_finds_a_broken_feed_at_once() -> None:
    found = judged(played(12, repaired=[3]), [event(3, "feed", last=3)])
    assert found.alarms[0].kinds == (REPAIR,)
    assert found.fates == (Fate("found", "2025-03", 0),)
    assert judged(played(12, repaired=[3]), []).false_alarms == 1


def test_a_season_needs_no_alarm_and_explains_none() -> None:
    found = judged(played(6, {2: ["drift"]}), [event(1, "season")])
    assert found.fates == (Fate("needs no alarm"),)
    assert found.false_alarms == 1


def test_an_event_whose_reach_the_replay_did_not_come_to_the_end_of_is_still_open() -> None:
    states = [judged(played(count), [event(5, "reasons")]).fates[0].state for count in (7, 8)]
    assert states == ["still open", "missed"]


def test_an_event_that_the_replay_did_not_come_to_is_no_part_of_it() -> None:
    assert judged(played(4), [event(5, "reasons")]).fates == ()


def test_a_training_that_was_due_by_plan_alarms_nobody() -> None:
    assert judged(played(3, {2: [*PLANNED]}), []).alarms == ()


def test_events_that_overlap_are_all_named_and_the_months_until_found_are_averaged() -> None:
    events = [event(3, "prices", last=3), event(3, "reasons"), event(9, "feed", last=9)]
    found = judged(played(12, {3: ["drift"], 5: ["realised_loss"]}, repaired=[9]), events)
    assert [alarm.events for alarm in found.alarms] == [(0, 1), (0, 1), (2,)]
    assert [fate.months_until for fate in found.fates] == [0, 2, 0]
    assert found.months_until_found == pytest.approx(2 / 3)


def test_every_kind_of_event_and_of_evidence_has_its_place() -> None:
    assert set(FINDS) == set(get_args(EventKind))
    placed = frozenset[str]().union(*FINDS.values(), *FOLLOWS.values(), PLANNED)
    assert placed - {REPAIR} == set(get_args(EvidenceKind)) - {"service"}  # of the service, not of a month's tables


def test_its_figures_can_be_kept_as_json() -> None:
    found = judged(played(6, {2: ["drift"]}, repaired=[4]), [event(4, "feed", last=4)]).as_dict()
    assert json.loads(json.dumps(found)) == found | {
        "alarms": [
            {"month": "2025-02", "kinds": ["drift"], "explained_by": {}, "is_false": True},
            {"month": "2025-04", "kinds": ["repair"], "explained_by": {"repair": [0]}, "is_false": False},
        ]
    }
    figures = {name: found[name] for name in ("alarm_months", "false_alarms", "false_alarms_a_year", "events_found")}
    assert figures == {"alarm_months": 2, "false_alarms": 1, "false_alarms_a_year": 2.0, "events_found": 1}
