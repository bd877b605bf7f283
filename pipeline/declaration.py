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
from pipeline.tables import Table, Where, refuse_duplicates, refuse_odd_names

if TYPE_CHECKING:
    import pyarrow as pa


RESERVED = frozenset({"customer_id", "snapshot", "churned", "reasons"})  # columns that the pipeline adds


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
        refuse_odd_names("dataset", [self.name])
        refuse_odd_names("table", [table.name for table in self.tables])
        refuse_odd_names("feature", [feature.name for feature in self.features])
        refuse_duplicates(f"dataset {self.name!r}", "tables", [table.name for table in self.tables])
        refuse_duplicates(f"dataset {self.name!r}", "slices", [cut.name for cut in self.slices])
        self._check_time()
        self._check_population()
        self._check_features()
        self.label.check(self.table(self.label.table))
        self._check_label_is_no_feature()
        self._check_uses_of_fields()

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
            ended = self.table(population.ended_table)
            ended.check_conditions(f"dataset {self.name!r}, population", population.ended)
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

    def _check_features(self) -> None:
        names = [feature.name for feature in self.features]
        refuse_duplicates(f"dataset {self.name!r}", "features", names)
        taken = sorted(RESERVED & set(names))
        if taken or not names:
            raise DeclarationError(
                f"dataset {self.name!r}",
                expected=f"at least one feature, and none named {', '.join(sorted(RESERVED))}",
                found=", ".join(taken) or "no features",
                remedy="Rename it: the pipeline has a column of that name." if taken else "Declare what is known.",
            )
        for feature in self.features:
            feature.check(self.table(feature.table))

    def _check_uses_of_fields(self) -> None:
        """The rule, the slices and the economics read features that exist and are of the kind they need."""
        for i, points in enumerate(self.rule.points):
            where = f"rule, condition {i + 1}"
            field = self._field(where, points.where.column)
            points.where.check(where, kind=field.kind, categories=field.categories)
            if not field.in_model:
                raise DeclarationError(
                    where,
                    expected="a feature that models see, because the rule is one of them",
                    found=f"{field.name!r} with in_model=False",
                    remedy="Let the rule read another feature.",
                )
        for cut in self.slices:
            field = self._field(f"slice {cut.name!r}", cut.field)
            if field.kind == "category" and cut.edges:
                raise DeclarationError(
                    f"slice {cut.name!r}",
                    expected="no edges, because a category is cut by its values",
                    found=f"{len(cut.edges)} edges on {cut.field!r}, a category",
                    remedy="Remove the edges.",
                )
        for name in self.economics.fields():
            if self._field(f"economics, {name}", name).kind != "number":
                raise DeclarationError(
                    f"economics, {name}", expected="a number", found="a category", remedy="Name a numeric feature."
                )

    def _field(self, where: str, name: str) -> Field:
        for field in self.fields():
            if field.name == name:
                return field
        raise DeclarationError(
            where,
            expected=f"one of the features: {', '.join(sorted(feature.name for feature in self.features))}",
            found=f"{name!r}",
            remedy="Correct the name or declare the feature.",
        )
