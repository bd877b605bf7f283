"""Tables on disk: whole or not at all."""

import os
from pathlib import Path

import pyarrow as pa
import pytest
from upath import UPath

from pipeline.errors import SourceError
from pipeline.lake import Lake, lake_of, write_atomically, write_json
from pipeline.settings import Settings

ROWS = pa.table({"customer_id": ["a", "b"], "price": [1.0, None]})


@pytest.fixture(params=["local", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(UPath(tmp_path) if request.param == "local" else UPath(f"memory://{tmp_path.name}"))


def test_what_was_written_is_read_back(lake: Lake) -> None:
    lake.write(ROWS, "raw", "customers", "2024-01")
    assert lake.read("raw", "customers", "2024-01").equals(ROWS)
    assert lake.read("raw", "customers", "2024-01", columns=["price"]).column_names == ["price"]
    assert lake.keys("raw", "customers") == ["2024-01"]


def test_the_same_rows_have_the_same_digest_and_others_have_not(lake: Lake) -> None:
    lake.write(ROWS, "raw", "customers", "2024-01")
    before = lake.digest("raw", "customers", ["2024-01"])
    lake.write(ROWS, "raw", "customers", "2024-01")
    assert lake.digest("raw", "customers", ["2024-01"]) == before
    lake.write(ROWS.slice(1), "raw", "customers", "2024-01")
    assert lake.digest("raw", "customers", ["2024-01"]) != before


def test_a_month_that_is_not_there_is_named(lake: Lake) -> None:
    with pytest.raises(SourceError, match="raw table 'customers', month 2024-02"):
        lake.read("raw", "customers", "2024-02")


def test_a_file_cut_short_is_named_and_not_half_read(lake: Lake) -> None:
    path = lake.write(ROWS, "raw", "customers", "2024-01")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match="expected a whole Parquet file"):
        lake.read("raw", "customers", "2024-01")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = UPath(tmp_path / "table.parquet")
    write_atomically(path, b"old")

    def full_disk(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["table.parquet"]
    assert path.read_bytes() == b"old"


def test_json_has_one_form_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    first, second = UPath(tmp_path / "1.json"), UPath(tmp_path / "2.json")
    write_json(first, {"b": 1, "a": [1.5, None]})
    write_json(second, {"a": [1.5, None], "b": 1})
    assert first.read_bytes() == second.read_bytes()


def test_each_dataset_has_a_folder_of_its_own_under_the_home(tmp_path: Path) -> None:
    assert str(lake_of(Settings(home=str(tmp_path)), "telco").root) == str(tmp_path / "telco")
    assert str(Settings(home="memory://store").root()).rstrip("/") == "memory://store"
