"""Asks Dagster's web server what its own page asks it."""

import json
from typing import Any

from assets import web
from serving.asking import fetch

LAUNCH = """mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) { __typename ... on LaunchRunSuccess { run { runId } } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = "{ runsOrError { ... on Runs { results { jobName status } } } }"


def launched(job: str, month: str) -> str:
    """The id of a run that was asked for as the page asks."""
    code = {"repositoryLocationName": "churn", "repositoryName": "__repository__", "jobName": job}
    tags = {"tags": [{"key": "dagster/partition", "value": month}]}
    found = graphql(LAUNCH, {"run": {"selector": code, "mode": "default", "executionMetadata": tags}})
    return str(found["launchRun"]["run"]["runId"])


def status_of(run: str) -> str:
    return str(graphql(STATUS, {"id": run})["runOrError"]["status"])


def graphql(query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    answer = fetch(web.PORT, "/graphql", body=body, headers={"Content-Type": "application/json"})
    data: dict[str, Any] = json.loads(answer.body)["data"]
    return data


def runs() -> dict[str, str]:
    """How the newest run of each job ended."""
    results = graphql(RUNS)["runsOrError"]["results"]
    return {run["jobName"]: run["status"] for run in reversed(results)}
