"""Dagster's pages answer their own requests and nobody else's."""

import asyncio
from typing import Any

import pytest

from assets.web import OwnPagesOnly

OWN = {"host": "127.0.0.1:3070"}


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """A stand-in for Dagster's application that does whatever it is asked."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


def answered(
    path: str = "/", *, method: str = "GET", query: str = "", kind: str = "http", **headers: str
) -> list[dict[str, Any]]:
    """Everything that is sent back."""
    sent: list[dict[str, Any]] = []
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in (OWN | headers).items()]
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": named}
    if kind == "http":
        scope["method"] = method

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(OwnPagesOnly(pages, 3070)(scope, receive, send))
    return sent


def status(*args: str, **options: Any) -> int:
    return int(answered(*args, **options)[0]["status"])


@pytest.mark.parametrize("host", ["127.0.0.1:3070", "localhost:3070", "[::1]:3070"])
def test_the_pages_answer_under_the_names_of_this_machine(host: str) -> None:
    assert status("/assets", host=host) == 200
    assert status("/graphql", method="POST", host=host, origin=f"http://{host}") == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:3070.evil.example"},
        {"host": "localhost"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=str,
)
def test_other_names_and_other_sites_are_refused(asked: dict[str, str]) -> None:
    assert status("/graphql", method="POST", **asked) == 403


def test_a_mutation_in_an_address_is_refused() -> None:
    assert status("/graphql", query="query=mutation%20%7B%20launch%20%7D") == 403
    assert status("/graphql", query="%71uery=x") == 403  # spelled otherwise


@pytest.mark.parametrize(
    "path", ["/report_asset_check/bento", "/report_asset_materialization/x", "/REPORT_asset_check/x"]
)
def test_nobody_reports_a_passed_check_from_outside(path: str) -> None:
    assert status(path, method="POST") == 403


def test_a_web_socket_of_another_site_is_closed_before_it_opens() -> None:
    assert answered("/graphql", kind="websocket", origin="http://127.0.0.1:3070") == [{"type": "websocket.accept"}]
    refused = answered("/graphql", kind="websocket", origin="http://evil.example")
    assert refused == [{"type": "websocket.close", "code": 1008}]
