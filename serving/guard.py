"""What stands in front of the service: who may ask, where, with what, how much and how many at once. Pure ASGI.

BentoML itself has no limit on a body, reads `text/plain` as JSON, counts every unknown path as a new metric, shows a
page with a tag manager and sends no Retry-After. So nothing reaches it that is not one of the paths below, whole and
within the limits.
"""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from serving.problems import Problem, problems_body, shown

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[bytes, list[bytes]]

READ = frozenset({"GET", "HEAD"})
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
METHODS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("/", "/release", "/docs.json", "/metrics", *PROBES), READ),
    "/predict": frozenset({"POST"}),
}
ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
RETRY = [(b"retry-after", b"1")]
MOST_DRAINED_BYTES = 512_000_000

logger = logging.getLogger("serving.guard")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the guard lets pass.

    Args:
        hosts: names in the Host header, without port; "*" allows any. Against pages that rebind their name to us.
        key: what callers must send as `X-API-Key` or `Authorization: Bearer`; empty for none. Probes need none.
        body_bytes: largest body.
        body_seconds: longest time that a body may take to arrive.
        at_once: predictions that may be under way at once; more are asked to come again.
    """

    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    key: str = field(default="", repr=False)
    body_bytes: int = 2_000_000
    body_seconds: float = 10.0
    at_once: int = 64


class Refused(Exception):  # noqa: N818  (an answer, not an error)
    """The request is answered by the guard."""

    def __init__(self, status: int, problem: Problem, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.status, self.problem, self.headers = status, problem, headers or []
        self.body_is_read = False
        super().__init__(problem)


class Guard:
    """Wraps an ASGI application."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app, self._limits, self._under_way = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or hand it on with its whole body."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        sender = _Sender(send)
        try:
            _check(scope, self._limits)
            if scope["method"] in READ:
                await self._app(scope, receive, sender)
            else:
                await self._hand_on(scope, receive, sender)
        except Refused as refused:
            await _drain(scope, refused, receive, self._limits.body_seconds)
            await _refuse(refused, sender)
        except _ClientGone:
            return
        except Exception:
            logger.exception("a request broke the service")
            if not sender.has_started:
                problem = Problem("service", "an answer", "a fault of ours; it is in the service's log")
                await _refuse(Refused(500, problem), sender)

    async def _hand_on(self, scope: Scope, receive: Receive, send: "_Sender") -> None:
        if self._under_way >= self._limits.at_once:
            problem = Problem("service", f"at most {self._limits.at_once} requests at once", "more; try again")
            raise Refused(503, problem, [(b"connection", b"close")])
        self._under_way += 1
        try:
            body = await _whole_body(receive, self._limits)
            await self._app(scope, _replay(body, receive), send)
        finally:
            self._under_way -= 1


class _ClientGone(Exception):  # noqa: N818
    """Nobody is left to answer."""


class _Sender:
    """Adds the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send, self.has_started = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            extra = ALWAYS + (RETRY if message["status"] in (429, 503) else [])
            given = {name for name, _ in extra}
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in given]
            message = {**message, "headers": [*kept, *extra]}
        await self._send(message)


def _check(scope: Scope, limits: Limits) -> None:
    headers, path, method = _headers(scope), scope["path"], scope["method"]
    if path not in PROBES:  # a prober knows neither name nor key, and learns nothing
        _check_host(headers, limits.hosts)
        _check_key(headers, limits.key)
    if path not in METHODS:
        raise Refused(404, Problem("path", f"one of {', '.join(sorted(METHODS))}", shown(path)))
    if method not in METHODS[path]:
        allowed = ", ".join(sorted(METHODS[path]))
        raise Refused(405, Problem("method", allowed, shown(method)), [(b"allow", allowed.encode())])
    if method not in READ:
        _check_content(headers, limits.body_bytes)


def _headers(scope: Scope) -> Headers:
    found: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


def _check_host(headers: Headers, allowed: tuple[str, ...]) -> None:
    if "*" in allowed:
        return
    sent = [value.decode("latin-1").strip().lower() for value in headers.get(b"host", [])]
    names = [host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host for host in sent]
    if len(names) != 1 or names[0] not in allowed:
        expected = f"one of {', '.join(allowed)} (more with CHURN_SERVE_HOSTS)"
        raise Refused(421, Problem("Host header", expected, shown(", ".join(sent))))


def _check_key(headers: Headers, key: str) -> None:
    sent = b", ".join(headers.get(b"x-api-key", []))
    for value in headers.get(b"authorization", []):
        scheme, _, credentials = value.partition(b" ")
        sent = sent or (credentials.strip() if scheme.lower() == b"bearer" else b"")
    if key and not hmac.compare_digest(sent, key.encode()):
        found = "another one" if sent else "none"
        problem = Problem("X-API-Key header, or Authorization: Bearer", "the key of this service", found)
        raise Refused(401, problem, [(b"www-authenticate", b"Bearer")])


def _check_content(headers: Headers, body_bytes: int) -> None:
    sent = b", ".join(headers.get(b"content-type", [])).decode("latin-1")
    kind, _, parameter = sent.partition(";")
    is_utf8 = parameter.replace(" ", "").replace('"', "").lower() in ("", "charset=utf-8")
    if kind.strip().lower() != "application/json" or not is_utf8:
        raise Refused(415, Problem("Content-Type header", "application/json, in UTF-8", shown(sent)))
    if headers.get(b"content-encoding", [b"identity"]) != [b"identity"]:
        raise Refused(415, Problem("Content-Encoding header", "none: send the body uncompressed", "one"))
    length = headers.get(b"content-length", [b"0"])[0]
    if not length.isdigit() or len(length) > 15 or int(length) > body_bytes:
        raise _too_large(body_bytes, f"{length[:20].decode('latin-1')} bytes")


async def _whole_body(receive: Receive, limits: Limits) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _ClientGone
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits.body_bytes, "more", body_is_read=not message.get("more_body", False))
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        problem = Problem("body", f"all of it within {limits.body_seconds:g} seconds", f"{size} bytes so far")
        raise Refused(408, problem, [(b"connection", b"close")]) from None


def _too_large(body_bytes: int, found: str, *, body_is_read: bool = False) -> Refused:
    problem = Problem("body", f"at most {body_bytes:,} bytes: send fewer customers at once", found)
    refused = Refused(413, problem, [(b"connection", b"close")])
    refused.body_is_read = body_is_read
    return refused


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out the body that was read already, and then whatever comes."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _drain(scope: Scope, refused: Refused, receive: Receive, seconds: float) -> None:
    """Read and forget what the client still sends: most clients read no answer before they have sent everything."""
    waits_for_leave = any(name == b"expect" for name, _ in scope["headers"])
    if scope["method"] in READ or refused.status == 408 or refused.body_is_read or waits_for_leave:
        return
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while size < MOST_DRAINED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _refuse(refused: Refused, send: Send) -> None:
    body = problems_body([refused.problem])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
