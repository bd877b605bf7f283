"""`churn release`: what answers, what could, and the way back. Needs neither MLflow nor Dagster nor a database."""

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from assets.chosen import chosen

app = App(name="release", help="List, show, verify, roll back and hold back releases.")
DatasetName = Annotated[str | None, Parameter(help="simulated, telco, tv, or the path of a module of yours")]


@app.command(name="list")
def list_them(*, dataset: DatasetName = None) -> None:
    """Every release, oldest first; the current one is marked."""
    from pipeline.errors import ReleaseError
    from pipeline.pointer import entries_to_serve, read_pointer
    from pipeline.release import list_releases

    root = _root(dataset)
    current = next((entry.release for entry in entries_to_serve(root)), "")
    table = Table(box=None)
    for column in ("", "release", "rung", "made at", "state"):
        table.add_column(column)
    for name, manifest in list_releases(root).items():
        mark = "current" if current == name else ""
        if isinstance(manifest, ReleaseError):
            table.add_row(mark, name, "", "", f"damaged: {manifest.found}")
        else:
            table.add_row(mark, name, manifest.rung, manifest.created_at[:19], "verified")
    Console().print(table)
    read_pointer(root)  # a damaged pointer is an error, after the list that shows where to go back to


@app.command
def show(release: str | None = None, *, dataset: DatasetName = None) -> None:
    """The manifest and the model card of a release; the current one by default."""
    from dataclasses import asdict

    found = _release(release, dataset)
    console = Console()
    console.print_json(json.dumps(asdict(found.manifest), default=str))
    console.print((found.folder / "card.md").read_text(), markup=False, highlight=False)


@app.command
def verify(release: str | None = None, *, dataset: DatasetName = None) -> None:
    """Check every byte of a release, and that it still gives the answers it gave when it was made."""
    from pipeline.release import verify_release

    found = verify_release(_release(release, dataset).folder)
    Console().print(f"{found.id}: every file has its digest; golden rows differ by {found.golden_difference():.1e}")


@app.command
def rollback(*, why: str = "rolled back by hand", to: str | None = None, dataset: DatasetName = None) -> None:
    """Make an earlier release current; the service follows within a second.

    Args:
        why: kept in the history.
        to: which release; by default the newest earlier one that verifies.
        dataset: which company's data.
    """
    from pipeline.pointer import rollback as go_back

    pointer = go_back(_root(dataset), why, to)
    Console().print(f"current release: {pointer.release}")


@app.command
def hold(*, why: str, dataset: DatasetName = None) -> None:
    """Let the rule alone answer until `resume`: the service obeys within a second, and so does the next call list."""
    from pipeline.serving_order import order_rule

    order_rule(_root(dataset).parent, f"by hand: {why}", month="", generation=0, by="operator")
    Console().print("the rule answers until `churn release resume`")


@app.command
def resume(*, why: str, dataset: DatasetName = None) -> None:
    """Let the champion answer again, whether the rule was ordered by hand or by monitoring."""
    from pipeline.serving_order import order_champion

    order_champion(_root(dataset).parent, f"by hand: {why}")
    Console().print("the champion answers again")


def _root(dataset: str | None) -> Path:
    from pipeline.lake import lake_of
    from pipeline.release import releases_root

    declared, settings = chosen(dataset)
    return releases_root(Path(str(lake_of(settings, declared.name).root)))


def _release(name: str | None, dataset: str | None) -> Any:
    from pipeline.errors import ReleaseError
    from pipeline.pointer import current_release
    from pipeline.release import load_release

    root = _root(dataset)
    found = load_release(root / name) if name else current_release(root)
    if found is None:
        raise ReleaseError(f"{root}", expected="a current release", found="none yet", remedy="Run `churn run` first.")
    return found
