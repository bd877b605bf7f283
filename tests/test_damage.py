"""A month whose files are damaged, from the command line: what is said, what is left behind, who answers meanwhile."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from serving.asking import ask
from tests.command_line import said
from tests.little_company import PAYMENTS, ROWS, little_company, rows_of
from tests.little_releases import CUSTOMER
from tests.serving_house import House, house_with_releases, served

MONTH = "2024-03"
DECLARATION = """
from dataclasses import replace
from pathlib import Path

from pipeline.sources import FolderSource
from tests.little_company import CUSTOMERS, EVENTS, PAYMENTS, little_company

TABLES = (replace(CUSTOMERS, may_be_empty=True), replace(EVENTS, may_be_empty=True), PAYMENTS)
DATASET = little_company(tables=TABLES, source=FolderSource(folder=Path(__file__).parent / "files"))
"""
SHELL = ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY", "DAGSTER_EVENT_BATCH_SIZE", "BENTOML_DO_NOT_TRACK")
SHELL += ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
Damage = Callable[[Path], None]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The little company with releases, none of which its files had a part in."""
    return house_with_releases(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def service(house: House) -> Iterator[int]:
    """The port of a service that answers all the while."""
    with served(house.home) as port:
        yield port


@pytest.fixture(autouse=True)
def shell(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the command; those that a run hands to its children are put back."""
    for name in SHELL:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CHURN_HOME", str(house.home))
    monkeypatch.setenv("CHURN_DATASET", str(house.home / "little.py"))
    (house.home / "little.py").write_text(DECLARATION)


# ---- what is delivered


def delivered(house: House, suffix: str) -> Path:
    """A file for every month of every table; the one that March's payments are in."""
    files = house.home / "files"
    shutil.rmtree(files, ignore_errors=True)
    for table in little_company().tables:
        (files / table.name).mkdir(parents=True)
        known = [column.name for column in table.columns].index(str(table.known_at))
        for key in little_company().calendar.keys():
            rows = [row for row in ROWS[table.name] if f"{row[known]:%Y-%m}" == key]
            write(rows_of(table, rows), files / table.name / f"{key}{suffix}")
    return files / PAYMENTS.name / f"{MONTH}{suffix}"


def write(rows: pa.Table, path: Path) -> None:
    if path.suffix == ".csv":
        pa.csv.write_csv(rows, path)
    else:
        pq.write_table(rows, path)


def march() -> pa.Table:
    return rows_of(PAYMENTS, [row for row in ROWS["payments"] if f"{row[5]:%Y-%m}" == MONTH])


# ---- what becomes of it


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 20])


def without_a_column(path: Path) -> None:
    write(march().drop_columns(["amount"]), path)


def with_a_column_twice(path: Path) -> None:
    write(march().append_column("amount", march()["amount"]), path)


def with_nuls(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)


def with_a_nul_in_a_value(path: Path) -> None:
    rows = march()
    write(rows.set_column(0, "payment_id", pa.array(["p2", "p\0" + "3"])), path)


def without_rows(path: Path) -> None:
    write(march().slice(0, 0), path)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def with_its_header_again(path: Path) -> None:
    header, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, rows[0], header, *rows[1:]]))


WHOLE = "expected a whole Parquet file"
DAMAGES: tuple[tuple[str, Damage, str], ...] = (
    (".csv", cut, "last line: expected a line end after the last row"),
    (".csv", without_a_column, "expected a column 'amount'; found only 'payment_id', 'customer_id', 'status'"),
    (".csv", with_a_column_twice, "header: expected columns with different names; found 'amount' more than once"),
    (".csv", with_its_header_again, "row 3 (the header is row 1): expected the header once"),
    (".csv", with_nuls, "line 2: expected text; found a NUL byte"),
    (".csv", without_rows, "month 2024-03: expected at least one row; found none"),
    (".csv", emptied, "expected a header and rows; found an empty file"),
    (".csv", Path.unlink, "expected payments/2024-03.parquet, payments/2024-03.csv"),
    (".parquet", cut, WHOLE),
    (".parquet", without_a_column, "expected a column 'amount'; found only 'payment_id', 'customer_id', 'status'"),
    (".parquet", with_a_column_twice, "expected columns with different names; found 'amount' more than once"),
    (".parquet", with_nuls, WHOLE),
    (".parquet", with_a_nul_in_a_value, "column 'payment_id', row 2: expected text; found a NUL character"),
    (".parquet", without_rows, "month 2024-03: expected at least one row; found none"),
    (".parquet", emptied, WHOLE),
    (".parquet", Path.unlink, "found the months 2024-01 to 2024-06"),
)


@pytest.mark.parametrize(
    ("suffix", "damage", "message"), DAMAGES, ids=[f"{damage.__name__}{suffix}" for suffix, damage, _ in DAMAGES]
)
def test_a_damaged_month_is_told_in_one_line_leaves_no_half_and_the_last_release_goes_on_answering(
    house: House, service: int, capsys: pytest.CaptureFixture[str], suffix: str, damage: Damage, message: str
) -> None:
    damage(delivered(house, suffix))
    err = refused(capsys)
    assert err.startswith("churn: job 'life_cycle': expected every step to succeed; found raw_payments: ")
    assert message in err
    nothing_is_half_written(house)
    assert not list(house.state.rglob(f"payments/{MONTH}*"))
    the_last_release_answers(house, service)


def test_a_damaged_file_of_an_earlier_month_is_named_and_stays_as_it_is(
    house: House, service: int, capsys: pytest.CaptureFixture[str]
) -> None:
    delivered(house, ".csv").unlink()
    refused(capsys)  # which brings in the months before
    damaged = house.state / "trusted" / PAYMENTS.name / "2024-02.parquet"
    content = damaged.read_bytes()
    delivered(house, ".csv")
    cut(damaged)
    err = refused(capsys)
    assert "customer_features: trusted tables of 'little': expected whole Parquet files; found" in err
    assert str(damaged) in err
    damaged.write_bytes(content)
    nothing_is_half_written(house)
    the_last_release_answers(house, service)


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """What a run of March says on standard error before it ends with 1."""
    code, out, err = said(capsys, "run", "--month", MONTH, "--json")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err


def the_last_release_answers(house: House, service: int) -> None:
    answer = ask(service, [CUSTOMER])
    found = (answer.status, answer.headers["x-served-by"], answer.headers["x-release"])
    assert found == (200, "champion", house.newer.id)


def nothing_is_half_written(house: House) -> None:
    """Every table that is there is whole, and of the damaged month there is nothing that rests on the damaged one."""
    lake = house.state
    assert [path for path in house.home.rglob("*.tmp") if path.is_file()] == []
    for path in lake.rglob("*.parquet"):
        pq.read_table(path)
    made = {path.parts[len(lake.parts)] for path in lake.rglob(f"*{MONTH}*")}
    assert made <= {"raw", "trusted", "quarantine", "docs", "monitoring"}  # of what was not damaged
