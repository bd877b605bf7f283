"""The pages: `/predict`, `/release`, `/docs.json` and a plain start page.

They are Starlette routes mounted into the BentoML service and no `@bentoml.api` methods, because what a caller may send
follows the release that is current, while a method's model is fixed once; and because they answer in half the time.
"""

import html
import json
import re
import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from serving.desk import Desk
from serving.openapi import openapi_of
from serving.problems import Problem, problems_body

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
PAGE = """<!doctype html><meta charset="utf-8"><title>Churn</title>
<style>body{{font:16px/1.5 sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem}}
pre{{background:#f4f4f4;padding:1rem;overflow:auto}}</style>
<h1>Churn</h1><p>Answering by {standing}.</p>
<p><a href="docs.json">docs.json</a> describes what to send; <a href="release">release</a> says what serves and why;
<a href="metrics">metrics</a> is for Prometheus.</p>
<pre>curl -s -H 'Content-Type: application/json' {url}predict -d '{example}'</pre>
"""


def web_app() -> Starlette:
    """The routes. `state.desk` must be set before the first request."""
    return Starlette(
        routes=[
            Route("/", _index, methods=["GET"]),
            Route("/predict", _predict, methods=["POST"]),
            Route("/release", _release, methods=["GET"]),
            Route("/docs.json", _docs, methods=["GET"]),
        ]
    )


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def _predict(request: Request) -> Response:
    sent = request.headers.get("x-request-id", "")
    request_id = sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(12)
    reply = await _desk(request).predict(await request.body(), request_id)
    return Response(reply.body, reply.status, reply.headers, media_type="application/json")


async def _release(request: Request) -> Response:
    return JSONResponse(_desk(request).state_of_affairs())


async def _docs(request: Request) -> Response:
    contract = _desk(request).standing.contract
    if contract is None:
        return _nothing_yet()
    return JSONResponse(openapi_of(contract))


async def _index(request: Request) -> Response:
    standing = _desk(request).standing
    example: Any = standing.contract.example if standing.contract else {}
    page = PAGE.format(
        standing=html.escape(standing.summary),
        url=html.escape(str(request.base_url)),
        example=html.escape(json.dumps(example)),
    )
    return HTMLResponse(page, headers=NO_SCRIPTS)


def _nothing_yet() -> Response:
    body = problems_body([Problem("service", "a release or a dataset to answer by", "none")])
    return Response(body, 503, media_type="application/json")
