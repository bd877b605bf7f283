"""Everything at once on this machine: Dagster's UI and daemon, MLflow's UI, the service. Ctrl-C stops all of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from assets.instance import child_environment, prepare_instance
from pipeline.declaration import Dataset
from pipeline.lake import lake_of
from pipeline.settings import Settings

DAGSTER_PORT, MLFLOW_PORT = 3070, 5000
SECONDS_TO_STOP = 15


def run_everything(dataset: Dataset, settings: Settings) -> None:
    """Start every process in a group of its own, wait, and stop the groups, grandchildren included."""
    home = prepare_instance(dataset, settings)
    environment = os.environ | child_environment(settings) | {"DAGSTER_HOME": str(home)}
    console = Console()
    started: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by a supervisor: the same way as by Ctrl-C
    try:
        for name, (command, url) in _commands(dataset, settings).items():
            log = (home / f"{name}.log").open("ab")
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
            )
            console.print(f"{name:<16} {url or ''}  [dim]log: {home / name}.log[/]", soft_wrap=True)
        console.print("Ctrl-C stops everything.")
        while all(process.poll() is None for process in started):
            time.sleep(0.5)
        console.print("[red]a process ended; stopping the others. Its log says why.[/]")
    except KeyboardInterrupt:
        console.print("stopping")
    finally:
        stop(started)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask every process group to end, then end what is left."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    ends = time.monotonic() + SECONDS_TO_STOP
    while time.monotonic() < ends and any(process.poll() is None for process in processes):
        time.sleep(0.1)
    for process in processes:
        _signal(process, signal.SIGKILL)  # also what a parent left behind
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _commands(dataset: Dataset, settings: Settings) -> Mapping[str, tuple[list[str], str | None]]:
    """Each process with its command and its address."""
    scripts = Path(sys.executable).parent
    root = Path(str(lake_of(settings, dataset.name).root))
    (root / "mlflow").mkdir(parents=True, exist_ok=True)
    location = ["-m", "assets.definitions"]
    hosts = f"127.0.0.1:{MLFLOW_PORT},localhost:{MLFLOW_PORT}"
    mlflow = ["server", "--backend-store-uri", f"sqlite:///{root / 'mlflow' / 'mlflow.db'}", "--workers", "1"]
    mlflow += ["--host", "127.0.0.1", "--port", str(MLFLOW_PORT), "--allowed-hosts", hosts]
    mlflow += ["--default-artifact-root", (root / "mlflow" / "artifacts").as_uri()]
    webserver = ["-h", "127.0.0.1", "-p", str(DAGSTER_PORT), *location]
    return {
        "dagster": ([str(scripts / "dagster-webserver"), *webserver], f"http://127.0.0.1:{DAGSTER_PORT}"),
        "dagster-daemon": ([str(scripts / "dagster-daemon"), "run", *location], None),
        "mlflow": ([str(scripts / "mlflow"), *mlflow], f"http://127.0.0.1:{MLFLOW_PORT}"),
        "service": ([sys.executable, "-m", "serving"], f"http://{settings.serve_host}:{settings.serve_port}"),
    }
