"""How the settings of a model are chosen: on later rows, within a budget, repeatably."""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info

from pipeline.label_kinds import EventLabel
from pipeline.search import TREE_SPACE, at_most, candidates_of, dealt, folds_of, in_parallel, searched
from tests.made_up_customers import DATASET, QUICK, customers, made_up, made_up_split, made_up_without_time


def months(*keys: str, rows: int = 60) -> pd.DataFrame:
    return pd.concat([customers(rows, i, key) for i, key in enumerate(keys)], ignore_index=True)


def snapshots(rows: pd.DataFrame) -> set[str]:
    return set(rows["snapshot"])


def test_candidates_are_compared_on_the_last_quarter_of_the_training_months() -> None:
    year = [f"2024-{month:02d}" for month in range(1, 13)]
    ((earlier, later),) = folds_of(DATASET, months(*year), seed=7)
    assert snapshots(later) == {"2024-10", "2024-11", "2024-12"}
    assert snapshots(earlier) == set(year[:9])


def test_months_whose_labels_are_not_known_in_time_are_left_out() -> None:
    # the snapshot of March is taken on 1 April; the label of January is known on 1 April, that of February is not
    dataset = made_up(label=EventLabel(table="customers", where=(), horizon_days=60))
    ((earlier, later),) = folds_of(dataset, months("2024-01", "2024-02", "2024-03"), seed=7)
    assert (snapshots(earlier), snapshots(later)) == ({"2024-01"}, {"2024-03"})


def test_a_single_training_month_is_halved_by_customer() -> None:
    rows = months("2024-01")
    ((earlier, later),) = folds_of(DATASET, rows, seed=7)
    assert len(earlier) == len(later) == 30
    assert set(earlier["customer_id"]) | set(later["customer_id"]) == set(rows["customer_id"])


def test_without_time_every_customer_is_compared_once_and_every_fold_has_its_share_of_leavers() -> None:
    rows = months("snapshot", rows=300)
    folds = list(folds_of(made_up_without_time(), rows, seed=7))
    assert sorted(customer for _, later in folds for customer in later["customer_id"]) == sorted(rows["customer_id"])
    leavers = [int(later["churned"].sum()) for _, later in folds]
    assert max(leavers) - min(leavers) <= 1


def test_the_fold_of_a_customer_does_not_depend_on_the_order_of_rows() -> None:
    rows = months("snapshot", rows=300)
    assert (dealt(rows.iloc[::-1], 5, seed=1)[::-1] == dealt(rows, 5, seed=1)).all()
    assert (dealt(rows, 5, seed=2) != dealt(rows, 5, seed=1)).any()


def test_a_sample_of_rows_keeps_to_its_size_and_is_the_same_whatever_the_order() -> None:
    rows = customers(4_000, seed=1)
    sample = at_most(rows, 1_000, seed=7)
    assert 900 < len(sample) < 1_100
    assert set(at_most(rows.iloc[::-1], 1_000, seed=7)["customer_id"]) == set(sample["customer_id"])
    assert len(at_most(sample, 400, seed=7)) < 500  # a sample of a sample is drawn anew
    assert at_most(rows, 4_000, seed=7) is rows


def test_of_the_rarer_outcome_all_rows_are_kept_up_to_half_of_the_sample() -> None:
    rows = customers(4_000, seed=1)
    few = rows.assign(churned=np.arange(4_000) < 40)
    assert at_most(few, 1_000, seed=7)["churned"].sum() == 40
    assert (~at_most(few.assign(churned=~few["churned"]), 1_000, seed=7)["churned"]).sum() == 40
    many = rows.assign(churned=np.arange(4_000) < 1_900)
    assert 0.45 < at_most(many, 1_000, seed=7)["churned"].mean() < 0.55


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_the_budget_is_kept_and_the_seed_decides_what_is_drawn(name: str) -> None:
    assert [len(candidates_of(name, count, seed=7)) for count in (1, 3, 6)] == [1, 3, 6]  # type: ignore[arg-type]
    assert candidates_of(name, 6, seed=7)[:3] == candidates_of(name, 3, seed=7)  # type: ignore[arg-type]


def test_drawn_trees_come_from_the_space_and_repeat_with_the_seed() -> None:
    drawn = candidates_of("boosting", 20, seed=7)
    assert drawn == candidates_of("boosting", 20, seed=7) != candidates_of("boosting", 20, seed=8)
    assert all(candidate[key] in values for candidate in drawn[4:] for key, values in TREE_SPACE.items())


@pytest.mark.parametrize("name", ["logistic", "boosting"])
def test_a_search_reports_every_candidate_and_is_the_same_on_any_number_of_cores(name: str) -> None:
    train = made_up_split().train
    found = searched(name, DATASET, train, QUICK)  # type: ignore[arg-type]
    assert found == searched(name, DATASET, train, QUICK.model_copy(update={"threads": 1}))  # type: ignore[arg-type]
    assert len(found) == 2
    assert all(0.2 < tried["log_loss"] < np.log(2) for tried in found)
    assert all(("max_iter" in tried["parameters"]) == (name == "boosting") for tried in found)


def test_work_in_parallel_comes_back_in_order_each_piece_on_one_core() -> None:
    before = [pool["num_threads"] for pool in threadpool_info()]
    found = in_parallel(lambda piece: (piece, {pool["num_threads"] for pool in threadpool_info()}), range(8), 4)
    assert found == [(piece, {1}) for piece in range(8)]
    assert [pool["num_threads"] for pool in threadpool_info()] == before
