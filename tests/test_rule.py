"""The rule that must be beaten, and that answers when no model may."""

import numpy as np
import pytest

from pipeline.rule import Points, Rule, RuleTable, fitted_rule, meets, rule_table_from_dict
from pipeline.tables import Where

RULE = Rule((Points(Where("failed", ">=", 1), 2), Points(Where("contract", "in", ("monthly", "none")), 1)))


def test_points_add_up_and_a_missing_value_gives_none() -> None:
    columns = {"failed": np.array([0.0, 2.0, np.nan]), "contract": np.array(["monthly", "yearly", None], dtype=object)}
    assert RULE.score(columns, 3).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [("==", 2, [0, 1, 0, 0]), ("!=", 2, [1, 0, 1, 0]), (">", 1, [0, 1, 1, 0]), ("<=", 2, [1, 1, 0, 0])],
)
def test_every_comparison(op: str, value: float, expected: list[int]) -> None:
    assert meets(np.array([1.0, 2.0, 3.0, np.nan]), Where("x", op, value)).astype(int).tolist() == expected


def test_rates_are_drawn_to_the_mean_and_never_fall_with_more_points() -> None:
    columns = {"failed": np.repeat([0.0, 2.0], 100), "contract": np.repeat(np.array(["yearly"], dtype=object), 200)}
    churned = np.r_[np.ones(10), np.zeros(90), np.ones(40), np.zeros(60)]
    table = fitted_rule(RULE, columns, churned)
    # 10 of 100 and 40 of 100 with 20 customers of the overall rate 0.25 added to each
    assert table.sums == (0, 2)
    assert table.rates == pytest.approx(((10 + 5) / 120, (40 + 5) / 120))


def test_a_rule_that_is_wrong_about_the_direction_becomes_flat() -> None:
    columns = {"failed": np.repeat([0.0, 2.0], 100), "contract": np.repeat(np.array(["yearly"], dtype=object), 200)}
    table = fitted_rule(RULE, columns, np.r_[np.ones(40), np.zeros(60), np.ones(10), np.zeros(90)])
    assert table.rates[0] == table.rates[1] == pytest.approx(0.25)


def test_a_sum_never_seen_lies_between_its_neighbours() -> None:
    table = RuleTable(RULE, sums=(0, 3), rates=(0.1, 0.4))
    columns = {"failed": np.array([1.0]), "contract": np.array(["yearly"], dtype=object)}
    assert table.probability(columns, 1).tolist() == pytest.approx([0.1 + 0.3 * 2 / 3])


def test_a_release_keeps_the_table_exactly() -> None:
    table = RuleTable(RULE, sums=(0, 1, 3), rates=(0.1, 0.2, 0.4))
    assert rule_table_from_dict(table.as_dict()) == table
