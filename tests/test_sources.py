"""Every way in which a file can be damaged is met with a message that says what, where and what to do."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.settings import Settings
from pipeline.source_rows import content_sha256
from pipeline.sources import CsvSource, FetchedSource, FolderSource
from pipeline.tables import Column, Table
from tests.little_company import PAYMENTS, day, rows_of

CUSTOMERS = Table(
    name="customers",
    key=("customer_id",),
    columns=(Column("customer_id", "string"), Column("age", "integer"), Column("city", "string")),
)
WHOLE = "customer_id,age,city\na,31,Rome\nb,,Oslo\n"
HEADER = "payment_id,customer_id,amount,status,happened_at,recorded_at\n"
SETTINGS = Settings(home="unused")


def read(
    tmp_path: Path, content: str | bytes, table: Table = CUSTOMERS, key: str = "snapshot", **options: str
) -> pa.Table:
    path = tmp_path / "customers.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvSource(path=path, **options).read(table, key, SETTINGS)


def refused(tmp_path: Path, content: str | bytes, **options: str) -> SourceError:
    with pytest.raises(SourceError) as refusal:
        read(tmp_path, content, **options)
    assert "customers.csv" in refusal.value.where
    assert "'customers'" in refusal.value.where
    assert refusal.value.remedy
    return refusal.value


def test_every_value_is_read_as_the_text_that_stands_there(tmp_path: Path) -> None:
    rows = read(tmp_path, "customer_id,age,city\n007,NA, Rome \nb,,null\n")
    assert rows.to_pylist() == [
        {"customer_id": "007", "age": "NA", "city": " Rome "},
        {"customer_id": "b", "age": "", "city": "null"},
    ]


def test_line_ends_byte_order_marks_and_quoted_line_breaks_are_no_damage(tmp_path: Path) -> None:
    rows = read(tmp_path, '\ufeffcustomer_id,age,city\r\na,31,"Rome,\r\nItaly"\r\n')
    assert rows.to_pylist() == [{"customer_id": "a", "age": "31", "city": "Rome,\r\nItaly"}]


def test_another_delimiter_is_a_setting(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE.replace(",", ";"), delimiter=";").num_columns == 3


def test_undeclared_columns_are_handed_on_for_ingestion_to_count(tmp_path: Path) -> None:
    assert read(tmp_path, "customer_id,age,city,note\na,31,Rome,x\n").column_names[-1] == "note"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.csv, table 'customers'.*expected a file; found none"):
        CsvSource(path=tmp_path / "nowhere.csv").read(CUSTOMERS, "snapshot", SETTINGS)


def test_an_empty_path_is_no_path() -> None:
    with pytest.raises(SourceError, match="expected the path of a CSV file"):
        CsvSource(path=lambda settings: settings.telco_path).read(CUSTOMERS, "snapshot", SETTINGS)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    assert refused(tmp_path, content).found == "an empty file"


@pytest.mark.parametrize("kept", range(len(WHOLE) - 1, len("customer_id,age,city\n"), -1))
def test_a_file_cut_anywhere_but_at_a_line_end_is_refused(tmp_path: Path, kept: int) -> None:
    if WHOLE[kept - 1] != "\n":
        refused(tmp_path, WHOLE[:kept])


def test_a_row_that_is_too_short_is_named_by_its_number(tmp_path: Path) -> None:
    error = refused(tmp_path, "customer_id,age,city\na,31,Rome\nb,32\nc\n")
    assert "row 3" in error.where
    assert error.expected == "3 values in every row"
    assert error.found == "2 in 'b,32', and 2 such rows in all"


def test_a_file_cut_inside_a_quoted_value_is_refused(tmp_path: Path) -> None:
    assert "quote" in refused(tmp_path, 'customer_id,age,city\na,31,"Rome\nb,32,Oslo\n').found


def test_missing_columns_are_all_listed(tmp_path: Path) -> None:
    error = refused(tmp_path, "customer_id,town\na,Rome\n")
    assert error.expected == "a column 'age', 'city'"
    assert error.found == "only 'customer_id', 'town'"


def test_a_doubled_column_name_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "customer_id,age,age\na,31,31\n").found == "'age' more than once"


def test_the_header_repeated_as_a_row_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "customer_id,age,city\na,31,Rome\ncustomer_id,age,city\nb,32,Oslo\n")
    assert "row 3" in error.where
    assert error.found == "the header again, as a row"


def test_nul_bytes_are_refused_with_their_line(tmp_path: Path) -> None:
    error = refused(tmp_path, b"customer_id,age,city\na,31,Ro\0e\n")
    assert error.where.endswith("line 2")
    assert error.found == "a NUL byte"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_refused_and_not_replaced_by_question_marks(tmp_path: Path, encoding: str) -> None:
    error = refused(tmp_path, "customer_id,age,city\na,31,Malmö\n".encode(encoding))
    assert error.expected == "UTF-8 text"


def test_a_file_of_another_digest_is_refused(tmp_path: Path) -> None:
    right = hashlib.sha256(WHOLE.encode()).hexdigest()
    assert len(read(tmp_path, WHOLE, sha256=right)) == 2
    error = refused(tmp_path, WHOLE.replace("31", "32"), sha256=right)
    assert error.expected == f"SHA-256 {right}"


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    rows = read(tmp_path, "age,city\n" + "31,Rome\n" * 10, row_id="customer_id")
    assert rows.column_names == ["customer_id", "age", "city"]
    assert rows["customer_id"].to_pylist()[::9] == ["01", "10"]


def test_a_blank_value_can_mean_something(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("customer_id,age,city\na,31,Rome\nb, ,\n")
    rows = CsvSource(path=path, blanks={"age": "0"}).read(CUSTOMERS, "snapshot", SETTINGS)
    assert rows.to_pylist()[1] == {"customer_id": "b", "age": "0", "city": ""}


def test_of_a_file_of_many_months_the_rows_known_in_the_month_are_read(tmp_path: Path) -> None:
    rows = read(
        tmp_path, HEADER + _payment("p1", "2024-01-31 23:59") + _payment("p2", "2024-02-01"), PAYMENTS, "2024-02"
    )
    assert rows["payment_id"].to_pylist() == ["p2"]


def test_a_row_whose_time_cannot_be_read_stays_with_the_row_before_it(tmp_path: Path) -> None:
    content = (
        HEADER
        + _payment("p0", "")
        + _payment("p1", "2024-01-31")
        + _payment("p2", "soon")
        + _payment("p3", "2024-02-01")
    )
    months = [read(tmp_path, content, PAYMENTS, key)["payment_id"].to_pylist() for key in ("2024-01", "2024-02")]
    assert months == [["p0", "p1", "p2"], ["p3"]]


def test_a_month_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    content = HEADER + _payment("p1", "2024-01-31") + _payment("p2", "2024-03-01")
    with pytest.raises(SourceError, match="rows known in the month 2024-02; found rows known in 2024-01 to 2024-03"):
        read(tmp_path, content, PAYMENTS, "2024-02")
    assert len(read(tmp_path, content, replace(PAYMENTS, may_be_empty=True), "2024-02")) == 0


def test_a_folder_has_one_file_for_each_table_or_for_each_month_of_it(tmp_path: Path) -> None:
    (tmp_path / "payments").mkdir()
    (tmp_path / "payments.csv").write_text(HEADER + _payment("p1", "2024-01-31") + _payment("p2", "2024-02-01"))
    pq.write_table(_payments("p9"), tmp_path / "payments" / "2024-02.parquet")
    source = FolderSource(folder=lambda settings: tmp_path)
    assert source.read(PAYMENTS, "2024-01", SETTINGS)["payment_id"].to_pylist() == ["p1"]
    assert source.read(PAYMENTS, "2024-02", SETTINGS)["payment_id"].to_pylist() == ["p9"]


def test_parquet_keeps_its_types_and_is_cut_to_the_month(tmp_path: Path) -> None:
    pq.write_table(_payments("p1", "p2"), tmp_path / "payments.parquet")
    rows = FolderSource(folder=tmp_path).read(PAYMENTS, "2024-02", SETTINGS)
    assert rows["amount"].type == pa.float64()
    assert rows["payment_id"].to_pylist() == ["p1", "p2"]
    with pytest.raises(SourceError, match="month 2024-03; found rows known in 2024-02 to 2024-02"):
        FolderSource(folder=tmp_path).read(PAYMENTS, "2024-03", SETTINGS)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_parquet_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    pq.write_table(_payments("p1"), tmp_path / "payments.parquet")
    content = (tmp_path / "payments.parquet").read_bytes()
    (tmp_path / "payments.parquet").write_bytes(content[: int(share * len(content))])
    with pytest.raises(SourceError, match=r"payments\.parquet, table 'payments': expected a whole Parquet file"):
        FolderSource(folder=tmp_path).read(PAYMENTS, "2024-02", SETTINGS)


def test_a_parquet_file_without_a_declared_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(_payments("p1").drop_columns(["amount"]), tmp_path / "payments.parquet")
    with pytest.raises(SourceError, match=r"payments\.parquet.*expected a column 'amount'"):
        FolderSource(folder=tmp_path).read(PAYMENTS, "2024-02", SETTINGS)


def test_a_folder_without_the_table_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"expected payments/2024-02\.parquet, .*; found none of them"):
        FolderSource(folder=tmp_path).read(PAYMENTS, "2024-02", SETTINGS)


def test_a_folder_without_the_month_says_which_it_has(tmp_path: Path) -> None:
    (tmp_path / "payments").mkdir()
    pq.write_table(_payments("p1"), tmp_path / "payments" / "2024-02.parquet")
    with pytest.raises(SourceError, match=r"month 2024-03.*found the months 2024-02 to 2024-02"):
        FolderSource(folder=tmp_path).read(PAYMENTS, "2024-03", SETTINGS)


def test_a_fetched_table_is_held_against_its_digest_whatever_the_order_of_its_rows() -> None:
    table = pa.table({"customer_id": ["a", "b"], "age": ["31", ""], "city": ["Rome", "Oslo"]})
    right = content_sha256(table)
    assert len(fetched(lambda settings: table.take([1, 0]), right).read(CUSTOMERS, "snapshot", SETTINGS)) == 2
    other = table.set_column(1, "age", pa.array(["31", "32"]))
    with pytest.raises(SourceError, match=f"the test, table 'customers': expected content with SHA-256 {right}"):
        fetched(lambda settings: other, right).read(CUSTOMERS, "snapshot", SETTINGS)


def test_a_table_that_cannot_be_fetched_says_what_to_do_instead() -> None:
    def without_network(settings: Settings) -> pa.Table:
        raise ConnectionError("no route to host")

    with pytest.raises(SourceError, match=r"found ConnectionError: no route to host\. Bring it yourself\."):
        fetched(without_network, "").read(CUSTOMERS, "snapshot", SETTINGS)


def test_a_csv_source_without_a_path_reads_otherwise() -> None:
    table = pa.table({"customer_id": ["a"], "age": ["31"], "city": ["Rome"]})
    otherwise = fetched(lambda settings: table, content_sha256(table))
    assert CsvSource(path="", otherwise=otherwise).read(CUSTOMERS, "snapshot", SETTINGS).equals(table)


def fetched(fetch: Callable[[Settings], pa.Table], sha256: str) -> FetchedSource:
    return FetchedSource(fetch=fetch, named="the test", sha256=sha256, remedy="Bring it yourself.")


def _payment(payment_id: str, recorded_at: str) -> str:
    return f"{payment_id},a,10.5,paid,2024-01-01,{recorded_at}\n"


def _payments(*ids: str) -> pa.Table:
    return rows_of(PAYMENTS, [(name, "a", 9.5, "paid", day("2024-02-03"), day("2024-02-04")) for name in ids])
