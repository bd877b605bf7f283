"""Sketches computed next to the file by DuckDB, on one thread so that the figures repeat.

Of many rows it takes every second, third ... so that a sketch costs no more than a look at 10,000 to 20,000 of them:
more would tell apart what no threshold tells apart. Only the numbers of these rows reach Python: sorting columns and
multiplying them is what numpy does best.
"""

# ruff: noqa: S608  (every name in a query is quoted, and comes from the declaration)

from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from upath import UPath

from monitoring.sketches import LEVELS, MISSING, UNKNOWN, Number, NumberSketch, Pair, Sketch, pairs_of
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.lake import Lake

if TYPE_CHECKING:
    import duckdb

SAMPLED_ROWS = 10_000
SAMPLE = "sketched_rows"
DIGITS = 6  # more would only be sampling noise, and would double the size


def feature_sketch(dataset: Dataset, lake: Lake, key: str) -> Sketch:
    """The sketch of the features of the snapshot `key`."""
    return parquet_sketch(lake.path("features", "customers", key), dataset.fields(), key=key)


def parquet_sketch(path: UPath, fields: Sequence[Field], *, key: str, where: str = "") -> Sketch:
    """The sketch of some columns of a Parquet file; `where` is an SQL condition that a slice's rows meet."""
    import duckdb

    with closing(duckdb.connect(config={"threads": 1})) as connection:
        if path.protocol not in ("", "file", "local"):
            connection.register_filesystem(path.fs)
        source = f"read_parquet({_text(str(path))})" + (f" WHERE {where}" if where else "")
        return sketch_of(connection, source, fields, key=key)


def sketch_of(connection: "duckdb.DuckDBPyConnection", source: str, fields: Sequence[Field], *, key: str) -> Sketch:
    """The sketch of whatever may follow FROM. It leaves a temporary table of the sampled rows behind."""
    numbers = sorted(field.name for field in fields if field.kind == "number")
    categories = sorted((field for field in fields if field.kind == "category"), key=lambda field: field.name)
    rows = int(_row(connection, ["count(*)"], source)[0])
    _sample(connection, source, numbers, [field.name for field in categories], step=sampling_step(rows))
    taken = int(_row(connection, ["count(*)"], SAMPLE)[0])
    values = _values(connection, numbers)
    sketches = {name: _number(values[name], rows=taken) for name in numbers}
    return Sketch(
        key=key,
        rows=rows,
        numbers=sketches,
        categories=_categories(connection, categories, taken),
        correlations=_correlations(values, sketches),
    )


def sampling_step(rows: int) -> int:
    """Of how many rows one is taken."""
    return max(1, rows // SAMPLED_ROWS)


def sketched_rows(rows: int) -> int:
    """How many rows of a table the sketch rests on."""
    return rows // sampling_step(rows)


def _sample(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    numbers: Sequence[str],
    categories: Sequence[str],
    *,
    step: int,
) -> None:
    """What is sketched, in memory; a number that is none, as NaN or infinity, is NULL."""
    wanted = ", ".join(["row_number() OVER () AS row_place", *map(_quoted, (*numbers, *categories))])
    cleaned = [
        f"CASE WHEN isfinite({_quoted(name)}) THEN {_quoted(name)}::DOUBLE END AS {_quoted(name)}" for name in numbers
    ]
    kept = ", ".join(["1 AS row_there", *cleaned, *map(_quoted, categories)])
    rows = f"SELECT {kept} FROM (SELECT {wanted} FROM {source}) WHERE row_place % {step} = 0"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {SAMPLE} AS {rows}")


def _values(connection: "duckdb.DuckDBPyConnection", names: Sequence[str]) -> dict[str, FloatArray]:
    """The sampled rows of each number, NaN where there is none."""
    if not names:
        return {}
    columns = connection.execute(f"SELECT {', '.join(map(_quoted, names))} FROM {SAMPLE}").fetchnumpy()
    return {name: np.ma.filled(np.ma.asarray(columns[name], dtype=np.float64), np.nan) for name in names}


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


def _categories(
    connection: "duckdb.DuckDBPyConnection", fields: Sequence[Field], rows: int
) -> dict[str, dict[str, float]]:
    # counted value by value: a feed that breaks may send as many values as there are rows
    asked = [f"count(*) FILTER ({_quoted(f.name)} = {_text(value)})" for f in fields for value in f.categories]
    asked += [f"count({_quoted(field.name)})" for field in fields]
    found = iter(_row(connection, asked, SAMPLE) if fields else ())
    counts = {
        field.name: dict(zip(field.categories, islice(found, len(field.categories)), strict=True)) for field in fields
    }
    return {
        field.name: _shares(counts[field.name], present, rows) for field, present in zip(fields, found, strict=True)
    }


def _shares(counts: Mapping[str, int], present: int, rows: int) -> dict[str, float]:
    counted = {**counts, UNKNOWN: present - sum(counts.values()), MISSING: rows - present}
    return {value: _short(count / rows) if rows else 0.0 for value, count in counted.items()}


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


def _row(connection: "duckdb.DuckDBPyConnection", asked: Sequence[str], source: str) -> tuple[Any, ...]:
    return connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchall()[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _short(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")
