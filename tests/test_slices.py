"""Groups of customers: how they are cut, what is shown of them, and which are marked as small."""

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from pipeline.declaration import Slice
from pipeline.metrics import drawn_metrics, metrics_of
from pipeline.slices import slice_figures, slice_groups
from tests.holdouts import FEW_ROUNDS, company, holdout


def sizes(cut: Slice, frame: pd.DataFrame) -> dict[str, int]:
    groups = slice_groups(company(slices=(cut,)), frame)
    return {group: int(inside.sum()) for (_, group), inside in groups.items()}


def test_a_category_is_cut_by_its_values_and_missing_ones_stand_apart() -> None:
    frame = pd.DataFrame({"region": np.array(["north", "south", "north", None], dtype=object)})
    assert sizes(Slice(name="region", field="region"), frame) == {"north": 2, "south": 1, "missing": 1}


def test_an_edge_belongs_to_the_group_above_it() -> None:
    frame = pd.DataFrame({"price": [10.0, 20.0, 39.9, 40.0, 2000.0, np.nan]})
    found = sizes(Slice(name="price", field="price", edges=(20, 40)), frame)
    assert found == {"below 20": 1, "20 to 40": 2, "40 or more": 2, "missing": 1}


def test_a_number_without_edges_is_cut_by_its_few_values_or_at_its_quartiles() -> None:
    few = pd.DataFrame({"price": [0.0, 1.0, 1.0, 0.0]})
    assert sizes(Slice(name="price", field="price"), few) == {"0": 2, "1": 2}
    many = pd.DataFrame({"price": np.arange(100.0)})
    assert list(sizes(Slice(name="price", field="price"), many).values()) == [25, 25, 25, 25]


def test_a_group_that_nobody_is_in_is_not_shown() -> None:
    frame = pd.DataFrame({"price": [50.0]})
    assert sizes(Slice(name="price", field="price", edges=(20, 40)), frame) == {"40 or more": 1}


def test_every_customer_is_in_exactly_one_group() -> None:
    frame = pd.DataFrame({"price": np.r_[np.random.default_rng(0).gamma(4, 8, 500), np.nan]})
    groups = slice_groups(company(slices=(Slice(name="price", field="price", edges=(10, 20, 30)),)), frame)
    assert (np.sum(list(groups.values()), axis=0) == 1).all()


@pytest.mark.parametrize(("rows", "churners", "small"), [(199, 50, True), (200, 19, True), (200, 20, False)])
def test_a_group_is_small_below_200_rows_or_20_churners(rows: int, churners: int, small: bool) -> None:
    found = holdout(np.arange(rows) < churners, 50, 10)
    groups = {("all", "everybody"): np.ones(rows, dtype=bool)}
    drawn = drawn_metrics(found, {"rule": np.full(rows, 0.1)}, FEW_ROUNDS, groups=groups)
    assert slice_figures(drawn, groups, found, ("rule",))[0].small is small


def test_a_group_of_everybody_has_the_figures_of_everybody() -> None:
    random = np.random.default_rng(0)
    p = random.beta(1, 5, 500)
    rows = holdout(random.random(500) < p, random.gamma(3, 30, 500), 10, budget_share=0.2)
    groups = {("all", "everybody"): np.ones(500, dtype=bool)}
    drawn = drawn_metrics(rows, {"rule": p}, FEW_ROUNDS, groups=groups)
    found = slice_figures(drawn, groups, rows, ("rule",))[0]
    overall = metrics_of(drawn, "rule")
    for metric, each in found.rungs["rule"].items():
        assert astuple(each) == pytest.approx(astuple(overall[metric]))
    assert (found.n, found.churners) == (500, int(rows.churned.sum()))


def test_profits_of_the_groups_add_up_to_the_profit() -> None:
    random = np.random.default_rng(0)
    p = random.beta(1, 5, 500)
    rows = holdout(random.random(500) < p, random.gamma(3, 30, 500), 10, budget_share=0.2)
    groups = {("half", str(i)): np.arange(500) % 2 == i for i in (0, 1)}
    drawn = drawn_metrics(rows, {"rule": p}, FEW_ROUNDS, groups=groups)
    parts = [drawn.values["half", str(i), "rule", "profit"] for i in (0, 1)]
    assert sum(parts) == pytest.approx(drawn.values["rule", "profit"])
