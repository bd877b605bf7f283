"""The compose file: what it promises, read; and, where there is a Docker engine, the whole of it, run."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import yaml

from serving.asking import fetch
from tests.command_line import ROOT
from tests.dagster_page import launched, runs, status_of

FILE = ROOT / "docker-compose.yml"
PASSWORD = "no/thing@here:is$plain"
SMALL = {"CHURN_SIMULATED_CUSTOMERS": "1500", "CHURN_SIMULATED_MONTHS": "12", "CHURN_BOOTSTRAP_ROUNDS": "100"}
DAGSTER, MLFLOW, SERVICE = 3070, 5000, 3000
LASTING = {"postgres", "dagster", "dagster-daemon", "mlflow", "service"}
SECONDS = 1200


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


# ---- what it promises


def test_every_port_is_bound_to_this_machine_and_the_database_has_none() -> None:
    ports = {name: service.get("ports", []) for name, service in services().items()}
    assert {port for of_service in ports.values() for port in of_service} == {
        f"127.0.0.1:{port}:{port}" for port in (DAGSTER, MLFLOW, SERVICE)
    }
    assert ports["postgres"] == []


def test_the_password_has_no_default_and_stands_in_no_address_and_in_no_service_without_a_database() -> None:
    for name, service in services().items():
        said = json.dumps(service["environment"])
        assert ("${CHURN_POSTGRES_PASSWORD:?" in said) == (name != "service"), name
        assert said.count("PASSWORD") <= 2, name
    assert ":-churn" not in FILE.read_text()


def test_everything_of_ours_is_nobody_special_and_everything_that_lasts_is_watched() -> None:
    for name, service in services().items():
        assert "no-new-privileges:true" in service["security_opt"], name
        if name != "postgres":
            assert service["build"]["dockerfile_inline"].splitlines()[-1] == "USER churn"
            assert service["cap_drop"] == ["ALL"]
        assert ("healthcheck" in service) == (name in LASTING), name


# ---- what it does


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """`docker compose` on the whole of it, up and healthy; everything is removed afterwards."""
    if shutil.which("docker") is None or run("docker", "info", check=False).returncode != 0:
        pytest.skip("there is no Docker engine on this machine")
    files = ["--file", str(FILE), *without_init(tmp_path_factory.mktemp("compose"))]

    def said(*words: str) -> str:
        return run("docker", "compose", "--project-name", "churn-test", *files, *words).stdout

    try:
        said("up", "--build", "--detach", "--quiet-pull")
        until(lambda: health(said) == dict.fromkeys(LASTING, "healthy"), lambda: str(health(said)))
        yield said
    finally:
        said("down", "--volumes", "--remove-orphans")


def without_init(folder: Path) -> list[str]:
    """What some engines need: those that were installed without `docker-init`."""
    if run("docker", "info", "--format", "{{.InitCommit.ID}}").stdout.strip() not in ("", "N/A"):
        return []
    path = folder / "without-init.yml"
    ours = [name for name in services() if name != "postgres"]
    path.write_text(json.dumps({"services": {name: {"init": False} for name in ours}}))
    return ["--file", str(path)]


def run(*command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    settings = SMALL | {"CHURN_POSTGRES_PASSWORD": PASSWORD}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done


def health(said: Callable[..., str]) -> dict[str, str]:
    rows = [json.loads(line) for line in said("ps", "--format", "json").splitlines()]
    return {row["Service"]: row["Health"] for row in rows}


def until(holds: Callable[[], bool], found: Callable[[], str]) -> None:
    ends = monotonic() + SECONDS
    while not holds():
        assert monotonic() < ends, found()
        sleep(2)


def posted(port: int, path: str, body: Any) -> Any:
    answer = fetch(port, path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def counted(said: Callable[..., str], database: str, sql: str) -> int:
    return int(said("exec", "-T", "postgres", "psql", "-U", "churn", "-d", database, "-Atc", sql))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_life_cycle_runs_once_and_every_page_answers_from_postgresql(compose: Callable[..., str]) -> None:
    assert runs() == {"history": "SUCCESS", "life_cycle": "SUCCESS"}
    experiments = posted(MLFLOW, "/api/2.0/mlflow/experiments/search", {"max_results": 10})["experiments"]
    assert "simulated" in {experiment["name"] for experiment in experiments}
    assert counted(compose, "dagster", "select count(*) from runs") == 2
    assert counted(compose, "mlflow", "select count(*) from runs") == 3
    assert counted(compose, "churn", "select count(*) from predictions where source = 'batch'") > 0
    assert "\n" not in compose("exec", "-T", "dagster", "find", "/data", "-name", "*.db", "-path", "*dagster*").strip()


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_service_answers_by_the_champion_and_nothing_of_ours_runs_as_root(compose: Callable[..., str]) -> None:
    described = json.loads(fetch(SERVICE, "/docs.json").body)
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert posted(SERVICE, "/predict", example)["served_by"] == "champion"
    for name in LASTING - {"postgres"}:
        assert compose("exec", "-T", name, "id", "-u").strip() == "1000"
    for row in map(json.loads, compose("ps", "--format", "json").splitlines()):
        assert {port["URL"] for port in row["Publishers"] or () if port["PublishedPort"]} <= {"127.0.0.1"}


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_run_that_the_page_asks_for_is_run_by_the_daemon(compose: Callable[..., str]) -> None:
    run_id = launched("ingest", "2024-12")
    until(lambda: status_of(run_id) in ("SUCCESS", "FAILURE"), lambda: status_of(run_id))
    assert status_of(run_id) == "SUCCESS"
