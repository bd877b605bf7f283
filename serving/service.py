"""The BentoML service. It carries the pages of `web.py`, stands behind `guard.py` and opens one `Desk`."""

import gc
from typing import Any

import bentoml

from pipeline.settings import Settings
from serving.desk import Desk
from serving.guard import Guard, Limits
from serving.web import web_app

WEB = web_app()


class GuardedService(bentoml.Service):  # type: ignore[misc]
    """A BentoML service whose whole application, BentoML's own middleware included, stands behind the guard."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """The application that any server runs, `bentoml serve` too."""
        return Guard(super().to_asgi(is_main=is_main), limits_of(Settings()))


def limits_of(settings: Settings) -> Limits:
    """What the settings let pass."""
    hosts = {host.strip().lower() for host in settings.serve_hosts.split(",")} | {settings.serve_host}
    return Limits(
        hosts=tuple(sorted(hosts - {"", "0.0.0.0", "::"})),  # noqa: S104  (no name that anyone sends)
        key=settings.api_key.get_secret_value() if settings.api_key else "",
    )


@bentoml.asgi_app(WEB)
@bentoml.service(
    name="churn",
    service_class=GuardedService,
    workers=1,
    http={"host": "127.0.0.1"},
    traffic={"timeout": 30},  # longer than all rungs together; the guard limits how many are under way
    logging={"access": {"enabled": False}},
)
class ChurnService:
    """Whom to contact, why, and what a contact is worth."""

    def __init__(self) -> None:
        self._desk = Desk(Settings())
        WEB.state.desk = self._desk

    def __is_ready__(self) -> bool:
        return bool(self._desk.standing.rungs)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def spare_the_collector(self) -> None:
        """What was imported stays for good: the garbage collector need not walk it at every request."""
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def close(self) -> None:
        """Write what waits for the log."""
        self._desk.close()
