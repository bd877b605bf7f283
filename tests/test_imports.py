"""The architecture, read from the imports: assets -> monitoring -> pipeline <- serving; one home for each vendor."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("pipeline", "assets", "serving", "monitoring")
FORBIDDEN = {
    "pipeline": {"dagster", "dagster_webserver", "bentoml", "assets", "serving", "monitoring"},
    "assets": {"bentoml", "mlflow", "great_expectations"},
    "serving": {"dagster", "mlflow", "great_expectations", "assets", "monitoring"},
    "monitoring": {"dagster", "bentoml", "mlflow", "great_expectations", "assets", "serving"},
}
HOMES = {
    "great_expectations": {"pipeline/validation.py"},
    "mlflow": {"pipeline/tracking.py"},
    "bentoml": {"serving/service.py"},
    "sqlite3": set(),
    "pickle": {"pipeline/clerk.py"},
}
KNOW_SERVING = {"assets/serving.py", "assets/ask.py"}  # the proof of a Bento, and the client that asks the service
READ_THE_TRUTH = {"assets/benchmarks.py"}
HEAVY = ("great_expectations", "mlflow", "bentoml", "sklearn", "matplotlib", "ibis", "pandas", "pyarrow", "scipy")


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders or FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Full names of every module that is imported anywhere in a file, within functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(tree: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in imported(tree)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    wrong = {path: found for path, tree in sources(folder) if (found := packages(tree) & FORBIDDEN[folder])}
    assert wrong == {}


def test_only_the_proof_and_the_question_know_the_service() -> None:
    assert {path for path, tree in sources("assets") if "serving" in packages(tree)} <= KNOW_SERVING


@pytest.mark.parametrize("vendor", HOMES)
def test_a_vendor_has_one_home(vendor: str) -> None:
    assert {path for path, tree in sources() if vendor in packages(tree)} <= HOMES[vendor]


def test_no_code_but_a_benchmark_reads_the_truth_of_the_simulated_company() -> None:
    readers = {path for path, tree in sources() if "pipeline.value_bench" in imported(tree)}
    assert readers <= READ_THE_TRUTH


def test_annotations_are_never_postponed_because_dagster_could_not_read_them() -> None:
    assert [path for path, tree in sources() if "__future__" in packages(tree)] == []


def test_packages_are_empty_but_for_a_paragraph() -> None:
    for path, tree in sources():
        if path.endswith("__init__.py"):
            assert [type(node).__name__ for node in tree.body] == ["Expr"], path


@pytest.mark.parametrize("dataset", ["simulated", "telco"])
def test_loading_the_definitions_imports_nothing_heavy(dataset: str) -> None:
    said = said_by(
        f"import sys; from assets.definitions import defs; defs(); print([m for m in {HEAVY} if m in sys.modules])",
        CHURN_DATASET=dataset,
    )
    assert said == "[]"


def test_the_command_line_answers_without_dagster_or_pandas() -> None:
    heavy = ("dagster", *HEAVY)
    assert said_by(f"import sys, assets.cli; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_going_back_to_an_earlier_release_needs_neither_mlflow_nor_dagster_nor_a_database() -> None:
    said = said_by(
        "import sys, pipeline.pointer; "
        "print([m for m in ('dagster', 'mlflow', 'sqlalchemy', 'sklearn', 'pandas') if m in sys.modules])"
    )
    assert said == "[]"


def said_by(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
