"""Real data through ingestion, validation, features and labels: the counts are those that their publishers give."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.contract import Validation
from pipeline.datasets import telco
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.errors import SourceError
from pipeline.features import build_features
from pipeline.ingestion import Counts, ingest
from pipeline.labels import build_labels
from pipeline.lake import Lake, lake_of
from pipeline.settings import Settings
from pipeline.source_rows import content_sha256
from pipeline.sources import CsvSource, FetchedSource
from pipeline.validation import validate

EXAMPLE = Path(__file__).parents[1] / "examples" / "own_table.py"
KEY = "snapshot"


def settings(tmp_path: Path, **chosen: Any) -> Settings:
    return Settings(home=str(tmp_path), **chosen)


def brought_in(chosen: Settings) -> tuple[Dataset, Lake, Counts, Validation]:
    dataset = load_dataset(chosen)
    lake = lake_of(chosen, dataset.name)
    counts = ingest(dataset, "customers", KEY, chosen, lake)
    (validation,) = validate(dataset, "customers", [KEY], lake)
    return dataset, lake, counts, validation


def rows_and_leavers(dataset: Dataset, lake: Lake) -> tuple[list[dict[str, Any]], int]:
    features = build_features(dataset, lake, KEY)
    assert features.column_names == ["customer_id", *(field.name for field in dataset.fields())]
    return features.to_pylist(), sum(build_labels(dataset, lake, KEY, KEY)["churned"].to_pylist())


def test_telco_has_7043_customers_of_whom_1869_left(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    chosen = settings(tmp_path, dataset="telco", telco_path=str(shared_data("telco.csv")))
    dataset, lake, counts, validation = brought_in(chosen)
    assert (counts.rows, counts.dropped_columns) == (7043, ())
    assert (validation.rows_trusted, validation.rows_quarantined, validation.contract_broken) == (7043, 0, None)
    rows, leavers = rows_and_leavers(dataset, lake)
    assert (len(rows), leavers, len(dataset.fields())) == (7043, 1869, 19)


def test_telco_customers_without_a_bill_yet_were_billed_nothing(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    chosen = settings(tmp_path, dataset="telco", telco_path=str(shared_data("telco.csv")))
    dataset, lake, _, _ = brought_in(chosen)
    new = [row for row in rows_and_leavers(dataset, lake)[0] if row["tenure_months"] == 0]
    assert len(new) == 11
    assert {row["total_charges"] for row in new} == {0.0}


@pytest.mark.parametrize("types", [None, str])
def test_telco_fetched_has_the_content_of_the_file_whatever_its_types(
    shared_data: Callable[[str], Path], types: Any
) -> None:
    frame = pd.read_csv(shared_data("telco.csv"), dtype=types).drop(columns="customerID")
    assert isinstance(telco.DATASET.source, CsvSource)
    assert isinstance(telco.DATASET.source.otherwise, FetchedSource)
    assert content_sha256(telco.as_text(frame)) == telco.DATASET.source.otherwise.sha256


def test_telco_cut_short_is_refused_and_leaves_nothing(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    content = shared_data("telco.csv").read_bytes()
    (tmp_path / "telco.csv").write_bytes(content[: len(content) // 2])
    chosen = settings(tmp_path / "home", dataset="telco", telco_path=str(tmp_path / "telco.csv"))
    with pytest.raises(SourceError, match=r"telco\.csv, table 'customers'"):
        brought_in(chosen)
    assert not (tmp_path / "home").exists()


def test_tv_has_9379_customers_of_whom_449_left_and_needs_no_network(tmp_path: Path) -> None:
    dataset, lake, counts, validation = brought_in(settings(tmp_path, dataset="tv"))
    assert (counts.rows, validation.rows_trusted, validation.contract_broken) == (9379, 9379, None)
    rows, leavers = rows_and_leavers(dataset, lake)
    assert (len(rows), leavers) == (9379, 449)
    assert len([field for field in dataset.fields() if field.in_model]) == 46


def test_tv_costs_are_no_input_of_a_model(tmp_path: Path) -> None:
    dataset = load_dataset(settings(tmp_path, dataset="tv"))
    assert [field.name for field in dataset.fields() if not field.in_model] == list(dataset.economics.fields())


@pytest.fixture
def own_table(shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OWN_TABLE", str(shared_data("mlc_churn.csv")))
    return str(EXAMPLE)


def test_the_example_of_an_own_table_has_5000_customers_of_whom_707_left(tmp_path: Path, own_table: str) -> None:
    dataset, lake, counts, validation = brought_in(settings(tmp_path, dataset=own_table))
    assert (counts.rows, counts.dropped_columns) == (5000, ("state",))
    assert (validation.rows_trusted, validation.contract_broken) == (5000, None)
    rows, leavers = rows_and_leavers(dataset, lake)
    assert (len(rows), leavers, rows[0]["customer_id"]) == (5000, 707, "0001")


def test_the_example_of_an_own_table_takes_less_than_40_lines() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 40


def test_the_example_without_its_file_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWN_TABLE", raising=False)
    with pytest.raises(SourceError, match=r"examples/mlc_churn\.csv, table 'customers': expected a file"):
        brought_in(settings(tmp_path, dataset=str(EXAMPLE)))
