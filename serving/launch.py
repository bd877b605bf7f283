"""Starts the service: one process, one port, no telemetry."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from pipeline.settings import Settings

QUIET: Mapping[str, str] = {
    "BENTOML_DO_NOT_TRACK": "True",  # no other spelling counts
    "OTEL_SDK_DISABLED": "true",  # spans cost a third of the speed, also when nobody collects them
    "OMP_NUM_THREADS": "1",  # a request is too small to share among threads
}


def serve(settings: Settings) -> None:
    """Answer until told to stop (SIGINT, SIGTERM).

    `bentoml serve serving.service:ChurnService` runs the same application; it adds a supervisor, which takes as much
    memory again and twice the time to start.

    Raises:
        ChurnError: the dataset is not there.
    """
    from serving.place import place_of

    place_of(settings)  # a mistake in the settings is told here, not by a service that answers 503
    with TemporaryDirectory(prefix="churn-metrics-") as metrics:
        os.environ.update(environment(settings, Path(metrics)))
        _run(settings)


def environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """What a process needs to serve under these settings."""
    own = {f"CHURN_{name.upper()}": _text(value) for name, value in settings if value is not None}
    return {**own, **QUIET, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}


def _run(settings: Settings) -> None:
    import uvicorn

    from serving.service import ChurnService

    uvicorn.run(
        ChurnService.to_asgi(),
        host=settings.serve_host,
        port=settings.serve_port,
        access_log=False,
        server_header=False,
        ws="none",
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
