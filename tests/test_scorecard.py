"""The logistic rung: contributions by hand, and the same probabilities as the object that was fitted."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from pipeline.errors import ReleaseError
from pipeline.feature_kinds import Field
from pipeline.model_file import model_bytes, scorer_from_bytes
from pipeline.scorecard import Curve, Scorecard
from pipeline.scoring import Calibration, log_odds
from pipeline.training import FittedRung, fit_rung
from tests.made_up_customers import ANY_ROWS, DATASET, NAMES, QUICK, customers, frame_of, made_up_split

PRICE_AND_REGION = (
    Field(name="price", kind="number"),
    Field(name="region", kind="category", categories=("north", "south")),
)
CARD = Scorecard(
    fields=PRICE_AND_REGION,
    intercept=-1.0,
    curves={"price": Curve(np.array([10.0, 20.0, 40.0]), np.array([0.0, 1.0, -1.0]), 0.5)},
    constants={"region": {"north": 0.25, "south": -0.25}},
    average=np.array([0.5, 0.0]),
    calibration=Calibration(slope=2.0, intercept=0.5),
)
ROWS = {
    "price": np.array([10.0, 15.0, 30.0, 5.0, 99.0, np.nan]),
    "region": np.array(["north", "south", "north", None, "east", "south"], dtype=object),
}


def test_a_number_contributes_along_straight_pieces_and_constant_outside() -> None:
    expected = [[0.0, 0.25], [0.5, -0.25], [0.0, 0.25], [0.0, 0.0], [-1.0, 0.0], [0.5, -0.25]]
    np.testing.assert_allclose(CARD.contributions(ROWS, 6), expected)


def test_the_probability_is_the_calibrated_sum() -> None:
    # the second row: -1 + 0.5 - 0.25 = -0.75; twice that and 0.5 more is -1
    assert CARD.probability(ROWS, 6)[1] == pytest.approx(1 / (1 + np.e))


def test_reasons_are_counted_from_the_average_customer_in_calibrated_log_odds() -> None:
    np.testing.assert_allclose(CARD.reasons(ROWS, 6)[1], [2 * (0.5 - 0.5), 2 * -0.25])


def test_a_stored_scorecard_answers_as_before_and_can_be_read_by_a_person() -> None:
    content = model_bytes(CARD)
    assert json.loads(content)["numbers"]["price"] == {"knots": [10, 20, 40], "points": [0, 1, -1], "missing": 0.5}
    again = scorer_from_bytes(content, PRICE_AND_REGION)
    np.testing.assert_array_equal(again.probability(ROWS, 6), CARD.probability(ROWS, 6))
    np.testing.assert_array_equal(again.reasons(ROWS, 6), CARD.reasons(ROWS, 6))
    assert model_bytes(again) == content


def damaged(*path: str, value: Any) -> bytes:
    stored = json.loads(model_bytes(CARD))
    inner = stored
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(stored).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\x00\xff",
        b"[" * 100_000,
        damaged("rung", value="oracle"),
        damaged("intercept", value=None),
        damaged("intercept", value=float("nan")),
        damaged("intercept", value=10**400),
        damaged("numbers", value={"tickets": {"knots": [1], "points": [1], "missing": 0}}),
        damaged("numbers", value={"region": {"knots": [1], "points": [1], "missing": 0}}),
        damaged("numbers", "price", "knots", value=[10, 40, 20]),
        damaged("numbers", "price", "knots", value=[]),
        damaged("numbers", "price", "points", value=[1.0]),
        damaged("numbers", "price", "points", value=[[1.0], [1.0], [1.0]]),
        damaged("numbers", "price", "missing", value="none"),
        damaged("categories", "region", value={"north": float("inf")}),
        damaged("average", value={"price": 0.5}),
        damaged("calibration", value={"slope": -1.0, "intercept": 0.0}),
    ],
    ids=lambda content: content[-40:].decode(errors="replace"),
)
def test_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError, match="expected a rule, a scorecard or a list of trees"):
        scorer_from_bytes(content, PRICE_AND_REGION)


@pytest.fixture(scope="module")
def logistic() -> FittedRung:
    return fit_rung("logistic", DATASET, made_up_split(), QUICK)


def test_a_fitted_scorecard_says_what_the_fitted_object_says(logistic: FittedRung) -> None:
    rows = customers(2_000, seed=99)
    np.testing.assert_allclose(
        logistic.scorer.probability(rows, len(rows)), logistic.offline_probability(rows), rtol=0, atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(rows=ANY_ROWS)
def test_it_does_so_for_any_value_missing_ones_unknown_categories_and_extremes(
    logistic: FittedRung, rows: list[dict[str, Any]]
) -> None:
    frame = frame_of(rows)
    found, offline = logistic.scorer.probability(frame, len(rows)), logistic.offline_probability(frame)
    np.testing.assert_allclose(found, offline, rtol=0, atol=1e-9)


def test_reasons_add_up_to_the_score_and_are_zero_for_the_average_of_the_training_rows(logistic: FittedRung) -> None:
    rows = customers(500, seed=99)
    reasons, p = logistic.scorer.reasons(rows, 500), logistic.scorer.probability(rows, 500)
    rest = log_odds(p) - reasons.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0])
    train = made_up_split().train
    np.testing.assert_allclose(logistic.scorer.reasons(train, len(train)).mean(axis=0), 0.0, atol=1e-12)


def test_a_column_that_tells_nothing_has_no_reasons_and_one_that_is_the_same_or_missing_has(
    logistic: FittedRung,
) -> None:
    rows = customers(50, seed=99)
    effect = dict(zip(NAMES, np.abs(logistic.scorer.reasons(rows, 50)).max(axis=0), strict=True))
    assert effect["never_known"] == effect["always_the_same"] == 0.0
    assert effect["same_or_missing"] > 0.1  # whether it is missing matters
    assert effect["usage"] > 0.1


def test_a_value_far_beyond_the_training_rows_counts_as_the_farthest_of_them(logistic: FittedRung) -> None:
    rows = pd.concat([customers(1, seed=99)] * 3, ignore_index=True).assign(heavy_tailed=[1e6, 1e12, 1e300])
    assert len(set(logistic.scorer.probability(rows, 3))) == 1
