"""The model card says what its own run found, and nothing else."""

import pytest

from pipeline.evaluation import Evaluation, evaluate_rungs
from pipeline.label_kinds import InactivityLabel
from pipeline.model_card import model_card
from pipeline.wording import money_figure, number
from tests.holdouts import FEW_ROUNDS, company, labelled_months, rungs_of, split_with

DATASET = company()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate_rungs(
        DATASET,
        split_with(labelled_months(150, 2)),
        rungs_of(DATASET),
        FEW_ROUNDS,
        run_key="2024-06",
        data_version="v1",
    )


def test_the_card_has_the_figures_of_its_evaluation(evaluation: Evaluation) -> None:
    card = model_card(DATASET, evaluation)
    for rung in evaluation.rungs.values():
        assert money_figure(rung["profit"]) in card
    for reason in evaluation.verdict.reasons:
        assert reason in card
    assert f"| test | 2024-02 to 2024-03 | {number(evaluation.rows)} |" in card
    assert "A customer churned if a row with `event == cancelled` appears in `events` within 28 days" in card


def test_small_groups_are_marked_in_their_row_and_among_the_limits(evaluation: Evaluation) -> None:
    small = [each for each in evaluation.slices if each.small]
    assert small
    card = model_card(DATASET, evaluation)
    for each in small:
        assert f"| {each.slice} | {each.group} (small) |" in card
        assert f"{each.slice} {each.group}" in card.split("## Limits")[1]


def test_the_gate_is_quoted_where_it_has_spoken_and_not_before(evaluation: Evaluation) -> None:
    decision = {
        "promote": False,
        "reasons": ["calibration: promised twice what was observed"],
        "checks": [{"name": "calibration", "passed": False, "reason": "ratio 0.50"}],
    }
    assert "## What the gate said" not in model_card(DATASET, evaluation)
    card = model_card(DATASET, evaluation, decision=decision)
    assert "The gate refused it." in card
    assert "- calibration: promised twice what was observed" in card
    assert "| calibration | **failed** | ratio 0.50 |" in card


def test_the_release_is_named_where_it_is_known(evaluation: Evaluation) -> None:
    card = model_card(DATASET, evaluation, release={"id": "2024-06-0123456789ab", "content_digest": "0123"})
    assert "- release: `2024-06-0123456789ab`" in card
    assert "`churn release rollback --dataset known_law`" in card


def test_a_label_of_inactivity_is_put_into_words(evaluation: Evaluation) -> None:
    dataset = company(label=InactivityLabel(table="payments", horizon_days=60))
    assert "no row appears in `payments` within 60 days after the snapshot" in model_card(dataset, evaluation)


def test_no_figure_is_left_unformatted(evaluation: Evaluation) -> None:
    card = model_card(DATASET, evaluation)
    assert "nan" not in card.lower().replace("finance", "")
    assert "None" not in card
    assert "Interval(" not in card
