"""One e-mail, over a server that the settings name; encrypted, or to a relay on this machine."""

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from pipeline.errors import ChurnError

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def send_mail(url: str, to: str, subject: str, body: str, *, timeout_seconds: float) -> None:
    """Send plain text.

    Args:
        url: `smtp://user:password@host:587` (STARTTLS), `smtps://...` (TLS from the start), or
            `smtp+plain://localhost:25` for a relay on this machine.
        to: addresses with commas between them.
        subject: one line.
        body: any text.
        timeout_seconds: how long the server may take for each answer.

    Raises:
        ChurnError: the address of the server cannot be meant.
        OSError: the server cannot be reached, is not who it says, or refuses.
    """
    server = _server(url)
    user, password = unquote(server.username or ""), unquote(server.password or "")
    mail = EmailMessage()
    mail["Subject"], mail["To"] = subject, to
    mail["From"] = user if "@" in user else f"churn@{server.hostname}"
    mail.set_content(body)
    with OPENED[server.scheme](str(server.hostname), server.port or 0, timeout_seconds) as smtp:
        if user:
            smtp.login(user, password)
        smtp.send_message(mail)


def _server(url: str) -> SplitResult:
    """The parts of the address; what is wrong with it is said without it, for it may hold a password."""
    try:
        server = urlsplit(url)
        is_fit = server.scheme in OPENED and bool(server.hostname) and (server.port or 1) > 0
    except ValueError:  # a port that is no number, often because a "/" or "@" in the password is not escaped
        is_fit = False
    if not is_fit or (server.scheme == "smtp+plain" and server.hostname not in LOOPBACK):
        raise ChurnError(
            "setting CHURN_SMTP_URL",
            expected="smtp://user:password@host:587, with what is special in the password as %XX",
            found="another form, or no encryption to another machine",
            remedy="Use smtp:// (STARTTLS) or smtps:// (TLS); smtp+plain:// is for a relay on this machine.",
        )
    return server


def _with_starttls(host: str, port: int, timeout_seconds: float) -> smtplib.SMTP:
    smtp = smtplib.SMTP(host, port or 587, timeout=timeout_seconds)
    try:
        smtp.starttls(context=ssl.create_default_context())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _with_tls(host: str, port: int, timeout_seconds: float) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(host, port or 465, timeout=timeout_seconds, context=ssl.create_default_context())


def _plain(host: str, port: int, timeout_seconds: float) -> smtplib.SMTP:
    return smtplib.SMTP(host, port or 25, timeout=timeout_seconds)


OPENED: dict[str, Callable[[str, int, float], smtplib.SMTP]] = {
    "smtp": _with_starttls,
    "smtps": _with_tls,
    "smtp+plain": _plain,
}
