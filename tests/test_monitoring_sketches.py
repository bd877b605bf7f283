"""Sketches: what is kept of a month, worked out by hand on a few rows."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from monitoring.sketches import LEVELS, MISSING, UNKNOWN, Sketch, sketch_from_dict
from monitoring.sketching import SAMPLED_ROWS, parquet_sketch, sampling_step, table_sketch
from pipeline.feature_kinds import Field

NUMBER, OTHER = Field(name="bill", kind="number"), Field(name="age", kind="number")
CATEGORY = Field(name="plan", kind="category", categories=("basic", "plus"))


def sketched(columns: dict[str, list[object]], *fields: Field) -> Sketch:
    return table_sketch(pa.table(columns), fields, key="2025-03")


def test_a_number_keeps_its_mean_spread_missing_and_zero_shares() -> None:
    number = sketched({"bill": [0.0, 2.0, 4.0, None, float("nan")]}, NUMBER).numbers["bill"]
    assert (number.mean, number.missing_share) == (2.0, 0.4)  # NaN is no value either
    assert number.sd == pytest.approx((8 / 3) ** 0.5, rel=1e-5)
    assert number.zero_share == pytest.approx(1 / 3, rel=1e-5)


def test_quantiles_are_values_that_exist() -> None:
    number = sketched({"bill": [1.0, 2.0, 3.0, 4.0]}, NUMBER).numbers["bill"]
    assert number.quantiles == (1.0,) * 25 + (2.0,) * 25 + (3.0,) * 25 + (4.0,) * 25


def test_a_category_keeps_the_shares_of_its_values_of_unknown_ones_and_of_missing_ones() -> None:
    shares = sketched({"plan": ["basic", "basic", "plus", "gold", None]}, CATEGORY).categories["plan"]
    assert shares == {"basic": 0.4, "plus": 0.2, UNKNOWN: 0.2, MISSING: 0.2}


def test_correlations_are_pearsons() -> None:
    x, y = [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]
    sketch = sketched({"bill": x, "age": y}, NUMBER, OTHER)
    assert sketch.correlations == {("age", "bill"): pytest.approx(0.6)}


def test_one_customer_with_an_absurd_value_does_not_make_the_correlation() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, 1000))
    x[0] = y[0] = 1e6
    sketch = sketched({"bill": list(x), "age": list(y)}, NUMBER, OTHER)
    assert abs(sketch.correlations["age", "bill"] or 1.0) < 0.1


def test_a_column_that_went_missing_has_no_quantiles_and_no_correlations() -> None:
    sketch = sketched({"bill": pa.array([None, None], pa.float64()), "age": [1.0, 2.0]}, NUMBER, OTHER)
    number = sketch.numbers["bill"]
    assert (number.quantiles, number.mean, number.sd, number.missing_share) == ((), None, None, 1.0)
    assert sketch.correlations == {("age", "bill"): None}


def test_a_table_without_rows_has_a_sketch() -> None:
    sketch = sketched({"bill": pa.array([], pa.float64()), "plan": pa.array([], pa.string())}, NUMBER, CATEGORY)
    assert (sketch.rows, sketch.numbers["bill"].quantiles, sketch.categories["plan"]["basic"]) == (0, (), 0.0)


def test_names_that_look_like_sql_are_names() -> None:
    field = Field(name='a"; DROP', kind="category", categories=("it's",))
    assert sketched({'a"; DROP': ["it's", "it's"]}, field).categories['a"; DROP']["it's"] == 1.0


def test_a_sketch_survives_json_with_its_keys_in_any_order() -> None:
    columns = {"bill": [1.0, 2.5, None], "age": [3.0, 1.0, 2.0], "plan": ["basic", "gold", None]}
    sketch = sketched(columns, NUMBER, OTHER, CATEGORY)
    assert sketch_from_dict(json.loads(json.dumps(sketch.as_dict(), sort_keys=True, allow_nan=False))) == sketch


@pytest.mark.parametrize("group", [1_000, 7_001, 50_000])
def test_a_file_has_the_sketch_of_its_rows_whatever_groups_they_were_written_in(group: int, tmp_path: Path) -> None:
    random, path = np.random.default_rng(3), UPath(tmp_path / "it's here.parquet")
    plans = random.choice(np.array(["basic", "plus", "gold", None], dtype=object), 35_000)
    rows = pa.table({"plan": pa.array(plans, pa.string()), "bill": random.lognormal(size=35_000)})
    pq.write_table(rows, str(path), row_group_size=group)
    assert parquet_sketch(path, [NUMBER, CATEGORY], key="2025-03") == table_sketch(
        rows, [NUMBER, CATEGORY], key="2025-03"
    )


@pytest.mark.parametrize("rows", [10, 20_000])
def test_the_size_does_not_grow_with_the_rows(rows: int) -> None:
    random = np.random.default_rng(2)
    fields = [Field(name=f"n{i}", kind="number") for i in range(20)]
    sketch = sketched({field.name: random.lognormal(size=rows) for field in fields}, *fields)
    assert len(json.dumps(sketch.as_dict())) < 30_000


def test_of_many_rows_every_so_many_is_taken_and_none_twice() -> None:
    rows = 3 * SAMPLED_ROWS + 1
    sketch = sketched({"bill": np.arange(1, rows + 1, dtype=np.float64)}, NUMBER)
    # the third row, the sixth ...: their mean is half a step beyond the middle
    assert (sampling_step(rows), sketch.rows, sketch.numbers["bill"].mean) == (3, rows, 15_001.5)
    assert [sampling_step(n) for n in (0, SAMPLED_ROWS, 2 * SAMPLED_ROWS - 1, 5 * SAMPLED_ROWS)] == [1, 1, 1, 5]


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=60))
def test_quantiles_never_fall_and_shares_are_shares(values: list[float | None]) -> None:
    number = sketched({"bill": pa.array(values, pa.float64())}, NUMBER).numbers["bill"]
    assert list(number.quantiles) == sorted(number.quantiles)
    assert len(number.quantiles) == (LEVELS if any(v is not None for v in values) else 0)
    assert 0 <= number.missing_share <= 1
    assert 0 <= number.zero_share <= 1
