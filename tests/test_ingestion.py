"""A month of a source table comes into the lake whole or not at all."""

from pathlib import Path

import pyarrow as pa
import pytest
from upath import UPath

from pipeline.declaration import Dataset
from pipeline.errors import ChurnError, SourceError
from pipeline.ingestion import Counts, ingest
from pipeline.lake import Lake
from pipeline.settings import Settings
from pipeline.sources import FolderSource
from pipeline.tables import Table
from tests.little_company import PAYMENTS, RowsInMemory, day, little_company, rows_of

SETTINGS = Settings(home="unused")
PAID = ("p1", "a", 10.0, "paid", day("2024-02-10"), day("2024-02-10"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(UPath(tmp_path / "lake"))


def company(rows: pa.Table, table: Table = PAYMENTS) -> Dataset:
    tables = tuple(table if declared.name == table.name else declared for declared in little_company().tables)
    return little_company(tables=tables, source=RowsInMemory({(table.name, "2024-02"): rows}))


def test_the_rows_are_written_as_they_came(lake: Lake) -> None:
    rows = rows_of(PAYMENTS, [PAID])
    counts = ingest(company(rows), "payments", "2024-02", SETTINGS, lake)
    assert counts == Counts(table="payments", key="2024-02", rows=1, dropped_columns=())
    assert lake.read("raw", "payments", "2024-02").equals(rows)


def test_undeclared_columns_are_dropped_and_counted(lake: Lake) -> None:
    rows = rows_of(PAYMENTS, [PAID]).append_column("card_number", pa.array(["4111"]))
    counts = ingest(company(rows), "payments", "2024-02", SETTINGS, lake)
    assert counts.dropped_columns == ("card_number",)
    assert "card_number" not in lake.read("raw", "payments", "2024-02").column_names


def test_a_table_with_no_rows_is_refused_unless_that_is_normal(lake: Lake) -> None:
    nothing = rows_of(PAYMENTS, [])
    with pytest.raises(SourceError, match="table 'payments', month 2024-02: expected at least one row; found none"):
        ingest(company(nothing), "payments", "2024-02", SETTINGS, lake)
    table = Table(
        name="payments", columns=PAYMENTS.columns, key=PAYMENTS.key, known_at="recorded_at", may_be_empty=True
    )
    assert ingest(company(nothing, table), "payments", "2024-02", SETTINGS, lake).rows == 0


def test_missing_and_doubled_columns_are_refused_whatever_the_source(lake: Lake) -> None:
    rows = rows_of(PAYMENTS, [PAID])
    with pytest.raises(SourceError, match="expected a column 'amount', 'status'"):
        ingest(company(rows.drop_columns(["amount", "status"])), "payments", "2024-02", SETTINGS, lake)
    with pytest.raises(SourceError, match="found 'amount' more than once"):
        ingest(company(rows.append_column("amount", rows["amount"])), "payments", "2024-02", SETTINGS, lake)


def test_a_month_that_the_calendar_does_not_have_is_refused(lake: Lake) -> None:
    with pytest.raises(ChurnError, match="month '2031-01': expected one of 2024-01 to 2024-06"):
        ingest(little_company(), "payments", "2031-01", SETTINGS, lake)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"payment_id,customer_id\np1,a\n",
        b"payment_id,customer_id,amount,status,happened_at,recorded_at\np1,a,1,pa",
        b"payment_id,customer_id,amount,status,happened_at,recorded_at\np1,a,1,\0,2024-02-01,2024-02-01\n",
        b"payment_id,customer_id,amount,status,happened_at,recorded_at\n",
    ],
)
def test_damaged_input_leaves_the_month_as_it_was(lake: Lake, tmp_path: Path, damaged: bytes) -> None:
    source = tmp_path / "source"
    source.mkdir()
    dataset = little_company(source=FolderSource(folder=source))
    (source / "payments.csv").write_text(
        "payment_id,customer_id,amount,status,happened_at,recorded_at\np1,a,1,paid,2024-02-01,2024-02-01\n"
    )
    ingest(dataset, "payments", "2024-02", SETTINGS, lake)
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
    (source / "payments.csv").write_bytes(damaged)
    with pytest.raises(SourceError, match=r"payments"):
        ingest(dataset, "payments", "2024-02", SETTINGS, lake)
    assert {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} == before
