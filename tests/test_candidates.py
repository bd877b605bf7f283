"""What a run says of its candidate: what it learned from, and who answered when it was made."""

from pathlib import Path

import pandas as pd
import pytest

from monitoring.month import circumstances_of
from pipeline.candidates import Run, _incumbent
from pipeline.lake import write_json
from pipeline.pointer import generation_of
from pipeline.serving_order import order_champion, order_rule
from pipeline.settings import Settings
from pipeline.splits import Split
from tests.watched_company import DATASET, GOOD, MADE_OF, crowned, live, watched

NOTHING = pd.DataFrame({"snapshot": []})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path))


@pytest.mark.parametrize(("since", "learned"), [("", [1, 2, 3]), ("2024-02", [2, 3])])
def test_a_candidate_is_judged_and_described_by_the_months_that_it_learned_from(
    settings: Settings, since: str, learned: list[int]
) -> None:
    train = pd.DataFrame({"snapshot": ["2024-01", "2024-02", "2024-03"], "row": [1, 2, 3]})
    run = Run(DATASET, settings, "2024-05", Split(train, NOTHING, NOTHING))
    write_json(run.rung_folder("boosting") / "training.json", {"parameters": {}, "search": [], "since": since})
    assert run.learned_by("boosting")["row"].tolist() == learned


def test_the_rule_is_the_incumbent_as_long_as_it_is_ordered_to_answer(settings: Settings) -> None:
    for key in MADE_OF:
        live(settings, key)
    run = Run(DATASET, settings, "2024-08")
    assert _incumbent(run) is None
    release = crowned(settings, GOOD)
    assert _incumbent(run) == release.manifest.rung != "rule"
    root = watched(settings).root
    order_rule(root, "it loses", month="2024-08", generation=generation_of(run.releases))
    assert _incumbent(run) == "rule"
    order_champion(root, "it was a mistake")
    assert _incumbent(run) == release.manifest.rung


def test_months_since_a_rival_are_counted_from_the_last_candidate_that_was_judged(settings: Settings) -> None:
    assert watched(settings).last_judged == ""
    for key in ("2024-03", "2024-05", "2024-11"):
        write_json(Run(DATASET, settings, key).folder / "decision.json", {})
    (Run(DATASET, settings, "2024-07").folder).mkdir(parents=True)  # began, and never came before the gate
    assert watched(settings, "2024-08").last_judged == "2024-05"


def told(settings: Settings, proposed: str, **is_no_news: bool) -> Run:
    """A month whose candidate was judged, with what its rungs found."""
    run = Run(DATASET, settings, "2024-08")
    write_json(run.folder / "evaluation.json", {"verdict": {"rung": proposed}})
    write_json(run.folder / "decision.json", {})
    for rung, found in is_no_news.items():
        write_json(run.rung_folder(rung) / "training.json", {"is_no_news": found})
    return run


@pytest.mark.parametrize(
    ("proposed", "logistic", "boosting", "is_no_news"),
    [
        ("boosting", True, False, False),
        ("boosting", False, True, True),
        ("logistic", True, False, True),
        ("rule", True, False, False),  # a model found something to learn
        ("rule", True, True, True),
    ],
)
def test_whether_a_training_found_news_is_said_by_the_rung_that_was_proposed(
    settings: Settings, proposed: str, logistic: bool, boosting: bool, is_no_news: bool
) -> None:
    told(settings, proposed, logistic=logistic, boosting=boosting)
    assert watched(settings).found_no_news == is_no_news


def test_a_training_that_no_gate_has_judged_found_nothing(settings: Settings) -> None:
    assert not watched(settings).found_no_news
    run = told(settings, "boosting", boosting=True)
    (run.folder / "decision.json").unlink()
    assert not watched(settings).found_no_news


@pytest.mark.parametrize("damage", [b"{", b"{}"])
def test_a_damaged_report_says_nothing_of_news(settings: Settings, damage: bytes) -> None:
    run = told(settings, "boosting", boosting=True)
    (run.folder / "evaluation.json").write_bytes(damage)
    assert not watched(settings).found_no_news


def test_what_a_training_found_reaches_the_decision(settings: Settings) -> None:
    told(settings, "boosting", boosting=True)
    decision = {"action": "retrain", "month": "2024-08", "reasons": [], "since": "2024-08", "last_training": "2024-08"}
    watched(settings).write("decisions", {"decision": decision, "release": ""})
    assert circumstances_of(watched(settings, "2024-09")).was_no_news
    told(settings, "boosting", boosting=False)
    assert not circumstances_of(watched(settings, "2024-09")).was_no_news
