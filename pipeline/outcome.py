"""What the checks gave for one month of a table, and the verdict on it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline.casting import as_text
from pipeline.contract import Check, ExpectationResult, Validation
from pipeline.quarantine import Finding, SortedOut
from pipeline.tables import Table

Figures = dict[str, int | float]


@dataclass(frozen=True)
class Outcome:
    """What the row checks gave for a month.

    Args:
        missing: declared columns that the month does not have; it was not checked any further then.
        unchecked: which checks could not be evaluated, and why.
    """

    key: str
    rows_in: int
    sorted: SortedOut
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    unchecked: Mapping[str, str] = field(default_factory=dict)

    def figures(self) -> Figures:
        """What the contract is about; see `pipeline.contract`."""
        trusted, quarantined = len(self.sorted.trusted), len(self.sorted.quarantined)
        return {
            "missing_columns": len(self.missing),
            "rows_in": self.rows_in,
            "rows_accounted_for": trusted + quarantined,
            "quarantined_share": quarantined / self.rows_in if self.rows_in else 0.0,
        }

    def is_kept(self, check: Check, table: Table) -> bool:
        """Whether the month keeps a promise of the contract."""
        low, high = {
            "missing_columns": (0, 0),
            "rows_in": (0 if table.may_be_empty else 1, math.inf),
            "rows_accounted_for": (self.rows_in, self.rows_in),
            "quarantined_share": (0, table.max_quarantined_share),
        }[check.columns[0]]
        return low <= self.figures()[check.columns[0]] <= high

    def reasons(self) -> dict[str, int]:
        """How many rows were quarantined for each reason."""
        return {finding.check.title: len(finding.rows) for finding in self.findings if len(finding.rows)}


def without_columns(key: str, raw: pa.Table, missing: tuple[str, ...]) -> Outcome:
    """A month that lacks declared columns: nothing can be said of its rows, so none is trusted."""
    reason = f"{', '.join(missing)}: expected in the table, found no such column"
    rows = {name: as_text(raw[name]) for name in raw.column_names}
    reasons = pa.array([reason] * len(raw), type=pa.string())
    return Outcome(key, len(raw), SortedOut(pa.table({}), pa.table(rows | {"reasons": reasons})), missing=missing)


def judged(table: Table, checks: Sequence[Check], outcome: Outcome) -> Validation:
    """The verdict on a month."""
    found = {finding.check.name: len(finding.rows) for finding in outcome.findings}
    of_month = [check for check in checks if check.kind == "contract"]
    broken = {check.name: _in_words(check, outcome) for check in of_month if not outcome.is_kept(check, table)}
    why = [*broken.values(), *(f"{name} could not be evaluated: {e}" for name, e in outcome.unchecked.items())]
    return Validation(
        table=table.name,
        key=outcome.key,
        rows_in=outcome.rows_in,
        rows_trusted=len(outcome.sorted.trusted),
        rows_quarantined=len(outcome.sorted.quarantined),
        reasons=outcome.reasons(),
        expectations=tuple(_result(check, found, broken) for check in checks),
        contract_broken="; ".join(why) or None,
    )


def promises_in_words(table: Table, checks: Sequence[Check], outcome: Outcome) -> dict[str, bool]:
    """Each promise of the contract beside what was found, and whether it was kept."""
    of_month = (check for check in checks if check.kind == "contract")
    return {_in_words(check, outcome): outcome.is_kept(check, table) for check in of_month}


def _in_words(check: Check, outcome: Outcome) -> str:
    """What a check of a month expects, and what was found."""
    figures = outcome.figures()
    value = figures[check.columns[0]]
    text = f"{check.title}, found {value:.4f}" if isinstance(value, float) else f"{check.title}, found {value}"
    if outcome.missing and check.name == "columns_are_complete":
        return f"{text} ({', '.join(outcome.missing)})"
    if outcome.findings and check.name == "quarantine_is_small":
        most = max(outcome.findings, key=lambda finding: len(finding.rows))
        return f"{text} ({len(outcome.sorted.quarantined)} of {outcome.rows_in}; most often {most.check.title})"
    return text


def _result(check: Check, found: Mapping[str, int], broken: Mapping[str, str]) -> ExpectationResult:
    """What came of a check. One about rows that was not evaluated has failed, and blocks."""
    of_month = check.severity == "blocking"
    is_evaluated = of_month or check.name in found
    count = int(check.name in broken) if of_month else found.get(check.name, 0)
    return ExpectationResult(
        name=check.name,
        column=", ".join(check.columns),
        success=is_evaluated and count == 0,
        unexpected_count=count,
        severity="blocking" if of_month or not is_evaluated else "quarantine",
    )
