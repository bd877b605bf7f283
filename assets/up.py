"""Everything at once on this machine: Dagster's UI and daemon, MLflow's UI, the service. Ctrl-C stops all of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from assets import web
from assets.instance import WORKSPACE_NAME, child_environment, prepare_instance
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.lake import lake_of
from pipeline.settings import Settings

MLFLOW_PORT = 5000
SECONDS_TO_STOP = 15
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # several processes and a GB less
Process = subprocess.Popen[bytes]


def run_everything(dataset: Dataset, settings: Settings) -> None:
    """Start every process in a group of its own, wait, and stop the groups, grandchildren included.

    Raises:
        ChurnError: one of them ended by itself.
    """
    home = prepare_instance(dataset, settings)
    environment = os.environ | child_environment(settings) | QUIET | {"DAGSTER_HOME": str(home)}
    console, started = Console(), dict[str, Process]()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell may have had us ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        for name, (command, url) in _commands(dataset, settings, home).items():
            started[name] = _started(command, environment, home / f"{name}.log")
            console.print(f"{name:<16} {url or '':<24} [dim]log: {home / name}.log[/]", soft_wrap=True, highlight=False)
        console.print("Ctrl-C stops everything.")
        _wait(started, home)
    except KeyboardInterrupt:
        console.print("stopping")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses it twice must not leave half of them behind
        stop(list(started.values()))


def stop(processes: list[Process]) -> None:
    """Ask every process group to end, then end what is left."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    ends = time.monotonic() + SECONDS_TO_STOP
    while time.monotonic() < ends and any(process.poll() is None for process in processes):
        time.sleep(0.1)
    for process in processes:
        _signal(process, signal.SIGKILL)  # also what a parent left behind
        process.wait()


def _started(command: list[str], environment: Mapping[str, str], log: Path) -> Process:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)  # noqa: S603


def _wait(processes: Mapping[str, Process], home: Path) -> None:
    """Until somebody interrupts, or a process ends."""
    while True:
        time.sleep(0.5)
        for name, process in processes.items():
            if process.poll() is not None:
                raise ChurnError(
                    f"process {name!r}",
                    expected="it to run until Ctrl-C",
                    found=f"it ended with {process.returncode}",
                    remedy=f"{home / name}.log says why; often its port is taken. The others were stopped.",
                )


def _signal(process: Process, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _commands(dataset: Dataset, settings: Settings, home: Path) -> Mapping[str, tuple[list[str], str | None]]:
    """Each process with its command and its address."""
    scripts = Path(sys.executable).parent
    root = Path(str(lake_of(settings, dataset.name).root))
    (root / "mlflow").mkdir(parents=True, exist_ok=True)
    hosts = f"127.0.0.1:{MLFLOW_PORT},localhost:{MLFLOW_PORT}"
    mlflow = ["server", "--backend-store-uri", f"sqlite:///{root / 'mlflow' / 'mlflow.db'}", "--workers", "1"]
    mlflow += ["--host", "127.0.0.1", "--port", str(MLFLOW_PORT), "--allowed-hosts", hosts]
    mlflow += ["--default-artifact-root", (root / "mlflow" / "artifacts").as_uri()]
    return {
        "dagster": ([sys.executable, "-m", "assets.web"], f"http://127.0.0.1:{web.PORT}"),
        "dagster-daemon": ([str(scripts / "dagster-daemon"), "run", "--workspace", str(home / WORKSPACE_NAME)], None),
        "mlflow": ([str(scripts / "mlflow"), *mlflow], f"http://127.0.0.1:{MLFLOW_PORT}"),
        "service": ([sys.executable, "-m", "serving"], f"http://{settings.serve_host}:{settings.serve_port}"),
    }
