"""Starts the service: one process, one port, no telemetry."""

import logging
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from pipeline.errors import ChurnError
from pipeline.settings import Settings

QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",  # no other spelling counts
    "OTEL_SDK_DISABLED": "true",  # spans cost a third of the speed, also when nobody collects them
    "OMP_NUM_THREADS": "1",  # a request is too small to share among threads
}

logger = logging.getLogger("serving.launch")


def serve(settings: Settings) -> None:
    """Answer until told to stop (SIGINT, SIGTERM).

    `bentoml serve serving.service:ChurnService` runs the same application; it adds a supervisor, which takes nearly as
    much memory again and twice the time to start.

    Raises:
        ChurnError: the dataset is not there, or the address is taken.
    """
    from serving.place import place_of

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("serving").setLevel(logging.INFO)
    place_of(settings)  # a mistake in the settings is told here, not by a service that answers 503
    with _listening(settings) as listener, TemporaryDirectory(prefix="churn-metrics-") as metrics:
        os.environ.update(environment(settings, Path(metrics)))
        _run(settings, listener)


def environment(settings: Settings, metrics: Path) -> dict[str, str]:
    """What a process needs to serve under these settings."""
    own = {f"CHURN_{name.upper()}": _text(value) for name, value in settings if value is not None}
    return {**own, **QUIET, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}


def _run(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    from serving.service import ChurnService

    config = uvicorn.Config(
        ChurnService.to_asgi(),  # type: ignore[attr-defined]  # the decorator made it a service
        access_log=False,
        server_header=False,
        ws="none",
        log_level="warning",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    logger.info("listening on http://%s:%d", settings.serve_host, listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])


def _listening(settings: Settings) -> socket.socket:
    """The socket, taken before anything slow begins."""
    host, port = settings.serve_host, settings.serve_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ChurnError(
            f"address {host}:{port}",
            expected="a free port of this machine",
            found=str(error),
            remedy="Stop what listens there, or set CHURN_SERVE_PORT and CHURN_SERVE_HOST.",
        ) from error


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
