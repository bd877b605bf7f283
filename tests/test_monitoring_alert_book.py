"""The alerts in the state database: nothing is sent twice, nothing is lost. Over SQLite and PostgreSQL."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from monitoring.alert_book import RESERVED, AlertBook, alerts_table
from monitoring.alerts import Alert, News, NewsKind, Severity, news_of, news_of_end
from pipeline.lake import lake_of
from pipeline.settings import Settings
from pipeline.state import state_engine

POSTGRES_URL = os.environ.get("CHURN_TEST_POSTGRES_URL")
NOW = datetime(2025, 7, 2, 6)
BOTH = ("webhook", "email")
ALERT = Alert(
    cause="drift",
    about=("payments", "usage"),
    opened="2025-06",
    says="payments moved",
    severity=Severity.WARNING,
    cost="1,200 USD a month",
    decided="a new model is trained",
    link="http://ui",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "postgresql" and not POSTGRES_URL:
        pytest.skip("no PostgreSQL: set CHURN_TEST_POSTGRES_URL to an empty database")
    url = SecretStr(str(POSTGRES_URL)) if request.param == "postgresql" else None
    settings = Settings(home=str(tmp_path), state_url=url)
    made = state_engine(settings, lake_of(settings, "little"))
    alerts_table().drop(made, checkfirst=True)
    yield made
    made.dispose()


@pytest.fixture
def book(engine: sa.Engine) -> AlertBook:
    return AlertBook(engine, "little")


@dataclass
class Channels:
    """Takes messages, but for those channels that are down."""

    down: set[str] = field(default_factory=set)
    took: list[tuple[str, str, NewsKind]] = field(default_factory=list)

    def send(self, channel: str, alert: Alert, news: NewsKind) -> bool:
        if channel not in self.down:
            self.took.append((channel, alert.key, news))
        return channel not in self.down


def opened(alert: Alert = ALERT) -> News:
    return News(opened=(replace(alert, seen=alert.seen or alert.opened),))


def tell(book: AlertBook, channels: Channels, news: News, names: Sequence[str] = BOTH, at: datetime = NOW) -> int:
    book.note(lambda _: news, names)
    return book.send(channels.send, names, at=at)


def ended(alert: Alert = ALERT) -> News:
    return News(ended=(replace(alert, seen=alert.opened, ended="2025-08"),))


def test_an_alert_is_read_back_as_it_was_noted_and_another_dataset_has_its_own(book: AlertBook) -> None:
    noted = replace(ALERT, seen="2025-06", says="with a \0 and ü")
    book.note(lambda _: News(opened=(noted,)), BOTH)
    assert book.alerts() == [replace(noted, says="with a  and ü")]
    assert AlertBook(book.engine, "another").alerts() == []


def test_every_channel_takes_a_message_once(book: AlertBook) -> None:
    channels = Channels()
    assert tell(book, channels, opened()) == 0
    assert tell(book, channels, News()) == 0
    assert channels.took == [("webhook", ALERT.key, "opened"), ("email", ALERT.key, "opened")]


def test_what_is_noted_is_made_of_the_alerts_so_far(book: AlertBook) -> None:
    channels = Channels()
    for day, says in enumerate(("no rows", "no rows", "no disk")):
        failed = replace(ALERT, opened=f"2025-06-0{day}", says=says)
        book.note(lambda so_far, failed=failed: news_of(failed, so_far), BOTH)  # type: ignore[misc]
        book.send(channels.send, BOTH, at=NOW)
    book.note(lambda so_far: news_of_end(ALERT.key, "2025-09", so_far), BOTH)
    book.send(channels.send, BOTH, at=NOW)
    assert [news for channel, _, news in channels.took if channel == "email"] == ["opened", "changed", "ended"]
    assert [(alert.says, alert.ended) for alert in book.alerts()] == [("no disk", "2025-09")]


def test_a_channel_that_is_down_is_owed_the_message_until_it_takes_it_and_no_other_gets_it_twice(
    book: AlertBook,
) -> None:
    channels = Channels(down={"email"})
    assert tell(book, channels, opened()) == 1
    assert tell(book, channels, News()) == 1
    assert book.unsent() == 1
    with book.engine.connect() as connection:
        assert connection.execute(sa.select(alerts_table().c.failures)).scalar_one() == 2
    channels.down.clear()
    assert tell(book, channels, opened(replace(ALERT, about=("visits",)))) == 0
    assert [(channel, key) for channel, key, _ in channels.took] == [
        ("webhook", ALERT.key),
        ("email", ALERT.key),
        ("webhook", "drift: visits"),
        ("email", "drift: visits"),
    ]
    assert book.unsent() == 0


def test_a_message_that_never_went_out_makes_way_for_a_newer_one(book: AlertBook) -> None:
    channels = Channels(down={*BOTH})
    tell(book, channels, opened())
    channels.down.clear()
    tell(book, channels, ended())
    assert [news for _, _, news in channels.took] == ["ended", "ended"]


def test_a_channel_that_is_not_set_any_more_is_owed_nothing(book: AlertBook) -> None:
    channels = Channels(down={"email"})
    tell(book, channels, opened())
    assert tell(book, channels, News(), names=("webhook",)) == 0
    assert book.unsent() == 0


def test_a_crash_before_anything_was_sent_loses_nothing(book: AlertBook) -> None:
    book.note(lambda _: opened(), BOTH)
    channels = Channels()
    assert tell(AlertBook(book.engine, "little"), channels, News()) == 0
    assert len(channels.took) == 2


def test_a_crash_between_sending_and_noting_sends_that_one_message_again_and_no_other(book: AlertBook) -> None:
    other = replace(ALERT, about=("visits",))
    channels = Channels()

    def crash(channel: str, alert: Alert, news: NewsKind) -> bool:
        channels.send(channel, alert, news)
        if channel == "email":
            raise KeyboardInterrupt
        return True

    book.note(lambda _: News(opened=(*opened().opened, *opened(other).opened)), BOTH)
    with pytest.raises(KeyboardInterrupt):
        book.send(crash, BOTH, at=NOW)
    book.send(channels.send, BOTH, at=NOW + RESERVED + timedelta(seconds=1))
    assert sorted(channels.took) == sorted(
        [(channel, key, "opened") for channel in BOTH for key in (ALERT.key, other.key)]
        + [("email", ALERT.key, "opened")]
    )


def test_two_who_send_at_once_send_a_message_once(book: AlertBook) -> None:
    book.note(lambda _: opened(), BOTH)
    channels = Channels()

    def slow(channel: str, alert: Alert, news: NewsKind) -> bool:
        AlertBook(book.engine, "little").send(channels.send, BOTH, at=NOW)  # meanwhile, somebody else
        return channels.send(channel, alert, news)

    book.send(slow, BOTH, at=NOW)
    assert len(channels.took) == 2


def test_news_that_come_while_older_ones_are_being_sent_go_out_too(book: AlertBook) -> None:
    book.note(lambda _: opened(), BOTH)
    channels = Channels()

    def slow(channel: str, alert: Alert, news: NewsKind) -> bool:
        if not channels.took:
            book.note(lambda so_far: news_of_end(ALERT.key, "2025-08", so_far), BOTH)
        return channels.send(channel, alert, news)

    book.send(slow, BOTH, at=NOW)
    book.send(channels.send, BOTH, at=NOW)
    assert [news for _, _, news in channels.took] == ["opened", "opened", "ended", "ended"]


def test_many_who_tell_the_same_at_once_send_it_once(book: AlertBook) -> None:
    channels, together = Channels(), Barrier(6)
    book.alerts()  # makes the table

    def tell_it() -> None:
        together.wait()
        book.note(lambda so_far: news_of(ALERT, so_far), BOTH)
        book.send(channels.send, BOTH, at=NOW)

    threads = [Thread(target=tell_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(channels.took) == [("email", ALERT.key, "opened"), ("webhook", ALERT.key, "opened")]
    assert len(book.alerts()) == 1
