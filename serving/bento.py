"""Builds a Bento that holds one release and everything needed to serve it, and proves it by asking it.

A Bento is for machines that have neither this project nor its home: `bentoml containerize` makes an image of it.
Everything here happens in processes of its own, in folders of its own: nothing of the caller's reaches the Bento.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from pipeline.errors import ReleaseError
from pipeline.lake import canonical_json
from pipeline.pointer import promote
from pipeline.release import Golden, Release
from serving.asking import Asked, ask, free_port, wait_until_ready
from serving.launch import QUIET
from serving.place import BAKED

NAME = "churn"
PACKAGES = {  # what the service imports, and the extras of those packages that it is slower without
    "bentoml": "",
    "numpy": "",
    "prometheus-client": "",
    "pydantic": "",
    "pydantic-settings": "",
    "starlette": "",
    "universal-pathlib": "",
    "uvicorn": "[standard]",
}
IN_A_CONTAINER = {"BENTOML_HOST": "0.0.0.0"}  # noqa: S104  (the container decides what is published)
TOLERANCE = 1e-9
BUILD_SECONDS, STOP_SECONDS = 180, 10


@dataclass(frozen=True)
class Proof:
    """What a Bento answered to the golden rows of its release.

    Args:
        served_by: what answered; only "champion" proves anything.
        max_difference: largest difference from the probabilities that the release was made with.
        start_seconds: until it was ready.
        seconds: all in all.
    """

    tag: str
    release: str | None
    served_by: str
    rows: int
    max_difference: float
    start_seconds: float
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the Bento serves its release and says the same as offline."""
        return self.served_by == "champion" and self.rows > 0 and self.max_difference <= TOLERANCE


def build_bento(release: Release, home: Path) -> str:
    """Build the Bento of a release into the Bento store under `home`; returns its tag.

    Raises:
        ReleaseError: it cannot be built.
    """
    tag = f"{NAME}:{release.id}"
    shutil.rmtree(home / "bentos" / NAME / release.id, ignore_errors=True)  # its code may be older than ours
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="churn-bento-") as folder:
        _stage(release, Path(folder))
        command = ["build", folder, "--bentofile", f"{folder}/bentofile.yaml", "--version", release.id]
        done = subprocess.run(  # noqa: S603
            _bentoml(*command),
            env=_environment(home),
            cwd=folder,
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    if done.returncode:
        raise _broken(tag, done.stdout + done.stderr)
    return tag


def prove_bento(tag: str, home: Path, golden: Golden) -> Proof:
    """Serve a Bento on a free port, send it the golden rows, compare, and stop it.

    Raises:
        ReleaseError: it does not start, or refuses the rows.
    """
    started = monotonic()
    with _served(tag, home) as port:
        start_seconds = monotonic() - started
        customers = [{"customer_id": f"golden-{i}", **row} for i, row in enumerate(golden.rows)]
        asked = ask(port, customers)
    if asked.status != 200:
        raise _broken(tag, asked.body)
    return _proof(tag, asked, golden, start_seconds=start_seconds, seconds=monotonic() - started)


def _proof(tag: str, asked: Asked, golden: Golden, *, start_seconds: float, seconds: float) -> Proof:
    answer = json.loads(asked.body)
    found = [prediction["churn_probability"] for prediction in answer["predictions"]]
    differences = [abs(one - other) for one, other in zip(found, golden.probability, strict=True)]
    return Proof(
        tag=tag,
        release=answer["release"],
        served_by=answer["served_by"],
        rows=len(found),
        max_difference=max(differences),
        start_seconds=start_seconds,
        seconds=seconds,
    )


def _stage(release: Release, folder: Path) -> None:
    """The code, the release with a pointer of its own, and the recipe."""
    packages = Path(__file__).parents[1]
    for name in ("pipeline", "serving"):
        shutil.copytree(packages / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    root = folder / BAKED / release.manifest.dataset / "releases"
    shutil.copytree(release.folder, root / release.id)
    promote(root, release.id, 0, "baked into a Bento")
    (root / ".lock").unlink(missing_ok=True)
    (folder / "bentofile.yaml").write_bytes(canonical_json(_recipe(release)))  # JSON is YAML


def _recipe(release: Release) -> Mapping[str, object]:
    return {
        "service": "serving.service:ChurnService",
        "name": NAME,
        "description": f"Churn predictions by release {release.id} of the dataset {release.manifest.dataset}.",
        "include": ["pipeline/**", "serving/**", f"{BAKED}/**"],
        "labels": {"dataset": release.manifest.dataset, "release": release.id, "digest": release.digest[:12]},
        "python": {"packages": _pinned(), "lock_packages": False},
        "docker": {"python_version": "3.11"},
        "envs": [{"name": name, "value": value} for name, value in (QUIET | IN_A_CONTAINER).items()],
    }


def _pinned() -> list[str]:
    return [f"{name}{extras}=={version(name)}" for name, extras in PACKAGES.items()]


@contextmanager
def _served(tag: str, home: Path) -> Iterator[int]:
    """The port of a Bento that is ready; it is stopped afterwards."""
    port = free_port()
    with TemporaryDirectory(prefix="churn-proof-") as folder, (Path(folder) / "output").open("w+b") as output:
        process = subprocess.Popen(  # noqa: S603
            _bentoml("serve", tag, "--host", "127.0.0.1", "--port", str(port)),
            env=_environment(home) | {"CHURN_HOME": folder, "CHURN_SERVE_PORT": str(port)},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not wait_until_ready(port, is_alive=lambda: process.poll() is None):
                output.seek(0)
                raise _broken(tag, output.read())
            yield port
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bentoml(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bentoml", *arguments]


def _environment(home: Path) -> dict[str, str]:
    """Ours without what would lead a Bento to other code, other state or a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "PYTHON", "BENTOML_"))}
    return {**kept, **QUIET, "BENTOML_HOME": str(home)}


def _broken(tag: str, output: bytes) -> ReleaseError:
    return ReleaseError(
        f"Bento {tag}",
        expected="a Bento that builds, starts and answers",
        found=output.decode(errors="replace").strip()[-800:] or "no word",
        remedy="The release itself still serves; mend what the message says and build again.",
    )
