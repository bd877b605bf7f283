"""The service's description for machines and for `/docs.json`: real fields, units, ranges and an example."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.schema import Answer, Contract, Refusal

REFUSALS = {
    "400": "the body is not as declared",
    "401": "no key, or another one",
    "408": "the body took too long to arrive",
    "413": "the body is larger than 2 MB",
    "415": "the body is not JSON",
    "421": "the Host header names another service",
    "503": "too many requests at once, or nothing can answer; see Retry-After",
}
PROBES = {
    "/livez": "the process is alive",
    "/readyz": "something can answer",
    "/healthz": "the process is alive",
    "/metrics": "figures for Prometheus",
}


def openapi_of(contract: Contract) -> dict[str, Any]:
    """OpenAPI 3.1 for what callers may send now."""
    chosen = [(contract.request, "validation"), (Answer, "serialization"), (Refusal, "serialization")]
    _, schemas = models_json_schema(chosen, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Churn",
            "version": "1",
            "description": "Whom to contact, why, and what a contact is worth. Errors say what was expected.",
        },
        "servers": [{"url": "."}],
        "paths": {"/predict": {"post": _predict(contract)}, **_reads()},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
        "security": [{}, {"key": []}],
    }


def _predict(contract: Contract) -> dict[str, Any]:
    answers: dict[str, Any] = {"200": _answer("one prediction per customer, in order", Answer)}
    answers["200"]["headers"] = {
        name: {"schema": {"type": "string"}} for name in ("X-Served-By", "X-Release", "X-Request-Id")
    }
    body = {"schema": _reference(contract.request), "example": dict(contract.example)}
    return {
        "operationId": "predict",
        "summary": "Score 1 to 1,000 customers and decide whom to contact",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": answers | {status: _answer(text, Refusal) for status, text in REFUSALS.items()},
    }


def _reads() -> Mapping[str, Any]:
    release = _read("release", "what serves now, and why", "application/json")
    return {"/release": release} | {path: _read(path[1:], text, "text/plain") for path, text in PROBES.items()}


def _read(name: str, summary: str, kind: str) -> dict[str, Any]:
    answer = {"description": summary, "content": {kind: {"schema": {}}}}
    return {"get": {"operationId": name, "summary": summary, "responses": {"200": answer}}}


def _answer(description: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _reference(model)}}}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
