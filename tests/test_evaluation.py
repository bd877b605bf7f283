"""Rungs judged on the same rows: the verdict, the report, and what it must not depend on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bootstrap import Interval
from pipeline.calendar import SingleSnapshot
from pipeline.economics import Value
from pipeline.errors import ChurnError, ReleaseError
from pipeline.evaluation import Evaluation, evaluate_rungs, evaluation_from_dict
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel
from pipeline.lake import canonical_json
from pipeline.rule import Rule
from pipeline.verdict import Comparison, Verdict, simplest_first, verdict_of
from pipeline.wording import Unit
from tests.holdouts import FEW_ROUNDS, OFFER, LawScorer, company, labelled_months, rungs_of, split_with

DATASET = company()
NOTHING, WIN, LOSS = Interval(10.0, -90.0, 110.0), Interval(100.0, 20.0, 180.0), Interval(-100.0, -180.0, -20.0)
PROFITS = dict.fromkeys(("rule", "logistic", "boosting"), WIN)


def verdict(
    logistic_rule: Interval,
    boosting_rule: Interval,
    boosting_logistic: Interval,
    incumbent: str | None = None,
    *,
    can_tell: bool = True,
) -> Verdict:
    comparisons = (
        Comparison("logistic", "rule", logistic_rule, 3),
        Comparison("boosting", "rule", boosting_rule, 3),
        Comparison("boosting", "logistic", boosting_logistic, 3),
    )
    return verdict_of(PROFITS, comparisons, PROFITS, Unit("USD", "month"), incumbent=incumbent, can_tell=can_tell)


@pytest.mark.parametrize(
    ("figures", "chosen"),
    [
        ((NOTHING, NOTHING, NOTHING), "rule"),
        ((WIN, WIN, NOTHING), "logistic"),
        ((WIN, WIN, WIN), "boosting"),
        ((NOTHING, WIN, NOTHING), "logistic"),
        ((NOTHING, NOTHING, WIN), "rule"),
        ((LOSS, LOSS, NOTHING), "rule"),
        ((WIN, NOTHING, LOSS), "logistic"),
    ],
)
def test_the_simplest_rung_that_no_more_complex_one_beats_is_chosen(figures: tuple[Interval, ...], chosen: str) -> None:
    assert verdict(*figures).rung == chosen


@pytest.mark.parametrize(
    ("figures", "incumbent", "chosen"),
    [
        ((NOTHING, NOTHING, NOTHING), "boosting", "boosting"),  # on few rows nothing is shown: what answers stays
        ((NOTHING, NOTHING, NOTHING), "logistic", "logistic"),
        ((WIN, WIN, WIN), "logistic", "boosting"),
        ((WIN, NOTHING, LOSS), "boosting", "logistic"),
        ((LOSS, LOSS, NOTHING), "boosting", "rule"),
        ((WIN, WIN, NOTHING), "forgotten", "logistic"),
    ],
)
def test_what_answers_now_stays_until_another_beats_it(
    figures: tuple[Interval, ...], incumbent: str, chosen: str
) -> None:
    assert verdict(*figures, incumbent=incumbent).rung == chosen


def test_why_the_rung_stays_is_said_first() -> None:
    assert verdict(NOTHING, NOTHING, NOTHING, incumbent="boosting").reasons[0] == (
        "The gradient boosting answers now, and no other is shown to earn more."
    )
    assert "answers now" not in " ".join(verdict(WIN, WIN, WIN, incumbent="boosting").reasons)


@pytest.mark.parametrize(
    ("figures", "incumbent", "chosen"),
    [
        ((WIN, NOTHING, LOSS), "boosting", "boosting"),
        ((WIN, WIN, WIN), "logistic", "logistic"),
        ((WIN, WIN, NOTHING), "forgotten", "logistic"),
        ((WIN, WIN, NOTHING), None, "logistic"),
    ],
)
def test_where_few_rows_cannot_tell_what_answers_now_stays_whatever_they_say(
    figures: tuple[Interval, ...], incumbent: str | None, chosen: str
) -> None:
    assert verdict(*figures, incumbent=incumbent, can_tell=False).rung == chosen


def test_what_few_rows_say_against_the_rung_that_stays_is_no_reason() -> None:
    reasons = verdict(WIN, WIN, WIN, incumbent="logistic", can_tell=False).reasons
    assert reasons[0] == "The logistic regression answers now, and half a month of customers cannot tell rungs apart."
    assert [reason for reason in reasons if "is not enough" in reason] == [reasons[1]]
    assert reasons[1].endswith("so the rule is not enough.")


def test_the_reasons_are_sentences_with_the_figures() -> None:
    assert verdict(WIN, WIN, NOTHING).reasons == (
        "The logistic regression earns 100 USD a month more than the rule (95 % interval 20 to 180, allowing for 3"
        " comparisons), so the rule is not enough.",
        "The gradient boosting is not shown to earn more than the logistic regression: it earned 10 USD a month more on"
        " the test months (95 % interval -90 to 110, allowing for 3 comparisons), so its complexity does not pay.",
        "The logistic regression earns 100 USD a month more than contacting nobody (95 % interval 20 to 180).",
        "It earns 100 USD a month more than as many contacts drawn by lot (95 % interval 20 to 180).",
    )


def test_a_profit_that_may_be_nothing_is_said_to_be_unproven() -> None:
    nobody = dict.fromkeys(PROFITS, NOTHING)
    reasons = verdict_of(nobody, (), nobody, Unit("USD", "month")).reasons
    assert reasons[0].startswith("The rule is not shown to earn anything")
    assert reasons[1].startswith("It is not shown to earn more than as many contacts drawn by lot")


def test_rungs_are_ordered_by_complexity_whatever_order_they_come_in() -> None:
    assert simplest_first(["boosting", "rule", "another", "logistic"]) == ("rule", "logistic", "boosting", "another")


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    frame = labelled_months(1500)
    rungs = rungs_of(DATASET)
    return evaluate_rungs(DATASET, split_with(frame), rungs, FEW_ROUNDS, run_key="2024-06", data_version="v1")


def test_a_rung_that_knows_the_law_is_chosen_over_the_rule_and_over_one_that_adds_nothing(
    evaluation: Evaluation,
) -> None:
    assert evaluation.verdict.rung == "logistic"
    assert list(evaluation.rungs) == ["rule", "logistic", "boosting"]
    assert [(each.rung, each.against) for each in evaluation.comparisons] == [
        ("logistic", "rule"),
        ("boosting", "rule"),
        ("boosting", "logistic"),
    ]
    assert evaluation.errors.rung == "logistic"


def test_the_report_says_what_it_is_about(evaluation: Evaluation) -> None:
    assert (evaluation.dataset, evaluation.run_key, evaluation.data_version) == ("known_law", "2024-06", "v1")
    assert (evaluation.rows, evaluation.customers, evaluation.snapshots) == (
        4500,
        1500,
        ("2024-02", "2024-03", "2024-04"),
    )
    assert evaluation.contacts["logistic"] == pytest.approx(150)
    assert [(part.name, part.rows) for part in evaluation.parts] == [("train", 0), ("calibration", 0), ("test", 4500)]


def test_the_scores_go_with_the_evaluation_and_not_into_the_report(evaluation: Evaluation) -> None:
    columns = ["customer_id", "snapshot", "churned", "p_rule", "p_logistic", "p_boosting", "gain", "loss"]
    assert list(evaluation.scores.columns) == columns
    assert "scores" not in evaluation.as_dict()


def test_a_report_read_back_is_the_same_report_to_the_byte(evaluation: Evaluation) -> None:
    stored = canonical_json(evaluation.as_dict())
    again = evaluation_from_dict(json.loads(stored))
    assert again == evaluation
    assert canonical_json(again.as_dict()) == stored


@pytest.mark.parametrize(
    ("incumbent", "is_shared", "chosen"),
    [("boosting", False, "logistic"), ("boosting", True, "boosting"), ("rule", True, "logistic")],
)
def test_half_a_month_takes_no_rung_from_a_model_and_lets_one_take_over_from_the_rule(
    incumbent: str, is_shared: bool, chosen: str
) -> None:
    split, rungs = split_with(labelled_months(1500)), rungs_of(DATASET)
    rungs |= {"boosting": rungs["rule"]}  # which earns less than the logistic regression for sure
    found = evaluate_rungs(DATASET, replace(split, is_shared=is_shared), rungs, FEW_ROUNDS, incumbent=incumbent)
    assert found.verdict.rung == chosen


def test_a_figure_that_does_not_exist_is_null_in_the_report_and_comes_back() -> None:
    frame = labelled_months(60, 1).assign(churned=False)
    found = evaluate_rungs(DATASET, split_with(frame), rungs_of(DATASET), FEW_ROUNDS)
    assert found.as_dict()["rungs"]["rule"]["roc_auc"] == {"value": None, "low": None, "high": None}
    assert np.isnan(evaluation_from_dict(found.as_dict()).rungs["rule"]["roc_auc"].value)


@pytest.mark.parametrize("damage", [{"rungs": None}, {"verdict": {"rung": "rule"}}, {"rows": "many"}])
def test_a_damaged_report_is_refused(evaluation: Evaluation, damage: dict[str, object]) -> None:
    with pytest.raises(ReleaseError, match="evaluate again"):
        evaluation_from_dict(evaluation.as_dict() | damage)


def test_the_order_of_the_test_rows_changes_nothing(evaluation: Evaluation) -> None:
    frame = labelled_months(1500).sample(frac=1, random_state=3)
    turned = evaluate_rungs(
        DATASET, split_with(frame), rungs_of(DATASET), FEW_ROUNDS, run_key="2024-06", data_version="v1"
    )
    assert turned == evaluation


def test_one_changed_value_changes_the_digest_of_the_test_rows(evaluation: Evaluation) -> None:
    frame = labelled_months(1500)
    frame.loc[0, "price"] = frame.loc[0, "price"] + 1
    other = evaluate_rungs(DATASET, split_with(frame), {"rule": rungs_of(DATASET)["rule"]}, FEW_ROUNDS)
    assert other.test_digest != evaluation.test_digest


def test_no_rows_and_no_probabilities_are_refused() -> None:
    rungs = rungs_of(DATASET)
    with pytest.raises(ChurnError, match="at least one labelled row"):
        evaluate_rungs(DATASET, split_with(labelled_months(10).iloc[:0]), rungs, FEW_ROUNDS)
    broken = {"rule": LawScorer("rule", DATASET.fields(), base=float("nan"))}
    with pytest.raises(ChurnError, match="a probability between 0 and 1"):
        evaluate_rungs(DATASET, split_with(labelled_months(10)), broken, FEW_ROUNDS)


def test_a_dataset_without_time_earns_by_the_campaign_and_not_by_the_month() -> None:
    dataset = company(
        calendar=SingleSnapshot(),
        label=ColumnLabel(table="customers", column="customer_id", positive="south"),
        features=(Attribute(name="region", table="customers", column="region"),),
        slices=(),
        rule=Rule(()),
        economics=replace(OFFER, value=Value(times=100)),
    )
    found = evaluate_rungs(dataset, split_with(labelled_months(100, 1)), {"rule": LawScorer("rule", ())}, FEW_ROUNDS)
    assert found.unit.name == "USD a campaign"
    assert not any("month" in reason for reason in found.verdict.reasons)


def test_what_is_left_out_is_said() -> None:
    certain = company(economics=replace(OFFER, acceptance=1.0))
    found = evaluate_rungs(certain, split_with(labelled_months(100)), rungs_of(certain), FEW_ROUNDS)
    assert "empc" not in found.rungs["rule"]
    assert found.notes[0].startswith("empc is left out")


@pytest.mark.slow
def test_two_processes_with_different_hash_seeds_write_the_same_report() -> None:
    code = (
        "from tests.test_evaluation import *\n"
        "found = evaluate_rungs(DATASET, split_with(labelled_months(200)), rungs_of(DATASET), FEW_ROUNDS)\n"
        "import hashlib; print(hashlib.sha256(canonical_json(found.as_dict())).hexdigest())"
    )
    root = str(Path(__file__).parents[1])
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
