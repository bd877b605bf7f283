"""Tells people: by every channel that is set, and always in the log.

An alarm must not fail what it tells of, so neither a channel nor a database that is down raises; nor does one channel
stop another. What is told, and to whom it is still owed, is kept in the state database (`monitoring/alert_book.py`).
While that is down, messages go out without it, and may go out again.
"""

import json
import logging
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from http.client import HTTPException

from assets.mail import send_mail
from monitoring.alert_book import AlertBook
from monitoring.alert_text import text_of
from monitoring.alerts import Alert, News, NewsKind, Severity
from pipeline.errors import ChurnError
from pipeline.lake import lake_of
from pipeline.settings import Settings
from pipeline.state import state_engine

SECONDS_TO_ANSWER = 10

Change = Callable[[Sequence[Alert]], News]
log = logging.getLogger("churn.alarms")


@dataclass(frozen=True)
class Message:
    """What a channel carries."""

    dataset: str
    alert: Alert
    news: NewsKind

    @property
    def subject(self) -> str:
        """One line."""
        return " ".join(f"churn {self.dataset}: {text_of(self.alert, self.news)[0]}".split())

    @property
    def body(self) -> str:
        """The rest."""
        return text_of(self.alert, self.news)[1]


def tell(settings: Settings, dataset: str, changes: Sequence[Change] = (), *, at: datetime) -> None:
    """Note what `changes` make of the alerts, and send what is owed, older messages that failed included."""
    channels = channels_of(settings)
    try:
        with _book(settings, dataset) as book:
            for change in changes:
                book.note(change, channels)
            book.send(partial(_took, settings, dataset), channels, at=at)
    except _database_errors() as error:
        log.error("alerts are told without the state database, and may be told again: %s", type(error).__name__)
        _tell_without_book(settings, dataset, changes)


def open_alerts(settings: Settings, dataset: str) -> list[Alert]:
    """The alerts that are not over; none where the state database is down."""
    try:
        with _book(settings, dataset) as book:
            return [alert for alert in book.alerts() if not alert.ended]
    except _database_errors() as error:
        log.error("the alerts so far cannot be read: %s", type(error).__name__)
        return []


def channels_of(settings: Settings) -> tuple[str, ...]:
    """The channels that are set."""
    return tuple(name for name, channel in CHANNELS.items() if channel.is_set(settings))


def _took(settings: Settings, dataset: str, channel: str, alert: Alert, news: NewsKind) -> bool:
    """Whether the channel took the message."""
    message = Message(dataset, alert, news)
    try:
        CHANNELS[channel].carry(settings, message)
    except (OSError, HTTPException, ValueError, ChurnError) as error:
        # the words of other errors may hold the address, and with it a password
        said = str(error) if isinstance(error, OSError | ChurnError) else type(error).__name__
        log.error("the %s did not take the message %r: %s", channel, message.subject, said)
        return False
    return True


def _tell_without_book(settings: Settings, dataset: str, changes: Sequence[Change]) -> None:
    for change in changes:
        for alert in change(()).opened:
            for channel in channels_of(settings):
                _took(settings, dataset, channel, alert, "opened")


def _write_to_log(_: Settings, message: Message) -> None:
    is_grave = message.news != "ended" and message.alert.severity > Severity.NOTICE
    log.log(logging.ERROR if is_grave else logging.WARNING, "%s\n%s", message.subject, message.body)


def _post(settings: Settings, message: Message) -> None:
    """As JSON: `text` for a chat that shows it, `alert` for a machine."""
    text, alert = f"{message.subject}\n{message.body}", asdict(message.alert) | {"key": message.alert.key}
    content = json.dumps({"text": text, "dataset": message.dataset, "news": message.news, "alert": alert}).encode()
    request = urllib.request.Request(  # noqa: S310  (the user's own address)
        settings.webhook_url.get_secret_value() if settings.webhook_url else "",
        content,
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=SECONDS_TO_ANSWER):  # noqa: S310
        pass


def _mail(settings: Settings, message: Message) -> None:
    url = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    send_mail(url, settings.alert_email_to, message.subject, message.body, timeout_seconds=SECONDS_TO_ANSWER)


@dataclass(frozen=True)
class Channel:
    """One way to people. `carry` raises OSError, HTTPException, ValueError or ChurnError where it did not work."""

    is_set: Callable[[Settings], bool]
    carry: Callable[[Settings, Message], None]


CHANNELS: Mapping[str, Channel] = {
    "log": Channel(lambda _: True, _write_to_log),
    "webhook": Channel(lambda settings: settings.webhook_url is not None, _post),
    "e-mail": Channel(lambda settings: bool(settings.alert_email_to), _mail),
}


@contextmanager
def _book(settings: Settings, dataset: str) -> Iterator[AlertBook]:
    engine = state_engine(settings, lake_of(settings, dataset))
    try:
        yield AlertBook(engine, dataset)
    finally:
        engine.dispose()


def _database_errors() -> tuple[type[Exception], ...]:
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError, OSError, ChurnError)
