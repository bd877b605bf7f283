"""What the training rows looked like: figures worked out by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.feature_kinds import Field
from pipeline.reference import QUANTILES, reference_of

FIELDS = (
    Field(name="price", kind="number"),
    Field(name="region", kind="category", categories=("north", "south", "west")),
    Field(name="never_known", kind="number"),
    Field(name="always_foreign", kind="category", categories=("a", "b")),
)
ROWS = pd.DataFrame(
    {
        "price": [10.0, 20.0, 20.0, 50.0, np.nan],
        "region": pd.Series(["south", "north", "south", "east", None], dtype="object"),
        "never_known": [np.nan] * 5,
        "always_foreign": pd.Series(["z"] * 5, dtype="object"),
    }
)
REFERENCE = reference_of(ROWS, FIELDS)


def test_a_number_is_described_by_its_known_values() -> None:
    price = REFERENCE["fields"]["price"]
    assert price["missing_share"] == pytest.approx(0.2)
    assert price["mean"] == pytest.approx(25.0)
    assert price["sd"] == pytest.approx(np.sqrt((15**2 + 5**2 + 5**2 + 25**2) / 4))
    at = dict(zip(QUANTILES, price["quantiles"], strict=True))
    assert (at[0.0], at[0.25], at[0.5], at[0.75], at[0.8], at[1.0]) == (10, 10, 20, 20, 50, 50)


def test_a_category_is_described_by_the_shares_of_its_declared_values() -> None:
    region = REFERENCE["fields"]["region"]
    assert region["missing_share"] == pytest.approx(0.2)
    assert region["shares"] == {"north": 0.25, "south": 0.5, "west": 0.0}


def test_the_example_is_a_typical_customer_and_says_none_where_nothing_is_known() -> None:
    assert REFERENCE["example"] == {"price": 20.0, "region": "south", "never_known": None, "always_foreign": None}


def test_a_reference_is_plain_json_and_the_same_whatever_the_order_of_rows() -> None:
    assert json.loads(json.dumps(REFERENCE, allow_nan=False)) == REFERENCE
    assert reference_of(ROWS.iloc[::-1], FIELDS) == REFERENCE


def test_no_rows_are_all_missing() -> None:
    empty = reference_of(ROWS.iloc[:0], FIELDS)
    assert empty["rows"] == 0
    assert {figures["missing_share"] for figures in empty["fields"].values()} == {1.0}
    assert set(empty["example"].values()) == {None}
