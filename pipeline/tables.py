"""Raw tables as a dataset declares them: columns, keys, ranges, and when a row became known."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.errors import DeclarationError

ColumnKind = Literal["string", "integer", "number", "boolean", "timestamp"]
Operator = Literal["==", "!=", ">", ">=", "<", "<=", "in"]
Scalar = str | int | float | bool

NUMERIC_KINDS: tuple[ColumnKind, ...] = ("integer", "number", "boolean")


@dataclass(frozen=True)
class Column:
    """One column of a raw table.

    `minimum` and `maximum` are inclusive; `categories` closes a string column to the listed values.
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    nullable: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(ColumnKind):
            raise DeclarationError(
                f"column {self.name!r}",
                expected=f"a kind out of {', '.join(get_args(ColumnKind))}",
                found=repr(self.kind),
                remedy="Correct it.",
            )
        if self.kind not in ("integer", "number") and (self.minimum, self.maximum) != (None, None):
            raise DeclarationError(
                f"column {self.name!r}",
                expected="a minimum or maximum of a number only",
                found=f"one of kind {self.kind!r}",
                remedy="Leave it out, or correct the kind.",
            )
        if any(math.isnan(limit) for limit in (self.minimum, self.maximum) if limit is not None):
            raise DeclarationError(
                f"column {self.name!r}",
                expected="a minimum and a maximum that are numbers",
                found=f"minimum={self.minimum}, maximum={self.maximum}",
                remedy="Leave out what there is not.",
            )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise DeclarationError(
                f"column {self.name!r}",
                expected="a minimum that is not above the maximum",
                found=f"minimum={self.minimum:g}, maximum={self.maximum:g}",
                remedy="Exchange or correct them.",
            )


@dataclass(frozen=True)
class Where:
    """Keeps the rows whose `column` compares with `value`, e.g. `Where("status", "==", "failed")`."""

    column: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]

    def check(self, where: str, *, kind: str, categories: Sequence[str]) -> None:
        """Raise a DeclarationError where no value could ever meet it: a misspelt category would select nobody.

        Args:
            where: names the place of the condition in errors.
            kind: that of the column, or of the field, that it reads.
            categories: the values that there are, where they are declared.
        """
        is_text = kind in ("string", "category")
        if is_text and self.op not in ("==", "!=", "in"):
            raise DeclarationError(
                where,
                expected=f"==, != or in, because {self.column!r} holds text",
                found=repr(self.op),
                remedy="Compare it with its categories.",
            )
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if kind in ("integer", "number") and (texts := [value for value in values if isinstance(value, str)]):
            raise DeclarationError(
                where, expected=f"a number, as {self.column!r} is one", found=repr(texts[0]), remedy="Correct it."
            )
        unknown = [str(value) for value in values if categories and value not in categories]
        if unknown:
            raise DeclarationError(
                where,
                expected=f"one of the categories of {self.column!r}: {', '.join(categories)}",
                found=", ".join(unknown),
                remedy="Correct the spelling or declare the category.",
            )


@dataclass(frozen=True, kw_only=True)
class Table:
    """One raw table.

    Args:
        key: columns that identify a row; a second row with the same key is quarantined.
        known_at: timestamp at which the row reached the company. A snapshot sees rows known strictly before it.
            `None` is only allowed in a dataset that has a single snapshot.
        happened_at: timestamp that the row speaks of; windows are counted in it. Defaults to `known_at`.
        max_quarantined_share: above this share of bad rows the month is stopped.
        may_be_empty: whether a month without a single row is normal (contacts, complaints); else it is stopped.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    customer: str = "customer_id"
    known_at: str | None = None
    happened_at: str | None = None
    max_quarantined_share: float = 0.02
    may_be_empty: bool = False
    description: str = ""

    def __post_init__(self) -> None:
        refuse_duplicates(f"table {self.name!r}", "columns", [column.name for column in self.columns])
        named = [*self.key, self.customer, self.known_at, self.happened_at]
        for name in named:
            if name is not None:
                self.column(name)
        for name in (self.known_at, self.happened_at):
            if name is not None and self.column(name).kind != "timestamp":
                raise DeclarationError(
                    f"table {self.name!r}, column {name!r}",
                    expected="a timestamp, because it says when a row became known or happened",
                    found=f"kind {self.column(name).kind!r}",
                    remedy="Declare the column with kind 'timestamp' or name another one.",
                )

    @property
    def time_column(self) -> str | None:
        """The column that windows are counted in."""
        return self.happened_at or self.known_at

    def check_conditions(self, where: str, conditions: Sequence[Where]) -> None:
        """Raise a DeclarationError where a condition names no column of the table, or can never be met."""
        for condition in conditions:
            column = self.column(condition.column)
            condition.check(where, kind=column.kind, categories=column.categories)

    def column(self, name: str) -> Column:
        """The declared column, or a DeclarationError that lists what there is."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DeclarationError(
            f"table {self.name!r}",
            expected=f"one of its columns: {', '.join(column.name for column in self.columns)}",
            found=f"{name!r}",
            remedy="Correct the name or declare the column.",
        )


def refuse_odd_names(what: str, names: Sequence[str]) -> None:
    """Raise a DeclarationError where a name would not do as a folder, as an asset and as a column of every engine."""
    odd = [name for name in names if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)]
    if odd:
        raise DeclarationError(
            f"{what} {odd[0]!r}",
            expected="a name of letters, digits and underscores that begins with a letter",
            found=repr(odd[0]),
            remedy="Rename it.",
        )


def refuse_duplicates(where: str, what: str, names: Sequence[str]) -> None:
    """Raise a DeclarationError when two of `names` are the same."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DeclarationError(
            where,
            expected=f"{what} with different names",
            found=f"{', '.join(doubled)} more than once",
            remedy="Rename or remove one of them.",
        )
