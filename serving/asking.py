"""A small client of our own service, with the standard library only: for the proof of a Bento and for the tests."""

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from time import monotonic, sleep
from typing import Any

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Asked:
    """An answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, customers: Sequence[Mapping[str, Any]], *, key: str = "", seconds: float = 30.0) -> Asked:
    """Send customers to `/predict` on this machine.

    Raises:
        OSError, HTTPException: nobody answers.
    """
    headers = {"Content-Type": "application/json"} | ({"X-API-Key": key} if key else {})
    return fetch(port, "/predict", body=json.dumps({"customers": customers}).encode(), headers=headers, seconds=seconds)


def fetch(
    port: int, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, seconds: float = 30.0
) -> Asked:
    """Get a page on this machine, or post `body` to it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        response = connection.getresponse()
        sent = {name.lower(): value for name, value in response.getheaders()}
        return Asked(response.status, sent, response.read())
    finally:
        connection.close()


def wait_until_ready(port: int, *, is_alive: Callable[[], bool], seconds: float = READY_SECONDS) -> bool:
    """Wait for `/readyz`; False where the time is up or the process ended."""
    end = monotonic() + seconds
    while monotonic() < end and is_alive():
        try:
            if fetch(port, "/readyz", seconds=2).status == 200:
                return True
        except (OSError, HTTPException):
            pass
        sleep(0.05)
    return False


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
