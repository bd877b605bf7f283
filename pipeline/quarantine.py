"""Sorts the rows of a month into trusted ones and quarantined ones, each of these with every reason there is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.casting import as_text
from pipeline.contract import Check
from pipeline.tables import Table

IntArray = NDArray[np.int64]

_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Finding:
    """The rows that break a check, as positions, ascending."""

    check: Check
    rows: IntArray

    def within(self, start: int, stop: int) -> "Finding":
        """The finding for the rows from `start` to before `stop`, counted from `start`."""
        first, last = np.searchsorted(self.rows, (start, stop))
        return Finding(self.check, self.rows[first:last] - start)


@dataclass(frozen=True)
class SortedOut:
    """A month in two: rows of the declared types, and the others as text with their `reasons`."""

    trusted: pa.Table
    quarantined: pa.Table


def settled(findings: Sequence[Finding], table: Table, rows: pa.Table, months: IntArray) -> list[Finding]:
    """The findings without what is said twice, and with one row left of those that share a key.

    A value that cannot be read is not also a missing one. Of the rows with one key in one month, the first that nothing
    else speaks against stays: a row sent again does no harm, and a corrected one replaces the one it corrects.

    `rows` are the typed rows that the findings count in, `months` the month that each of them was delivered for.
    """
    unreadable = {finding.check.columns: finding.rows for finding in findings if finding.check.kind == "readable"}
    others = [_without_unreadable(finding, unreadable) for finding in findings if finding.check.kind != "unique"]
    is_bad = np.zeros(len(rows), dtype=bool)
    for finding in others:
        is_bad[finding.rows] = True
    shared = [finding for finding in findings if finding.check.kind == "unique"]
    return others + [Finding(f.check, _repeats(f.rows, is_bad, rows.select(list(table.key)), months)) for f in shared]


def sorted_out(raw: pa.Table, rows: pa.Table, findings: Sequence[Finding]) -> SortedOut:
    """The typed `rows` that no finding names, and the `raw` ones that one does."""
    is_bad = np.zeros(len(raw), dtype=bool)
    for finding in findings:
        is_bad[finding.rows] = True
    quarantined = raw.filter(pa.array(is_bad))
    columns = {name: as_text(quarantined[name]) for name in quarantined.column_names}
    reasons = pa.array(_reasons(raw, findings, np.flatnonzero(is_bad)), type=pa.string())
    return SortedOut(rows.filter(pa.array(~is_bad)), pa.table(columns | {"reasons": reasons}))


def _without_unreadable(finding: Finding, unreadable: dict[tuple[str, ...], IntArray]) -> Finding:
    if finding.check.kind != "present" or finding.check.columns not in unreadable:
        return finding
    return Finding(finding.check, np.setdiff1d(finding.rows, unreadable[finding.check.columns]))


def _repeats(contested: IntArray, is_bad: NDArray[np.bool_], keys: pa.Table, months: IntArray) -> IntArray:
    """Of the rows that share a key, those that come after the first good one of their month."""
    parts = [f"key {i}" for i in range(keys.num_columns)]
    frame = keys.take(pa.array(contested)).rename_columns(parts).to_pandas()
    frame = frame.assign(month=months[contested], good_row=np.where(is_bad[contested], np.inf, contested))
    first_good = frame.groupby([*parts, "month"])["good_row"].transform("min").to_numpy()
    return contested[contested > first_good]


def _reasons(raw: pa.Table, findings: Sequence[Finding], bad: IntArray) -> list[str]:
    """Every reason of each bad row, joined by "; "."""
    reasons: dict[int, list[str]] = {int(row): [] for row in bad}
    for finding in findings:
        found = _found(finding.check, raw.take(pa.array(finding.rows)))
        for row, value in zip(finding.rows.tolist(), found, strict=True):
            reasons[row].append(f"{finding.check.title}, found {value}")
    return ["; ".join(reasons[int(row)]) for row in bad]


def _found(check: Check, rows: pa.Table) -> list[str]:
    columns = [[_quoted(value) for value in as_text(rows[name]).to_pylist()] for name in check.columns]
    if len(columns) == 1:
        return columns[0]
    named = zip(*columns, strict=True)
    return [", ".join(f"{n}={v}" for n, v in zip(check.columns, values, strict=True)) for values in named]


def _quoted(value: str | None) -> str:
    return "nothing" if value is None or not value.strip() else repr(value[:_LONGEST_VALUE])
