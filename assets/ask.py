"""One question to the running service: the last step of the demonstration, and a check that the path is whole."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from assets.instance import child_environment
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import lake_of
from pipeline.settings import Settings

SECONDS_TO_START = 60


def ask_about_one(dataset: Dataset, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Start the service, send the first customer of the newest call list, stop it; returns question and answer."""
    question = {"customers": [_first_of_the_list(dataset, settings)]}
    with running_service(settings) as url:
        return question, post(f"{url}/predict", question, settings)


@contextmanager
def running_service(settings: Settings) -> Iterator[str]:
    """The service in a process of its own on a free port, for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | child_environment(settings) | {"CHURN_SERVE_PORT": str(port)}
    command = [sys.executable, "-m", "assets.serve"]
    process = subprocess.Popen(command, env=environment)  # noqa: S603  (our own interpreter and module)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def post(url: str, body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """POST a JSON body and read the JSON answer."""
    headers = {"Content-Type": "application/json"}
    if settings.api_key is not None:
        headers["X-API-Key"] = settings.api_key.get_secret_value()
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  (an address of our own making)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise ChurnError(
            url, expected="an answer", found=f"{error.code}: {error.read()[:500]!r}", remedy="See the service's log."
        ) from error


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
    raise ChurnError(
        url,
        expected=f"the service to be ready within {SECONDS_TO_START} s",
        found="it ended" if process.poll() is not None else "no answer",
        remedy="Run `churn serve` to read what it says, and `churn doctor`.",
    )


def _first_of_the_list(dataset: Dataset, settings: Settings) -> dict[str, Any]:
    lake = lake_of(settings, dataset.name)
    keys = lake.keys("call_lists", "customers")
    if not keys:
        raise ChurnError(
            f"call lists of {dataset.name}", expected="at least one", found="none", remedy="Run `churn run` first."
        )
    listed = lake.read("call_lists", "customers", keys[-1])
    features = lake.read("features", "customers", keys[-1])
    customer = listed["customer_id"][0].as_py() if len(listed) else features["customer_id"][0].as_py()
    place = features["customer_id"].to_pylist().index(customer)
    return dict(features.slice(place, 1).to_pylist()[0])
