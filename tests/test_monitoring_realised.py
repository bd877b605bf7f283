"""What a release turned out to be worth, with contacted customers among those it scored."""

import numpy as np
import pytest

from monitoring.realised import Outcomes, honest_rows, realised, rows_to_ask
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


def test_a_rival_who_is_asked_about_some_of_many_customers_earns_as_much_as_of_all() -> None:
    month, _ = campaign(20_000, left_alone_share=0.2, effect=0.6)
    rival = np.clip(month.probability + np.random.default_rng(3).normal(0, 0.1, len(month)), 0, 1)
    asked = rows_to_ask(month, 4_000)
    some = np.where(asked, rival, np.nan)
    of_all, of_some = (
        realised(month, budget_share=0.1, seed=1, rivals={"rule": p}, asked=rows)[0].against["rule"]
        for p, rows in ((rival, None), (some, asked))
    )
    assert asked.sum() < 6_000
    assert of_all.low < of_some.value < of_all.high
    assert of_all.high - of_all.low < of_some.high - of_some.low < 1.5 * (of_all.high - of_all.low)


def test_a_rival_without_a_probability_is_no_rival() -> None:
    month, _ = campaign(2_000, left_alone_share=0.2, effect=0.6)
    with pytest.raises(ChurnError, match="rows without one"):
        realised(month, budget_share=0.1, seed=1, rivals={"rule": np.full(len(month), np.nan)})
