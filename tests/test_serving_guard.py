"""Who may ask, where and with what."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from serving.guard import App, Guard, Limits, Message, Receive, Scope, Send

HOST = (b"host", b"127.0.0.1:3000")
JSON = (b"content-type", b"application/json")


class Heard:
    """An application that notes what reaches it and answers 200."""

    def __init__(self, status: int = 200) -> None:
        self.bodies: list[bytes] = []
        self.status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more and scope["type"] == "http" and scope["method"] == "POST":
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"server", b"x")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Answer:
    """What came back."""

    def __init__(self, messages: list[Message]) -> None:
        self.status: int | None = messages[0]["status"] if messages else None
        self.headers = dict(messages[0]["headers"]) if messages else {}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def problem(self) -> dict[str, str]:
        return dict(json.loads(self.body)["errors"][0])


def asked(
    app: App,
    path: str = "/predict",
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = (HOST, JSON),
    parts: tuple[bytes, ...] = (b"{}",),
    *,
    limits: Limits | None = None,
    then: Callable[[], Awaitable[Message]] | None = None,
) -> Answer:
    """Send one request through a guard; `then` is what the client does after its parts."""
    sent: list[Message] = []
    coming: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if coming and then is None:
        coming[-1]["more_body"] = False

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        return await then() if then else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "path": path, "method": method, "headers": list(headers)}
    asyncio.run(Guard(app, limits or Limits())(scope, receive, send))
    return Answer(sent)


def test_a_whole_request_reaches_the_service_unchanged() -> None:
    heard = Heard()
    answer = asked(heard, parts=(b'{"a"', b": 1}"))
    assert (answer.status, heard.bodies) == (200, [b'{"a": 1}'])
    assert answer.headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/predict", "GET", 405),
        ("/predict", "OPTIONS", 405),
        ("/release", "POST", 405),
        ("/livez", "DELETE", 405),
        ("/schema.json", "GET", 404),
        ("/static_content/index.css", "GET", 404),
        ("/predict/", "POST", 404),
        ("//predict", "POST", 404),
        ("/predict/../metrics", "GET", 404),
        ("/metrics", "GET", 200),
        ("/docs.json", "HEAD", 200),
    ],
)
def test_only_known_paths_and_methods_pass(path: str, method: str, status: int) -> None:
    heard = Heard()
    answer = asked(heard, path, method)
    assert answer.status == status
    assert len(heard.bodies) == (status == 200)
    if status == 405:
        assert answer.headers[b"allow"] in (b"POST", b"GET, HEAD")


@pytest.mark.parametrize(
    "content_type",
    [
        b"text/plain",
        b"multipart/form-data",
        b"application/x-www-form-urlencoded",
        b"application/json; charset=utf-16",
        b"",
    ],
)
def test_only_json_passes(content_type: bytes) -> None:
    heard = Heard()
    answer = asked(heard, headers=(HOST, (b"content-type", content_type)))
    assert (answer.status, heard.bodies) == (415, [])
    assert answer.problem["expected"] == "application/json, in UTF-8"


def test_json_may_say_that_it_is_utf8() -> None:
    assert asked(Heard(), headers=(HOST, (b"content-type", b'application/json; charset="UTF-8"'))).status == 200


def test_a_body_without_a_content_type_or_with_two_is_refused() -> None:
    assert asked(Heard(), headers=(HOST,)).status == 415
    assert asked(Heard(), headers=(HOST, JSON, (b"content-type", b"text/plain"))).status == 415


def test_a_compressed_body_is_refused_unread() -> None:
    assert asked(Heard(), headers=(HOST, JSON, (b"content-encoding", b"gzip"))).status == 415


def test_a_body_that_says_it_is_too_large_never_reaches_the_service() -> None:
    heard = Heard()
    answer = asked(heard, headers=(HOST, JSON, (b"content-length", b"2000001")), parts=(b"x" * 1_000_000,) * 3)
    assert (answer.status, answer.headers[b"connection"], heard.bodies) == (413, b"close", [])
    assert answer.problem["found"] == "2000001 bytes"


def test_a_client_that_waits_for_leave_to_send_is_refused_before_it_does() -> None:
    async def never() -> Message:
        raise AssertionError("the guard read the body")

    headers = (HOST, JSON, (b"content-length", b"2000001"), (b"expect", b"100-continue"))
    assert asked(Heard(), headers=headers, parts=(), then=never).status == 413


def test_a_body_that_grows_too_large_is_refused_where_it_does() -> None:
    heard = Heard()
    answer = asked(heard, parts=(b"x" * 60, b"x" * 60), limits=Limits(body_bytes=100))
    assert (answer.status, heard.bodies) == (413, [])


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert asked(Heard(), parts=(b"x" * 100,), limits=Limits(body_bytes=100)).status == 200


def test_a_body_that_never_ends_is_given_up() -> None:
    async def sleep() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    answer = asked(Heard(), parts=(b"{",), limits=Limits(body_seconds=0.05), then=sleep)
    assert answer.status == 408


def test_a_client_that_goes_away_is_not_answered() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    heard = Heard()
    assert asked(heard, parts=(b"{",), then=gone).status is None
    assert heard.bodies == []


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost", 200),
        (b"LOCALHOST:3000", 200),
        (b"[::1]:3000", 200),
        (b"[::1]", 200),
        (b"127.0.0.1.evil.example", 421),
        (b"evil.example:3000", 421),
        (b"", 421),
    ],
)
def test_only_known_hosts_are_answered(host: bytes, status: int) -> None:
    assert asked(Heard(), headers=((b"host", host), JSON)).status == status


def test_no_host_or_two_hosts_are_refused_and_a_star_allows_any() -> None:
    assert asked(Heard(), headers=(JSON,)).status == 421
    assert asked(Heard(), headers=(HOST, HOST, JSON)).status == 421
    assert asked(Heard(), headers=((b"host", b"evil"), JSON), limits=Limits(hosts=("*",))).status == 200


def test_probes_are_answered_whatever_name_the_prober_uses_and_without_a_key() -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        assert asked(Heard(), path, "GET", ((b"host", b"10.0.0.7:3000"),), limits=Limits(key="secret")).status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ((b"x-api-key", b"secret"), 200),
        ((b"authorization", b"Bearer secret"), 200),
        ((b"authorization", b"bearer secret"), 200),
        ((b"x-api-key", b"secret2"), 401),
        ((b"x-api-key", b""), 401),
        ((b"x-api-key", b"\xff"), 401),
        ((b"authorization", b"Basic secret"), 401),
        ((b"x-other", b"secret"), 401),
    ],
)
def test_where_a_key_is_set_callers_must_send_it(header: tuple[bytes, bytes], status: int) -> None:
    for path, method in (("/predict", "POST"), ("/metrics", "GET"), ("/release", "GET"), ("/", "GET")):
        assert asked(Heard(), path, method, (HOST, JSON, header), limits=Limits(key="secret")).status == status


def test_the_key_shows_in_no_log() -> None:
    assert "secret" not in repr(Limits(key="secret"))


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_sent_away_is_told_when_to_come_back(status: int) -> None:
    assert asked(Heard(status)).headers[b"retry-after"] == b"1"


def test_a_fault_of_the_service_is_a_short_500_and_no_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("secret detail")

    answer = asked(broken)
    assert answer.status == 500
    assert b"secret detail" not in answer.body
    assert "secret detail" in caplog.text


def test_more_requests_than_allowed_at_once_are_asked_to_come_again() -> None:
    statuses: list[int] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.05)
        await Heard()(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def three_at_once() -> None:
        guard = Guard(slow, Limits(at_once=2))
        scope = {"type": "http", "path": "/predict", "method": "POST", "headers": [HOST, JSON]}
        await asyncio.gather(*(guard(dict(scope), receive, send) for _ in range(3)))
        await guard(dict(scope), receive, send)

    asyncio.run(three_at_once())
    assert statuses == [503, 200, 200, 200]


def test_a_web_socket_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(Heard(), Limits())({"type": "websocket", "path": "/predict"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
