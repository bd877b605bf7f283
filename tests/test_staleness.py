"""How long a model stays good."""

from pathlib import Path

import pytest

from monitoring.figures import write_figures
from monitoring.month import look
from monitoring.staleness import Aged, best_before_months, staleness_evidence
from pipeline.settings import Settings
from tests.watched_company import GOOD, MADE_OF, NOW, crowned, live, watched


def curve(*skills: float) -> list[Aged]:
    return [Aged(months, f"2025-{months:02d}", skill) for months, skill in enumerate(skills, 1)]


def test_the_age_at_which_a_tenth_is_lost_is_read_off_a_straight_line() -> None:
    # 0.40 when trained, and 0.01 less with each month: a tenth, 0.04, is lost in four
    assert best_before_months(curve(0.39, 0.38, 0.37, 0.36, 0.35, 0.34)) == 4


def test_a_model_that_is_stale_at_once_has_a_month_all_the_same() -> None:
    assert best_before_months(curve(0.30, 0.20, 0.10, 0.0, -0.1)) == 1


@pytest.mark.parametrize(
    "skills",
    [
        (0.30, 0.32, 0.31, 0.33, 0.32, 0.34),  # it does not fall
        (0.30, 0.20, 0.33, 0.19, 0.31, 0.24),  # nobody can say
        (0.40, 0.30, 0.20, 0.10),  # too few months to say
        (-0.1, -0.2, -0.3, -0.4, -0.5),  # it never was any good
    ],
)
def test_where_the_line_does_not_fall_for_sure_no_end_is_seen(skills: tuple[float, ...]) -> None:
    assert best_before_months(curve(*skills)) is None


@pytest.mark.parametrize(("limit", "is_told"), [(4, False), (3, True), (None, False)])
def test_a_release_is_stale_from_the_age_at_which_a_model_like_it_was(
    tmp_path: Path, limit: int | None, is_told: bool
) -> None:
    settings = Settings(home=str(tmp_path), bootstrap_rounds=100)
    for key in (*MADE_OF, NOW):
        live(settings, key)
    release = crowned(settings, GOOD, run_key="2024-05")  # and it is August
    write_figures(watched(settings).lake, "decay", release.manifest.run_key, {"best_before_months": limit, "curve": []})
    found = look(watched(settings), "staleness")
    assert [each.kind for each in found.evidence] == (["stale_model"] if is_told else [])
    assert found.figures["age_months"] == 3


def test_a_model_gets_a_rival_now_and_then_though_nothing_is_wrong(tmp_path: Path) -> None:
    month = watched(Settings(home=str(tmp_path)))
    about = {"release": "2024-01-x", "best_before_months": None, "age_months": 20}
    assert staleness_evidence(month, {**about, "months_since_training": 7}) == []
    (found,) = staleness_evidence(month, {**about, "months_since_training": 8})
    assert found.says == "2024-08: 8 months have passed since 2024-01-x had a rival"


def test_two_rivals_have_months_between_them_however_fast_models_age(tmp_path: Path) -> None:
    month = watched(Settings(home=str(tmp_path)))
    about = {"release": "2024-01-x", "best_before_months": 1, "age_months": 7}
    assert staleness_evidence(month, {**about, "months_since_training": 2}) == []
    assert len(staleness_evidence(month, {**about, "months_since_training": 3})) == 1
