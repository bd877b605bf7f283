"""A month of features, or of scores, as a few kilobytes: what drift is measured on, years after the rows are gone.

Per number: quantiles, mean, standard deviation, the share that is missing and the share that is zero. Per category: the
share of each declared value, of unknown values and of missing ones. And how each two numbers go together. DuckDB
computes it next to the file, on one thread so that the figures repeat; no row ever reaches Python.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

from upath import UPath

from pipeline.declaration import Dataset
from pipeline.feature_kinds import Field
from pipeline.lake import Lake

if TYPE_CHECKING:
    import duckdb

LEVELS = 100
"""Quantiles are taken at the middles of this many equal parts: 0.5 %, 1.5 % ... 99.5 %."""
UNKNOWN, MISSING = "(unknown)", "(missing)"
DIGITS = 6  # more would only be sampling noise, and would double the size

Number = float | None
Pair = tuple[str, str]


@dataclass(frozen=True)
class NumberSketch:
    """One number in one month.

    Args:
        quantiles: at the LEVELS middles, in the field's unit; empty where every value is missing.
        mean: of the values that are there, None where none is.
        sd: standard deviation of the values that are there.
        missing_share: share of the rows without a value; NaN and infinity are no values.
        zero_share: share of zeros among the values that are there.
    """

    quantiles: tuple[float, ...]
    mean: Number
    sd: Number
    missing_share: float
    zero_share: float


@dataclass(frozen=True)
class Sketch:
    """A table of one month.

    Args:
        key: the month, "YYYY-MM", or "snapshot".
        rows: how many rows the table has.
        numbers: by field, in the order of the names.
        categories: by field, the share of each declared value, of UNKNOWN and of MISSING; they sum to 1.
        correlations: Pearson's, of values cut off at the outermost quantiles, with missing values at the mean; by pair
            of fields in the order of the names, None where a field is constant.
    """

    key: str
    rows: int
    numbers: Mapping[str, NumberSketch]
    categories: Mapping[str, Mapping[str, float]]
    correlations: Mapping[Pair, Number]

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; correlations are listed in the order of `pairs_of`."""
        numbers = {name: {**vars(number), "quantiles": [*number.quantiles]} for name, number in self.numbers.items()}
        return {
            "key": self.key,
            "rows": self.rows,
            "numbers": numbers,
            "categories": {name: dict(shares) for name, shares in self.categories.items()},
            "correlations": list(self.correlations.values()),
        }


def sketch_from_dict(stored: Mapping[str, Any]) -> Sketch:
    """The inverse of `Sketch.as_dict`, whatever order the keys came back in."""
    numbers = {
        name: NumberSketch(**(stored["numbers"][name] | {"quantiles": tuple(stored["numbers"][name]["quantiles"])}))
        for name in sorted(stored["numbers"])
    }
    return Sketch(
        key=str(stored["key"]),
        rows=int(stored["rows"]),
        numbers=numbers,
        categories={name: dict(stored["categories"][name]) for name in sorted(stored["categories"])},
        correlations=dict(zip(pairs_of(numbers), stored["correlations"], strict=True)),
    )


def pairs_of(numbers: Sequence[str] | Mapping[str, Any]) -> list[Pair]:
    """Each two of the names, in the order that correlations are kept in."""
    return list(combinations(numbers, 2))


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
    """The sketch of whatever may follow FROM. Two passes: correlations need the quantiles to cut off at."""
    numbers = sorted(field.name for field in fields if field.kind == "number")
    categories = sorted((field for field in fields if field.kind == "category"), key=lambda field: field.name)
    present = ", ".join(["1 AS one", *map(_present, numbers), *(_quoted(field.name) for field in categories)])
    asked = ["count(*)", *(a for name in numbers for a in _asked_of_number(name))]
    asked += [a for field in categories for a in _asked_of_category(field)]
    found = iter(_answers(connection, asked, columns=present, source=source))
    rows = int(next(found))
    sketches = {name: _number(found, rows) for name in numbers}
    return Sketch(
        key=key,
        rows=rows,
        numbers=sketches,
        categories={field.name: _shares(field, found, rows) for field in categories},
        correlations=_correlations(connection, source, sketches),
    )


def _asked_of_number(name: str) -> list[str]:
    column, levels = _quoted(name), [(i + 0.5) / LEVELS for i in range(LEVELS)]
    # quantile_disc gives values that exist, so a count of tickets stays a whole number; it is also the faster one
    moments = [f"{aggregate}({column})" for aggregate in ("avg", "stddev_pop", "count")]
    return [f"quantile_disc({column}, {levels})", *moments, f"count(*) FILTER ({column} = 0)"]


def _number(found: Iterator[Any], rows: int) -> NumberSketch:
    quantiles, mean, sd, present, zeros = islice(found, 5)
    return NumberSketch(
        quantiles=tuple(_short(value) for value in quantiles or ()),
        mean=None if mean is None else _short(mean),
        sd=None if sd is None else _short(sd),
        missing_share=_short(1 - present / rows) if rows else 0.0,
        zero_share=_short(zeros / present) if present else 0.0,
    )


def _asked_of_category(field: Field) -> list[str]:
    # counted value by value: a feed that breaks may send as many values as there are rows
    column = _quoted(field.name)
    return [*(f"count(*) FILTER ({column} = {_text(value)})" for value in field.categories), f"count({column})"]


def _shares(field: Field, found: Iterator[Any], rows: int) -> dict[str, float]:
    *counts, present = islice(found, len(field.categories) + 1)
    counted = dict(zip(field.categories, counts, strict=True))
    counted |= {UNKNOWN: present - sum(counts), MISSING: rows - present}
    return {value: _short(count / rows) if rows else 0.0 for value, count in counted.items()}


def _correlations(
    connection: "duckdb.DuckDBPyConnection", source: str, numbers: Mapping[str, NumberSketch]
) -> dict[Pair, Number]:
    varied = [name for name, number in numbers.items() if len(set(number.quantiles)) > 1]
    pairs = pairs_of(varied)
    asked = [f"avg({_quoted(name)})" for name in varied] + [f"avg({_quoted(a)} * {_quoted(b)})" for a, b in pairs]
    asked += [f"stddev_pop({_quoted(name)})" for name in varied]
    if not varied:
        return dict.fromkeys(pairs_of(numbers))
    scores = ", ".join(_standardised(name, numbers[name]) for name in varied)
    found = iter(_answers(connection, asked, columns=scores, source=source))
    mean = dict(zip(varied, islice(found, len(varied)), strict=True))
    product = dict(zip(pairs, islice(found, len(pairs)), strict=True))
    sd = dict(zip(varied, found, strict=True))
    known = {(a, b): _short((product[a, b] - mean[a] * mean[b]) / (sd[a] * sd[b])) for a, b in pairs}
    return {pair: known.get(pair) for pair in pairs_of(numbers)}


def _standardised(name: str, number: NumberSketch) -> str:
    """Cut off at the outermost quantiles and brought near mean 0 and sd 1; a missing value becomes the mean."""
    low, high, column = number.quantiles[0], number.quantiles[-1], _quoted(name)
    mean = sum(number.quantiles) / LEVELS
    cut_off = f"least(greatest({column}, {low!r}), {high!r})"
    return f"CASE WHEN isfinite({column}) THEN ({cut_off} - {mean!r}) / {high - low!r} ELSE 0.0 END AS {column}"


def _answers(
    connection: "duckdb.DuckDBPyConnection", asked: Sequence[str], *, columns: str, source: str
) -> tuple[Any, ...]:
    # S608: every name in it is quoted, and comes from the declaration
    query = f"SELECT {', '.join(asked)} FROM (SELECT {columns} FROM {source})"  # noqa: S608
    return connection.execute(query).fetchall()[0]


def _present(name: str) -> str:
    """A number, NULL where it is none."""
    column = _quoted(name)
    return f"CASE WHEN isfinite({column}) THEN {column} END AS {column}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
