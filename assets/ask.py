"""One question to the running service: the last step of the demonstration, and a check that the path is whole."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assets.instance import child_environment
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import lake_of
from pipeline.settings import Settings
from serving.asking import ask, free_port, wait_until_ready

COMMAND = (sys.executable, "-m", "serving")
SECONDS_TO_STOP = 20


def ask_about_one(dataset: Dataset, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start the service, send the first customer of the newest call list, stop it; returns question and answer."""
    customer = first_of_the_list(dataset, settings)
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    with running_service(settings) as (port, _):
        answer = ask(port, [customer], key=key)
    if answer.status != 200:
        raise ChurnError(
            "POST /predict",
            expected="200",
            found=f"{answer.status}: {answer.body[:500]!r}",
            remedy="See `churn serve`.",
        )
    return {"customers": [customer]}, json.loads(answer.body)


@contextmanager
def running_service(settings: Settings) -> Iterator[tuple[int, int]]:
    """The service in a process of its own on a free port, while the block lasts: the port and the process id."""
    port = free_port()
    environment = os.environ | child_environment(settings) | {"CHURN_SERVE_PORT": str(port)}
    process = subprocess.Popen(COMMAND, env=environment)  # noqa: S603  (our own interpreter and module)
    try:
        if not wait_until_ready(port, is_alive=lambda: process.poll() is None):
            raise ChurnError(
                f"the service on port {port}",
                expected="to be ready",
                found="it ended" if process.poll() is not None else "no answer",
                remedy="Run `churn serve` to read what it says, and `churn doctor`.",
            )
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=SECONDS_TO_STOP)


def first_of_the_list(dataset: Dataset, settings: Settings) -> dict[str, Any]:
    """The customer at the top of the newest call list, as the service wants to be told of them."""
    lake = lake_of(settings, dataset.name)
    keys = lake.keys("call_lists", "customers")
    if not keys:
        raise ChurnError(
            f"call lists of {dataset.name}", expected="at least one", found="none", remedy="Run `churn run` first."
        )
    listed, known = (lake.read(layer, "customers", keys[-1]) for layer in ("call_lists", "features"))
    customer = (listed if len(listed) else known)["customer_id"][0].as_py()
    place = known["customer_id"].to_pylist().index(customer)
    return dict(known.slice(place, 1).to_pylist()[0])
