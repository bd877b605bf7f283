"""Sketches computed by numpy, of a Parquet file that is read group of rows by group, or of a table in memory.

Of many rows it takes every second, third ... so that a sketch costs no more than a look at 10,000 to 20,000 of them:
more would tell apart what no threshold tells apart. Of the rest not even the values are made: categories stay the
numbers that the file has for them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from upath import UPath

from monitoring.sketches import LEVELS, MISSING, UNKNOWN, Number, NumberSketch, Pair, Sketch, pairs_of
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.lake import Lake

if TYPE_CHECKING:
    import pyarrow as pa

SAMPLED_ROWS = 10_000
DIGITS = 6  # more would only be sampling noise, and would double the size


def feature_sketch(dataset: Dataset, lake: Lake, key: str) -> Sketch:
    """The sketch of the features of the snapshot `key`."""
    return parquet_sketch(lake.path("features", "customers", key), dataset.fields(), key=key)


def parquet_sketch(path: UPath, fields: Sequence[Field], *, key: str) -> Sketch:
    """The sketch of some columns of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [field.name for field in fields]
    categories = [field.name for field in fields if field.kind == "category"]
    with path.open("rb") as opened:
        file = pq.ParquetFile(opened, read_dictionary=categories)
        rows, groups = file.metadata.num_rows, range(file.num_row_groups)
        parts = (file.read_row_group(group, columns=names, use_threads=False) for group in groups)
        sampled = list(_sampled(parts, step=sampling_step(rows)))
    return _sketch(pa.concat_tables(sampled), rows, fields, key=key)


def table_sketch(table: "pa.Table", fields: Sequence[Field], *, key: str) -> Sketch:
    """The sketch of some columns of a table."""
    import pyarrow as pa

    some = table.select([field.name for field in fields])
    sampled = pa.concat_tables(_sampled([some], step=sampling_step(len(table))))
    return _sketch(sampled, len(table), fields, key=key)


def sampling_step(rows: int) -> int:
    """Of how many rows one is taken."""
    return max(1, rows // SAMPLED_ROWS)


def sketched_rows(rows: int) -> int:
    """How many rows of a table the sketch rests on."""
    return rows // sampling_step(rows)


def _sampled(parts: Iterable["pa.Table"], *, step: int) -> Iterable["pa.Table"]:
    """Every `step`th row of the parts together."""
    seen = 0
    for part in parts:
        yield part.take(np.arange(step - 1 - seen % step, len(part), step))
        seen += len(part)


def _sketch(sampled: "pa.Table", rows: int, fields: Sequence[Field], *, key: str) -> Sketch:
    by_name = sorted(fields, key=lambda field: field.name)
    values = {field.name: _values(sampled[field.name]) for field in by_name if field.kind == "number"}
    numbers = {name: _number(values[name], rows=len(sampled)) for name in values}
    return Sketch(
        key=key,
        rows=rows,
        numbers=numbers,
        categories={f.name: _shares(f, sampled[f.name]) for f in by_name if f.kind == "category"},
        correlations=_correlations(values, numbers),
    )


def _values(column: "pa.ChunkedArray") -> FloatArray:
    """The rows of a number, NaN where there is none; infinity is none either."""
    values = np.asarray(column.cast("float64").to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _number(values: FloatArray, *, rows: int) -> NumberSketch:
    present = np.sort(values[~np.isnan(values)])
    if len(present) == 0:
        return NumberSketch((), None, None, missing_share=1.0 if rows else 0.0, zero_share=0.0)
    # values that exist, so that a count of tickets stays a whole number
    places = np.ceil(len(present) * (np.arange(LEVELS) + 0.5) / LEVELS).astype(np.int64) - 1
    return NumberSketch(
        quantiles=tuple(_short(value) for value in present[places]),
        mean=_short(present.mean()),
        sd=_short(present.std()),
        missing_share=_short(1 - len(present) / rows),
        zero_share=_short((present == 0).mean()),
    )


def _shares(field: Field, column: "pa.ChunkedArray") -> dict[str, float]:
    # only declared values are told apart: a feed that breaks may send as many values as there are rows
    counts = Counter({each["values"]: each["counts"] for each in column.value_counts().to_pylist()})
    declared = {value: counts[value] for value in field.categories}
    missing = column.null_count
    counted = {**declared, UNKNOWN: len(column) - sum(declared.values()) - missing, MISSING: missing}
    return {value: _short(count / len(column)) if len(column) else 0.0 for value, count in counted.items()}


def _correlations(values: Mapping[str, FloatArray], numbers: Mapping[str, NumberSketch]) -> dict[Pair, Number]:
    varied = [name for name, number in numbers.items() if len(set(number.quantiles)) > 1]
    if len(varied) <= 1:
        return dict.fromkeys(pairs_of(numbers))
    scores = np.stack([_standardised(values[name], numbers[name]) for name in varied])
    together = np.asarray(np.corrcoef(scores))
    known = dict(zip(pairs_of(varied), together[np.triu_indices(len(varied), 1)], strict=True))
    return {pair: _short(known[pair]) if pair in known else None for pair in pairs_of(numbers)}


def _standardised(values: FloatArray, number: NumberSketch) -> FloatArray:
    """Cut off at the outermost quantiles and brought near mean 0 and sd 1; a missing value becomes the mean."""
    low, high = number.quantiles[0], number.quantiles[-1]
    score = (np.clip(values, low, high) - np.mean(number.quantiles)) / (high - low)
    found: FloatArray = np.nan_to_num(score, nan=0.0)
    return found


def _short(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")
