"""A home with the little company's releases, and a service over it, in this process or in one of its own."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.release import Release, releases_root
from pipeline.settings import Settings
from serving.asking import free_port, wait_until_ready
from tests.little_releases import DATASET, two_releases

REPOSITORY = Path(__file__).parents[1]
DECLARATION = """
from tests.little_company import little_company

DATASET = little_company()
"""
SERVE = "from pipeline.settings import Settings; from serving.launch import serve; serve(Settings())"


@dataclass(frozen=True)
class House:
    """Where everything lies."""

    home: Path
    older: Release
    newer: Release
    name: str = DATASET.name

    @property
    def state(self) -> Path:
        return self.home / self.name

    def settings(self) -> Settings:
        return Settings(home=str(self.home), dataset=str(self.home / "little.py"))


def house_with_releases(home: Path, name: str = DATASET.name) -> House:
    """Two releases in the folder of the dataset `name`, the newer one current."""
    (home / "little.py").write_text(DECLARATION)
    return House(home, *two_releases(releases_root(home / name)), name)


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "BENTOML_"))}
    own = {"CHURN_HOME": str(home), "CHURN_DATASET": str(home / "little.py"), "PYTHONPATH": str(REPOSITORY)}
    return kept | own | more


@contextmanager
def served(home: Path, code: str = SERVE, **more: str) -> Iterator[int]:
    """The port of a service in a process of its own; what it printed is in `home/output`."""
    port = free_port()
    with (home / "output").open("w+b") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env=environment(home, CHURN_SERVE_PORT=str(port), **more),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            assert wait_until_ready(port, is_alive=lambda: process.poll() is None), (home / "output").read_text()
            yield port
        finally:
            process.terminate()
            process.wait(20)
