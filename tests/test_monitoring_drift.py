"""What is found in a month, and that one cause is one message."""

import numpy as np
import pytest

from monitoring.drift import drift, measured, thresholds_of
from monitoring.sketches import UNKNOWN, Sketch
from monitoring.thresholds import FLOORS, DriftThresholds
from pipeline.errors import ContractError
from tests.monitored_months import LEVEL, month, months_after, number

BILL, AGE, CALLS = 50 + 10 * LEVEL, 20 + 40 * LEVEL, np.floor(5 * LEVEL)
PLAN = {"basic": 0.6, "plus": 0.4}
SOURCES = {"bill": "invoices", "age": "customers", "calls": "tickets", "plan": "customers"}


def usual(key: str, **changed: object) -> Sketch:
    numbers = {"bill": number(BILL), "age": number(AGE), "calls": number(CALLS, zero=0.2)}
    correlation = float(changed.pop("correlation", 0.1))
    plan = changed.pop("plan", PLAN)
    return month(key, numbers | changed, {"plan": plan}, correlation)


REFERENCE = [usual(key) for key in months_after("2023-01", 24)]
THRESHOLDS = thresholds_of(REFERENCE)


def messages(**changed: object) -> list[str]:
    return [finding.message for finding in drift(usual("2025-06", **changed), REFERENCE, THRESHOLDS, sources=SOURCES)]


def test_months_that_are_all_alike_are_watched_by_the_floors() -> None:
    assert {limit for limits in THRESHOLDS.values.values() for limit in limits.values()} == set(FLOORS.values())
    assert (THRESHOLDS.months, messages()) == (24, [])


def test_distances_are_those_worked_by_hand() -> None:
    found = measured(
        usual("2025-06", bill=number(BILL + 1), age=number(AGE, missing=0.05), plan={"basic": 0.5, "plus": 0.5}),
        REFERENCE,
    )
    assert found["shift"]["bill"] == pytest.approx(1 / BILL.std())
    assert found["spread"]["bill"] == pytest.approx(0.0)
    assert found["missing"]["age"] == pytest.approx(0.05)
    # ten points of a value that three fifths had, beside what chance moves such a share by
    assert found["category"]["plan"] == pytest.approx(0.1 / (2 * (0.6 * 0.4) ** 0.5))


def test_the_outermost_customers_do_not_make_a_shift() -> None:
    extreme = BILL.copy()
    extreme[-2:] = 1e9
    assert measured(usual("2025-06", bill=number(extreme)), REFERENCE)["shift"]["bill"] < 1e-9


def test_a_season_is_no_alarm_and_the_same_values_in_another_season_are() -> None:
    def seasonal(key: str) -> Sketch:
        return usual(key, bill=number(BILL + 3 * np.cos(2 * np.pi * int(key[-2:]) / 12)))

    reference = [seasonal(key) for key in months_after("2022-01", 36)]
    thresholds = thresholds_of(reference)
    assert all(drift(seasonal(key), reference, thresholds) == [] for key in months_after("2025-01", 12))
    december_in_june = usual("2025-06", bill=number(BILL + 3))
    assert [finding.fields for finding in drift(december_in_june, reference, thresholds)] == [("bill",)]


def test_a_column_that_gets_lost_is_one_message_whatever_else_that_does() -> None:
    lost = number(CALLS, missing=0.3, zero=0.9)
    assert messages(calls=lost) == [
        "2025-06: missing: calls of tickets: share of missing values in calls 0.0% -> 30.0% "
        "(missing 0.3, alarm above 0.02)"
    ]


def test_a_column_that_is_gone_altogether_is_found() -> None:
    gone = number([np.nan], missing=1.0)
    gone = type(gone)((), None, None, 1.0, 0.0)
    assert [m.split(": ")[1] for m in messages(calls=gone)] == ["missing"]


def test_more_that_is_known_is_no_damage() -> None:
    sketches = [usual(key, days=number(CALLS, missing=0.9)) for key in months_after("2024-01", 12)]
    now = usual("2025-06", days=number(CALLS, missing=0.7))
    (finding,) = drift(now, sketches, thresholds_of(sketches))
    assert finding.message == (
        "2025-06: level: days: share of missing values in days 90.0% -> 70.0% (missing 0.2, alarm above 0.02)"
    )


def test_another_unit_is_told_from_another_level() -> None:
    assert [m.split(": ")[1] for m in messages(bill=number(1.2 * BILL))] == ["unit"]
    assert "about 1.2 times" in messages(bill=number(1.2 * BILL))[0]
    assert [m.split(": ")[1] for m in messages(age=number(AGE + np.where(LEVEL > 0.5, 8, 0)))] == ["level"]


def test_a_renamed_value_is_told_from_another_mix() -> None:
    assert [m.split(": ")[1] for m in messages(plan={"basic": 0.6, "plus": 0.1, UNKNOWN: 0.3})] == ["unknown values"]
    assert [m.split(": ")[1] for m in messages(plan={"basic": 0.45, "plus": 0.55})] == ["mix"]


def test_a_broken_relation_without_another_change_names_the_field_in_most_pairs() -> None:
    broken = usual("2025-06")
    pairs = {pair: (0.9 if "calls" in pair else 0.1) for pair in broken.correlations}
    broken = Sketch(broken.key, broken.rows, broken.numbers, broken.categories, pairs)
    findings = drift(broken, REFERENCE, THRESHOLDS, sources=SOURCES)
    assert [(finding.kind, finding.fields, len(finding.moves)) for finding in findings] == [("relation", ("calls",), 2)]


def test_fields_of_one_source_are_one_message() -> None:
    findings = drift(
        usual("2025-06", age=number(AGE + 20), plan={"basic": 0.9, "plus": 0.1}), REFERENCE, THRESHOLDS, sources=SOURCES
    )
    assert [(finding.source, set(finding.fields)) for finding in findings] == [("customers", {"age", "plan"})]


def test_fields_that_go_together_are_one_message() -> None:
    together = [usual(key, correlation=0.8) for key in months_after("2023-01", 24)]
    moved = usual("2025-06", correlation=0.8, bill=number(BILL + 5), age=number(AGE + 20))
    assert len(drift(moved, together, thresholds_of(together))) == 1
    assert len(drift(usual("2025-06", bill=number(BILL + 5), age=number(AGE + 20)), REFERENCE, THRESHOLDS)) == 2


def test_other_customers_are_one_message() -> None:
    findings = drift(
        usual("2025-06", bill=number(BILL + 5), age=number(AGE + 20), calls=number(CALLS + 2, zero=0.0)),
        REFERENCE,
        THRESHOLDS,
        sources=SOURCES,
    )
    assert [finding.kind for finding in findings] == ["population"]


def test_the_strongest_cause_comes_first() -> None:
    findings = drift(usual("2025-06", bill=number(BILL + 1), calls=number(CALLS, missing=0.5)), REFERENCE, THRESHOLDS)
    assert [finding.fields for finding in findings] == [("calls",), ("bill",)]


def test_a_constant_that_stays_is_quiet_and_one_that_changes_is_found() -> None:
    constant = [usual(key, bill=number(np.full(100, 5.0))) for key in months_after("2023-01", 24)]
    thresholds = thresholds_of(constant)
    assert drift(usual("2025-06", bill=number(np.full(100, 5.0))), constant, thresholds) == []
    assert [f.fields for f in drift(usual("2025-06", bill=number(np.full(100, 7.0))), constant, thresholds)] == [
        ("bill",)
    ]


def test_other_fields_than_the_reference_are_refused_by_name() -> None:
    other = month("2025-06", {"bill": number(BILL), "tenure": number(AGE)}, {"plan": PLAN})
    with pytest.raises(ContractError, match="age, calls, tenure"):
        drift(other, REFERENCE, THRESHOLDS)


def test_a_dataset_with_a_single_snapshot_is_watched_by_the_floors() -> None:
    thresholds = thresholds_of([usual("snapshot")])
    assert (thresholds.c, thresholds.values["shift"]["bill"]) == (0.0, FLOORS["shift"])
    assert drift(usual("snapshot"), [usual("snapshot")], thresholds) == []


def test_a_finding_can_be_stored() -> None:
    finding = drift(usual("2025-06", bill=number(BILL + 5)), REFERENCE, THRESHOLDS)[0]
    stored = finding.as_dict()
    assert (stored["kind"], stored["moves"][0]["channel"]) == ("unit", "shift")


def test_a_field_without_a_threshold_is_not_judged() -> None:
    nothing = DriftThresholds(c=0.0, months=24, values={}, restless={})
    assert drift(usual("2025-06", bill=number(BILL + 50)), REFERENCE, nothing) == []
