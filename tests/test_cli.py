"""The command line as a person and as a script meet it."""

import json
from pathlib import Path
from typing import Any

import pytest

from assets import cli, doctor
from pipeline.errors import ChurnError
from pipeline.pointer import read_pointer
from pipeline.serving_order import read_order
from pipeline.settings import Settings
from tests.command_line import churn, said
from tests.little_releases import NEWER, OLDER, two_releases

LITTLE = """
from tests.little_company import little_company

DATASET = little_company()
"""
RUNGS, FIGURES = ("rule", "logistic", "boosting"), ("roc_auc", "pr_auc", "log_loss", "brier", "profit")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and the little company as a user's module."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "little.py").write_text(LITTLE)
    monkeypatch.setenv("CHURN_DATASET", str(tmp_path / "little.py"))
    return tmp_path / "home"


# ---- mistakes


def test_an_unknown_dataset_is_one_paragraph_on_standard_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "run", "--dataset", "nope")
    assert (code, out) == (1, "")
    assert err.startswith("churn: dataset 'nope': expected one of simulated, telco, tv")
    assert len(err.splitlines()) == 1


def test_a_month_that_the_dataset_does_not_have_is_said_before_anything_is_written(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "run", "--month", "2031-01")
    assert code == 1
    assert "expected one of 2024-01 to 2024-06; found '2031-01'" in err
    assert not home.exists()


def test_a_setting_that_is_no_number_is_named(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_THREADS", "many")
    code, _, err = said(capsys, "doctor")
    assert code == 1
    assert "setting CHURN_THREADS: expected another value; found 'many'" in err


def test_what_looks_like_markup_in_an_error_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise ChurnError("column [/x]", expected="[bold]", found="[red]", remedy="Mend [it].")

    assert cli.guarded(refuse) == 1
    assert capsys.readouterr().err == "churn: column [/x]: expected [bold]; found [red]. Mend [it].\n"


# ---- releases, without anything else


def test_releases_are_listed_shown_verified_and_rolled_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older, newer = two_releases(home / "little" / "releases")
    listed = said(capsys, "release", "list")[1].splitlines()
    assert [line.split()[0] for line in listed[1:]] == [older.id, "current"]
    assert "# A card" in said(capsys, "release", "show", older.id)[1]
    assert said(capsys, "release", "verify")[1].startswith(f"{newer.id}: every file has its digest")
    code, out, _ = said(capsys, "release", "rollback", "--why", "it calls the wrong people")
    assert (code, out) == (0, f"current release: {older.id}\n")
    pointer = read_pointer(home / "little" / "releases")
    assert pointer is not None
    assert (pointer.release, pointer.history[-1].why) == (older.id, "it calls the wrong people")


def test_a_release_is_held_back_with_a_reason_and_answers_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_releases(home / "little" / "releases")
    assert said(capsys, "release", "hold", "--why", "we are migrating")[0] == 0
    order = read_order(home / "little")
    assert order is not None
    assert (order.wants_rule, order.reason, order.by) == (True, "by hand: we are migrating", "operator")
    assert said(capsys, "release", "resume", "--why", "done")[0] == 0
    order = read_order(home / "little")
    assert order is not None
    assert not order.wants_rule


def test_a_damaged_release_is_listed_as_damaged_and_its_verification_fails(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, newer = two_releases(home / "little" / "releases")
    (newer.folder / "model.json").write_bytes(b"{}")
    assert "damaged" in said(capsys, "release", "list")[1]
    code, _, err = said(capsys, "release", "verify", newer.id)
    assert code == 1
    assert err.startswith("churn: ")


def test_with_a_damaged_pointer_the_releases_are_listed_before_the_error(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_releases(home / "little" / "releases")
    (home / "little" / "releases" / "current.json").write_text("{")
    code, out, err = said(capsys, "release", "list")
    assert code == 1
    assert OLDER in out
    assert NEWER in out
    assert "rollback" in err


def test_without_any_release_there_is_nothing_to_verify_and_the_remedy_is_a_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "release", "verify")
    assert code == 1
    assert "churn run" in err


# ---- doctor


def test_the_doctor_finds_nothing_wrong_on_a_fresh_machine(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(out)}
    assert code == 0
    assert findings["current release"]["found"] == "none yet: the service answers with the rule"
    assert {"python", "mlflow", "home", "disk", "dataset", "Dagster instance", "service"} <= set(findings)


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, newer = two_releases(home / "little" / "releases")
    (newer.folder / "model.json").unlink()
    code, out, _ = said(capsys, "doctor", "--json")
    wrong = [finding for finding in json.loads(out) if not finding["ok"]]
    assert code == 1
    assert {finding["name"] for finding in wrong} >= {f"release {newer.id}"}
    assert all(finding["remedy"] for finding in wrong)


def test_a_look_that_fails_is_a_finding_and_the_others_still_look(home: Path, tmp_path: Path) -> None:
    settings = Settings(dataset=str(tmp_path / "nothing.py"))
    findings = {finding["name"]: finding["ok"] for finding in doctor.examine(settings)}
    assert findings["python"]
    assert not findings[f"dataset {str(tmp_path / 'nothing.py')!r}"]


# ---- a run


@pytest.mark.slow
def test_a_month_is_run_twice_and_elsewhere_with_the_same_digests(tmp_path: Path) -> None:
    small = {"CHURN_SIMULATED_CUSTOMERS": "400", "CHURN_SIMULATED_MONTHS": "9", "CHURN_BOOTSTRAP_ROUNDS": "100"}
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    runs = [
        churn("run", "--json", CHURN_HOME=home, PYTHONHASHSEED=seed, **small)
        for home, seed in ((here, "1"), (here, "2"), (there, "3"))
    ]
    assert [run.returncode for run in runs] == [0, 0, 0], runs[0].stderr + runs[2].stderr
    first, again, elsewhere = (json.loads(run.stdout) for run in runs)  # nothing but JSON on standard output
    must_have_everything(first)
    assert first["digests"] == again["digests"] == elsewhere["digests"]
    assert first["rungs"] == again["rungs"] == elsewhere["rungs"]
    assert first["rows"] == again["rows"]


@pytest.mark.slow
def test_a_refused_candidate_is_no_failure_and_the_rule_makes_the_list(tmp_path: Path) -> None:
    tiny = {"CHURN_SIMULATED_CUSTOMERS": "300", "CHURN_SIMULATED_MONTHS": "8", "CHURN_BOOTSTRAP_ROUNDS": "100"}
    run = churn("run", "--json", CHURN_HOME=str(tmp_path), **tiny)
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    must_have_everything(summary)
    assert summary["decision"]["promoted"] is False
    assert any(reason.startswith("enough rows") for reason in summary["decision"]["reasons"])
    assert summary["release"] == {"id": None, "digest": None}
    assert {row["served_by"] for row in summary["call_list"]["first"]} == {"rule"}


def must_have_everything(summary: dict[str, Any]) -> None:
    rows = summary["rows"]
    assert rows["in"] == rows["trusted"] + rows["quarantined"] > 0
    for rung in RUNGS:
        for figure in FIGURES:
            assert set(summary["rungs"][rung][figure]) == {"value", "low", "high"}
    assert set(summary["decision"]) >= {"champion", "promoted", "reasons"}
    assert set(summary["release"]) == {"id", "digest"}
    assert Path(summary["call_list"]["path"]).exists()
