"""Fitting a rung: calibrated on later rows, the same bytes every time, and nothing that needs our code to load."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import pipeline.training
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel
from pipeline.model_file import model_bytes, scorer_from_bytes
from pipeline.rule import fitted_rule
from pipeline.scoring import RuleScorer, RungName, log_odds, sigmoid
from pipeline.settings import Settings
from pipeline.splits import Split
from pipeline.training import (
    TRUSTED_TYPES,
    FittedRung,
    _from,
    _halves,
    calibrated,
    cross_validated,
    fit_rung,
    fit_with,
)
from tests.made_up_customers import (
    DATASET,
    FIELDS,
    NAMES,
    QUICK,
    customers,
    made_up,
    made_up_split,
    made_up_without_time,
)

MODELS: tuple[RungName, ...] = ("logistic", "boosting")
SMALL = Settings(search_candidates=1, search_rows=1_000)


@pytest.fixture(scope="module")
def rungs() -> dict[str, FittedRung]:
    split = made_up_split()
    return {name: fit_rung(name, DATASET, split, QUICK) for name in ("rule", *MODELS)}


def log_loss(rows: pd.DataFrame, probability: Any) -> float:
    return float(-np.log(np.where(rows["churned"], probability, 1 - probability)).mean())


def test_each_model_beats_the_rule_and_the_rule_beats_a_constant_on_later_rows(rungs: dict[str, FittedRung]) -> None:
    rows = customers(5_000, seed=50, snapshot="2024-09")
    loss = {name: log_loss(rows, rung.scorer.probability(rows, len(rows))) for name, rung in rungs.items()}
    constant = log_loss(rows, np.full(len(rows), made_up_split().train["churned"].mean()))
    assert max(loss["logistic"], loss["boosting"]) < loss["rule"] < constant


@pytest.mark.parametrize("name", ["rule", *MODELS])
def test_a_rung_brought_back_from_its_bytes_says_what_was_fitted(rungs: dict[str, FittedRung], name: str) -> None:
    rows = customers(1_000, seed=51)
    again = scorer_from_bytes(model_bytes(rungs[name].scorer), FIELDS)
    assert again.name == name
    assert model_bytes(again) == model_bytes(rungs[name].scorer)
    np.testing.assert_allclose(again.probability(rows, 1_000), rungs[name].offline_probability(rows), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_a_rung_says_what_it_tried_and_what_it_chose(rungs: dict[str, FittedRung], name: str) -> None:
    rung = rungs[name]
    assert len(rung.search) == QUICK.search_candidates
    assert rung.parameters == min(rung.search, key=lambda tried: tried["log_loss"])["parameters"]


@pytest.mark.parametrize("name", MODELS)
def test_the_test_rows_play_no_part_in_the_fit(rungs: dict[str, FittedRung], name: RungName) -> None:
    blinded = replace(made_up_split(), test=pd.DataFrame())
    assert model_bytes(fit_rung(name, DATASET, blinded, QUICK).scorer) == model_bytes(rungs[name].scorer)


def test_a_fit_repeats_to_the_last_byte_with_other_threads_and_in_another_process(rungs: dict[str, FittedRung]) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "from tests.test_training import digests; print(digests(threads=1))"],
        env=os.environ | {"PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "2"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        check=True,
        text=True,
    )
    here = [hashlib.sha256(model_bytes(rungs[name].scorer)).hexdigest() for name in MODELS]
    assert found.stdout.strip() == str(here)


def digests(threads: int) -> list[str]:
    settings = QUICK.model_copy(update={"threads": threads})
    rungs = [fit_rung(name, DATASET, made_up_split(), settings) for name in MODELS]
    return [hashlib.sha256(model_bytes(rung.scorer)).hexdigest() for rung in rungs]


@pytest.mark.parametrize("name", MODELS)
def test_another_seed_may_give_another_model_but_the_same_sense(rungs: dict[str, FittedRung], name: RungName) -> None:
    rows = customers(1_000, seed=51)
    other = fit_rung(name, DATASET, made_up_split(), QUICK.model_copy(update={"seed": 8}))
    p, q = rungs[name].scorer.probability(rows, 1_000), other.scorer.probability(rows, 1_000)
    assert np.corrcoef(log_odds(p), log_odds(q))[0, 1] > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_no_more_rows_are_used_than_the_settings_allow(name: RungName) -> None:
    rung = fit_rung(name, DATASET, made_up_split(), SMALL.model_copy(update={"training_rows": 1_000}))
    everything = fit_rung(name, DATASET, made_up_split(), SMALL)
    assert model_bytes(rung.scorer) != model_bytes(everything.scorer)


@pytest.mark.parametrize("name", MODELS)
def test_drawing_fewer_of_those_who_stayed_does_not_raise_the_probabilities(name: RungName) -> None:
    split = made_up_split()
    few = split.train["churned"] & (np.arange(len(split.train)) % 5 == 0)
    train = split.train[few | ~split.train["churned"]].reset_index(drop=True)
    most = 2 * int(train["churned"].sum())  # half of them leavers, who are one in thirteen
    drawn = SMALL.model_copy(update={"training_rows": most})
    rung = fit_rung(name, DATASET, replace(split, train=train), drawn)
    promised = rung.scorer.probability(split.calibration, len(split.calibration)).mean()
    assert promised == pytest.approx(split.calibration["churned"].mean(), rel=0.05)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["number", "category"])
def test_numbers_alone_or_categories_alone_are_enough(name: RungName, kind: str) -> None:
    kept = {f.name for f in FIELDS if f.kind == kind}
    features = tuple(feature for feature in DATASET.features if feature.name in {*kept, "price"})
    rule = replace(DATASET.rule, points=tuple(c for c in DATASET.rule.points if c.where.column in kept))
    rung = fit_rung(name, made_up(features=features, rule=rule), made_up_split(), SMALL)
    rows = customers(300, seed=51)
    np.testing.assert_allclose(rung.scorer.probability(rows, 300), rung.offline_probability(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_calibration_moves_the_mean_to_that_of_the_later_rows_and_keeps_the_ranking(name: RungName) -> None:
    split = made_up_split()
    random = np.random.default_rng(1)
    fewer = split.calibration["churned"] & (random.random(len(split.calibration)) < 0.3)
    changed = replace(split, calibration=split.calibration.assign(churned=fewer))
    before, after = (fit_rung(name, DATASET, given, SMALL).scorer for given in (split, changed))
    rows = split.calibration
    p, q = before.probability(rows, len(rows)), after.probability(rows, len(rows))
    assert q.mean() == pytest.approx(fewer.mean(), rel=0.02)
    assert (np.diff(q[np.argsort(p, kind="stable")]) >= -1e-12).all()


def shared_split() -> Split:
    """Three months that were alike, and one in which most of what counted turned around, dealt in halves."""
    old = [customers(1_500, seed, f"2024-0{seed}") for seed in (1, 2, 3)]
    new = customers(3_000, 4, "2024-04")
    turned = sigmoid(-1.5 + 0.08 * new["usage"].fillna(0.0).to_numpy() - 2.0 * new["region"].isna().to_numpy())
    new["churned"] = np.random.default_rng(104).random(len(new)) < turned
    learned, tested = new.iloc[:1_500].reset_index(drop=True), new.iloc[1_500:].reset_index(drop=True)
    return Split(pd.concat([*old, learned], ignore_index=True), learned, tested, is_shared=True)


AFTER_A_CHANGE = SMALL.model_copy(update={"months_since_change": 1, "search_candidates": 2})


@pytest.mark.parametrize("name", MODELS)
def test_after_a_change_the_month_since_and_the_one_before_are_learned_from(name: RungName) -> None:
    split = shared_split()
    found = fit_rung(name, DATASET, split, AFTER_A_CHANGE)
    losses = [(tried["parameters"]["since"], tried["log_loss"]) for tried in found.search[2:]]
    assert [since for since, _ in losses] == ["2024-03", "2024-03", "2024-01", "2024-01"]
    assert found.since == "2024-03"
    assert not found.is_no_news
    assert min(loss for _, loss in losses[:2]) < min(loss for _, loss in losses[2:])
    everything = fit_with(name, DATASET, split, found.parameters, SMALL)
    said, wider = (log_loss(split.test, fit.scorer.probability(split.test, 1_500)) for fit in (found, everything))
    assert said < wider


@pytest.mark.parametrize(("apart", "is_no_news"), [(0.9, True), (1.1, False)])
def test_the_months_since_a_change_must_be_better_by_a_standard_error_by_everybodys_one_say(
    monkeypatch: pytest.MonkeyPatch, apart: float, is_no_news: bool
) -> None:
    split, asked = shared_split(), []
    copies = pd.concat([split.calibration, split.calibration.iloc[:200]], ignore_index=True)

    def told(_whole: Any, _new: Any, who: "pd.Series[str]") -> float:
        asked.extend(who)
        return apart

    monkeypatch.setattr(pipeline.training, "standard_errors_above", told)
    found = fit_rung("logistic", DATASET, replace(split, calibration=copies), AFTER_A_CHANGE)
    assert (found.is_no_news, found.since) == (is_no_news, "2024-01" if is_no_news else "2024-03")
    assert len(asked) == len(set(asked)) > 500


@pytest.mark.parametrize("name", MODELS)
def test_after_a_change_one_candidate_is_enough(name: RungName) -> None:
    found = fit_rung(name, DATASET, shared_split(), AFTER_A_CHANGE.model_copy(update={"search_candidates": 1}))
    assert [tried["parameters"].get("since") for tried in found.search] == [None, "2024-03", "2024-01"]


def test_the_rule_counts_a_customer_once_who_calibrates_with_what_was_learned() -> None:
    split = shared_split()
    once = fit_rung("rule", DATASET, replace(split, calibration=split.calibration.iloc[:0]), SMALL)
    assert model_bytes(fit_rung("rule", DATASET, split, SMALL).scorer) == model_bytes(once.scorer)


@pytest.mark.parametrize("name", MODELS)
def test_months_since_a_change_are_counted_by_the_calendar_and_not_by_how_many_are_there(name: RungName) -> None:
    split = shared_split()
    without_march = replace(split, train=split.train[split.train["snapshot"] != "2024-03"].reset_index(drop=True))
    found = fit_rung(name, DATASET, without_march, AFTER_A_CHANGE)
    assert found.since == "2024-03"
    kept = fit_with(name, DATASET, _from("2024-04", split), found.parameters, AFTER_A_CHANGE)
    assert model_bytes(found.scorer) == model_bytes(kept.scorer)


@pytest.mark.parametrize("name", MODELS)
def test_where_nothing_has_changed_the_whole_past_is_learned_from(name: RungName) -> None:
    months = [customers(2_000, seed, f"2024-{seed:02d}") for seed in range(1, 9)]
    few = customers(600, 9, "2024-09")
    train = pd.concat([*months, few], ignore_index=True)
    split = Split(train, few, customers(600, 10, "2024-09"), is_shared=True)
    narrow = [month.iloc[:0] for month in months[:-1]] + [months[-1].iloc[:100]]
    tiny = replace(split, train=pd.concat([*months[:-1], narrow[-1], few], ignore_index=True))
    found = fit_rung(name, DATASET, tiny, AFTER_A_CHANGE)
    assert found.is_no_news
    wide, since = (fit_with(name, DATASET, part, found.parameters, SMALL) for part in (tiny, _from("2024-08", tiny)))
    assert model_bytes(found.scorer) == model_bytes(wide.scorer) != model_bytes(since.scorer)


@pytest.mark.parametrize("name", MODELS)
def test_where_hardly_anybody_left_since_the_change_the_whole_past_is_learned_from(name: RungName) -> None:
    split = shared_split()
    is_late = split.train["snapshot"] >= "2024-03"
    nobody_left = split.train.assign(churned=split.train["churned"] & ~is_late)
    found = fit_rung(name, DATASET, replace(split, train=nobody_left), AFTER_A_CHANGE)
    assert (found.since, found.is_no_news) == ("2024-01", True)


@pytest.mark.parametrize("name", MODELS)
def test_a_change_that_is_older_than_all_that_is_learned_from_is_no_news(name: RungName) -> None:
    found = fit_rung(name, DATASET, shared_split(), AFTER_A_CHANGE.model_copy(update={"months_since_change": 9}))
    assert (found.since, found.is_no_news) == ("2024-01", True)
    assert [tried["parameters"].get("since") for tried in found.search] == [None, None, "2024-01", "2024-01"]


@pytest.mark.parametrize("name", MODELS)
def test_rows_that_were_learned_from_calibrate_by_models_that_did_not_know_them(name: RungName) -> None:
    rows = customers(800, 9, "2024-04")
    overfitted = {"C": 1e4} if name == "logistic" else {"max_iter": 60, "learning_rate": 0.3, "max_leaf_nodes": 31}
    shared, blind = (
        fit_with(name, DATASET, Split(rows, rows, rows, is_shared=is_shared), overfitted, SMALL)
        for is_shared in (True, False)
    )
    # one that knows the answers is told that it is right; models that do not tell it how much to believe itself
    assert shared.scorer.calibration.slope < 0.8 * blind.scorer.calibration.slope


def test_a_customer_who_stands_for_others_is_held_back_with_all_copies() -> None:
    rows = customers(200, 3, "2024-04")
    copies = pd.concat([rows, rows.iloc[:20], rows.iloc[:20]], ignore_index=True)
    train = pd.concat([customers(200, 3, "2024-03"), rows], ignore_index=True)
    parts = list(_halves(copies, train))
    assert (parts[0][0] != parts[1][0]).all()
    for places, others in parts:
        newest = others[others["snapshot"] == "2024-04"]
        assert not set(newest["customer_id"]) & set(copies.loc[places, "customer_id"])
        assert (others["snapshot"] == "2024-03").sum() == 200


def test_a_calibration_never_turns_a_ranking_around() -> None:
    x = np.linspace(-3.0, 3.0, 200)
    rows = pd.DataFrame({"x": x, "churned": x + np.tile([-1.0, 1.0], 100) > 0})
    backwards = LogisticRegression().fit(rows[["x"]], ~rows["churned"])
    wrapped, calibration = calibrated(backwards, ["x"], rows)
    assert (calibration.slope, calibration.intercept) == (1.0, 0.0)
    p = wrapped.predict_proba(rows[["x"]])[:, 1]
    np.testing.assert_allclose(p, backwards.predict_proba(rows[["x"]])[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_fitted_object_loads_from_skops_with_a_constant_list_of_types(
    rungs: dict[str, FittedRung], name: str
) -> None:
    stored = skops.io.dumps(rungs[name].estimator)
    foreign = set(skops.io.get_untrusted_types(data=stored))
    assert foreign <= set(TRUSTED_TYPES)
    assert not {kind for kind in foreign if kind.startswith("pipeline.")}
    rows = customers(200, seed=51)
    again = skops.io.loads(stored, trusted=list(TRUSTED_TYPES))
    np.testing.assert_array_equal(again.predict_proba(rows[NAMES]), rungs[name].estimator.predict_proba(rows[NAMES]))


def test_the_rule_is_fitted_on_all_earlier_rows_and_has_no_object_of_its_own(rungs: dict[str, FittedRung]) -> None:
    rung, split = rungs["rule"], made_up_split()
    assert isinstance(rung.scorer, RuleScorer)
    assert rung.estimator is None
    known = pd.concat([split.train, split.calibration], ignore_index=True)
    assert rung.scorer.table == fitted_rule(DATASET.rule, known, known["churned"])


@pytest.mark.parametrize("name", MODELS)
def test_out_of_fold_probabilities_know_nothing_of_labels_that_are_coin_tosses(name: RungName) -> None:
    rows = customers(900, seed=5, snapshot="snapshot")
    honest = cross_validated(name, made_up_without_time(), rows, SMALL, folds=3)
    tossed = rows.assign(churned=np.random.default_rng(3).random(900) < 0.4)
    blind = cross_validated(name, made_up_without_time(), tossed, SMALL, folds=3)
    assert np.corrcoef(honest, rows["churned"])[0, 1] > 0.2
    assert np.corrcoef(blind, tossed["churned"])[0, 1] < 0.08


@pytest.mark.slow
@pytest.mark.parametrize(("name", "best_auc", "best_loss"), [("telco", 0.845, 0.417), ("tv", 0.69, 0.185)])
def test_real_customers_are_ranked_as_well_as_promised(
    name: str, best_auc: float, best_loss: float, shared_data: Callable[[str], Path]
) -> None:
    settings = Settings(dataset=name, telco_path=str(shared_data("telco.csv")))
    dataset = load_dataset(settings)
    rows = source_rows(dataset, settings)
    p = cross_validated("boosting", dataset, rows, settings)
    assert roc_auc_score(rows["churned"], p) >= best_auc
    assert log_loss(rows, p) <= best_loss


def source_rows(dataset: Dataset, settings: Settings) -> pd.DataFrame:
    """The rows of a dataset without time, straight from its source: all features are attributes of one table."""
    (table,), label = dataset.tables, dataset.label
    assert isinstance(label, ColumnLabel)
    raw = dataset.source.read(table, dataset.calendar.last, settings).to_pandas()
    rows = pd.DataFrame({"customer_id": raw[table.customer].astype(str), "snapshot": dataset.calendar.last})
    for feature, described in zip(dataset.features, dataset.fields(), strict=True):
        assert isinstance(feature, Attribute)
        values = raw[feature.column]
        rows[described.name] = (
            pd.to_numeric(values) if described.kind == "number" else values.astype(str).astype(object)
        )
    return rows.assign(churned=raw[label.column].astype(str) == str(label.positive))
