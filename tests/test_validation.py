"""Great Expectations holds the rows against the declaration; every figure below was counted by hand."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from pipeline import validation
from pipeline.casting import ARROW_TYPES
from pipeline.contract import Validation, checks_of
from pipeline.declaration import Dataset
from pipeline.errors import SourceError
from pipeline.lake import Lake
from pipeline.outcome import Outcome, judged
from pipeline.quarantine import SortedOut
from pipeline.tables import Column, Table
from pipeline.validation import data_docs, validate
from tests.little_company import CUSTOMERS, EVENTS, little_company

READINGS = Table(
    name="readings",
    key=("meter", "customer_id"),
    known_at="recorded_at",
    happened_at="read_at",
    max_quarantined_share=0.9,
    columns=(
        Column("meter", "integer"),
        Column("customer_id", "string"),
        Column("level", "number", minimum=0, maximum=10),
        Column("note", "string", nullable=True),
        Column("plan", "string", categories=("basic", "plus")),
        Column("is_final", "boolean", nullable=True),
        Column("read_at", "timestamp"),
        Column("recorded_at", "timestamp"),
    ),
)
GOOD = {
    "meter": "1",
    "customer_id": "a",
    "level": "5",
    "note": "",
    "plan": "basic",
    "is_final": "yes",
    "read_at": "2024-02-01",
    "recorded_at": "2024-02-02T08:00:00Z",
}
FEBRUARY = "2024-02"


def company(table: Table = READINGS) -> Dataset:
    return little_company(tables=(*little_company().tables, table))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(UPath(tmp_path))


def deliver(lake: Lake, rows: Sequence[dict[str, Any]], key: str = FEBRUARY) -> None:
    """Raw rows as a CSV source gives them."""
    names = [column.name for column in READINGS.columns]
    columns = {name: pa.array([row[name] for row in rows], type=pa.string()) for name in names}
    lake.write(pa.table(columns), "raw", "readings", key)


def validated(lake: Lake, rows: Sequence[dict[str, Any]], table: Table = READINGS) -> Validation:
    deliver(lake, rows)
    (found,) = validate(company(table), "readings", [FEBRUARY], lake)
    return found


def good_ones(count: int) -> list[dict[str, Any]]:
    return [GOOD | {"meter": str(i)} for i in range(100, 100 + count)]


def reasons(lake: Lake) -> list[str]:
    return lake.read("quarantine", "readings", FEBRUARY)["reasons"].to_pylist()


def trusted_meters(lake: Lake) -> list[int]:
    return lake.read("trusted", "readings", FEBRUARY)["meter"].to_pylist()


def test_a_good_row_is_trusted_in_its_declared_types(lake: Lake) -> None:
    found = validated(lake, [GOOD])
    assert (found.rows_in, found.rows_trusted, found.rows_quarantined, found.reasons) == (1, 1, 0, {})
    assert found.contract_broken is None
    trusted = lake.read("trusted", "readings", FEBRUARY)
    assert trusted.schema.equals(pa.schema({c.name: ARROW_TYPES[c.kind] for c in READINGS.columns}))
    assert trusted.to_pylist() == [
        {
            "meter": 1,
            "customer_id": "a",
            "level": 5.0,
            "note": None,
            "plan": "basic",
            "is_final": True,
            "read_at": datetime(2024, 2, 1),
            "recorded_at": datetime(2024, 2, 2, 8),
        }
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer_id": " "}, "customer_id: expected a value, found nothing"),
        ({"meter": "4x"}, "meter: expected a whole number, found '4x'"),
        ({"level": "high"}, "level: expected a finite number, found 'high'"),
        ({"level": "inf"}, "level: expected a finite number, found 'inf'"),
        ({"level": "-0.5"}, "level: expected 0 to 10, found '-0.5'"),
        ({"level": "10.01"}, "level: expected 0 to 10, found '10.01'"),
        ({"plan": "Basic"}, "plan: expected one of basic, plus, found 'Basic'"),
        ({"is_final": "maybe"}, "is_final: expected true or false, found 'maybe'"),
        (
            {"read_at": "1.2.2024"},
            "read_at: expected a date or time such as 2024-05-31 or 2024-05-31T12:00:00, found '1.2.2024'",
        ),
        (
            {"recorded_at": "2024-03-01"},
            "recorded_at: expected a moment in the month that it was delivered for, found '2024-03-01'",
        ),
        (
            {"read_at": "2024-02-03"},
            "read_at, recorded_at: expected no later than recorded_at: nothing is known before it happens, "
            "found read_at='2024-02-03', recorded_at='2024-02-02T08:00:00Z'",
        ),
    ],
)
def test_a_bad_row_goes_to_quarantine_with_its_values_and_the_reason(
    lake: Lake, change: dict[str, str], reason: str
) -> None:
    found = validated(lake, [*good_ones(3), GOOD | change])
    assert (found.rows_trusted, found.rows_quarantined) == (3, 1)
    assert lake.read("quarantine", "readings", FEBRUARY).to_pylist() == [GOOD | change | {"reasons": reason}]
    assert list(found.reasons.values()) == [1]


def test_a_row_has_every_reason_and_not_just_the_first(lake: Lake) -> None:
    validated(lake, [*good_ones(3), GOOD | {"level": "11", "plan": "", "meter": "x"}])
    assert reasons(lake) == [
        "meter: expected a whole number, found 'x'; level: expected 0 to 10, found '11'; "
        "plan: expected a value, found nothing"
    ]


def test_of_the_rows_with_one_key_the_first_stays(lake: Lake) -> None:
    found = validated(lake, [GOOD | {"note": "1st"}, GOOD | {"note": "2nd"}, GOOD | {"meter": "1.0", "note": "3rd"}])
    assert lake.read("trusted", "readings", FEBRUARY)["note"].to_pylist() == ["1st"]
    assert found.reasons == {"meter, customer_id: expected a key that no earlier good row of the month has": 2}
    assert reasons(lake)[0].endswith("found meter='1', customer_id='a'")


def test_no_row_of_a_key_is_a_double_where_none_is_good(lake: Lake) -> None:
    validated(lake, [*good_ones(8), GOOD | {"level": "-1"}, GOOD | {"level": "-2"}])
    assert reasons(lake) == ["level: expected 0 to 10, found '-1'", "level: expected 0 to 10, found '-2'"]


def test_a_corrected_row_replaces_the_bad_one_before_it(lake: Lake) -> None:
    validated(lake, [GOOD | {"level": "-1"}, GOOD | {"level": "1"}, GOOD | {"level": "2"}])
    assert lake.read("trusted", "readings", FEBRUARY)["level"].to_pylist() == [1.0]
    repeated = "meter, customer_id: expected a key that no earlier good row of the month has"
    assert reasons(lake) == [
        "level: expected 0 to 10, found '-1'",
        f"{repeated}, found meter='1', customer_id='a'",
    ]


def test_the_same_key_in_another_month_is_no_double(lake: Lake) -> None:
    deliver(lake, [GOOD], "2024-02")
    deliver(lake, [GOOD | {"recorded_at": "2024-03-02"}], "2024-03")
    found = validate(company(), "readings", ["2024-02", "2024-03"], lake)
    assert [month.rows_trusted for month in found] == [1, 1]


def test_every_check_reports_on_every_month(lake: Lake) -> None:
    found = validated(lake, [*good_ones(3), GOOD | {"level": "11"}])
    checks = checks_of(company(), "readings")
    assert [result.name for result in found.expectations] == [check.name for check in checks]
    failed = [result for result in found.expectations if not result.success]
    assert [(r.name, r.column, r.unexpected_count, r.severity) for r in failed] == [
        ("level_is_in_range", "level", 1, "quarantine")
    ]


def test_names_of_checks_are_letters_digits_and_underscores(lake: Lake) -> None:
    table = replace(READINGS, columns=(*READINGS.columns, Column("price in €", "number")))
    names = [check.name for check in checks_of(company(table), "readings")]
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert len(set(names)) == len(names)


def test_too_many_bad_rows_break_the_contract_and_leave_nothing_trusted(lake: Lake) -> None:
    table = replace(READINGS, max_quarantined_share=0.2)
    assert validated(lake, good_ones(4), table).contract_broken is None
    assert validated(lake, [*good_ones(4), GOOD | {"level": "11"}], table).contract_broken is None
    found = validated(lake, [*good_ones(3), GOOD | {"level": "11"}], table)
    assert found.contract_broken == (
        "quarantined_share: expected at most 0.2 of the rows, found 0.2500 (1 of 4; most often level: expected 0 to 10)"
    )
    assert lake.keys("trusted", "readings") == []
    assert len(reasons(lake)) == 1
    assert [r.name for r in found.expectations if r.severity == "blocking" and not r.success] == ["quarantine_is_small"]


def test_a_month_without_rows_breaks_the_contract_unless_that_is_normal(lake: Lake) -> None:
    assert "rows_in: expected at least 1 row, found 0" in str(validated(lake, []).contract_broken)
    assert validated(lake, [], replace(READINGS, may_be_empty=True)).contract_broken is None
    assert trusted_meters(lake) == []


def test_a_month_without_a_declared_column_is_quarantined_whole(lake: Lake) -> None:
    deliver(lake, good_ones(2))
    lake.write(lake.read("raw", "readings", FEBRUARY).drop_columns(["plan"]), "raw", "readings", FEBRUARY)
    deliver(lake, [GOOD | {"recorded_at": "2024-03-02"}], "2024-03")
    february, march = validate(company(), "readings", [FEBRUARY, "2024-03"], lake)
    assert (february.rows_in, february.rows_trusted, february.rows_quarantined) == (2, 0, 2)
    assert "missing_columns: expected 0 declared columns missing, found 1 (plan)" in str(february.contract_broken)
    assert reasons(lake) == ["plan: expected in the table, found no such column"] * 2
    assert not any(result.success for result in february.expectations if result.name.startswith("level"))
    assert march.contract_broken is None


def test_a_month_whose_rows_were_lost_or_whose_figure_is_no_number_breaks_the_contract() -> None:
    trusted = SortedOut(pa.table({"meter": [1, 2]}), pa.table({"meter": ["3"]}))
    names = [check.name for check in checks_of(company(), "readings") if check.kind == "contract"]
    for outcome, broken in (
        (Outcome(FEBRUARY, 3, trusted), []),
        (Outcome(FEBRUARY, 4, trusted), ["rows_add_up"]),
        (Outcome(FEBRUARY, math.nan, trusted), ["has_rows", "quarantine_is_small", "rows_add_up"]),  # type: ignore[arg-type]
    ):
        found = judged(READINGS, checks_of(company(), "readings"), outcome)
        failed = [result.name for result in found.expectations if result.name in names and not result.success]
        assert (failed, found.contract_broken is None) == (broken, not broken)


def test_a_month_repaired_at_the_source_replaces_both_files(lake: Lake) -> None:
    validated(lake, [*good_ones(3), GOOD | {"level": "11"}])
    assert (trusted_meters(lake), len(reasons(lake))) == ([100, 101, 102], 1)
    validated(lake, [*good_ones(3), GOOD | {"level": "1"}])
    assert (trusted_meters(lake), len(reasons(lake))) == ([100, 101, 102, 1], 0)


def test_a_check_that_cannot_be_evaluated_blocks(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(check: Any, table: Table) -> Any:
        kind, arguments = made(check, table)
        return kind, arguments | ({"column": "nowhere"} if check.name == "level_is_in_range" else {})

    made = validation.expectation_of
    validated(lake, [GOOD])
    monkeypatch.setattr(validation, "expectation_of", broken)
    found = validated(lake, [GOOD])
    assert "level_is_in_range could not be evaluated" in str(found.contract_broken)
    assert [(r.name, r.severity) for r in found.expectations if not r.success] == [("level_is_in_range", "blocking")]
    assert lake.keys("trusted", "readings") == []


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, []),
        ({"level": ""}, ["level_is_present"]),
        ({"level": "high"}, ["level_is_present", "level_is_readable"]),
        ({"level": "10.5"}, ["level_is_in_range"]),
        ({"plan": "Basic"}, ["plan_is_a_known_category"]),
        ({"meter": "100"}, ["key_is_unique"]),
        ({"recorded_at": "2024-03-01"}, ["recorded_at_is_in_its_month"]),
        ({"read_at": "2024-02-03"}, ["read_at_is_not_after_it_was_known"]),
    ],
)
def test_where_nobody_reads_a_page_no_expectation_is_run_that_no_row_can_break(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], asked: list[str]
) -> None:
    def noted(check: Any, table: Table) -> Any:
        run.append(check.name)
        return made(check, table)

    run, made = list[str](), validation.expectation_of
    with_page = validated(lake, [*good_ones(3), GOOD | change])
    monkeypatch.setattr(validation, "expectation_of", noted)
    assert validate(company(), "readings", [FEBRUARY], lake, with_page=False) == [with_page]
    assert run == asked


def test_a_limit_is_compared_exactly_beside_a_missing_value(lake: Lake) -> None:
    largest = 2.0**53  # from which on a float has no place for each whole number
    counted = Column("meter", "integer", maximum=largest, nullable=True)
    table = replace(READINGS, key=("customer_id",), columns=(counted, *READINGS.columns[1:]))
    rows = [GOOD | {"meter": str(2**53 + 1)}, GOOD | {"meter": "", "customer_id": "b"}]
    deliver(lake, rows)
    found = [validate(company(table), "readings", [FEBRUARY], lake, with_page=page)[0] for page in (True, False)]
    assert [month.rows_quarantined for month in found] == [1, 1]


def test_a_raw_month_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(SourceError, match="raw table 'readings', month 2024-02: expected a file"):
        validate(company(), "readings", [FEBRUARY], lake)


def test_data_docs_are_one_page_without_other_hosts_that_runs_no_script(lake: Lake) -> None:
    table = replace(READINGS, max_quarantined_share=0.2)
    found = validated(lake, [*good_ones(3), GOOD | {"plan": "<script>alert(1)</script>"}], table)
    (path,) = data_docs(company(), [found], lake)
    page = path.read_text(encoding="utf-8")
    assert "level" in page
    assert "4 rows came in, 1 are in quarantine" in page
    assert "plan: expected one of basic, plus</td><td>1" in page
    assert "rows_in: expected at least 1 row, found 4</td><td>kept" in page
    assert "most often plan: expected one of basic, plus)</td><td>broken" in page
    assert "meter is readable" in page  # where all could be read, too
    assert not re.search(r"https?://|<script|<link", page)
    assert "default-src 'none'" in page


def test_of_many_months_only_those_that_were_refused_have_a_page(lake: Lake) -> None:
    deliver(lake, [GOOD | {"level": "11"}], FEBRUARY)
    deliver(lake, [GOOD | {"recorded_at": "2024-03-02"}], "2024-03")
    table = replace(READINGS, max_quarantined_share=0.2)
    found = validate(company(table), "readings", [FEBRUARY, "2024-03"], lake)
    pages = data_docs(company(table), found, lake)
    assert [(path.name, path.exists()) for path in pages] == [("2024-02.html", True)]
    assert lake.keys("trusted", "readings") == ["2024-03"]


TEXTS = {
    "meter": st.sampled_from(["1", "2", "3", "x", ""]),
    "customer_id": st.sampled_from(["a", "b", ""]),
    "level": st.sampled_from(["0", "10", "11", "-1", "nan", "inf", "", "1e1"]),
    "note": st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=3),
    "plan": st.sampled_from(["basic", "plus", "PLUS", ""]),
    "is_final": st.sampled_from(["yes", "no", "", "?"]),
    "read_at": st.sampled_from(["2024-01-31", "2024-02-02", "2024-04-01", "", "soon"]),
    "recorded_at": st.sampled_from(["2024-02-02", "2024-02-28T23:59:59", "2024-03-01", "", "later"]),
}
MONTHS = st.lists(st.lists(st.fixed_dictionaries(TEXTS), min_size=1, max_size=6), min_size=1, max_size=3)
LENIENT = company(replace(READINGS, max_quarantined_share=1.0))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(months=MONTHS)
def test_every_row_is_trusted_or_quarantined_and_a_batch_is_the_same_as_month_by_month(
    lake: Lake, months: list[list[dict[str, str]]]
) -> None:
    keys = ["2024-02", "2024-03", "2024-04"][: len(months)]
    for key, rows in zip(keys, months, strict=True):
        deliver(lake, rows, key)
    together = validate(LENIENT, "readings", keys, lake)
    files = [lake.read(layer, "readings", key) for layer in ("trusted", "quarantine") for key in keys]
    for month, rows in zip(together, months, strict=True):
        assert month.rows_in == month.rows_trusted + month.rows_quarantined == len(rows)
        assert_as_declared(lake.read("trusted", "readings", month.key).to_pylist(), month.key)
    for with_page in (True, False):
        assert [validate(LENIENT, "readings", [key], lake, with_page=with_page)[0] for key in keys] == together
        assert [lake.read(layer, "readings", key) for layer in ("trusted", "quarantine") for key in keys] == files


def assert_as_declared(rows: Sequence[dict[str, Any]], key: str) -> None:
    assert len({(row["meter"], row["customer_id"]) for row in rows}) == len(rows)
    for row in rows:
        assert row["meter"] in (1, 2, 3)
        assert row["customer_id"] in ("a", "b")
        assert row["level"] in (0.0, 10.0)
        assert row["plan"] in ("basic", "plus")
        assert row["is_final"] in (True, False, None)
        assert row["read_at"] <= row["recorded_at"]
        assert f"{row['recorded_at']:%Y-%m}" == key


def test_months_are_cut_into_batches_without_being_cut_themselves(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["2024-02", "2024-03", "2024-04"]
    for key in keys:
        deliver(lake, [row | {"read_at": "2024-01-01", "recorded_at": f"{key}-03"} for row in good_ones(3)], key)
    whole = validate(company(), "readings", keys, lake)
    monkeypatch.setattr(validation, "BATCH_ROWS", 4)
    assert validate(company(), "readings", keys, lake) == whole
    assert [month.rows_trusted for month in whole] == [3, 3, 3]


def test_typed_parquet_is_held_against_the_same_checks(lake: Lake) -> None:
    rows = [("1", "a", "price", 10.0, datetime(2024, 2, 1), datetime(2024, 2, 1))]
    rows += [("2", "a", "gift", -1.0, datetime(2024, 2, 3), datetime(2024, 2, 2))]
    columns = dict(zip((column.name for column in EVENTS.columns), zip(*rows, strict=True), strict=True))
    lake.write(pa.table({name: list(values) for name, values in columns.items()}), "raw", "events", FEBRUARY)
    table = replace(EVENTS, max_quarantined_share=0.5)
    (found,) = validate(
        little_company(tables=(CUSTOMERS, table, little_company().tables[2])), "events", [FEBRUARY], lake
    )
    assert (found.rows_trusted, found.rows_quarantined, sum(found.reasons.values())) == (1, 1, 3)
