"""Every mistake in a declaration is refused when it is made: what was expected, what was found, what to do."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.calendar import Monthly, SingleSnapshot
from pipeline.contract import checks_of
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import ActiveWithin, Dataset, Everyone, Slice
from pipeline.economics import RecordedCosts, RetentionOffer, Value
from pipeline.errors import ChurnError, DeclarationError
from pipeline.feature_kinds import Attribute, Count, DaysSince, Latest, Mean, Share, Sum, Trend
from pipeline.label_kinds import ColumnLabel, EventLabel, InactivityLabel
from pipeline.rule import Points, Rule
from pipeline.settings import Settings
from pipeline.tables import Column, Table, Where
from tests.little_company import CANCELLED, CUSTOMERS, EVENTS, FAILED, FEATURES, PAYMENTS, little_company

TIMELESS = replace(CUSTOMERS, known_at=None)
OFFER: dict[str, Any] = {
    "contact_cost": 5,
    "offer_cost": 20,
    "acceptance": 0.5,
    "value": Value(times=9),
    "budget_share": 0.5,
}


def with_feature(feature: Any) -> Callable[[], Dataset]:
    return lambda: little_company(features=(*FEATURES, feature))


def with_label(label: Any) -> Callable[[], Dataset]:
    return lambda: little_company(label=label)


def snapshot(**changes: Any) -> Dataset:
    """A dataset without time: one table, one snapshot, a column for a label."""
    only = replace(TIMELESS, columns=(*TIMELESS.columns, Column("left", "string", categories=("no", "yes"))))
    declared: dict[str, Any] = {
        "tables": (only,),
        "population": Everyone("customers"),
        "features": (Attribute(name="region", table="customers", column="region"),),
        "label": ColumnLabel(table="customers", column="left", positive="yes"),
        "economics": RetentionOffer(**OFFER),
        "rule": Rule((Points(Where("region", "==", "north"), 1),)),
        "calendar": SingleSnapshot(),
    }
    return little_company(**(declared | changes))


MISTAKES: dict[str, tuple[Callable[[], Any], str, str]] = {
    # tables
    "two columns of one name": (
        lambda: Table(name="t", key=("a",), customer="a", columns=(Column("a", "string"), Column("a", "number"))),
        "columns with different names",
        "a more than once",
    ),
    "a key that is no column": (lambda: replace(CUSTOMERS, key=("id",)), "one of its columns: customer_id", "'id'"),
    "a customer that is no column": (lambda: replace(CUSTOMERS, customer="who"), "one of its columns", "'who'"),
    "a known_at that is no timestamp": (
        lambda: replace(CUSTOMERS, known_at="region"),
        "a timestamp, because it says when a row became known or happened",
        "kind 'string'",
    ),
    "two tables of one name": (
        lambda: little_company(tables=(CUSTOMERS, CUSTOMERS, EVENTS, PAYMENTS)),
        "tables with different names",
        "customers more than once",
    ),
    "monthly data without known_at": (
        lambda: little_company(tables=(TIMELESS, EVENTS, PAYMENTS)),
        "`known_at`, because the dataset has a snapshot every month",
        "nobody could tell past from future",
    ),
    "columns that differ by punctuation only": (
        lambda: checks_of(
            snapshot(
                tables=(
                    replace(
                        snapshot().tables[0],
                        columns=(*snapshot().tables[0].columns, Column("a b", "number"), Column("a_b", "number")),
                    ),
                )
            ),
            "customers",
        ),
        "checks with different names",
        "a_b_is_present",
    ),
    "a column where quarantine writes its reasons": (
        lambda: checks_of(
            little_company(
                tables=(CUSTOMERS, EVENTS, replace(PAYMENTS, columns=(*PAYMENTS.columns, Column("reasons", "string"))))
            ),
            "payments",
        ),
        "columns with different names",
        "reasons more than once",
    ),
    "a kind that is none": (lambda: Column("a", "decimal"), "a kind out of string, integer", "'decimal'"),  # type: ignore[arg-type]
    "a name that leads out of the lake": (
        lambda: little_company(name="../other"),
        "a name of letters, digits and underscores",
        "'../other'",
    ),
    "a table whose name is no name": (
        lambda: little_company(tables=(*little_company().tables, replace(PAYMENTS, name="pay ments"))),
        "a name of letters",
        "'pay ments'",
    ),
    # people
    "a population of no table": (
        lambda: little_company(population=Everyone("people")),
        "one of its tables",
        "'people'",
    ),
    "a population within no days": (
        lambda: little_company(population=ActiveWithin(table="payments", days=0)),
        "a window of at least one day",
        "0 days",
    ),
    # features
    "a feature of an unknown table": (
        with_feature(Count(name="calls", table="calls", days=30)),
        "one of its tables: customers, events, payments",
        "'calls'",
    ),
    "a feature of an unknown column": (
        with_feature(Sum(name="spent", table="payments", column="price", days=30)),
        "one of its columns: payment_id, customer_id, amount",
        "'price'",
    ),
    "a filter on an unknown column": (
        with_feature(Count(name="calls", table="payments", days=30, where=(Where("state", "==", "x"),))),
        "one of its columns",
        "'state'",
    ),
    "a feature without a name": (with_feature(Count(name="", table="payments", days=30)), "a name of letters", "''"),
    "a number compared with a text": (
        with_feature(Count(name="calls", table="payments", days=30, where=(Where("amount", ">", "ten"),))),
        "a number, as 'amount' is one",
        "'ten'",
    ),
    "a direction that is none": (
        with_feature(Count(name="calls", table="payments", days=30, direction=2)),  # type: ignore[arg-type]
        "a direction of -1, 0 or 1",
        "2",
    ),
    "a window of no days": (
        with_feature(Count(name="calls", table="payments", days=0)),
        "a window of at least one day",
        "0 days",
    ),
    "a negative window": (
        with_feature(Trend(name="t", table="payments", column="amount", recent_days=30, earlier_days=-30)),
        "a window of at least one day",
        "-30 days",
    ),
    "a share within no days": (
        with_feature(Share(name="s", table="payments", of=FAILED, days=0)),
        "a window",
        "0 days",
    ),
    "a sum of text": (
        with_feature(Sum(name="s", table="payments", column="status", days=30)),
        "column 'status' of kind integer or number or boolean",
        "kind 'string'",
    ),
    "a mean of text": (
        with_feature(Mean(name="m", table="payments", column="status", days=30)),
        "column 'status' of kind integer or number or boolean",
        "kind 'string'",
    ),
    "days since a number": (
        with_feature(DaysSince(name="d", table="payments", column="amount")),
        "column 'amount' of kind timestamp",
        "kind 'number'",
    ),
    "a category without its categories": (
        with_feature(Attribute(name="who", table="customers", column="customer_id")),
        "column 'customer_id' with its categories declared",
        "a free text column",
    ),
    "two features of one name": (
        with_feature(Count(name="paid", table="payments", days=30)),
        "features with different names",
        "paid more than once",
    ),
    "a window over a table without time": (
        lambda: snapshot(features=(Count(name="region", table="customers", days=30),)),
        "a time column on table 'customers', because the feature has a window",
        "no `known_at`",
    ),
    "the latest row of a table without time": (
        lambda: snapshot(features=(Latest(name="region", table="customers", column="region"),)),
        "a time column on table 'customers', to know which row is the latest",
        "no `known_at`",
    ),
    # label
    "a label that looks nowhere": (
        with_label(EventLabel(table="events", where=(CANCELLED,), horizon_days=0)),
        "a horizon of at least one day and no negative waiting",
        "horizon_days=0, settle_days=0",
    ),
    "a label that looks back": (
        with_label(InactivityLabel(table="payments", horizon_days=-28)),
        "a horizon of at least one day and no negative waiting",
        "horizon_days=-28",
    ),
    "a label on an unknown column": (
        with_label(EventLabel(table="events", where=(Where("kind", "==", "x"),), horizon_days=28)),
        "one of its columns",
        "'kind'",
    ),
    "a label that is a column where there is time": (
        with_label(ColumnLabel(table="customers", column="region", positive="north")),
        "an EventLabel or an InactivityLabel, because there is a snapshot every month",
        "a ColumnLabel, which does not say when it became known",
    ),
    "a column label with a horizon": (
        lambda: snapshot(label=ColumnLabel(table="customers", column="left", positive="yes", horizon_days=28)),
        "no horizon: a column label is already known",
        "horizon_days=28",
    ),
    "a label over events without time": (
        lambda: snapshot(label=EventLabel(table="customers", where=(), horizon_days=28)),
        "a table that says when its rows became known",
        "no `known_at`",
    ),
    "the label as a feature": (
        lambda: snapshot(features=(Attribute(name="region", table="customers", column="left"),)),
        "a column that is known before the label",
        "'left', which is the label itself",
    ),
    "the label as a filter of a feature": (
        lambda: snapshot(
            features=(Attribute(name="region", table="customers", column="region", where=(Where("left", "==", "no"),)),)
        ),
        "a column that is known before the label",
        "'left', which is the label itself",
    ),
    # what names features
    "a rule on an unknown feature": (
        lambda: little_company(rule=Rule((Points(FAILED, 1), Points(Where("age", ">", 60), 1)))),
        "one of the features: amount_trend",
        "'status'",
    ),
    "a slice of an unknown feature": (
        lambda: little_company(slices=(Slice(name="age", field="age"),)),
        "one of the features",
        "'age'",
    ),
    "two slices of one name": (
        lambda: little_company(slices=(Slice(name="region", field="region"), Slice(name="region", field="paid"))),
        "slices with different names",
        "region more than once",
    ),
    "money from an unknown feature": (
        lambda: little_company(economics=RetentionOffer(**(OFFER | {"value": Value(times=9, field="revenue")}))),
        "one of the features",
        "'revenue'",
    ),
    "recorded costs that are no features": (
        lambda: little_company(
            economics=RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=0.1)
        ),
        "one of the features",
        "'a'",
    ),
    # money and calendar
    "no budget": (
        lambda: RetentionOffer(**(OFFER | {"budget_share": 0.0})),
        "a share above 0 and up to 1 of the active customers",
        "0.0",
    ),
    "a budget for more than everybody": (
        lambda: RecordedCosts(contacted_leaver="a", contacted_stayer="b", missed_leaver="c", budget_share=1.5),
        "a share above 0 and up to 1 of the active customers",
        "1.5",
    ),
    "an acceptance that is no probability": (
        lambda: RetentionOffer(**(OFFER | {"acceptance": 1.2})),
        "a probability between 0 and 1",
        "1.2",
    ),
    "a cost that is no number": (lambda: RetentionOffer(**(OFFER | {"offer_cost": float("nan")})), "0 or more", "nan"),
    "a customer worth less than nothing": (lambda: Value(times=-9), "0 or more", "-9"),
    "a negative cost": (lambda: RetentionOffer(**(OFFER | {"contact_cost": -1})), "0 or more", "-1"),
    "more history than months": (
        lambda: Monthly(first="2024-01", months=2, history_months=3),
        "at least one month of history and no more than there are months",
        "history_months=3, months=2",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_what_was_expected_and_found(mistake: str) -> None:
    declare, expected, found = MISTAKES[mistake]
    with pytest.raises(DeclarationError) as refusal:
        declare()
    assert expected in refusal.value.expected
    assert found in refusal.value.found
    assert refusal.value.where
    assert refusal.value.remedy


def test_what_the_mistakes_are_made_in_is_right_without_them() -> None:
    assert little_company().table("payments") is PAYMENTS
    assert [field.name for field in snapshot().fields()] == ["region"]


def test_a_month_that_is_none_is_refused() -> None:
    with pytest.raises(ChurnError, match="month 'May': expected a month as YYYY-MM"):
        Monthly(first="May", months=6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected a Python file; found no file there"),
        ("", "expected a name DATASET that holds a pipeline.declaration.Dataset; found NoneType"),
        ("DATASET = 3\n", "expected a name DATASET that holds a pipeline.declaration.Dataset; found int"),
    ],
)
def test_a_module_that_declares_nothing_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DeclarationError, match=message):
        load_dataset(Settings(dataset=str(path)))


def test_a_dataset_that_is_not_shipped_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeclarationError, match="expected one of simulated, telco, tv, or the path of a module"):
        load_dataset(Settings(dataset="telcos"))


@pytest.mark.parametrize("name", ["telco", "tv", "simulated"])
def test_a_declaration_loads_nothing_heavy(name: str) -> None:
    heavy = "{'pandas', 'pyarrow', 'sklearn', 'empulse', 'great_expectations', 'ibis', 'duckdb'}"
    code = f"import sys, pipeline.datasets.{name}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"features": ()}, "no features"),
        ({"features": (*FEATURES, Count(name="churned", table="payments", days=9))}, "churned"),
        ({"label": EventLabel(table="events", where=(Where("event", "==", "canceled"),), horizon_days=28)}, "canceled"),
        ({"rule": Rule((Points(Where("region", ">", "north"), 1),))}, "'>'"),
        ({"slices": (Slice(name="region", field="region", edges=(1.0,)),)}, "1 edges on 'region', a category"),
        ({"features": (*FEATURES, Attribute(name="first_price", table="events", column="price"))}, "table 'events'"),
    ],
)
def test_what_would_silently_select_nobody_or_nothing_is_refused(changes: dict[str, Any], found: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        little_company(**changes)
    assert found in refused.value.found
    assert refused.value.remedy


def test_a_range_that_holds_no_value_is_refused() -> None:
    with pytest.raises(DeclarationError, match="minimum=2, maximum=1"):
        Column("price", "number", minimum=2, maximum=1)


def test_a_column_of_text_has_no_least_value() -> None:
    with pytest.raises(DeclarationError, match="a minimum or maximum of a number only; found one of kind 'string'"):
        Column("price", "string", minimum=0)


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(DeclarationError, match="minimum=nan, maximum=1"):
        Column("price", "number", minimum=float("nan"), maximum=1)
