"""A dataset as one typed value, checked when it is made: tables, people, features, label, money, calendar, source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.calendar import Calendar, SingleSnapshot
from pipeline.economics import Economics
from pipeline.errors import DeclarationError
from pipeline.feature_kinds import Feature, Field
from pipeline.label_kinds import ColumnLabel, Label
from pipeline.rule import Rule
from pipeline.settings import Settings
from pipeline.tables import Table, Where, refuse_duplicates

if TYPE_CHECKING:
    import pyarrow as pa


class Source(Protocol):
    """Where raw rows come from."""

    def read(self, table: Table, key: str, settings: Settings) -> "pa.Table":
        """The rows of `table` that became known in the month `key`, as they came; raises SourceError."""
        ...


@dataclass(frozen=True)
class Everyone:
    """Every customer of a table that has one row for each."""

    table: str


@dataclass(frozen=True, kw_only=True)
class Active:
    """Customers who started before the snapshot and have not ended: no row of `ended_table` meets `ended`."""

    table: str
    started: str
    ended_table: str
    ended: tuple[Where, ...]


@dataclass(frozen=True, kw_only=True)
class ActiveWithin:
    """Customers with at least one row in the last `days` days."""

    table: str
    days: int


Population = Everyone | Active | ActiveWithin


@dataclass(frozen=True, kw_only=True)
class Slice:
    """A way to cut the customers for which figures are shown apart: by category, or by the `edges` of a number."""

    name: str
    field: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Everything the project knows about one company's data. Nothing else names a column."""

    name: str
    description: str
    tables: tuple[Table, ...]
    population: Population
    features: tuple[Feature, ...]
    label: Label
    economics: Economics
    rule: Rule
    calendar: Calendar
    source: Source
    slices: tuple[Slice, ...] = ()

    def __post_init__(self) -> None:
        refuse_duplicates(f"dataset {self.name!r}", "tables", [table.name for table in self.tables])
        refuse_duplicates(f"dataset {self.name!r}", "features", [feature.name for feature in self.features])
        self._check_time()
        self._check_population()
        for feature in self.features:
            feature.check(self.table(feature.table))
        self.label.check(self.table(self.label.table))
        self._check_label_is_no_feature()
        self._check_fields_exist()

    def table(self, name: str) -> Table:
        """The declared table, or a DeclarationError that lists what there is."""
        for table in self.tables:
            if table.name == name:
                return table
        raise DeclarationError(
            f"dataset {self.name!r}",
            expected=f"one of its tables: {', '.join(table.name for table in self.tables)}",
            found=f"{name!r}",
            remedy="Correct the name or declare the table.",
        )

    def fields(self) -> tuple[Field, ...]:
        """The features as models and callers see them, in the order of their declaration."""
        return tuple(feature.field(self.table(feature.table)) for feature in self.features)

    def _check_time(self) -> None:
        if isinstance(self.calendar, SingleSnapshot):
            return
        for table in self.tables:
            if table.known_at is None:
                raise DeclarationError(
                    f"table {table.name!r}",
                    expected="`known_at`, because the dataset has a snapshot every month",
                    found="none, so nobody could tell past from future",
                    remedy="Name the timestamp column that says when a row became known.",
                )
        if isinstance(self.label, ColumnLabel):
            raise DeclarationError(
                f"dataset {self.name!r}",
                expected="an EventLabel or an InactivityLabel, because there is a snapshot every month",
                found="a ColumnLabel, which does not say when it became known",
                remedy="Declare the label over events or use a SingleSnapshot.",
            )

    def _check_population(self) -> None:
        population = self.population
        table = self.table(population.table)
        if isinstance(population, Active):
            table.column(population.started)
            for where in population.ended:
                self.table(population.ended_table).column(where.column)
        if isinstance(population, ActiveWithin) and population.days <= 0:
            raise DeclarationError(
                f"dataset {self.name!r}, population",
                expected="a window of at least one day",
                found=f"{population.days} days",
                remedy="Give a positive number of days.",
            )

    def _check_label_is_no_feature(self) -> None:
        if not isinstance(self.label, ColumnLabel):
            return
        for feature in self.features:
            if feature.table == self.label.table and self.label.column in feature.columns_read():
                raise DeclarationError(
                    f"feature {feature.name!r}",
                    expected="a column that is known before the label",
                    found=f"{self.label.column!r}, which is the label itself",
                    remedy="Remove the feature: it cannot exist when a prediction is made.",
                )

    def _check_fields_exist(self) -> None:
        names = {feature.name for feature in self.features}
        wanted = {f"rule, condition {i + 1}": c.where.column for i, c in enumerate(self.rule.points)}
        wanted |= {f"slice {cut.name!r}": cut.field for cut in self.slices}
        wanted |= {f"economics, {name}": name for name in self.economics.fields()}
        for where, name in wanted.items():
            if name not in names:
                raise DeclarationError(
                    where,
                    expected=f"one of the features: {', '.join(sorted(names))}",
                    found=f"{name!r}",
                    remedy="Correct the name or declare the feature.",
                )
