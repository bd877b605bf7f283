"""Fields as numbers: two numbers and a category, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline.encoding import Encoding, model_fields
from pipeline.feature_kinds import Field

FIELDS = (
    Field(name="price", kind="number"),
    Field(name="region", kind="category", categories=("north", "south")),
    Field(name="tickets", kind="number"),
)
ENCODING = Encoding(FIELDS)
NAN = float("nan")


def test_numbers_come_first_and_every_declared_category_has_a_column() -> None:
    assert ENCODING.columns == ("price", "tickets", "region = north", "region = south")
    assert ENCODING.field_of_column.tolist() == [0, 2, 1, 1]


def test_a_missing_number_stays_missing_and_an_unknown_category_is_no_category() -> None:
    columns = {
        "price": np.array([10.0, NAN, 30.0, 0.0, 1.0]),
        "region": np.array(["north", "south", "east", None, NAN], dtype=object),
        "tickets": np.array([1.0, 2.0, NAN, 0.0, 0.0]),
    }
    expected = [[10, 1, 1, 0], [NAN, 2, 0, 1], [30, NAN, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(ENCODING.matrix(columns, 5), expected)


@pytest.mark.parametrize("kind", ["object", "str", "category"])
def test_a_frame_is_encoded_like_the_arrays_of_a_request(kind: str) -> None:
    frame = pd.DataFrame(
        {"price": [10, 20], "tickets": [True, False], "region": pd.Series(["south", None], dtype=kind)}
    )
    frame.index = pd.Index([7, 3])
    columns = {"price": [10.0, 20.0], "tickets": [1.0, 0.0], "region": ["south", None]}
    np.testing.assert_array_equal(ENCODING.matrix(frame, 2), ENCODING.matrix(columns, 2))
    np.testing.assert_array_equal(ENCODING.matrix(frame, 2), [[10, 1, 0, 1], [20, 0, 0, 0]])


def test_none_among_numbers_is_missing() -> None:
    columns = {"price": [None], "tickets": [1], "region": ["north"]}
    np.testing.assert_array_equal(ENCODING.matrix(columns, 1), [[NAN, 1, 1, 0]])


def test_no_rows_give_a_matrix_without_rows() -> None:
    assert ENCODING.matrix({"price": [], "tickets": [], "region": []}, 0).shape == (0, 4)


def test_models_do_not_see_what_only_the_economics_needs() -> None:
    paid = Field(name="margin", kind="number", in_model=False)
    assert model_fields((*FIELDS, paid)) == FIELDS
