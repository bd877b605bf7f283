"""How much of the best possible profit is captured, and that nothing else reads the truth."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.economics import Payoffs
from pipeline.errors import SourceError
from pipeline.value_bench import value_capture
from tests.holdouts import LawScorer, company

ROOT = Path(__file__).parents[1]
FIELDS = company().fields()
FRAME = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d"],
        "snapshot": "2024-02",
        "region": np.array(["north"] * 4, dtype=object),
        "failed_payments": [3.0, 2.0, 1.0, 0.0],
    }
)
PAYOFFS = Payoffs(np.full(4, 100.0), np.full(4, 10.0))
TRUTH = FRAME[["customer_id", "snapshot"]].assign(churn_probability=[0.5, 0.8, 0.2, 0.1])


def capture(truth: pd.DataFrame, **scorers: LawScorer) -> dict:
    return value_capture(truth, FRAME, PAYOFFS, scorers, budget_share=0.25)


def test_the_share_is_what_the_contacts_earn_under_the_truth_over_the_best_contacts() -> None:
    found = capture(TRUTH, rule=LawScorer("rule", FIELDS, base=0.0))
    # the rung contacts a, the truth says b
    assert found["best_possible_profit"] == pytest.approx(0.8 * 100 - 0.2 * 10)
    assert found["rungs"]["rule"]["profit"] == pytest.approx(0.5 * 100 - 0.5 * 10)
    assert found["goals"][0]["measured"] == pytest.approx(45 / 78)
    assert found["goals"][0]["met"] is False


def test_whoever_contacts_the_right_customers_captures_everything_whatever_the_probabilities_are() -> None:
    agreed = TRUTH.assign(churn_probability=[0.8, 0.5, 0.2, 0.1])
    found = capture(agreed, rule=LawScorer("rule", FIELDS, base=0.0), logistic=LawScorer("logistic", FIELDS, slope=-1))
    assert found["best_rung"] == "rule"
    assert found["goals"][0] == {
        "name": "share of the best possible profit that the best rung earns",
        "goal": 0.95,
        "measured": 1.0,
        "met": True,
    }


def test_a_row_without_truth_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(SourceError, match="none for 1 of 4 rows"):
        capture(TRUTH.iloc[1:], rule=LawScorer("rule", FIELDS))


ALLOWED_TO_READ = ("pipeline/value_bench.py", "pipeline/value_replay.py", "pipeline/simulator/", "monitoring/bench")
ALLOWED_TO_MEASURE = ("assets/bench", "assets/cli")  # what `churn bench` is made of


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("pipeline", "assets", "serving", "monitoring"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def words(tree: ast.Module) -> Iterator[str]:
    """Every name and every text of a module, its docstrings left out."""
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value
        for name in ("id", "attr", "arg", "name", "module"):
            if isinstance(found := getattr(node, name, None), str):
                yield found


def test_no_module_but_the_benchmark_and_the_simulator_names_the_truth() -> None:
    naming = {path for path, tree in modules() if any("truth" in word.lower() for word in words(tree))}
    assert {path for path in naming if not path.startswith(ALLOWED_TO_READ)} == set()
    assert "pipeline/value_bench.py" in naming


def test_nothing_that_makes_judges_or_serves_a_model_imports_the_benchmark() -> None:
    importing = {path for path, tree in modules() if any("value_bench" in word for word in words(tree))}
    assert {path for path in importing if not path.startswith(ALLOWED_TO_MEASURE)} == set()
    valuing = {path for path, tree in modules() if any("value_replay" in word for word in words(tree))}
    assert valuing == {"assets/replay.py"}  # which plays what a real company would live
