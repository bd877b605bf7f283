"""A month that closed, seen from every side: what is found, what is decided, and what is done about it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from monitoring.acting import come_back
from monitoring.decisions import Action, MonitoringDecision
from monitoring.month import LOOKS, act_on_month, decide_month, evidence_of, look
from monitoring.reference import reference_for
from monitoring.watched import WatchedMonth
from pipeline.calendar import Monthly
from pipeline.call_list import build_call_list, predictions_of, write_call_list
from pipeline.lake import Lake, lake_of
from pipeline.pointer import generation_of, promote, read_pointer
from pipeline.prediction_log import log_batch
from pipeline.release import Release, write_release
from pipeline.scoring import Scorer
from pipeline.serving_order import read_order
from pipeline.settings import Settings
from pipeline.state import state_engine
from tests import gate_world as world

DATASET = world.company(calendar=Monthly(first="2024-01", months=12, history_months=1))
MADE_OF = ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06")
BEFORE, NOW = "2024-07", "2024-08"  # the outcome of the first is known when the second closes
GOOD = world.card(DATASET)
BAD = world.card(DATASET, {"failed_payments": -1.0, "usage": 0.1})  # every sign is wrong
FLAT = world.card(DATASET, {"failed_payments": 0.5, "usage": -0.1})
HALF_LEFT_ALONE = {"holdout_share": 0.5}  # so that one month of a few customers proves a loss
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path), bootstrap_rounds=100)


def as_it_is(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def live(settings: Settings, key: str, change: Change = as_it_is) -> None:
    """The features of a month and, for the month after, its labels."""
    lake, rows = lake_of(settings, DATASET.name), change(world.rows(int(key[-2:]), (key,)).copy())
    names = ["customer_id", *(field.name for field in DATASET.fields())]
    lake.write(pa.Table.from_pandas(rows[names], preserve_index=False), "features", "customers", key)
    labels = rows[["customer_id", "churned"]]
    lake.write(pa.Table.from_pandas(labels, preserve_index=False), "labels", "customers", key)
    lake.write(pa.table({"customer_id": rows["customer_id"].tolist()}), "raw", "customers", key)


def crowned(settings: Settings, scorer: Scorer) -> Release:
    """The champion, with the months that it was made of to compare with."""
    lake = lake_of(settings, DATASET.name)
    releases = Path(str(lake.root)) / "releases"
    reference = reference_for(DATASET, lake, MADE_OF, scorer).as_dict()
    profit = {"value": 8_000.0, "low": 7_000.0, "high": 9_000.0}
    report: dict[str, Any] = {
        "rungs": {scorer.name: {"profit": profit}},
        "rows": 4_000,
        "snapshots": ["2024-05", "2024-06"],
        "parts": [{"name": "train", "snapshots": ["2024-01", "2024-02", "2024-03"]}],
    }
    contents = replace(world.contents_of(DATASET, scorer, report), drift=reference)
    release = write_release(releases, contents, world.origin())
    promote(releases, release.id, generation_of(releases), "for the test", at=datetime(2024, 7, 1))
    return release


def score(settings: Settings, release: Release, key: str) -> pa.Table:
    """The batch of a month, in the log."""
    lake = lake_of(settings, DATASET.name)
    scores, listed = build_call_list(lake, release, key, holdout_share=settings.holdout_share)
    write_call_list(lake, scores, listed, key)
    engine = state_engine(settings, lake)
    told = predictions_of(DATASET, lake, scores, key, predicted_at=datetime(2024, 8, 1))
    log_batch(engine, told, dataset=DATASET.name, snapshot=key, release=release.id)
    engine.dispose()
    return scores


def watched(settings: Settings, key: str = NOW) -> WatchedMonth:
    return WatchedMonth(DATASET, settings, key)


def seen(settings: Settings, key: str = NOW) -> MonitoringDecision:
    """Look at a month from every side, and decide."""
    month = watched(settings, key)
    for kind in LOOKS:
        look(month, kind)
    return decide_month(month)


def kinds(settings: Settings, key: str = NOW) -> set[str]:
    return {each.kind for each in evidence_of(watched(settings, key), key)}


@pytest.fixture
def company(settings: Settings) -> Settings:
    for key in (*MADE_OF, BEFORE, NOW):
        live(settings, key)
    return settings


def lake(settings: Settings) -> Lake:
    return lake_of(settings, DATASET.name)


def test_a_month_like_the_others_asks_for_nothing(company: Settings) -> None:
    release = crowned(company, GOOD)
    score(company, release, BEFORE)
    seen(company, BEFORE)
    decision = seen(company)
    assert [each.says for each in evidence_of(watched(company), NOW)] == []
    assert (decision.action, decision.starts_training) == (Action.NOTHING, False)


def test_without_a_release_a_training_is_asked_for(company: Settings) -> None:
    decision = seen(company)
    assert (decision.action, decision.starts_training) == (Action.RETRAIN, True)
    assert decision.reasons == ("2024-08: there is no release yet",)


def test_a_unit_that_changed_is_damage_which_is_watched_and_not_learned(company: Settings) -> None:
    crowned(company, GOOD)
    live(company, NOW, lambda rows: rows.assign(usage=1.5 * rows["usage"]))
    decision = seen(company)
    assert "damage" in kinds(company)
    assert (decision.action, decision.starts_training) == (Action.WATCH, False)


def test_another_mix_of_customers_is_trained_on_when_it_stays(company: Settings) -> None:
    def moved(rows: pd.DataFrame) -> pd.DataFrame:
        west = np.arange(len(rows)) % 3 == 0
        return rows.assign(region=np.where(west, "west", rows["region"]))

    crowned(company, GOOD)
    live(company, BEFORE, moved)
    live(company, NOW, moved)
    assert seen(company, BEFORE).action is Action.WATCH
    assert seen(company).starts_training


def test_other_reasons_to_leave_show_when_the_first_labels_mature(company: Settings) -> None:
    def for_other_reasons(rows: pd.DataFrame) -> pd.DataFrame:
        random = np.random.default_rng(1)
        return rows.assign(churned=random.random(len(rows)) < 0.6 * (rows["usage"] > 12))

    live(company, BEFORE, for_other_reasons)
    score(company, crowned(company, GOOD), BEFORE)
    seen(company, BEFORE)
    assert "realised_below_estimate" not in kinds(company, BEFORE)  # nothing in the features says so
    decision = seen(company)
    assert "realised_below_estimate" in kinds(company)
    assert decision.starts_training


def test_customers_who_stay_because_they_were_called_are_no_mistake_of_the_model(company: Settings) -> None:
    scores = score(company, crowned(company, GOOD), BEFORE).to_pandas().set_index("customer_id")
    called = scores["contact"]
    live(company, BEFORE, lambda rows: rows.assign(churned=rows["churned"] & ~rows["customer_id"].map(called)))
    seen(company, BEFORE)
    assert seen(company).action < Action.FALL_BACK
    assert "realised_loss_beyond_margin" not in kinds(company)


def test_a_model_that_loses_to_the_rule_beyond_the_margin_is_stopped_at_once(company: Settings) -> None:
    company = company.model_copy(update=HALF_LEFT_ALONE)
    score(company, crowned(company, BAD), BEFORE)
    seen(company, BEFORE)
    decision = seen(company)
    assert decision.action is Action.FALL_BACK
    act_on_month(watched(company))
    order = read_order(watched(company).root)
    assert order is not None
    assert order.wants_rule
    assert "more than the rule" in order.reason


def test_the_rule_answers_until_a_gate_has_passed_however_quiet_it_is(company: Settings) -> None:
    company = company.model_copy(update=HALF_LEFT_ALONE)
    score(company, crowned(company, BAD), BEFORE)
    seen(company, BEFORE)
    seen(company)
    act_on_month(watched(company))
    assert come_back(watched(company))[0].startswith("the rule goes on answering")
    live(company, "2024-09")
    decision = seen(company, "2024-09")
    assert decision.action is Action.FALL_BACK
    assert any("no gate has passed yet" in reason for reason in decision.reasons)


def test_a_release_worse_than_the_one_before_goes_back_once(company: Settings) -> None:
    before = crowned(company, GOOD)
    score(company, crowned(company, FLAT), BEFORE)
    stored = {"action": "roll_back", "month": NOW, "reasons": ["it earns less"], "since": NOW}
    month = watched(company)
    release = month.release
    assert release is not None
    month.write("decisions", {"decision": stored, "release": release.id, "evidence": []})
    act_on_month(watched(company))
    act_on_month(watched(company))  # as after a crash
    pointer = read_pointer(month.releases)
    assert pointer is not None
    assert (pointer.release, pointer.generation) == (before.id, 3)
