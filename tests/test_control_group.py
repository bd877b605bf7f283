"""Who tells what would have happened without a call."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from upath import UPath

from pipeline.control_group import representative, representative_places, with_stand_ins, without_called
from pipeline.lake import Lake

KEY = "2024-06"
ROWS = pa.table({"customer_id": ["a", "b", "c", "d", "e", "f"], "churned": [True, False, True, False, True, False]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Of four who were chosen, c and d were called, and e and f left alone by lot; a and b were not chosen."""
    lake = Lake(UPath(tmp_path))
    listed = {
        "customer_id": ["f", "e", "d", "c", "b", "a"],
        "contact": [False, False, True, True, False, False],
        "holdout": [True, True, False, False, False, False],
    }
    lake.write(pa.table(listed), "scores", "customers", KEY)
    for key in ("2024-05", KEY):
        lake.write(ROWS, "labels", "customers", key)
    return lake


def test_a_model_learns_from_everybody_who_was_not_called(lake: Lake) -> None:
    assert without_called(ROWS, lake, KEY)["customer_id"].to_pylist() == ["a", "b", "e", "f"]


def test_who_was_left_alone_stands_for_the_called_ones_too(lake: Lake) -> None:
    found = representative(ROWS, lake, KEY)
    assert found["customer_id"].to_pylist() == ["a", "b", "e", "e", "f", "f"]
    assert found["churned"].to_pylist() == [True, False, True, True, False, False]


def test_of_what_was_learned_from_who_was_left_alone_stands_for_the_called_ones_too(lake: Lake) -> None:
    learned = pd.DataFrame({"customer_id": ["e", "a", "f", "new"] * 2, "snapshot": ["2024-05"] * 4 + [KEY] * 4})
    found = with_stand_ins(learned, lake)
    assert found[found["snapshot"] == "2024-05"]["customer_id"].tolist() == ["e", "a", "f", "new"]  # nobody was listed
    assert found[found["snapshot"] == KEY]["customer_id"].tolist() == ["e", "e", "a", "f", "f", "new"]
    lake.write(ROWS.filter(pc.not_equal(ROWS["customer_id"], "d")), "labels", "customers", KEY)
    fewer = with_stand_ins(learned[learned["snapshot"] == KEY], lake)
    assert sorted(fewer["customer_id"]) in (["a", "e", "e", "f", "new"], ["a", "e", "f", "f", "new"])  # for c only
    lake.write(ROWS, "labels", "customers", KEY)
    half = with_stand_ins(learned.iloc[[4, 5]], lake)
    assert half["customer_id"].tolist() == ["e", "e", "a"]  # of half a month, as often as of the whole


def test_a_month_without_a_list_is_taken_as_it_is(lake: Lake) -> None:
    assert without_called(ROWS, lake, "2024-05") is ROWS
    assert representative(ROWS, lake, "2024-05") is ROWS


def test_customers_whom_the_list_does_not_know_are_kept(lake: Lake) -> None:
    rows = pa.table({"customer_id": ["a", "c", "new"], "churned": [False, False, True]})
    assert without_called(rows, lake, KEY)["customer_id"].to_pylist() == ["a", "new"]


def test_copies_are_as_even_as_can_be() -> None:
    selected, called = np.array([True] * 5), np.array([True, True, True, False, False])
    places = representative_places(np.array(list("abcde"), dtype=object), selected, called)
    assert sorted(np.bincount(places, minlength=5)[3:].tolist()) == [2, 3]


def test_where_nobody_was_left_alone_nobody_stands_for_the_called_ones() -> None:
    selected = called = np.array([True, True, False])
    assert representative_places(np.array(list("abc"), dtype=object), selected, called).tolist() == [2]
