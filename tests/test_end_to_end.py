"""The whole life cycle as a newcomer meets it: `churn run`, `churn ask`, `churn up`, in processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from assets import up, web
from serving.asking import fetch, free_port
from tests.command_line import CHURN, ROOT, churn
from tests.dagster_page import launched, status_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SMALL = {"CHURN_SIMULATED_CUSTOMERS": "1500", "CHURN_SIMULATED_MONTHS": "12", "CHURN_BOOTSTRAP_ROUNDS": "100"}
SECONDS = 180  # how long anything may take to come up, to run or to stop
OWN_TABLE = str(ROOT / "examples" / "own_table.py")


@dataclass(frozen=True)
class Life:
    """A home in which a small company's month was run, and what the command printed."""

    home: str
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return lived(tmp_path_factory.mktemp("home"), PYTHONHASHSEED="1", CHURN_THREADS="1")


def lived(home: Path, **environment: str) -> Life:
    run = churn("run", "--json", CHURN_HOME=str(home), **SMALL, **environment)
    assert run.returncode == 0, run.stderr
    return Life(str(home), json.loads(run.stdout))


def answer_of(home: str, *words: str, **environment: str) -> dict[str, Any]:
    """What the service says about the first customer of the call list."""
    asked = churn("ask", *words, CHURN_HOME=home, **environment)
    assert asked.returncode == 0, asked.stderr
    answer: dict[str, Any] = json.loads(asked.stdout.partition("it answered")[2])
    return answer


def test_the_first_of_the_call_list_gets_the_same_answer_from_the_service(life: Life) -> None:
    listed = life.summary["call_list"]
    first = listed["first"][0]
    assert life.summary["decision"]["promoted"]
    assert listed["customers"] == len(Path(listed["path"]).read_text().splitlines()) - 1 > 0
    answer = answer_of(life.home, **SMALL)
    (prediction,) = answer["predictions"]
    assert (answer["served_by"], answer["release"]) == ("champion", life.summary["release"]["id"])
    assert prediction["customer_id"] == first["customer_id"]
    assert prediction["churn_probability"] == pytest.approx(float(first["churn_probability"]), rel=1e-3)
    assert prediction["contact"]
    assert len(prediction["reasons"]) == 3


def test_another_process_with_another_hash_seed_and_more_threads_makes_the_same_to_the_byte(
    life: Life, tmp_path: Path
) -> None:
    again = lived(tmp_path, PYTHONHASHSEED="2", CHURN_THREADS="2")
    assert again.summary["digests"] == life.summary["digests"]
    assert again.summary["release"] == life.summary["release"]
    assert again.summary["rungs"] == life.summary["rungs"]
    assert again.summary["rows"] == life.summary["rows"]


# ---- a table of one's own


def test_a_table_cut_short_changes_nothing_and_the_release_of_the_whole_one_answers(
    tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    table, home = tmp_path / "table.csv", tmp_path / "home"
    table.write_bytes(shared_data("mlc_churn.csv").read_bytes())
    mine = {"CHURN_HOME": str(home), "OWN_TABLE": str(table), "CHURN_BOOTSTRAP_ROUNDS": "100"}
    whole = churn("run", "--dataset", OWN_TABLE, "--json", **mine)
    assert whole.returncode == 0, whole.stderr
    before = contents(home / "own_table")
    table.write_bytes(table.read_bytes()[:-100])
    damaged = churn("run", "--dataset", OWN_TABLE, "--json", **mine)
    assert (damaged.returncode, damaged.stdout) == (1, "")
    assert f"file {table}, table 'customers'" in damaged.stderr
    assert len(damaged.stderr.splitlines()) == 1
    assert contents(home / "own_table") == before
    answer = answer_of(str(home), "--dataset", OWN_TABLE, OWN_TABLE=str(table))
    assert (answer["served_by"], answer["release"]) == ("champion", json.loads(whole.stdout)["release"]["id"])


def contents(lake: Path) -> dict[str, str]:
    """Every file but what Dagster and MLflow note about their runs, with its digest."""
    files = (path for path in lake.rglob("*") if path.is_file())
    own = {str(path.relative_to(lake)): path for path in files}
    return {
        name: sha256(path.read_bytes()).hexdigest()
        for name, path in own.items()
        if name.partition("/")[0] not in ("dagster", "mlflow")
    }


# ---- everything at once


def test_a_run_that_the_page_asks_for_is_found_and_run_and_one_signal_stops_everything(life: Life) -> None:
    ports = (web.PORT, up.MLFLOW_PORT, free_port())
    taken = [port for port in ports if is_taken(port)]
    if taken:
        pytest.skip(f"port {taken[0]} is taken")
    with everything(life, CHURN_SERVE_PORT=str(ports[2])) as process:
        for port, path in zip(ports, ("/server_info", "/health", "/readyz"), strict=True):
            until(partial(answers, port, path))
        run = launched("ingest", "2024-12")
        until(lambda: status_of(run) in ("SUCCESS", "FAILURE"))
        assert status_of(run) == "SUCCESS"
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert not any(map(is_taken, ports))


@contextmanager
def everything(life: Life, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`churn up` while the block lasts."""
    command = [sys.executable, "-c", CHURN, "up"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"CHURN_HOME": life.home} | SMALL | environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(SECONDS)


def until(holds: Callable[[], bool]) -> None:
    ends = monotonic() + SECONDS
    while not holds():
        assert monotonic() < ends, "waited in vain"
        sleep(1)


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int, path: str) -> bool:
    try:
        return fetch(port, path).status == 200
    except (OSError, HTTPException):
        return False
