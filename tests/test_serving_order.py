"""Monitoring's order: who may give it, who obeys, and that only a gate that passed lifts it by itself."""

import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from assets.definitions import build_definitions
from pipeline.batch import Answering, answering
from pipeline.calendar import Monthly
from pipeline.candidates import Run
from pipeline.errors import ReleaseError
from pipeline.pointer import promote, rollback
from pipeline.release import Release
from pipeline.serving_order import (
    LONGEST_REASON,
    ORDER_FILE,
    gate_passed_since,
    order_champion,
    order_rule,
    read_order,
    resume_after_gate,
)
from pipeline.settings import Settings
from tests.little_releases import AT, DATASET, judged, two_releases


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(DATASET, Settings(home=str(tmp_path)), "2024-06")


@pytest.fixture
def root(run: Run) -> Path:
    return run.releases.parent


@pytest.fixture
def releases(run: Run) -> tuple[Release, Release]:
    return two_releases(run.releases)


def served(found: Answering) -> tuple[str, str, str]:
    return found.release.id, found.served_by, found.fallback_reason


# ---- the order itself


def test_nobody_ordered_anything_at_first(root: Path) -> None:
    assert read_order(root) is None


def test_an_order_is_read_back_as_it_was_given(root: Path) -> None:
    given = order_rule(root, "it lost  money\nin June", month="2024-06", generation=2)
    assert read_order(root) == given
    assert (given.wants_rule, given.reason, given.month, given.generation, given.by) == (
        True,
        "it lost money in June",
        "2024-06",
        2,
        "monitoring",
    )


def test_a_reason_that_would_go_out_with_every_answer_is_kept_short_and_never_empty(root: Path) -> None:
    assert len(order_rule(root, "x" * 1000, month="2024-05", generation=0).reason) == LONGEST_REASON
    assert order_rule(root, " ", month="2024-06", generation=0).reason == "no reason given"


def test_an_order_given_again_after_it_was_lifted_changes_nothing(root: Path) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    order_champion(root, "mended")
    assert not order_rule(root, "it lost money", month="2024-06", generation=2).wants_rule
    assert not order_rule(root, "of an older month", month="2024-05", generation=2).wants_rule
    assert order_rule(root, "it lost money again", month="2024-07", generation=2).wants_rule


def test_monitoring_leaves_the_order_of_an_operator_alone(root: Path) -> None:
    held = order_rule(root, "we are migrating", month="", generation=0, by="operator")
    assert order_rule(root, "it lost money", month="2024-06", generation=2) == held
    assert read_order(root) == held


def test_an_operator_lifts_the_order_of_monitoring_until_a_later_month_orders_anew(root: Path) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    assert order_champion(root, "a false alarm").by == "operator"
    assert not order_rule(root, "it lost money", month="2024-06", generation=2).wants_rule
    assert order_rule(root, "it lost money", month="2024-07", generation=2).wants_rule


def test_an_order_that_cannot_be_read_is_an_error_with_a_remedy_and_can_be_written_over(root: Path) -> None:
    root.mkdir(parents=True)
    (root / ORDER_FILE).write_text('{"serve": "nobody"}')
    with pytest.raises(ReleaseError, match="churn release hold"):
        read_order(root)
    assert order_champion(root, "mended").serve == "champion"


# ---- the way back


def test_a_release_that_passed_the_gate_since_lifts_the_order(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    candidate = judged(run)
    assert gate_passed_since(root, run.releases, 2).passed
    assert resume_after_gate(root, run.releases, 2).reason == f"{candidate.id} passed the gate against the one before"
    order = read_order(root)
    assert order is not None
    assert not order.wants_rule
    assert order.month == "2024-06"  # so that June's order, given again, changes nothing


def test_the_asset_that_promotes_lets_the_champion_answer_before_the_list_is_made(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    judged(run)
    longer = replace(DATASET, calendar=Monthly(first="2024-01", months=7, history_months=2))
    definitions = build_definitions(longer, run.settings.model_copy(update={"mlflow": False}))
    asset = definitions.resolve_assets_def("current_release")
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([asset], partition_key="2024-07", instance=instance)
    order = read_order(root)
    assert order is not None
    assert not order.wants_rule


def still_held(root: Path, run: Run, because: str) -> None:
    found = resume_after_gate(root, run.releases, 2)
    assert not found.passed
    assert because in found.reason
    order = read_order(root)
    assert order is not None
    assert order.wants_rule


def test_nothing_else_lifts_it(run: Run, root: Path, releases: tuple[Release, Release]) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    still_held(root, run, "nothing was promoted since generation 2")
    judged(run, passes=False)
    still_held(root, run, "nothing was promoted since generation 2")
    rollback(run.releases, "by hand", at=AT)
    still_held(root, run, f"{releases[0].id} is current by a rollback, which no gate judged")
    promote(run.releases, releases[1].id, 3, "by hand", at=AT)
    still_held(root, run, "No such file")


def test_a_promotion_by_hand_of_what_the_gate_refused_lifts_nothing(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    refused = judged(run, passes=False)
    promote(run.releases, refused.id, 2, "passed the gate against nobody", at=AT)
    still_held(root, run, f"no decision of the gate since generation 2 promoted {refused.id}")


def test_a_gate_that_passed_before_the_order_lifts_nothing(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    passed = judged(run)  # generation 3
    order_rule(root, "it lost money", month="2024-07", generation=3)
    promote(run.releases, releases[1].id, 3, "by hand", at=AT)
    promote(run.releases, passed.id, 4, "by hand, and back", at=AT)
    assert not resume_after_gate(root, run.releases, 3).passed


def test_a_decision_that_was_edited_lifts_nothing(run: Run, root: Path, releases: tuple[Release, Release]) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    judged(run)
    path = root / "reports" / "2024-07" / "decision.json"
    path.write_text(path.read_text().replace("the one before", "another"))
    still_held(root, run, "expected SHA-256")


def test_a_damaged_pointer_lifts_nothing(run: Run, root: Path, releases: tuple[Release, Release]) -> None:
    order_rule(root, "it lost money", month="2024-06", generation=2)
    judged(run)
    (run.releases / "current.json").write_text("{")
    still_held(root, run, "pointer")


def test_an_order_of_an_operator_is_lifted_by_no_gate(run: Run, root: Path, releases: tuple[Release, Release]) -> None:
    order_rule(root, "we are migrating", month="", generation=2, by="operator")
    judged(run)
    still_held(root, run, "churn release resume")


def test_an_order_that_came_meanwhile_is_left_alone(run: Run, root: Path, releases: tuple[Release, Release]) -> None:
    judged(run)  # generation 3
    order_rule(root, "the new one lost money too", month="2024-07", generation=3)
    still_held(root, run, "the order is of generation 3, not 2")


def test_where_nothing_is_ordered_there_is_nothing_to_lift(run: Run, root: Path) -> None:
    assert resume_after_gate(root, run.releases, 0).reason == "nothing is ordered"


# ---- the batch obeys


def test_the_batch_scores_by_the_rule_of_the_champion_where_monitoring_orders_it(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    assert served(answering(run)) == (releases[1].id, "champion", "")
    order_rule(root, "it lost money", month="2024-06", generation=2)
    found = answering(run)
    assert served(found) == (releases[1].id, "rule", "monitoring: it lost money")
    assert found.release.scorer.name == "rule"
    order_champion(root, "mended")
    assert served(answering(run)) == (releases[1].id, "champion", "")


def test_the_batch_scores_by_the_rule_where_an_order_cannot_be_read(
    run: Run, root: Path, releases: tuple[Release, Release]
) -> None:
    (root / ORDER_FILE).write_text(json.dumps({"reason": "cut short"}))
    found = answering(run)
    assert found.served_by == "rule"
    assert found.fallback_reason.startswith("monitoring: order ")
