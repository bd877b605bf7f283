"""Who says better: paired, by customer, each counted once."""

import numpy as np
import pandas as pd
import pytest

from pipeline.paired import losses_of, once, standard_errors_above


def test_a_customer_has_one_say_a_month_however_many_they_stand_for() -> None:
    rows = pd.DataFrame(
        {"customer_id": ["b", "a", "b", "b"], "snapshot": ["2024-01", "2024-01", "2024-01", "2024-02"]},
        index=[7, 7, 7, 7],
    )
    assert once(rows).tolist() == [True, True, False, True]


def test_a_difference_is_told_in_its_standard_errors() -> None:
    losses, others = np.array([0.1, 0.2, 0.3, 0.6]), np.full(4, 0.2)
    # differences -0.1, 0, 0.1, 0.4 sum up to 0.4, the root of their squares' sum is 0.424
    apart = standard_errors_above(losses, others, pd.Series(list("abcd")))
    assert apart == pytest.approx(0.4 / np.sqrt(0.18))
    assert standard_errors_above(others, losses, pd.Series(list("abcd"))) == pytest.approx(-apart)


def test_the_months_of_a_customer_come_and_go_together() -> None:
    losses, others = np.array([0.1, 0.1, -0.1, -0.1, 0.2, 0.2]), np.zeros(6)
    alone = standard_errors_above(losses, others, pd.Series(list("abcdef")))
    together = standard_errors_above(losses, others, pd.Series(list("aabbcc")))
    assert together == pytest.approx(alone / np.sqrt(2))


def test_two_that_say_the_same_of_everybody_are_not_apart() -> None:
    assert standard_errors_above(np.ones(3), np.ones(3), pd.Series(list("abc"))) == 0.0


def test_a_loss_is_minus_the_log_of_what_was_said_of_what_happened() -> None:
    rows = pd.DataFrame({"churned": [True, False]})
    assert losses_of(rows, np.array([0.25, 0.25])) == pytest.approx(-np.log([0.25, 0.75]))
