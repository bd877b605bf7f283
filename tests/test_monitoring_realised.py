"""What a release turned out to be worth, with contacted customers among those it scored."""

import numpy as np
import pytest

from monitoring.realised import Outcomes, copies_of, honest_rows, realised, rows_to_look_at
from pipeline.errors import ChurnError


def outcomes(rows: int, **columns: object) -> Outcomes:
    plain = {
        "churned": np.zeros(rows, dtype=bool),
        "probability": np.full(rows, 0.1),
        "gain": np.full(rows, 100.0),
        "loss": np.full(rows, 10.0),
        "customer": np.array([f"c{i:05d}" for i in range(rows)], dtype=object),
        "snapshot": np.full(rows, "2025-03", dtype=object),
        "release": np.full(rows, "r1", dtype=object),
        "selected": np.zeros(rows, dtype=bool),
        "contacted": np.zeros(rows, dtype=bool),
    }
    return Outcomes(**(plain | columns))


def campaign(rows: int, *, left_alone_share: float, effect: float, seed: int = 1) -> tuple[Outcomes, np.ndarray]:
    """A month in which the best tenth was called, except those left alone by lot; and who would have left uncalled."""
    random = np.random.default_rng(seed)
    probability = random.beta(1, 6, rows)
    would_leave = random.random(rows) < probability
    selected = probability >= np.quantile(probability, 0.9)
    contacted = selected & (random.random(rows) >= left_alone_share)
    stays = contacted & (random.random(rows) < effect)
    found = outcomes(
        rows, churned=would_leave & ~stays, probability=probability, selected=selected, contacted=contacted
    )
    return found, would_leave


def test_each_customer_left_alone_stands_for_as_many_as_were_selected() -> None:
    # 6 never selected; of 5 selected, 2 were left alone: they stand for 3 and 2
    month = outcomes(11, selected=np.arange(11) >= 6, contacted=np.arange(11) >= 8)
    rows = honest_rows(month)
    assert sorted(rows[rows < 6].tolist()) == [0, 1, 2, 3, 4, 5]
    assert sorted(np.bincount(rows, minlength=11)[6:8].tolist()) == [2, 3]
    assert (rows < 8).all()
    assert len(rows) == len(month)


def test_who_stands_for_more_does_not_depend_on_the_order_of_rows() -> None:
    month = outcomes(11, selected=np.arange(11) >= 6, contacted=np.arange(11) >= 8)
    turned = month.only(np.arange(11)[::-1])
    assert sorted(month.customer[honest_rows(month)]) == sorted(turned.customer[honest_rows(turned)])


def test_a_campaign_that_works_does_not_make_the_model_look_bad() -> None:
    month, would_leave = campaign(20_000, left_alone_share=0.2, effect=0.6)
    found = realised(month, budget_share=0.1, seed=1)[0]
    best = month.selected
    truth = float(np.where(would_leave[best], 100.0, -10.0).sum())
    naive = float(np.where(month.churned[best], 100.0, -10.0).sum())
    assert found.is_honest
    assert found.metrics["profit"].low < truth < found.metrics["profit"].high
    assert not found.metrics["profit"].low < naive < found.metrics["profit"].high


def test_fewer_left_alone_mean_wider_intervals() -> None:
    many, few = (
        realised(campaign(20_000, left_alone_share=share, effect=0.6)[0], budget_share=0.1, seed=1)[0]
        for share in (1.0, 0.1)
    )
    width = [each.metrics["profit"].high - each.metrics["profit"].low for each in (many, few)]
    assert width[1] > 2 * width[0]


def test_without_a_control_group_the_figures_say_that_they_are_not_honest() -> None:
    month, _ = campaign(4_000, left_alone_share=0.0, effect=0.6)
    found = realised(month, budget_share=0.1, seed=1)[0]
    assert (found.is_honest, found.left_alone, found.contacted) == (False, 0, int(month.selected.sum()))


def test_without_a_campaign_everybody_counts() -> None:
    month, _ = campaign(4_000, left_alone_share=1.0, effect=0.0)
    found = realised(month, budget_share=0.1, seed=1)[0]
    assert (found.is_honest, found.left_alone) == (True, int(month.selected.sum()))


def test_figures_come_by_release_month_and_slice() -> None:
    random = np.random.default_rng(2)
    months = np.array(["2025-03"] * 300 + ["2025-04"] * 300, dtype=object)
    releases = np.array(["r1"] * 300 + ["r1"] * 150 + ["r2"] * 150, dtype=object)
    rows = outcomes(
        600, churned=random.random(600) < 0.3, probability=random.random(600), snapshot=months, release=releases
    )
    found = realised(rows, budget_share=0.1, seed=1, slices={"first half": np.arange(600) % 300 < 150})
    assert [(each.release, each.snapshot, each.slice, each.rows) for each in found] == [
        ("r1", "2025-03", "all", 300),
        ("r1", "2025-03", "first half", 150),
        ("r1", "2025-04", "all", 150),
        ("r1", "2025-04", "first half", 150),
        ("r2", "2025-04", "all", 150),
    ]


@pytest.mark.parametrize("churned", [True, False])
def test_a_slice_in_which_all_did_the_same_has_no_figures(churned: bool) -> None:
    rows = outcomes(20, churned=np.full(20, churned))
    assert realised(rows, budget_share=0.1, seed=1)[0].metrics == {}


def test_some_of_many_customers_tell_as_much_as_all_with_a_little_more_doubt() -> None:
    month, _ = campaign(20_000, left_alone_share=0.2, effect=0.6)
    rival = np.clip(month.probability + np.random.default_rng(3).normal(0, 0.1, len(month)), 0, 1)
    some, first = rows_to_look_at(month, 3_000), np.arange(len(month)) < 10_000
    of_all, of_some = (
        realised(month, budget_share=0.1, seed=1, rivals={"rule": p}, looked_at=rows, slices={"first half": first})
        for p, rows in ((rival, None), (np.where(some, rival, np.nan), some))
    )
    assert some.sum() < 6_000
    for whole, part in zip(of_all, of_some, strict=True):
        assert (part.rows, part.contacted, part.left_alone) == (whole.rows, whole.contacted, whole.left_alone)
    figures = [(of_all[0].against["rule"], of_some[0].against["rule"])]
    figures += [
        (whole.metrics[name], part.metrics[name])
        for whole, part in zip(of_all, of_some, strict=True)
        for name in part.metrics
    ]
    for whole, part in figures:
        assert whole.low < part.value < whole.high
        assert 0.95 * (whole.high - whole.low) < part.high - part.low < 1.25 * (whole.high - whole.low)


def test_of_those_never_selected_who_left_counts_once_and_who_stayed_for_others_who_did() -> None:
    month, _ = campaign(2_000, left_alone_share=0.2, effect=0.6)
    everybody, some = np.ones(len(month), dtype=bool), rows_to_look_at(month, 400)
    for inside in (everybody, np.arange(len(month)) < 1_000):
        of_all, of_some = (copies_of(month, rows, inside) for rows in (everybody, some))
        np.testing.assert_array_equal(of_all[month.selected], of_some[month.selected])
        assert set(of_all[~month.selected & inside]) == set(of_some[~month.selected & month.churned & inside]) == {1.0}
        assert of_some.sum() == pytest.approx(of_all.sum(), rel=0.01)
        assert not of_some[~inside].any()


def test_a_rival_without_a_probability_is_no_rival() -> None:
    month, _ = campaign(2_000, left_alone_share=0.2, effect=0.6)
    with pytest.raises(ChurnError, match="rows without one"):
        realised(month, budget_share=0.1, seed=1, rivals={"rule": np.full(len(month), np.nan)})
