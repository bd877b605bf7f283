"""What a dataset may call churn, and from when on that is known. Pure data: `pipeline/labels.py` compiles it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.errors import DeclarationError
from pipeline.tables import Scalar, Table, Where


@dataclass(frozen=True, kw_only=True)
class Label:
    """What every kind has.

    Args:
        horizon_days: how far after the snapshot the label looks; 0 for a label that is a column.
        settle_days: how long after the horizon late rows are waited for.
    """

    table: str
    horizon_days: int = 0
    settle_days: int = 0

    def mature_at(self, as_of: datetime) -> datetime:
        """The first moment at which the label of a snapshot is known."""
        return as_of + timedelta(days=self.horizon_days + self.settle_days)

    def check(self, table: Table) -> None:
        """Raise a DeclarationError where the label contradicts its table."""
        raise NotImplementedError

    def _check_horizon(self, table: Table) -> None:
        if self.horizon_days <= 0 or self.settle_days < 0:
            raise DeclarationError(
                f"label over table {self.table!r}",
                expected="a horizon of at least one day and no negative waiting",
                found=f"horizon_days={self.horizon_days}, settle_days={self.settle_days}",
                remedy="A label looks forward from the snapshot: give horizon_days a positive number.",
            )
        if table.known_at is None:
            raise DeclarationError(
                f"label over table {self.table!r}",
                expected="a table that says when its rows became known",
                found="no `known_at`",
                remedy="Declare `known_at`; without it nobody can tell when the label is mature.",
            )


@dataclass(frozen=True, kw_only=True)
class EventLabel(Label):
    """Churned if a row that meets `where` happens within the horizon."""

    where: tuple[Where, ...]

    def check(self, table: Table) -> None:
        self._check_horizon(table)
        table.check_conditions(f"label over table {self.table!r}", self.where)


@dataclass(frozen=True, kw_only=True)
class InactivityLabel(Label):
    """Churned if no row happens within the horizon."""

    def check(self, table: Table) -> None:
        self._check_horizon(table)


@dataclass(frozen=True, kw_only=True)
class ColumnLabel(Label):
    """Churned if a column of the customer's only row holds `positive`. For data sets with a single snapshot."""

    column: str
    positive: Scalar

    def check(self, table: Table) -> None:
        table.column(self.column)
        if self.horizon_days or self.settle_days:
            raise DeclarationError(
                f"label over table {self.table!r}",
                expected="no horizon: a column label is already known",
                found=f"horizon_days={self.horizon_days}, settle_days={self.settle_days}",
                remedy="Remove the horizon or use an EventLabel.",
            )
