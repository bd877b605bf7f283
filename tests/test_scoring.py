"""What rungs share: the rule as a rung, rows as columns, the logistic function at its limits."""

import numpy as np
import pytest

from pipeline.errors import ReleaseError
from pipeline.feature_kinds import Field
from pipeline.model_file import model_bytes, scorer_from_bytes
from pipeline.rule import Points, Rule, RuleTable
from pipeline.scoring import RuleScorer, columns_of, log_odds, sigmoid
from pipeline.tables import Where

FIELDS = (
    Field(name="tickets", kind="number"),
    Field(name="plan", kind="category", categories=("basic", "max")),
)
RULE = Rule(
    (
        Points(Where("tickets", ">=", 2), 1),
        Points(Where("plan", "in", ("basic",)), 2),
        Points(Where("margin", "<", 5), 1),  # a field that the models do not see
    )
)
SCORER = RuleScorer(RuleTable(RULE, (0, 1, 2, 3, 4), (0.1, 0.2, 0.3, 0.4, 0.5)), FIELDS)
ROWS = {
    "tickets": np.array([0.0, 2.0, np.nan]),
    "plan": np.array(["max", "basic", None], dtype=object),
    "margin": np.array([9.0, 9.0, 1.0]),
}


def test_the_rule_gives_the_rate_of_its_points() -> None:
    assert SCORER.probability(ROWS, 3).tolist() == pytest.approx([0.1, 0.4, 0.2])


def test_the_rule_gives_its_points_as_reasons_in_log_odds() -> None:
    per_point = (np.log(0.5 / 0.5) - np.log(0.1 / 0.9)) / 4
    np.testing.assert_allclose(SCORER.reasons(ROWS, 3), per_point * np.array([[0, 0], [1, 2], [0, 0]]))


def test_a_stored_rule_answers_as_before() -> None:
    again = scorer_from_bytes(model_bytes(SCORER), FIELDS)
    assert again == SCORER


@pytest.mark.parametrize(
    ("sums", "rates"),
    [
        ((0, 1), (0.1, 0.2, 0.3)),
        ((1, 0), (0.1, 0.2)),
        ((0, 1), (0.1, 1.2)),
        ((0, 1), (-0.1, 0.2)),
        ((), ()),
    ],
)
def test_a_rule_without_a_rate_for_every_sum_is_refused(sums: tuple[int, ...], rates: tuple[float, ...]) -> None:
    damaged = model_bytes(RuleScorer(RuleTable(RULE, sums, rates), FIELDS))
    with pytest.raises(ReleaseError, match="a rule needs one rate"):
        scorer_from_bytes(damaged, FIELDS)


def test_rows_become_columns_with_nothing_missed() -> None:
    columns = columns_of([{"tickets": 1, "plan": "max"}, {"plan": None}, {"tickets": None}], FIELDS)
    np.testing.assert_array_equal(columns["tickets"], [1.0, np.nan, np.nan])
    assert columns["plan"].tolist() == ["max", None, None]


def test_the_logistic_function_and_its_inverse_stay_finite() -> None:
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    np.testing.assert_allclose(sigmoid(log_odds(np.array([0.01, 0.9]))), [0.01, 0.9])
