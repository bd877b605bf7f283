"""The alerts of a dataset in the state database, and which of their messages have not gone out yet.

News are noted first, in one transaction, and sent afterwards; a message is struck off channel by channel once it was
taken. So nothing is lost to a crash or to a channel that is down: what is left is sent with the next news. A crash
after a channel took a message and before that was noted sends this one message a second time, and no other. Whoever
sends a message has it reserved, so two processes do not send it at once.

An alert has one message at a time: where the one before never went out, the newer takes its place.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from monitoring.alerts import Alert, News, NewsKind, Severity
from pipeline.state import create_if_missing

if TYPE_CHECKING:
    import sqlalchemy as sa

RESERVED = timedelta(minutes=5)  # longer than any channel takes; after a crash, nobody sends the message before that

Send = Callable[[str, Alert, NewsKind], bool]
"""Brings news to a channel; whether it took them."""


@dataclass(frozen=True)
class AlertBook:
    """The alerts of one dataset."""

    engine: "sa.Engine"
    dataset: str

    def alerts(self) -> list[Alert]:
        """Every alert there was, oldest first."""
        create_if_missing(self.engine, alerts_table())
        with self.engine.connect() as connection:
            return self._read(connection)

    def note(self, change: Callable[[Sequence[Alert]], News], channels: Sequence[str]) -> News:
        """Note what `change` makes of the alerts so far, to be sent to `channels`; noted twice, it is sent once."""
        import sqlalchemy as sa

        create_if_missing(self.engine, alerts_table())
        try:
            return self._noted(change, channels)
        except sa.exc.IntegrityError:  # somebody else opened the same alert at the same moment; now it is seen
            return self._noted(change, channels)

    def send(self, send: Send, channels: Sequence[str], *, at: datetime) -> int:
        """Send every message that has not gone out, oldest first; returns how many deliveries are still owed.

        Args:
            send: tried once for each message and channel.
            channels: those there are; one that is there no longer is owed nothing.
            at: the moment.
        """
        reserved = (self._reserved(row, at) for row in self._unsent())
        return sum(len(self._sent(row, send, channels)) for row in reserved if row is not None)

    def unsent(self) -> int:
        """How many alerts have a message that has not gone out everywhere."""
        return len(self._unsent())

    def _noted(self, change: Callable[[Sequence[Alert]], News], channels: Sequence[str]) -> News:
        with self.engine.begin() as connection:
            self._lock(connection)
            news = change(self._read(connection))
            for alert in news.opened:
                self._add(connection, alert, channels)
            for alert in news.going_on:
                self._change(connection, alert, {})
            for alert in news.changed:
                self._change(connection, alert, self._message("changed", channels))
            for alert in news.ended:
                self._change(connection, alert, self._message("ended", channels))
        return news

    def _lock(self, connection: "sa.Connection") -> None:
        """Nobody else changes an alert before this transaction ends: SQLite locks the file, PostgreSQL the rows."""
        import sqlalchemy as sa

        table = alerts_table()
        connection.execute(sa.update(table).where(table.c.dataset == self.dataset).values(dataset=self.dataset))

    def _read(self, connection: "sa.Connection") -> list[Alert]:
        import sqlalchemy as sa

        table = alerts_table()
        query = sa.select(table).where(table.c.dataset == self.dataset).order_by(table.c.opened, table.c.key)
        return [_alert(row) for row in connection.execute(query).mappings()]

    def _message(self, kind: NewsKind, channels: Sequence[str]) -> dict[str, Any]:
        number = alerts_table().c.number + 1
        return {"news": kind, "unsent": list(channels), "failures": 0, "reserved_at": None, "number": number}

    def _add(self, connection: "sa.Connection", alert: Alert, channels: Sequence[str]) -> None:
        import sqlalchemy as sa

        row = {"dataset": self.dataset} | _row(alert) | self._message("opened", channels) | {"number": 1}
        connection.execute(sa.insert(alerts_table()), row)

    def _change(self, connection: "sa.Connection", alert: Alert, message: dict[str, Any]) -> None:
        import sqlalchemy as sa

        row = _row(alert)
        connection.execute(sa.update(alerts_table()).where(self._is(row)).values(row | message))

    def _unsent(self) -> list[dict[str, Any]]:
        import sqlalchemy as sa

        table = alerts_table()
        create_if_missing(self.engine, table)
        mine = sa.select(table).where(table.c.dataset == self.dataset).order_by(table.c.seen, table.c.key)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(mine).mappings() if row["unsent"]]

    def _reserved(self, row: dict[str, Any], at: datetime) -> dict[str, Any] | None:
        """The message as it stands now, if it is this process's to send."""
        import sqlalchemy as sa

        table = alerts_table()
        is_free = table.c.reserved_at.is_(None) | (table.c.reserved_at < at - RESERVED)
        it = self._is(row) & (table.c.number == row["number"])
        with self.engine.begin() as connection:
            if connection.execute(sa.update(table).where(it, is_free).values(reserved_at=at)).rowcount == 0:
                return None
            return dict(connection.execute(sa.select(table).where(it)).mappings().one())

    def _sent(self, row: dict[str, Any], send: Send, channels: Sequence[str]) -> list[str]:
        """Send one message; returns the channels that did not take it."""
        owed = [channel for channel in row["unsent"] if channel in channels]
        for channel in tuple(owed):
            if send(channel, _alert(row), row["news"]):
                owed.remove(channel)
                self._update(row, unsent=owed)
        self._update(row, unsent=owed, reserved_at=None, failures=row["failures"] + len(owed))
        return owed

    def _update(self, row: dict[str, Any], **values: Any) -> None:
        import sqlalchemy as sa

        table = alerts_table()
        with self.engine.begin() as connection:
            connection.execute(sa.update(table).where(self._is(row), table.c.number == row["number"]).values(**values))

    def _is(self, row: dict[str, Any]) -> "sa.ColumnElement[bool]":
        columns = alerts_table().c
        return (columns.dataset == self.dataset) & (columns.key == row["key"]) & (columns.opened == row["opened"])


@cache
def alerts_table() -> "sa.Table":
    """One row for each alert.

    `news` is what its newest message tells and `number` counts its messages; `unsent` are the channels that have not
    taken it yet, `failures` how many deliveries of it failed, `reserved_at` is when somebody began to send it.
    """
    import sqlalchemy as sa

    names = ("cause", "seen", "ended", "says", "cost", "decided", "link", "news")
    return sa.Table(
        "alerts",
        sa.MetaData(),
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("dataset", "key", "opened")),
        *(sa.Column(name, sa.Text, nullable=False) for name in names),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("about", "unsent")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("severity", "number", "failures")),
        sa.Column("reserved_at", sa.DateTime),
    )


def _row(alert: Alert) -> dict[str, Any]:
    """As every database takes it: no NUL in text."""
    values = asdict(alert) | {"key": alert.key}
    texts = {name: value.replace("\0", "") for name, value in values.items() if isinstance(value, str)}
    return values | texts | {"about": list(alert.about), "severity": int(alert.severity)}


def _alert(row: Any) -> Alert:
    values = {item.name: row[item.name] for item in fields(Alert)}
    return Alert(**(values | {"about": tuple(row["about"]), "severity": Severity(row["severity"])}))
