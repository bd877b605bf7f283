"""Who gets a message, by which way, and what happens while a way is closed."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from assets.alarms import channels_of, open_alerts, tell
from monitoring.alerts import Alert, News, Severity, news_of, news_of_end, news_of_month
from monitoring.decision_rules import Action
from monitoring.decisions import MonitoringDecision
from monitoring.evidence import Evidence
from pipeline.settings import Settings
from tests import listeners

NOW = datetime(2025, 7, 2, 6)
ALERT = Alert(
    cause="failed run",
    about=("life_cycle", "2025-06"),
    opened="2025-07-02 06:00:00",
    says="no rows came",
    severity=Severity.WARNING,
    link="http://ui/runs/1",
)


@pytest.fixture
def hook() -> Iterator[listeners.Webhook]:
    with listeners.webhook() as it:
        yield it


def settings_of(home: Path, **more: Any) -> Settings:
    secret = {name: SecretStr(more.pop(name)) for name in ("webhook_url", "smtp_url", "state_url") if name in more}
    return Settings(home=str(home), **secret, **more)


def told(settings: Settings, alert: Alert = ALERT) -> None:
    tell(settings, "little", [partial(news_of, alert)], at=NOW)


# ---- the log


def test_the_log_always_has_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="churn.alarms"):
        told(settings_of(tmp_path))
        tell(settings_of(tmp_path), "little", [partial(news_of_end, ALERT.key, "2025-07-03")], at=NOW)
    first, second = caplog.records
    assert first.getMessage() == (
        "churn little: warning: failed run: life_cycle, 2025-06\n"
        "no rows came\n"
        "Since: 2025-07-02 06:00:00\n"
        "Look at: http://ui/runs/1"
    )
    assert second.getMessage().startswith("churn little: all clear: failed run: life_cycle, 2025-06\n")
    assert (first.levelname, second.levelname) == ("ERROR", "WARNING")


def test_only_channels_that_are_set_are_used(tmp_path: Path) -> None:
    assert channels_of(settings_of(tmp_path)) == ("log",)
    everything = settings_of(tmp_path, webhook_url="http://x", alert_email_to="a@b.example", smtp_url="smtp://x")
    assert channels_of(everything) == ("log", "webhook", "e-mail")


# ---- the webhook


def test_the_webhook_gets_text_for_people_and_values_for_machines(tmp_path: Path, hook: listeners.Webhook) -> None:
    told(settings_of(tmp_path, webhook_url=hook.url))
    (message,) = hook.told
    assert message["text"].startswith("churn little: warning: failed run: life_cycle, 2025-06\nno rows came\n")
    assert (message["dataset"], message["news"], message["alert"]["key"]) == ("little", "opened", ALERT.key)
    assert (message["alert"]["severity"], message["alert"]["about"]) == (2, ["life_cycle", "2025-06"])


def test_a_month_told_twice_is_sent_once(tmp_path: Path, hook: listeners.Webhook) -> None:
    seen = Evidence("2025-06", "drift", "2025-06: payments moved", about=("payments",))
    decision = MonitoringDecision(month="2025-06", action=Action.WATCH, reasons=(seen.says,), since="2025-06")
    for _ in range(2):
        change = partial(news_of_month, "2025-06", [seen], decision)
        tell(settings_of(tmp_path, webhook_url=hook.url), "little", [change], at=NOW)
    assert [message["alert"]["key"] for message in hook.told] == ["drift: payments"]


def test_a_webhook_that_refuses_gets_the_message_with_the_next_news(
    tmp_path: Path, hook: listeners.Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    settings, hook.status = settings_of(tmp_path, webhook_url=hook.url), 500
    told(settings)
    assert "the webhook did not take the message" in caplog.text
    assert "HTTP Error 500" in caplog.text
    assert "secret" not in caplog.text
    hook.status = 200
    told(settings, replace(ALERT, about=("life_cycle", "2025-05"), opened="2025-07-02 07:00:00"))
    assert [message["alert"]["about"][1] for message in hook.told] == ["2025-06", "2025-05"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "secret", "http://[secret", "http://x y/secret", ""])
def test_a_webhook_that_is_not_there_fails_nothing_and_is_not_shown(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    told(settings_of(tmp_path, webhook_url=url))
    assert "the webhook did not take the message" in caplog.text
    assert "secret" not in caplog.text


# ---- e-mail


def test_an_e_mail_goes_to_everybody_with_a_subject_and_a_text(tmp_path: Path) -> None:
    with listeners.mail_server() as server:
        url = f"smtp+plain://127.0.0.1:{server.port}"
        told(settings_of(tmp_path, alert_email_to="a@x.example, b@x.example", smtp_url=url))
    (mail,) = server.mails
    assert server.to == ["a@x.example", "b@x.example"]
    assert (mail["Subject"], mail["From"]) == (
        "churn little: warning: failed run: life_cycle, 2025-06",
        "churn@127.0.0.1",
    )
    assert mail.get_content().replace("\r\n", "\n").startswith("no rows came\nSince: 2025-07-02 06:00:00\n")


def test_a_password_is_sent_encrypted_to_a_server_that_is_who_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = listeners.certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listeners.mail_server(certificate) as server:
        url = f"smtp://me%40x.example:p%2Fw%40d@127.0.0.1:{server.port}"
        told(settings_of(tmp_path, alert_email_to="a@x.example", smtp_url=url))
    assert server.logins == [("me@x.example", "p/w@d", True)]
    assert server.mails[0]["From"] == "me@x.example"


def test_nothing_is_sent_to_a_server_that_nobody_vouches_for_or_that_cannot_encrypt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with listeners.mail_server(listeners.certificate(tmp_path / "certificate.pem")) as server:
        url = f"smtp://me:password@127.0.0.1:{server.port}"
        told(settings_of(tmp_path, alert_email_to="a@x.example", smtp_url=url))
    assert "certificate verify failed" in caplog.text
    with listeners.mail_server() as plain:
        url = f"smtp://me:password@127.0.0.1:{plain.port}"
        told(settings_of(tmp_path, alert_email_to="a@x.example", smtp_url=url))
    assert "STARTTLS extension not supported" in caplog.text
    assert (server.logins, server.mails, plain.logins, plain.mails) == ([], [], [], [])
    assert "password" not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "mail.x.example", "http://x", "smtp://me:pass/word@x:587", "smtp+plain://me:password@mail.x.example"]
)
def test_an_address_of_a_mail_server_that_cannot_be_meant_is_told_without_it(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    told(settings_of(tmp_path, alert_email_to="a@x.example", smtp_url=url))
    assert "setting CHURN_SMTP_URL: expected smtp://user:password@host:587" in caplog.text
    assert "pass/word" not in caplog.text
    assert "me:password" not in caplog.text


def test_an_address_to_write_to_that_is_none_fails_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listeners.mail_server() as server:
        for nobody in ("\n", "a@x.example\nBcc: b@x.example"):
            told(settings_of(tmp_path, alert_email_to=nobody, smtp_url=f"smtp+plain://127.0.0.1:{server.port}"))
    assert "the e-mail did not take the message" in caplog.text
    assert server.mails == []


def test_one_channel_that_is_down_stops_no_other(tmp_path: Path, hook: listeners.Webhook) -> None:
    hook.status = 500
    with listeners.mail_server() as server:
        url = f"smtp+plain://127.0.0.1:{server.port}"
        settings = settings_of(tmp_path, webhook_url=hook.url, alert_email_to="a@x.example", smtp_url=url)
        told(settings)
        hook.status = 200
        tell(settings, "little", at=NOW)
    assert (len(server.mails), len(hook.told)) == (1, 1)


# ---- the state database


def test_without_the_state_database_the_message_still_goes_out(
    tmp_path: Path, hook: listeners.Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"sqlite:///{tmp_path}/no/such/folder/secret.db"
    settings = settings_of(tmp_path, webhook_url=hook.url, state_url=nowhere)
    told(settings)
    assert len(hook.told) == 1
    assert "without the state database" in caplog.text
    assert "secret" not in caplog.text
    assert open_alerts(settings, "little") == []


def test_open_alerts_are_those_that_are_not_over(tmp_path: Path) -> None:
    settings, other = settings_of(tmp_path), replace(ALERT, about=("life_cycle", "2025-05"))
    tell(settings, "little", [partial(news_of, ALERT), partial(news_of, other)], at=NOW)
    tell(settings, "little", [partial(news_of_end, ALERT.key, "2025-07-03"), lambda _: News()], at=NOW)
    assert [alert.key for alert in open_alerts(settings, "little")] == [other.key]
