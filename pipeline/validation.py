"""Holds raw tables against their declaration with Great Expectations. The only module that knows that library.

Each check of rows in `pipeline/contract.py` becomes one expectation; those that no row can break are run only where a
page is to show them. A batch of months is one run: rows that break an expectation go to quarantine. How many they are,
and how many rows came at all, decides whether the contract holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import accumulate, repeat
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from upath import UPath

from pipeline.casting import typed
from pipeline.check_frame import Month, can_break, frame_of_rows, months_of_rows
from pipeline.contract import Check, Validation, checks_of
from pipeline.declaration import Dataset
from pipeline.docs_page import docs_page
from pipeline.expectations import expectation_of
from pipeline.lake import Lake, write_atomically
from pipeline.outcome import Outcome, judged, promises_in_words, without_columns
from pipeline.quarantine import Finding, IntArray, SortedOut, settled, sorted_out
from pipeline.tables import Table

BATCH_ROWS = 1_000_000
Result = IntArray | str
NO_ROWS: IntArray = np.empty(0, dtype=np.int64)
WRITERS = 4  # of files, which mostly wait for the disk
# without values: the library would show them as HTML, whatever they hold
COMPLETE = {"result_format": "COMPLETE", "exclude_unexpected_values": True}


def validate(
    dataset: Dataset, table_name: str, keys: Sequence[str], lake: Lake, *, with_page: bool = True
) -> list[Validation]:
    """Write the trusted and the quarantined rows of each month from its raw ones; say what became of them.

    A month whose contract is broken leaves no trusted file, not even an older one: what comes after must not run on
    rows that nobody vouches for. Its quarantined rows are written all the same, because they show what is wrong. A
    month that is validated alone gets a page for people, unless nobody wants one; see `data_docs`.

    Raises:
        SourceError: a raw month is not there or damaged.
    """
    table, checks = dataset.table(table_name), checks_of(dataset, table_name)
    validations = []
    for batch in _batches(table, keys, lake):
        in_full = len(batch) == 1 and with_page
        outcomes, said = _outcomes(table, checks, batch, in_full=in_full)
        found = [judged(table, checks, outcome) for outcome in outcomes]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(_write, found, [outcome.sorted for outcome in outcomes], repeat(lake)))
        if in_full:
            _write_page(table, checks, outcomes[0], said, lake)
        validations += found
    return validations


def data_docs(dataset: Dataset, found: Sequence[Validation], lake: Lake) -> list[UPath]:
    """The pages of the months that are worth reading: a month that was validated alone, and those that were refused.

    Nobody reads those of a backfill in which all went well. One that was refused there is validated again, alone.
    """
    alone = found if len(found) == 1 else [month for month in found if month.contract_broken]
    for month in alone if len(found) > 1 else ():
        validate(dataset, month.table, [month.key], lake)
    pages = [_page(lake, month.table, month.key) for month in alone]
    return [page for page in pages if page.exists()]


def _batches(table: Table, keys: Sequence[str], lake: Lake) -> Iterator[dict[str, pa.Table]]:
    """Raw months, as many at a time as make a batch; a month is never cut."""
    batch: dict[str, pa.Table] = {}
    for key in keys:
        raw = lake.read("raw", table.name, key)
        if batch and sum(map(len, batch.values())) + len(raw) > BATCH_ROWS:
            yield batch
            batch = {}
        batch[key] = raw
    if batch:
        yield batch


def _write(validation: Validation, rows: SortedOut, lake: Lake) -> None:
    if validation.contract_broken:
        lake.path("trusted", validation.table, validation.key).unlink(missing_ok=True)
    lake.write(rows.quarantined, "quarantine", validation.table, validation.key)
    if not validation.contract_broken:
        lake.write(rows.trusted, "trusted", validation.table, validation.key)


def _write_page(table: Table, checks: Sequence[Check], outcome: Outcome, said: Sequence[Any], lake: Lake) -> None:
    """The month's verdicts and the library's Data Docs of its rows, for people."""
    counts = f"{outcome.rows_in} rows came in, {len(outcome.sorted.quarantined)} are in quarantine."
    sections = [section for result in said for section in _sections(result)]
    subtitle, promises = f"{table.description} {counts}", promises_in_words(table, checks, outcome)
    page = docs_page(f"{table.name}, {outcome.key}", subtitle, promises, outcome.reasons(), sections)
    write_atomically(_page(lake, table.name, outcome.key), page.encode())


def _page(lake: Lake, table_name: str, key: str) -> UPath:
    return lake.root / "docs" / table_name / f"{key}.html"


def _outcomes(
    table: Table, checks: Sequence[Check], batch: Mapping[str, pa.Table], *, in_full: bool
) -> tuple[list[Outcome], list[Any]]:
    """The row checks over all months of a batch that have their columns; the others are only counted."""
    names = [column.name for column in table.columns]
    missing = {key: tuple(name for name in names if name not in raw.column_names) for key, raw in batch.items()}
    months = [Month(key, raw.select(names), typed(raw, table)) for key, raw in batch.items() if not missing[key]]
    checked, said = _checked(table, checks, months, in_full=in_full) if months else ([], [])
    by_key = {outcome.key: outcome for outcome in checked}
    return [by_key.get(key) or without_columns(key, batch[key], missing[key]) for key in batch], said


def _checked(
    table: Table, checks: Sequence[Check], months: Sequence[Month], *, in_full: bool
) -> tuple[list[Outcome], list[Any]]:
    results, said = _results(table, checks, months, in_full=in_full)
    unchecked = {name: why for name, why in results.items() if isinstance(why, str)}
    if unchecked and len(months) > 1:  # so that what stops one month does not stop its neighbours
        apart = [_checked(table, checks, [month], in_full=in_full) for month in months]
        return [outcome for outcomes, _ in apart for outcome in outcomes], [said for _, of in apart for said in of]
    by_name = {check.name: check for check in checks}
    found = [Finding(by_name[name], rows) for name, rows in results.items() if not isinstance(rows, str)]
    typed_rows = pa.concat_tables([month.typed.rows for month in months])
    findings = settled(found, table, typed_rows, months_of_rows(months))
    outcomes, stops = [], accumulate(len(month.raw) for month in months)
    for month, stop in zip(months, stops, strict=True):
        rows_in = len(month.raw)
        of_month = tuple(finding.within(stop - rows_in, stop) for finding in findings)
        parts = sorted_out(month.raw, month.typed.rows, of_month)
        outcomes.append(Outcome(month.key, rows_in, parts, of_month, unchecked=unchecked))
    return outcomes, [said]


def _results(
    table: Table, checks: Sequence[Check], months: Sequence[Month], *, in_full: bool
) -> tuple[dict[str, Result], Any]:
    """For each check of rows what `_run` says, and what the library said."""
    frame = frame_of_rows(table, months, with_every_flag=in_full)
    of_rows = [check for check in checks if check.kind != "contract"]
    results, said = _run([check for check in of_rows if in_full or can_break(check, table, frame)], table, frame)
    return {check.name: results.get(check.name, NO_ROWS) for check in of_rows}, said


def _expectations(checks: Sequence[Check], table: Table) -> list[Any]:
    """The one expectation behind each check."""
    import great_expectations.expectations as gxe

    made = []
    for check in checks:
        kind, arguments = expectation_of(check, table)
        about = {"meta": {"name": check.name}, "severity": "warning", "notes": check.title}
        made.append(getattr(gxe, kind)(**arguments, **about))
    return made


def _run(checks: Sequence[Check], table: Table, frame: pd.DataFrame) -> tuple[dict[str, Result], Any]:
    """For each check the rows that break it, as positions, or why it has no result; and what the library said.

    The library reports an error in an expectation as an expectation that failed, without rows. It must not pass for
    one that no row breaks.
    """
    if not checks:
        return {}, None
    said = _validated(_expectations(checks, table), frame)
    results: dict[str, Result] = {check.name: "no result" for check in checks}
    for result in said.results:
        rows = (result.result or {}).get("unexpected_index_list")
        is_evaluated = rows is not None and result.success == (not rows)
        name = result.expectation_config.meta["name"]
        results[name] = np.sort(np.array(rows, dtype=np.int64)) if is_evaluated else _error(result.exception_info)
    return results, said


def _validated(expectations: Sequence[Any], frame: pd.DataFrame) -> Any:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="generated from the declaration", expectations=list(expectations))
    return _frames().get_batch({"dataframe": frame}).validate(suite, result_format=COMPLETE)


@cache
def _frames() -> Any:
    """Where the library takes frames from. Made once: it writes its settings anew with each part that is added."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all of them")


def _error(exception_info: Mapping[str, Any] | None) -> str:
    """The message in what the library says about an exception, which it nests by metric."""
    for value in (exception_info or {}).values():
        nested = _error(value) if isinstance(value, Mapping) else ""
        if nested:
            return nested
    return str((exception_info or {}).get("exception_message") or "")


def _sections(said: Any) -> list[str]:
    """The library's Data Docs of a run, section by section, as HTML."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaSectionView

    document = ValidationResultsPageRenderer().render(said)
    view: Any = DefaultJinjaSectionView()
    sections = [section.to_json_dict() for section in document.sections]
    return [view.render({"section": section, "section_loop": {"index": i}}) for i, section in enumerate(sections)]
