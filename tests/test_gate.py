"""The gate is fed models and reports that must be refused, each by the right check, and good ones that must pass."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from upath import UPath

import pipeline.gate
from pipeline.economics import RetentionOffer, Value
from pipeline.errors import ReleaseError
from pipeline.evaluation import evaluate_rungs
from pipeline.gate import Check, PromotionDecision, gate, promote_decided, read_decision, write_decision
from pipeline.gate_case import Case
from pipeline.gate_checks import CHECKS, no_overfitting
from pipeline.gate_rules import GateRules
from pipeline.lake import canonical_json
from pipeline.model_file import model_bytes
from pipeline.pointer import promote, read_pointer
from pipeline.rule import Points, Rule
from pipeline.scorecard import Curve
from pipeline.scoring import Scorer
from pipeline.splits import Split
from pipeline.tables import Where
from tests import gate_world as world

AT = datetime(2024, 7, 1, 6)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "releases"


def failed(decision: PromotionDecision) -> set[str]:
    assert decision.promote == (not any(not check.passed for check in decision.checks))
    assert [check.name for check in decision.checks] == [name for name, _ in CHECKS]  # all are run, all are reported
    return {check.name for check in decision.checks if not check.passed}


def reason(decision: PromotionDecision, name: str) -> str:
    return next(check.reason for check in decision.checks if check.name == name)


class _Answering:
    """A scorer that answers as a function does."""

    name = "logistic"
    fields = ()

    def __init__(self, probability: Callable[[Any, int], np.ndarray]) -> None:
        self.probability = probability


def _by_place(columns: Any, rows: int) -> np.ndarray:
    return np.linspace(0, 1, rows)


def _by_name(columns: Any, rows: int) -> np.ndarray:
    if "customer_id" not in columns:
        return np.full(rows, 0.5)
    return np.array([int(name[1:]) for name in columns["customer_id"]]) / 1e5


# ---- models that must pass


def test_a_good_model_passes_where_there_is_no_champion(root: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset)))
    assert (failed(decision), decision.champion) == (set(), None)
    assert decision.promote
    assert decision.reasons[0] == "all 17 checks passed"


def test_the_same_model_fitted_anew_passes_against_itself(root: Path) -> None:
    dataset = world.company()
    champion = world.crown(root, dataset, world.card(dataset))
    again = world.card(dataset, {"failed_payments": 0.97, "usage": -0.102}, intercept=-1.47)
    decision = gate(world.case(root, dataset, again))
    assert (failed(decision), decision.champion) == (set(), champion.id)


def test_the_champion_itself_passes_and_promoting_it_again_changes_nothing(root: Path, tmp_path: Path) -> None:
    dataset = world.company()
    champion = world.crown(root, dataset, world.card(dataset))
    decision = gate(world.case(root, dataset, world.card(dataset)))
    assert (failed(decision), decision.candidate) == (set(), champion.id)
    digest = write_decision(UPath(tmp_path / "gate.json"), decision)
    moved = promote_decided(root, UPath(tmp_path / "gate.json"), digest, at=AT)
    assert moved is not None
    assert moved.generation == 1


def test_a_simpler_rung_that_is_not_worse_takes_over(root: Path) -> None:
    a_point_for_each = tuple(Points(Where("failed_payments", ">=", n), 1) for n in range(1, 6))
    dataset = world.company(rule=Rule(a_point_for_each))
    world.crown(root, dataset, world.card(dataset, {"failed_payments": 1.0}, west=0.0, intercept=-2.4))
    assert failed(gate(world.case(root, dataset, world.rule_of(dataset)))) == set()


def test_the_report_of_a_real_evaluation_is_accepted(root: Path) -> None:
    dataset = world.company()
    split = Split(world.train_rows(), world.train_rows().head(0), world.test_rows())
    rungs: dict[str, Scorer] = {"rule": world.rule_of(dataset), "logistic": world.card(dataset)}
    evaluated = evaluate_rungs(
        dataset, split, rungs, world.SETTINGS, run_key=world.RUN_KEY, data_version=world.DATA_VERSION
    )
    assert failed(gate(world.case(root, dataset, rungs["logistic"], changed=evaluated.as_dict()))) == set()


# ---- models that must be refused


def test_a_model_that_sees_the_future_is_refused(root: Path) -> None:
    dataset = world.company("final_bill")
    leaking = world.card(dataset, {"final_bill": 20.0}, intercept=-10.0)
    decision = gate(world.case(root, dataset, leaking))
    assert {"ranking", "no leaking field"} <= failed(decision)
    assert reason(decision, "no leaking field").startswith("final_bill: ROC-AUC 1.000 alone")


def test_a_field_that_leaks_is_suspected_even_where_the_model_makes_little_of_it(root: Path) -> None:
    dataset = world.company("final_bill")
    assert failed(gate(world.case(root, dataset, world.card(dataset)))) == {"no leaking field"}


def test_a_model_that_remembers_its_training_rows_is_refused(root: Path) -> None:
    dataset = world.company("lottery_number")
    train = world.train_rows().sort_values("lottery_number")
    memory = Curve(train["lottery_number"].to_numpy(), np.where(train["churned"], 2.0, -1.0), 0.0)
    decision = gate(world.case(root, dataset, world.card(dataset, curves={"lottery_number": memory})))
    assert "no overfitting" in failed(decision)


def test_a_model_that_says_the_same_of_everybody_is_refused(root: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset, {}, west=0.0)))
    assert {"probabilities", "ranking"} <= failed(decision)
    assert "spread of 0.000" in reason(decision, "probabilities")


@pytest.mark.parametrize(
    ("distorted", "missed"),
    [({"intercept": -0.7}, "observed over predicted"), ({"confidence": 1.7, "intercept": -1.0}, "slope")],
    ids=["too high everywhere", "too sure of itself"],
)
def test_a_model_whose_probabilities_are_wrong_is_refused(root: Path, distorted: dict[str, float], missed: str) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset, **distorted)))  # type: ignore[arg-type]
    assert "calibration" in failed(decision)
    parts = reason(decision, "calibration").split("; ")
    assert any(part.startswith(missed) and part.endswith("missed") for part in parts)


def test_a_model_that_is_good_on_average_and_bad_on_one_slice_is_refused(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset, {"failed_payments": 1.0}, intercept=-2.4))
    decision = gate(world.case(root, dataset, world.card(dataset, west=-1.8)))
    assert failed(decision) == {"slices"}
    assert reason(decision, "slices").startswith("region west: log loss")


def test_where_there_is_no_champion_a_slice_must_not_be_worse_than_under_the_rule(root: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset, west=-1.8, intercept=-1.34)))
    assert "slices" in failed(decision)
    assert "of the rule" in reason(decision, "slices")


def test_a_model_that_takes_failed_payments_for_a_good_sign_is_refused(root: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset, {"failed_payments": -0.5, "usage": -0.1})))
    assert "directions" in failed(decision)
    assert "failed_payments from 0 to 2" in reason(decision, "directions")


def test_a_field_without_effect_may_waver_around_it(root: Path) -> None:
    dataset = world.company()
    wavering = world.card(dataset, {"failed_payments": 1.0, "usage": 0.004}, intercept=-2.5)
    assert "directions" not in failed(gate(world.case(root, dataset, wavering)))


def test_a_model_that_earns_less_than_the_champion_is_refused(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset))
    decision = gate(world.case(root, dataset, world.card(dataset, {"usage": -0.1}, intercept=-1.0)))
    assert "earns as the champion" in failed(decision)


def test_a_loss_that_is_certain_is_refused_however_wide_the_margin(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset))
    judged = world.case(root, dataset, world.card(dataset, {"usage": -0.1}, intercept=-1.0))
    assert "earns as the champion" in failed(gate(judged, GateRules(champion_margin_share=100.0)))


MONEY = {"earns as the champion", "earns as the rule"}
DOUBTFUL = GateRules(champion_margin_share=-1.0, rule_margin_share=-1.0)  # nobody passes by these


def test_after_a_change_a_candidate_may_be_in_doubt_about_money_if_it_says_better_who_leaves(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset, {"failed_payments": 1.0}, intercept=-2.5))
    usual = world.case(root, dataset, world.card(dataset))
    after = replace(usual, is_after_a_change=True)
    assert after.says_worse_than("champion") < -4
    assert failed(gate(usual, DOUBTFUL)) >= MONEY
    assert not failed(gate(after, DOUBTFUL)) & MONEY
    assert failed(gate(replace(after, rule_answers=True), DOUBTFUL)) & MONEY == {"earns as the rule"}


@pytest.mark.parametrize(("worse", "refused"), [(-1.9, MONEY), (-2.1, set()), (np.nan, MONEY)])
def test_better_is_by_two_standard_errors(
    root: Path, monkeypatch: pytest.MonkeyPatch, worse: float, refused: set[str]
) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset))
    case = replace(world.case(root, dataset, world.card(dataset)), is_after_a_change=True)
    monkeypatch.setattr(Case, "says_worse_than", lambda *_: worse)
    assert failed(gate(case, DOUBTFUL)) & MONEY == refused


def test_after_a_change_a_candidate_that_says_the_same_needs_the_usual_margin(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset))
    case = replace(world.case(root, dataset, world.card(dataset)), is_after_a_change=True)
    assert case.says_worse_than("champion") == 0
    assert not failed(gate(case)) & MONEY
    assert failed(gate(case, DOUBTFUL)) & MONEY == {"earns as the champion"}


def test_after_a_change_a_certain_loss_is_refused_whoever_says_it_better(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset))
    worse = world.case(root, dataset, world.card(dataset, {"usage": -0.1}, intercept=-1.0))
    blind = GateRules(better_by_standard_errors=-1e9)  # everybody says it better by this
    assert "earns as the champion" in failed(gate(replace(worse, is_after_a_change=True), blind))


def test_after_a_change_training_and_test_are_compared_in_the_month_that_both_have(root: Path) -> None:
    dataset = world.company()
    train, newest = world.train_rows().copy(), world.test_rows()["snapshot"].max()
    is_new, odds = np.arange(len(train)) % 4 == 0, world.true_log_odds(train)
    train["churned"] = np.where(is_new, train["churned"], odds > np.quantile(odds, 0.8))  # anybody can tell
    train["snapshot"] = np.where(is_new, newest, "2024-01")
    usual = replace(world.case(root, dataset, world.card(dataset)), train=train)
    assert "no overfitting" in failed(gate(usual))
    assert "no overfitting" not in failed(gate(replace(usual, is_after_a_change=True)))


def test_after_a_change_a_model_that_remembers_the_newest_month_is_refused(root: Path) -> None:
    dataset = world.company("lottery_number")
    newest = world.train_rows().sort_values("lottery_number").assign(snapshot=world.test_rows()["snapshot"].max())
    memory = Curve(newest["lottery_number"].to_numpy(), np.where(newest["churned"], 2.0, -1.0), 0.0)
    older = world.rows(3, ("2024-02", "2024-03"), customers=12_000)  # of which it remembers nothing
    usual = world.case(root, dataset, world.card(dataset, curves={"lottery_number": memory}))
    case = replace(usual, train=pd.concat([older, newest], ignore_index=True))
    assert "no overfitting" not in failed(gate(case))
    assert "no overfitting" in failed(gate(replace(case, is_after_a_change=True)))


def test_after_a_change_who_stands_for_others_is_no_more_of_a_proof_that_nothing_is_remembered(root: Path) -> None:
    dataset = world.company()
    train = world.train_rows().assign(snapshot=world.test_rows()["snapshot"].max())
    alone = replace(world.case(root, dataset, world.card(dataset)), train=train)
    copied = replace(alone, test=pd.concat([alone.test, *[alone.test[::7]] * 9], ignore_index=True))
    for is_after, is_same in ((True, True), (False, False)):
        cases = (replace(case, is_after_a_change=is_after) for case in (alone, copied))
        found = {no_overfitting(case, GateRules())[1] for case in cases}
        assert (len(found) == 1) is is_same


def test_who_stands_for_others_has_one_say_in_who_says_it_better(root: Path) -> None:
    dataset = world.company()
    world.crown(root, dataset, world.card(dataset, {"failed_payments": 1.0}, intercept=-2.5))
    case = world.case(root, dataset, world.card(dataset))
    some = case.test.iloc[:50]
    copied = replace(case, test=pd.concat([case.test, some, some], ignore_index=True))
    assert copied.says_worse_than("champion") == pytest.approx(case.says_worse_than("champion"))


def test_a_model_that_earns_less_than_the_rule_is_refused(root: Path) -> None:
    dataset = world.company(rule=Rule(_points_that_say_all()))
    decision = gate(world.case(root, dataset, world.card(dataset, {"usage": -0.1}, intercept=-1.0)))
    assert "earns as the rule" in failed(decision)


def test_a_campaign_that_cannot_earn_is_refused(root: Path) -> None:
    poor = RetentionOffer(contact_cost=900, offer_cost=0, acceptance=1, value=Value(times=1000), budget_share=0.1)
    dataset = world.company(economics=poor)
    assert "earns something" in failed(gate(world.case(root, dataset, world.card(dataset))))


def test_probabilities_above_one_are_refused_and_named(root: Path) -> None:
    decision = gate(_scored_by(root, lambda columns, rows: np.full(rows, 1.7)))
    assert {"probabilities", "earns something", "slices"} <= failed(decision)
    assert "expected a probability between 0 and 1 for every row" in reason(decision, "probabilities")


def test_scores_that_are_not_a_number_are_refused(root: Path) -> None:
    decision = gate(_scored_by(root, lambda columns, rows: np.full(rows, np.nan)))
    wanted = {"stored bytes", "probabilities", "ranking", "no overfitting", "calibration", "earns something", "slices"}
    assert wanted | {"directions", "invariance"} <= failed(decision)


def test_an_exception_in_scoring_is_a_refusal_with_its_text(root: Path) -> None:
    def broken(columns: Any, rows: int) -> np.ndarray:
        raise RuntimeError("a tree that leads nowhere")

    decision = gate(_scored_by(root, broken))
    assert reason(decision, "probabilities") == "RuntimeError: a tree that leads nowhere"
    assert failed(decision) >= {"stored bytes", "earns something", "earns as the rule", "directions", "invariance"}


@pytest.mark.parametrize(
    "spoiled",
    [
        {"intercept": float("nan")},
        {"numbers": {"usage": {"knots": [0.0, 1.0, 2.0], "points": [0.0], "missing": 0.0}}},
        {"rung": "pickle"},
    ],
)
def test_a_stored_model_that_is_none_is_refused_by_every_check_that_asks_it(
    root: Path, spoiled: dict[str, Any]
) -> None:
    dataset = world.company()
    stored = world.card(dataset).as_dict() | spoiled
    folder = world.folder_of_bytes(root, dataset, json.dumps(stored).encode())
    decision = gate(_instead(world.case(root, dataset, world.card(dataset)), folder=folder))
    assert failed(decision) >= {"stored bytes", "probabilities", "earns something", "directions", "invariance"}


def test_a_model_that_reads_a_column_that_nobody_declared_is_refused(root: Path) -> None:
    dataset, wider = world.company(), world.company("final_bill")
    spying = world.card(wider, {"final_bill": 1.0, "failed_payments": 1.0, "usage": -0.1})
    decision = gate(world.case(root, dataset, spying, fields=wider.fields()))
    assert reason(decision, "declared fields") == "final_bill is not declared"
    assert "declared fields" in failed(decision)


def test_a_model_made_before_a_field_was_declared_is_refused(root: Path) -> None:
    decision = gate(
        world.case(root, world.company("lottery_number"), world.card(world.company()), fields=world.company().fields())
    )
    assert reason(decision, "declared fields") == "lottery_number is missing"


def test_too_few_leavers_tell_nothing(root: Path) -> None:
    dataset = world.company()
    full = world.case(root, dataset, world.card(dataset))
    few = full.test.head(150)
    decision = gate(replace(full, test=few, candidate=replace(full.candidate, offline_probability=np.zeros(150))))
    assert {"enough rows", "report"} <= failed(decision)


def test_a_rung_that_the_evaluation_did_not_choose_is_refused(root: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset), changed={"verdict": {"rung": "rule"}}))
    assert failed(decision) == {"simplest rung"}


@pytest.mark.parametrize("probability", [_by_place, _by_name])
def test_a_score_that_depends_on_the_neighbours_or_on_the_name_is_refused(
    root: Path, probability: Callable[[Any, int], np.ndarray]
) -> None:
    assert "invariance" in failed(gate(_scored_by(root, probability)))


# ---- files that must be refused


def test_a_swapped_model_file_is_refused(root: Path) -> None:
    dataset = world.company()
    judged = world.case(root, dataset, world.card(dataset))
    (judged.candidate.folder / "model.json").write_bytes(model_bytes(world.card(dataset, west=0.3)))
    decision = gate(judged)
    assert "SHA-256" in reason(decision, "stored bytes")
    assert (decision.promote, decision.digest) == (False, "")


def test_a_model_file_cut_short_is_refused(root: Path) -> None:
    judged = world.case(root, world.company(), world.card(world.company()))
    path = judged.candidate.folder / "model.json"
    path.write_bytes(path.read_bytes()[:-10])
    assert "stored bytes" in failed(gate(judged))


def test_an_edited_manifest_is_refused(root: Path) -> None:
    judged = world.case(root, world.company(), world.card(world.company()))
    path = judged.candidate.folder / "manifest.json"
    path.write_text(path.read_text().replace(world.DATA_VERSION, "e" * 64))
    decision = gate(judged)
    assert "manifest.json: expected a manifest" in reason(decision, "stored bytes")
    assert "stored bytes" in failed(decision)


def test_a_whole_release_of_another_model_is_refused(root: Path) -> None:
    dataset = world.company()
    judged = world.case(root, dataset, world.card(dataset))
    other = world.released(root, dataset, world.card(dataset, west=0.3))
    decision = gate(_instead(judged, folder=other.folder))
    assert {"stored bytes", "report"} <= failed(decision)
    assert "differ from the fitted model's by" in reason(decision, "stored bytes")


def test_offline_scores_of_other_rows_are_refused(root: Path) -> None:
    judged = world.case(root, world.company(), world.card(world.company()))
    fewer = judged.candidate.offline_probability[1:]
    decision = gate(replace(judged, candidate=replace(judged.candidate, offline_probability=fewer)))
    assert reason(decision, "stored bytes") == "3,999 offline probabilities for 4,000 test rows"


def test_a_missing_report_is_refused(root: Path) -> None:
    judged = world.case(root, world.company(), world.card(world.company()))
    judged.candidate.report.unlink()
    assert failed(gate(judged)) == {"report", "simplest rung"}


def test_a_report_that_was_changed_after_it_was_written_is_refused(root: Path) -> None:
    judged = world.case(root, world.company(), world.card(world.company()))
    judged.candidate.report.write_bytes(judged.candidate.report.read_bytes() + b"\n")
    assert failed(gate(judged)) == {"report", "simplest rung"}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"test_digest": "0" * 64}, "digest of the test rows"),
        ({"data_version": "0" * 64}, "data version"),
        ({"run_key": "2023-01"}, "run month"),
        ({"dataset": "another"}, "dataset"),
        ({"rungs": {"logistic": {"profit": {"value": 1e6}, "log_loss": {"value": 0.1}}}}, "profit of the rung"),
        ({"rungs": {}}, "KeyError"),
    ],
)
def test_a_report_about_something_else_is_refused(root: Path, changed: dict[str, Any], text: str) -> None:
    decision = gate(world.case(root, world.company(), world.card(world.company()), changed=changed))
    assert failed(decision) == {"report"}
    assert reason(decision, "report").startswith(text)


def test_a_month_that_runs_again_after_its_report_grew_still_has_its_release_accepted(root: Path) -> None:
    dataset = world.company()
    first = world.case(root, dataset, world.card(dataset))
    again = world.case(root, dataset, world.card(dataset), changed={"notes": ["more than before"]})
    assert again.candidate.folder == first.candidate.folder
    assert failed(gate(again)) == set()


# ---- champions that must not be replaced unseen


def test_a_pointer_that_moved_since_the_comparison_began_is_refused(root: Path) -> None:
    dataset = world.company()
    judged = world.case(root, dataset, world.card(dataset))
    world.crown(root, dataset, world.card(dataset, west=0.1))
    decision = gate(judged)
    assert failed(decision) == {"pointer"}
    assert reason(decision, "pointer") == "generation 1 of the pointer, 0 when the comparison began"


def test_a_champion_that_cannot_be_verified_is_no_reason_to_promote(root: Path) -> None:
    dataset = world.company()
    champion = world.crown(root, dataset, world.card(dataset, west=0.1))
    judged = world.case(root, dataset, world.card(dataset))
    (champion.folder / "model.json").write_bytes(b"{}")
    decision = gate(judged)
    assert {"earns as the champion", "slices"} <= failed(decision)
    assert decision.champion == "damaged"


def test_a_champion_that_cannot_score_todays_rows_is_no_reason_to_promote(root: Path) -> None:
    wider = world.company("lottery_number")
    world.crown(root, wider, world.card(wider))
    judged = world.case(root, world.company(), world.card(world.company()))
    without = judged.test.drop(columns="lottery_number")
    assert "earns as the champion" in failed(gate(replace(judged, test=without)))


def test_a_damaged_pointer_is_no_reason_to_promote(root: Path) -> None:
    dataset = world.company()
    judged = world.case(root, dataset, world.card(dataset))
    (root / "current.json").write_text("{")
    assert {"earns as the champion", "pointer"} <= failed(gate(judged))


# ---- acting on a decision


def test_what_passed_is_promoted_and_the_reasons_are_kept(root: Path, tmp_path: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset)))
    path = UPath(tmp_path / "gate.json")
    digest = write_decision(path, decision)
    assert read_decision(path, digest) == decision
    promote_decided(root, path, digest, at=AT)
    pointer = read_pointer(root)
    assert pointer is not None
    assert (pointer.release, pointer.history[-1].why) == (decision.candidate, "passed the gate against no champion")


def test_what_was_refused_is_not_promoted(root: Path, tmp_path: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset), changed={"verdict": {"rung": "rule"}}))
    digest = write_decision(UPath(tmp_path / "gate.json"), decision)
    assert promote_decided(root, UPath(tmp_path / "gate.json"), digest, at=AT) is None
    assert read_pointer(root) is None


def test_a_decision_that_was_edited_is_not_acted_on(root: Path, tmp_path: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset), changed={"verdict": {"rung": "rule"}}))
    path = UPath(tmp_path / "gate.json")
    digest = write_decision(path, decision)
    stored = json.loads(path.read_bytes()) | {"promote": True}
    path.write_bytes(canonical_json(stored))
    with pytest.raises(ReleaseError, match="expected SHA-256"):
        promote_decided(root, path, digest, at=AT)
    import hashlib

    with pytest.raises(ReleaseError, match="each passed; found simplest rung"):  # not even with a digest that is right
        promote_decided(root, path, hashlib.sha256(path.read_bytes()).hexdigest(), at=AT)
    assert read_pointer(root) is None


def test_a_decision_does_not_hold_once_the_pointer_moved(root: Path, tmp_path: Path) -> None:
    dataset = world.company()
    decision = gate(world.case(root, dataset, world.card(dataset)))
    digest = write_decision(UPath(tmp_path / "gate.json"), decision)
    other = world.released(root, dataset, world.card(dataset, west=0.1))
    promote(root, other.id, 0, "somebody was quicker", at=AT)
    with pytest.raises(ReleaseError, match="pointer at generation 0"):
        promote_decided(root, UPath(tmp_path / "gate.json"), digest, at=AT)


def test_no_decision_is_no_promotion(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="found no file"):
        promote_decided(root, UPath(tmp_path / "gate.json"), "0" * 64, at=AT)


OUTCOMES = st.lists(st.sampled_from(["pass", "fail", "raise", "nan"]), min_size=len(CHECKS), max_size=len(CHECKS))


@given(OUTCOMES)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_nothing_is_promoted_when_any_check_failed_or_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcomes: list[str]
) -> None:
    def check(outcome: str) -> Callable[[Case, GateRules], Any]:
        def outcome_of(case: Case, rules: GateRules) -> tuple[Any, str]:
            if outcome == "raise":
                raise MemoryError("no memory")
            return {"pass": True, "fail": False, "nan": np.float64("nan") > 0}[outcome], outcome

        return outcome_of

    table = tuple((name, check(outcome)) for (name, _), outcome in zip(CHECKS, outcomes, strict=True))
    monkeypatch.setattr(pipeline.gate, "CHECKS", table)
    dataset = world.company()
    decision = gate(_without_release(dataset, tmp_path))
    assert decision.promote == all(outcome == "pass" for outcome in outcomes)
    assert len(decision.checks) == len(CHECKS)


def test_a_promotion_with_a_failed_or_a_forgotten_check_cannot_even_be_made() -> None:
    passed = tuple(Check(name, True, "") for name, _ in CHECKS)
    for checks in (passed[1:], (*passed[1:], passed[0]), (replace(passed[0], passed=False), *passed[1:]), ()):
        with pytest.raises(ReleaseError, match="expected all 17 checks"):
            PromotionDecision(
                promote=True,
                champion=None,
                candidate="2024-06-000000000000",
                digest="0" * 64,
                expected_generation=0,
                reasons=(),
                checks=checks,
            )


# ---- fakes


def _points_that_say_all() -> tuple[Points, ...]:
    """The truth in steps, fine enough to be as good as a model."""
    payments = [Points(Where("failed_payments", ">=", n), 10) for n in (1, 2, 3, 4, 5)]
    usage = [Points(Where("usage", "<", gb), 1) for gb in range(1, 25)]
    return (*payments, *usage, Points(Where("region", "==", "west"), 2))


def _instead(judged: Case, *, folder: Path) -> Case:
    return replace(judged, candidate=replace(judged.candidate, folder=folder))


def _scored_by(root: Path, probability: Callable[[Any, int], np.ndarray]) -> Case:
    """A candidate whose stored model answers as a function does."""
    dataset = world.company()
    judged = world.case(root, dataset, world.card(dataset))
    judged.__dict__["release"] = replace(judged.release, scorer=_Answering(probability))
    return judged


def _without_release(dataset: Any, tmp_path: Path) -> Case:
    frame = world.test_rows()
    candidate = world.candidate(tmp_path, tmp_path / "2024-06-000000000000", np.zeros(len(frame)), b"{}")
    return Case(
        dataset=dataset,
        candidate=candidate,
        train=frame,
        test=frame,
        root=tmp_path,
        expected_generation=0,
        settings=world.SETTINGS,
    )
