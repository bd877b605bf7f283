"""What is installed, where things are, what is wrong and how to mend it."""

import os
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

from rich.console import Console
from rich.markup import escape

from pipeline.errors import ChurnError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGES = (
    "dagster",
    "dagster-webserver",
    "pandas",
    "scikit-learn",
    "mlflow",
    "great-expectations",
    "bentoml",
    "duckdb",
)
LEAST_FREE_GB = 2


def examine(settings: Settings) -> list[dict[str, Any]]:
    """Every finding: `name`, `ok`, `found`, and `remedy` where something is wrong. A look that fails is a finding."""
    looks = (_python, _packages, _requirements, _home, _dataset, _decisions, _instance, _releases, _service)
    return [finding for look in looks for finding in _looked(look, settings)]


def show(findings: list[dict[str, Any]], console: Console) -> None:
    """Print the findings for a person."""
    for finding in findings:
        mark = "[green]ok   [/]" if finding["ok"] else "[red]wrong[/]"
        found = escape(f"{finding['name']:<20} {finding['found']}")
        console.print(f"{mark} {found}", highlight=False, soft_wrap=True)
        if not finding["ok"]:
            console.print(f"      {escape(finding['remedy'])}", highlight=False, soft_wrap=True)


def _looked(look: Callable[[Settings], Iterator[dict[str, Any]]], settings: Settings) -> Iterator[dict[str, Any]]:
    try:
        yield from look(settings)
    except ChurnError as error:
        yield _finding(error.where, False, f"expected {error.expected}; found {error.found}", error.remedy)
    except OSError as error:
        yield _finding(look.__name__.strip("_"), False, str(error), "Check the path and its permissions.")


def _finding(name: str, ok: bool, found: str, remedy: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found} | ({} if ok else {"remedy": remedy})


def _python(settings: Settings) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    found = ".".join(str(part) for part in sys.version_info[:3])
    yield _finding("python", sys.version_info >= (3, 11), found, "Use Python 3.11 or newer and run `make setup`.")


def _packages(settings: Settings) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    for package in PACKAGES:
        try:
            yield _finding(package, True, version(package))
        except PackageNotFoundError:
            yield _finding(package, False, "not installed", "Run `make setup`.")


def _requirements(settings: Settings) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Whether what is installed is what the project asks for."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in requires("churn-pipeline") or []]
    except PackageNotFoundError:
        yield _finding("churn-pipeline", True, "run from a folder, not installed")
        return
    needed = [requirement for requirement in wanted if requirement.marker is None]
    unmet = [str(requirement) for requirement in needed if not _is_met(requirement)]
    yield _finding("requirements", not unmet, ", ".join(unmet) or f"all {len(needed)} met", "Run `make setup`.")


def _is_met(requirement: "Requirement") -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False


def _home(settings: Settings) -> Iterator[dict[str, Any]]:
    root = settings.root()
    if "://" in settings.home:
        yield _finding("home", True, str(root))
        return
    existing = next(path for path in (Path(str(root)), *Path(str(root)).parents) if path.exists())
    yield _finding("home", os.access(existing, os.W_OK), str(root), f"Make {existing} writable, or set CHURN_HOME.")
    free_gb = shutil.disk_usage(existing).free / 1e9
    yield _finding("disk", free_gb > LEAST_FREE_GB, f"{free_gb:.1f} GB free", "Free some space, or set CHURN_HOME.")


def _dataset(settings: Settings) -> Iterator[dict[str, Any]]:
    from pipeline.datasets.registry import load_dataset
    from pipeline.lake import lake_of

    dataset = load_dataset(settings)
    lake = lake_of(settings, dataset.name)
    keys = lake.keys("call_lists", "customers")
    yield _finding("dataset", True, f"{dataset.name}: {len(dataset.tables)} tables, {len(dataset.features)} features")
    yield _finding("months with a list", True, ", ".join(keys[-3:]) or "none yet: run `churn run`")


def _decisions(settings: Settings) -> Iterator[dict[str, Any]]:
    from monitoring.decision_rules import rules_of

    lines = len(rules_of(settings).triggers)
    own = ", ".join(settings.evidence_leads_to) or "none of its own"
    yield _finding("table of decisions", True, f"{lines} lines, set: {own}")


def _instance(settings: Settings) -> Iterator[dict[str, Any]]:
    """Dagster's home: written by the first run, and then the user's to change."""
    from pipeline.datasets.registry import load_dataset
    from pipeline.lake import lake_of

    home = Path(str(lake_of(settings, load_dataset(settings).name).root)) / "dagster"
    if not home.exists():
        yield _finding("Dagster instance", True, "none yet: the first `churn run` makes it")
        return
    is_configured = (home / "dagster.yaml").is_file()
    remedy = f"Remove {home} and run a month again: its file of settings is gone."
    yield _finding("Dagster instance", is_configured, str(home), remedy)


def _service(settings: Settings) -> Iterator[dict[str, Any]]:
    """What answers on the service's port; nobody is no fault."""
    url = f"http://{settings.serve_host}:{settings.serve_port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            yield _finding("service", True, f"ready at {url} ({answer.status})")
    except HTTPError as error:
        remedy = "Another program listens there, or no release and no rule can answer: see the service's log."
        yield _finding("service", False, f"{error.code} from {url}", remedy)
    except OSError:
        yield _finding("service", True, f"nobody listens at {url}; `churn serve` and `churn up` start it")


def _releases(settings: Settings) -> Iterator[dict[str, Any]]:
    from pipeline.datasets.registry import load_dataset
    from pipeline.errors import ReleaseError
    from pipeline.lake import lake_of
    from pipeline.pointer import read_pointer
    from pipeline.release import list_releases, releases_root, verify_release

    root = releases_root(Path(str(lake_of(settings, load_dataset(settings).name).root)))
    remedy = "Roll back: `churn release rollback`; the service does so by itself meanwhile."
    for name, manifest in list_releases(root).items():
        if isinstance(manifest, ReleaseError):
            yield _finding(f"release {name}", False, manifest.found, remedy)
    pointer = read_pointer(root)
    if pointer is None:
        yield _finding("current release", True, "none yet: the service answers with the rule")
        return
    difference = verify_release(root / pointer.release).golden_difference()
    yield _finding("current release", True, f"{pointer.release}, golden rows differ by {difference:.1e}")
