"""The boosting rung: a tree walked by hand, and the same probabilities as the object that was fitted."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.boosting import Trees, boosting_estimator, trees_of
from pipeline.errors import ReleaseError
from pipeline.feature_kinds import Field
from pipeline.model_file import model_bytes, scorer_from_bytes
from pipeline.quick_scorer import quick_scorer
from pipeline.scoring import Calibration, log_odds
from pipeline.training import FittedRung, fit_rung
from pipeline.tree_nodes import LEAF, Nodes
from tests.made_up_customers import ANY_ROWS, DATASET, NAMES, QUICK, customers, frame_of, made_up_split

INF, NAN = float("inf"), float("nan")
PRICE_AND_REGION = (
    Field(name="price", kind="number"),
    Field(name="region", kind="category", categories=("north", "south")),
)
# tree 0: price <= 10 (missing goes left) ? 1 : (region = south <= 0.5 ? 2 : 4)
# tree 1: price is known ? -1 : 3
TREES = Trees(
    fields=PRICE_AND_REGION,
    baseline=-1.0,
    nodes=Nodes(
        trees=2,
        column=np.array([0, 0, LEAF, 2, LEAF, LEAF, LEAF, LEAF]),
        threshold=np.array([10.0, INF, INF, 0.5, INF, INF, INF, INF]),
        missing_left=np.array([True, False, True, False, True, True, True, True]),
        value=np.array([2.0, 0.0, 1.0, 3.0, -1.0, 3.0, 2.0, 4.0]),
    ),
    calibration=Calibration(slope=0.5, intercept=0.25),
)
ROWS = {
    "price": np.array([10.0, 10.1, 99.0, NAN]),
    "region": np.array(["south", "south", None, "north"], dtype=object),
}


def test_each_row_ends_in_the_leaves_that_a_finger_would_find() -> None:
    *_, leaves = TREES.nodes.walk(TREES.encoding.matrix(ROWS, 4))
    np.testing.assert_array_equal(TREES.nodes.value[leaves], [[1, -1], [4, -1], [2, -1], [1, 3]])
    assert len(TREES.nodes.levels) == 2


def test_the_probability_is_the_calibrated_sum_of_the_leaves() -> None:
    # the second row: -1 + 4 - 1 = 2; half of that and 0.25 more is 1.25
    assert TREES.probability(ROWS, 4)[1] == pytest.approx(1 / (1 + np.exp(-1.25)))


def grown(trees: int, *, splits: int, seed: int) -> Nodes:
    """Trees of any shape: a node is drawn and split, until there are so many splits, on one of three columns."""
    random, is_split = np.random.default_rng(seed), [False] * trees
    children: list[int] = []  # of the splits in their order
    place = 0
    while place < len(is_split):
        left = len(children)
        is_split[place] = left < splits and (len(is_split) - place <= 1 or bool(random.integers(2)))
        if is_split[place]:
            children.append(len(is_split))
            is_split += [False, False]
        place += 1
    size, nodes = len(is_split), np.array(is_split)
    return Nodes(
        trees=trees,
        column=np.where(nodes, random.integers(0, 3, size), LEAF),
        threshold=np.where(nodes, random.choice([-1.0, 0.0, 1.0, INF], size), INF),
        missing_left=random.integers(0, 2, size).astype(bool) | ~nodes,
        value=random.normal(size=size),
    )


ANY_VALUE = st.sampled_from([-INF, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, INF, NAN])


@settings(max_examples=200, deadline=None)
@given(
    trees=st.integers(1, 5),
    splits=st.integers(0, 40),
    seed=st.integers(0, 10_000),
    rows=st.lists(st.tuples(ANY_VALUE, ANY_VALUE, ANY_VALUE), max_size=8),
)
def test_all_splits_at_once_say_what_a_walk_down_the_trees_says(
    trees: int, splits: int, seed: int, rows: list[tuple[float, float, float]]
) -> None:
    nodes, encoded = grown(trees, splits=splits, seed=seed), np.array(rows).reshape(-1, 3)
    *_, leaves = nodes.walk(encoded)
    quick = quick_scorer(nodes, 3)
    assume(quick is not None)
    assert quick is not None
    np.testing.assert_array_equal(quick.scores(encoded), nodes.value[leaves].sum(axis=1))


def test_trees_of_many_leaves_and_those_over_no_column_are_walked_down() -> None:
    assert quick_scorer(grown(1, splits=15, seed=1), 3) is not None
    assert quick_scorer(grown(1, splits=16, seed=1), 3) is None
    assert quick_scorer(grown(1, splits=0, seed=1), 0) is None
    large = replace(TREES, nodes=grown(4, splits=80, seed=1))
    *_, leaves = large.nodes.walk(large.encoding.matrix(ROWS, 4))
    score = large.baseline + large.nodes.value[leaves].sum(axis=1)
    np.testing.assert_array_equal(large.probability(ROWS, 4), large.calibration.probability(score))


def test_reasons_are_what_each_split_on_the_way_added_by_field() -> None:
    # the second row: price takes tree 0 from 2 to 3 and tree 1 from 0 to -1, then region takes tree 0 from 3 to 4
    np.testing.assert_allclose(TREES.reasons(ROWS, 4), 0.5 * np.array([[-2, 0], [0, 1], [0, -1], [2, 0]]))


def test_stored_trees_answer_as_before() -> None:
    content = model_bytes(TREES)
    again = scorer_from_bytes(content, PRICE_AND_REGION)
    np.testing.assert_array_equal(again.probability(ROWS, 4), TREES.probability(ROWS, 4))
    np.testing.assert_array_equal(again.reasons(ROWS, 4), TREES.reasons(ROWS, 4))
    assert model_bytes(again) == content


def damaged(*path: str, value: Any) -> bytes:
    stored = json.loads(model_bytes(TREES))
    inner = stored
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(stored).encode()


@pytest.mark.parametrize(
    "content",
    [
        damaged("baseline", value="zero"),
        damaged("columns", value=["price", "region = north"]),
        damaged("trees", value=0),
        damaged("trees", value=3),
        damaged("trees", value=-2),
        damaged("nodes", "column", value=[0, 0, -1, 3, -1, -1, -1, -1]),
        damaged("nodes", "column", value=[0, 0, -1, 2.5, -1, -1, -1, -1]),
        damaged("nodes", "column", value=[-1, -1, -1, 2, 0, -1, -1, 0]),
        damaged("nodes", "column", value=[]),
        damaged("nodes", "threshold", value=[0.5]),
        damaged("nodes", "threshold", value=["a"] * 8),
        damaged("nodes", "value", value=[0.5] * 7),
        damaged("nodes", "value", value=[NAN] * 8),
        damaged("nodes", "missing_left", value=[[1]] * 8),
        damaged("calibration", value={"slope": 0.0, "intercept": 0.0}),
        model_bytes(TREES)[:-20],
    ],
    ids=range(16),
)
def test_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(ReleaseError, match="expected a rule, a scorecard or a list of trees"):
        scorer_from_bytes(content, PRICE_AND_REGION)


def test_trees_over_other_fields_are_refused() -> None:
    turned = (PRICE_AND_REGION[0], Field(name="region", kind="category", categories=("south", "north")))
    with pytest.raises(ReleaseError, match="not those of the release's fields"):
        scorer_from_bytes(model_bytes(TREES), turned)


@pytest.fixture(scope="module")
def boosting() -> FittedRung:
    return fit_rung("boosting", DATASET, made_up_split(), QUICK)


def test_fitted_trees_say_what_the_fitted_object_says(boosting: FittedRung) -> None:
    rows = customers(2_000, seed=99)
    np.testing.assert_allclose(
        boosting.scorer.probability(rows, len(rows)), boosting.offline_probability(rows), rtol=0, atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(rows=ANY_ROWS)
def test_they_do_so_for_any_value_missing_ones_unknown_categories_and_extremes(
    boosting: FittedRung, rows: list[dict[str, Any]]
) -> None:
    frame = frame_of(rows)
    found, offline = boosting.scorer.probability(frame, len(rows)), boosting.offline_probability(frame)
    np.testing.assert_allclose(found, offline, rtol=0, atol=1e-9)


def test_a_split_that_only_parts_off_what_is_missing_survives_being_stored() -> None:
    rows = pd.DataFrame({"price": [1.0, NAN] * 200, "region": ["north"] * 400})
    rows["churned"] = rows["price"].isna() & (np.arange(400) % 5 > 0)
    estimator = boosting_estimator(PRICE_AND_REGION, rows, {"max_iter": 2, "min_samples_leaf": 20}, seed=1)
    fitted = estimator.fit(rows[["price", "region"]], rows["churned"])
    trees = trees_of(fitted, PRICE_AND_REGION, Calibration(1.0, 0.0))
    assert np.isinf(trees.nodes.threshold[trees.nodes.column != LEAF]).any()
    again = scorer_from_bytes(model_bytes(trees), PRICE_AND_REGION)
    asked = pd.DataFrame({"price": [NAN, 1.0, 1e308, -1e308], "region": ["north", "south", None, "east"]})
    np.testing.assert_allclose(again.probability(asked, 4), fitted.predict_proba(asked)[:, 1], rtol=0, atol=1e-12)


def test_reasons_add_up_to_the_score_and_are_zero_for_the_average_of_the_training_rows(boosting: FittedRung) -> None:
    rows = customers(1_500, seed=99)
    reasons, p = boosting.scorer.reasons(rows, 1_500), boosting.scorer.probability(rows, 1_500)
    rest = log_odds(p) - reasons.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0])
    train = made_up_split().train
    np.testing.assert_allclose(boosting.scorer.reasons(train, len(train)).mean(axis=0), 0.0, atol=1e-12)


def test_a_column_that_tells_nothing_has_no_reasons(boosting: FittedRung) -> None:
    rows = customers(50, seed=99)
    effect = dict(zip(NAMES, np.abs(boosting.scorer.reasons(rows, 50)).max(axis=0), strict=True))
    assert effect["never_known"] == effect["always_the_same"] == 0.0
    assert effect["same_or_missing"] > 0.1
    assert effect["failed_payments"] > 0.1


@settings(max_examples=60, deadline=None)
@given(rows=ANY_ROWS)
def test_more_failed_payments_never_lower_the_risk(boosting: FittedRung, rows: list[dict[str, Any]]) -> None:
    known = frame_of(rows).assign(failed_payments=lambda f: f["failed_payments"].fillna(0.0))
    more = known.assign(failed_payments=known["failed_payments"].abs() + known["failed_payments"] + 1.0)
    before, after = (boosting.scorer.probability(frame, len(rows)) for frame in (known, more))
    grew = more["failed_payments"] >= known["failed_payments"]
    assert (after[grew] >= before[grew] - 1e-12).all()


def test_the_order_of_rows_and_who_they_are_change_nothing(boosting: FittedRung) -> None:
    rows = customers(1_200, seed=99)
    p, reasons = boosting.scorer.probability(rows, 1_200), boosting.scorer.reasons(rows, 1_200)
    turned = rows.iloc[::-1].assign(customer_id="somebody else")
    np.testing.assert_array_equal(boosting.scorer.probability(turned, 1_200)[::-1], p)
    np.testing.assert_allclose(boosting.scorer.reasons(turned, 1_200)[::-1], reasons, rtol=0, atol=1e-12)
    alone = np.concatenate([boosting.scorer.probability(rows.iloc[i : i + 1], 1) for i in range(20)])
    np.testing.assert_allclose(alone, p[:20], rtol=0, atol=1e-12)


def test_no_rows_give_no_probabilities(boosting: FittedRung) -> None:
    assert boosting.scorer.probability(customers(5, seed=99).iloc[:0], 0).shape == (0,)
    assert boosting.scorer.reasons(customers(5, seed=99).iloc[:0], 0).shape == (0, len(NAMES))
