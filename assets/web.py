"""Dagster's web server behind a guard: `python -m assets.web [--host ...] [--port ...]`.

Dagster 1.13 runs whatever a page of any site in the same browser asks for: mutations sent by GET, and reports of passed
checks from anybody. The guard lets through what its own pages ask for.
"""

import os
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from assets.instance import WORKSPACE_NAME

if TYPE_CHECKING:
    from starlette.routing import Mount

PORT = 3070
DATA_DOCS = "/data_docs"  # what Great Expectations says of a month, served beside Dagster's own pages
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OwnPagesOnly:
    """Answers 403 to other names, to other sites, to mutations in an address, and to reports from outside."""

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or one web socket."""
        if scope["type"] == "lifespan" or self._is_ours(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Only the pages of this server may ask this.\n"})

    def _is_ours(self, scope: Scope) -> bool:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"].lower()
        return (
            headers.get("host", "") in self._hosts
            and headers.get("origin", "").rpartition("//")[2] in {"", *self._hosts}
            and headers.get("sec-fetch-site", "none") in ("none", "same-origin")
            and not path.startswith("/report_")
            and not (scope.get("method") == "GET" and "query" in parse_qs(scope["query_string"].decode("latin-1")))
        )


def main() -> None:
    """Serve the code location of `CHURN_DATASET` from the instance at `DAGSTER_HOME`."""
    parser = ArgumentParser(description="Dagster's pages, for this machine only.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    _serve(options.host, options.port)


def data_docs(lake: Path) -> "Mount":
    """The pages that validation wrote; there are none before the first run."""
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    (lake / "docs").mkdir(parents=True, exist_ok=True)  # without it each request would be an error
    return Mount(DATA_DOCS, StaticFiles(directory=lake / "docs"))


def _serve(host: str, port: int) -> None:
    import dagster as dg
    import uvicorn
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.version import __version__

    home = Path(os.environ["DAGSTER_HOME"])
    target = WorkspaceFileTarget([str(home / WORKSPACE_NAME)])
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, version=__version__, workspace_load_target=target) as workspace,
    ):
        pages = create_app_from_workspace_process_context(workspace)
        pages.routes.insert(0, data_docs(home.parent))
        uvicorn.run(OwnPagesOnly(pages, port), host=host, port=port, log_level="warning")


if __name__ == "__main__":
    main()
