"""Dagster's pages answer their own requests and nobody else's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from assets.web import OwnPagesOnly, data_docs

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


def fetched(lake: Path, path: str) -> tuple[int, bytes]:
    """What Starlette answers with the pages of validation alone."""
    sent: list[Any] = []

    async def receive() -> None:
        await asyncio.Event().wait()  # a caller that waits for its answer

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": []}
    scope |= {"query_string": b"", "root_path": ""}
    asyncio.run(Starlette(routes=[data_docs(lake)])(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def test_the_pages_of_validation_are_served_and_nothing_beside_them(tmp_path: Path) -> None:
    (tmp_path / "docs" / "usage").mkdir(parents=True)
    (tmp_path / "docs" / "usage" / "2024-03.html").write_text("<p>kept</p>")
    (tmp_path / "state.db").write_text("secret")
    assert fetched(tmp_path, "/data_docs/usage/2024-03.html") == (200, b"<p>kept</p>")
    for other in ("usage/2024-04.html", "../state.db", "usage/../../state.db", "usage", ""):
        assert fetched(tmp_path, f"/data_docs/{other}")[0] == 404, other


def test_before_the_first_run_there_is_no_page_and_no_error(tmp_path: Path) -> None:
    assert fetched(tmp_path, "/data_docs/usage/2024-03.html")[0] == 404
