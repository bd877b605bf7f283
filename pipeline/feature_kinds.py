"""The kinds of feature a dataset can declare. Pure data: `pipeline/features.py` compiles them.

No kind can look past a snapshot: each is computed from rows known strictly before it.
"""

from dataclasses import dataclass
from typing import Literal

from pipeline.errors import DeclarationError
from pipeline.tables import NUMERIC_KINDS, Column, Table, Where

FieldKind = Literal["number", "category"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """What a feature looks like to a model and to whoever calls the service."""

    name: str
    kind: FieldKind
    unit: str = ""
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    nullable: bool = True
    in_model: bool = True
    direction: int = 0


@dataclass(frozen=True, kw_only=True)
class Feature:
    """What every kind has.

    Args:
        where: conditions a row must meet to be seen by the feature; none by default.
        in_model: False for a figure that the economics needs and the models must not see.
        direction: +1 where more of it may never mean less risk, -1 for the opposite, 0 where nobody can say.
        action: what a retention agent should do when this is the strongest reason.
        is_own_action: whether it tells what we did to the customer: it moves when our campaigns do, which is no drift.
    """

    name: str
    table: str
    description: str = ""
    where: tuple[Where, ...] = ()
    in_model: bool = True
    direction: Literal[-1, 0, 1] = 0
    action: str = ""
    is_own_action: bool = False

    def field(self, table: Table) -> Field:
        """How the feature looks from outside, derived from the columns it reads."""
        raise NotImplementedError

    def check(self, table: Table) -> None:
        """Raise a DeclarationError where the feature contradicts its table."""
        for name in self.columns_read():
            table.column(name)
        table.check_conditions(f"feature {self.name!r}", self.where)
        if self.direction not in (-1, 0, 1):
            raise DeclarationError(
                f"feature {self.name!r}",
                expected="a direction of -1, 0 or 1",
                found=str(self.direction),
                remedy="Correct it.",
            )
        for days in self.windows_days():
            if days <= 0:
                raise DeclarationError(
                    f"feature {self.name!r}",
                    expected="a window of at least one day",
                    found=f"{days} days",
                    remedy="Give the window a positive number of days; it reaches back from the snapshot.",
                )
        if self.windows_days():
            _must_have_a_time(self, table, "because the feature has a window")

    def columns_read(self) -> tuple[str, ...]:
        """The columns of its table that the feature reads."""
        return tuple(where.column for where in self.where)

    def windows_days(self) -> tuple[int, ...]:
        """The lengths of the feature's windows, in days; empty where it sees all history."""
        return ()

    def _number(self, *, unit: str = "", minimum: float | None = None, maximum: float | None = None) -> Field:
        return Field(
            name=self.name,
            kind="number",
            unit=unit,
            description=self.description,
            minimum=minimum,
            maximum=maximum,
            in_model=self.in_model,
            direction=self.direction,
        )

    def _like(self, column: Column) -> Field:
        if column.kind in NUMERIC_KINDS:
            return self._number(unit=column.unit, minimum=column.minimum, maximum=column.maximum)
        return Field(
            name=self.name,
            kind="category",
            unit=column.unit,
            description=self.description,
            categories=column.categories,
            in_model=self.in_model,
        )


def _must_be(feature: Feature, column: Column, kinds: tuple[str, ...]) -> None:
    if column.kind not in kinds:
        raise DeclarationError(
            f"feature {feature.name!r}",
            expected=f"column {column.name!r} of kind {' or '.join(kinds)}",
            found=f"kind {column.kind!r}",
            remedy="Choose another column or another feature kind.",
        )


def _must_be_a_field(feature: Feature, column: Column) -> None:
    _must_be(feature, column, ("string", *NUMERIC_KINDS))
    if column.kind == "string" and not column.categories:
        raise DeclarationError(
            f"feature {feature.name!r}",
            expected=f"column {column.name!r} with its categories declared",
            found="a free text column",
            remedy="List the column's categories: a model and a caller must know them.",
        )


def _must_have_a_time(feature: Feature, table: Table, why: str) -> None:
    if table.time_column is None:
        raise DeclarationError(
            f"feature {feature.name!r}",
            expected=f"a time column on table {table.name!r}, {why}",
            found="no `known_at`",
            remedy="Declare `known_at` on the table or use an Attribute.",
        )


@dataclass(frozen=True, kw_only=True)
class _OfAColumn(Feature):
    column: str

    def columns_read(self) -> tuple[str, ...]:
        return (self.column, *super().columns_read())


@dataclass(frozen=True, kw_only=True)
class _OfANumberInAWindow(_OfAColumn):
    days: int

    def windows_days(self) -> tuple[int, ...]:
        return (self.days,)

    def check(self, table: Table) -> None:
        super().check(table)
        _must_be(self, table.column(self.column), NUMERIC_KINDS)


@dataclass(frozen=True, kw_only=True)
class Attribute(_OfAColumn):
    """A column of a table that has one row for each customer."""

    def check(self, table: Table) -> None:
        super().check(table)
        _must_be_a_field(self, table.column(self.column))
        if table.key != (table.customer,):
            raise DeclarationError(
                f"feature {self.name!r}",
                expected=f"a table with one row for each customer, so with the key ({table.customer!r},)",
                found=f"table {table.name!r} with the key {table.key}",
                remedy="Use Latest, or one of the kinds that sum up rows.",
            )

    def field(self, table: Table) -> Field:
        return self._like(table.column(self.column))


@dataclass(frozen=True, kw_only=True)
class Latest(_OfAColumn):
    """The value of a column in the last row that happened before the snapshot."""

    def check(self, table: Table) -> None:
        super().check(table)
        _must_be_a_field(self, table.column(self.column))
        _must_have_a_time(self, table, "to know which row is the latest")

    def field(self, table: Table) -> Field:
        return self._like(table.column(self.column))


@dataclass(frozen=True, kw_only=True)
class Count(Feature):
    """How many rows happened in the last `days` days."""

    days: int

    def windows_days(self) -> tuple[int, ...]:
        return (self.days,)

    def field(self, table: Table) -> Field:
        return self._number(unit=f"rows in {self.days} days", minimum=0)


@dataclass(frozen=True, kw_only=True)
class Sum(_OfANumberInAWindow):
    """The sum of a column over the last `days` days; 0 where there is no row."""

    def field(self, table: Table) -> Field:
        column = table.column(self.column)
        at_least = 0.0 if column.minimum is not None and column.minimum >= 0 else None
        return self._number(unit=f"{column.unit or column.name} in {self.days} days", minimum=at_least)


@dataclass(frozen=True, kw_only=True)
class Mean(_OfANumberInAWindow):
    """The mean of a column over the last `days` days; missing where there is no row."""

    def field(self, table: Table) -> Field:
        return self._like(table.column(self.column))


@dataclass(frozen=True, kw_only=True)
class Share(Feature):
    """The share of the rows of the last `days` days that meet `of`; missing where there is no row."""

    of: Where
    days: int

    def columns_read(self) -> tuple[str, ...]:
        return (self.of.column, *super().columns_read())

    def windows_days(self) -> tuple[int, ...]:
        return (self.days,)

    def check(self, table: Table) -> None:
        super().check(table)
        table.check_conditions(f"feature {self.name!r}", (self.of,))

    def field(self, table: Table) -> Field:
        return self._number(unit="share", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True)
class DaysSince(Feature):
    """Days from the last row, or from the last value of a timestamp column, to the snapshot; missing if never.

    Args:
        column: the timestamp to count from; by default when the row happened.
        days: how far back is looked; what is longer ago is missing. Without it a record that began last year knows of
            less than one that began long ago, so the feature drifts for as long as the records grow.
    """

    column: str | None = None
    days: int | None = None

    def windows_days(self) -> tuple[int, ...]:
        return () if self.days is None else (self.days,)

    def columns_read(self) -> tuple[str, ...]:
        named = () if self.column is None else (self.column,)
        return (*named, *super().columns_read())

    def check(self, table: Table) -> None:
        super().check(table)
        if self.column is None:
            _must_have_a_time(self, table, "to count from, or a `column` of the feature")
        else:
            _must_be(self, table.column(self.column), ("timestamp",))

    def field(self, table: Table) -> Field:
        return self._number(unit="days", minimum=0)


@dataclass(frozen=True, kw_only=True)
class Trend(_OfAColumn):
    """Daily sum of a column in the last `recent_days` over its daily sum in the `earlier_days` before those.

    1 means unchanged, 0 means stopped; missing where the earlier window holds nothing.
    """

    recent_days: int
    earlier_days: int

    def windows_days(self) -> tuple[int, ...]:
        return (self.recent_days, self.earlier_days)

    def check(self, table: Table) -> None:
        super().check(table)
        _must_be(self, table.column(self.column), NUMERIC_KINDS)

    def field(self, table: Table) -> Field:
        return self._number(unit="ratio", minimum=0)
