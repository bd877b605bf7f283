"""What people find in MLflow of a month, and that a record which fails does not fail the month."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import tracking
from pipeline.bootstrap import Interval
from pipeline.model_file import MODEL_FILE
from pipeline.tracking import Fit, Ledger

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own warnings are none of ours

HEAD = pd.DataFrame({"customer_id": ["a", "b"], "price": [10.0, np.nan], "churned": [False, True]})
METRICS = {
    "rule": {"roc_auc": Interval(0.7, 0.6, 0.8), "empc": Interval(np.nan, np.nan, np.nan)},
    "logistic": {"roc_auc": Interval(0.8, 0.7, 0.9), "profit": Interval(120.0, 80.0, 160.0)},
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    root = tmp_path_factory.mktemp("lake") / "little"
    made = Ledger(root=root, dataset="little", description="Four customers.", key="2024-05")
    for rung in METRICS:
        made.rung_folder(rung).mkdir(parents=True)
        (made.rung_folder(rung) / MODEL_FILE).write_text("{}")
    (root / "profit.png").write_bytes(b"a picture")
    return made


@pytest.fixture(scope="module")
def client(ledger: Ledger) -> Any:
    """A whole month, recorded as a run records it, and MLflow's own client to look at it."""
    estimator = fitted()
    said = [
        tracking.open_store(ledger),
        tracking.record_rung(ledger, fit("rule", None)),
        tracking.record_rung(ledger, fit("logistic", estimator)),
        tracking.record_evaluation(ledger, METRICS, "logistic", [str(ledger.root / "profit.png")]),
        tracking.record_candidate(ledger, "logistic", {"release": "2024-05-0123456789ab", "digest": "0123"}),
        tracking.record_promotion(ledger, True),
    ]
    assert not [text for text in said if text.startswith("not recorded")], said
    import mlflow

    return mlflow.MlflowClient(tracking_uri=tracking.tracking_url(ledger.root))


def fitted() -> Any:
    """A small model of the very kind that the logistic rung is made of."""
    from pipeline.scorecard import logistic_estimator
    from pipeline.training import calibrated
    from tests.little_company import little_company

    fields = tuple(field for field in little_company().fields() if field.name == "price")
    rows = pd.DataFrame({"price": np.linspace(1, 50, 200), "churned": np.arange(200) % 3 == 0})
    estimator = logistic_estimator(fields, rows, {"C": 1.0})
    estimator.fit(rows[["price"]], rows["churned"])
    return calibrated(estimator, ["price"], rows)[0]


def fit(rung: str, estimator: Any) -> Fit:
    return Fit(
        rung=rung,
        estimator=estimator,
        parameters={"C": 1.0, "train_rows": 200},
        search=[{"parameters": {"C": 1.0}, "log_loss": 0.6}, {"parameters": {"C": 0.1}, "log_loss": 0.5}],
        tags={"rung": rung, "month": "2024-05", "dagster_run_id": "run-7"},
        head=HEAD,
        data_version="0123-1",
    )


def test_every_rung_has_a_run_with_parameters_search_and_the_dagster_run(client: Any, ledger: Ledger) -> None:
    run = client.get_run(ledger.run_id("logistic"))
    assert run.info.run_name == "2024-05 logistic"
    assert run.data.params == {"C": "1.0", "train_rows": "200"}
    assert run.data.tags["dagster_run_id"] == "run-7"
    assert [point.value for point in client.get_metric_history(run.info.run_id, "search_log_loss")] == [0.6, 0.5]
    assert client.get_run(ledger.run_id("rule")).data.tags["rung"] == "rule"


def test_metrics_come_with_both_ends_of_their_interval_and_a_figure_that_does_not_exist_is_left_out(
    client: Any, ledger: Ledger
) -> None:
    found = client.get_run(ledger.run_id("logistic")).data.metrics
    assert {name: found[name] for name in ("profit", "profit_low", "profit_high")} == {
        "profit": 120.0,
        "profit_low": 80.0,
        "profit_high": 160.0,
    }
    assert "empc" not in client.get_run(ledger.run_id("rule")).data.metrics


def test_the_dataset_is_recorded_with_its_version(client: Any, ledger: Ledger) -> None:
    (recorded,) = client.get_run(ledger.run_id("logistic")).inputs.dataset_inputs
    assert (recorded.dataset.name, recorded.dataset.digest) == ("little", "0123-1")


def test_plots_and_the_rungs_own_file_are_beside_its_run(client: Any, ledger: Ledger) -> None:
    run_id = ledger.run_id("logistic")
    assert [file.path for file in client.list_artifacts(run_id, "plots")] == ["plots/profit.png"]
    assert [file.path for file in client.list_artifacts(run_id, "release")] == [f"release/{MODEL_FILE}"]


def test_the_registered_version_is_the_challenger_then_the_champion_and_names_its_release(client: Any) -> None:
    champion = client.get_model_version_by_alias("churn-little", "champion")
    assert champion.version == client.get_model_version_by_alias("churn-little", "challenger").version
    assert champion.tags["release"] == "2024-05-0123456789ab"


def test_the_stored_model_is_in_the_safe_format_and_says_what_was_fitted(client: Any) -> None:
    import mlflow

    source = client.get_model_version_by_alias("churn-little", "champion").source
    loaded = mlflow.sklearn.load_model(source)
    rows = pd.DataFrame({"price": [5.0, 25.0]})
    assert loaded.predict_proba(rows).tolist() == fitted().predict_proba(rows).tolist()
    folder = Path(mlflow.artifacts.download_artifacts(source))
    assert {path.suffix for path in folder.rglob("*") if "model." in path.name} == {".skops"}


def test_everything_lies_in_the_datasets_own_folder(client: Any, ledger: Ledger) -> None:
    experiment = client.get_experiment_by_name("little")
    assert experiment.artifact_location == (ledger.root / "mlflow" / "artifacts").as_uri()
    assert (ledger.root / "mlflow" / "mlflow.db").exists()


def test_a_refused_candidate_stays_challenger(client: Any, ledger: Ledger) -> None:
    before = client.get_model_version_by_alias("churn-little", "champion").version
    tracking.record_candidate(ledger, "rule", {"release": "2024-05-ba9876543210"})
    assert tracking.record_promotion(ledger, False).endswith("not promoted")
    assert client.get_model_version_by_alias("churn-little", "champion").version == before
    assert client.get_model_version_by_alias("churn-little", "challenger").tags["release"] == "2024-05-ba9876543210"


def test_a_store_that_cannot_be_written_is_said_and_nothing_is_raised(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    with sqlite3.connect(tmp_path / "mlflow" / "mlflow.db") as database:
        database.execute("create table experiments (id integer)")
    broken = Ledger(root=tmp_path, dataset="little", description="", key="2024-05")
    assert tracking.record_rung(broken, fit("rule", None)).startswith("not recorded: ")
    assert broken.run_id("rule") == ""


def test_the_id_of_a_run_is_plain_data_beside_the_rung(client: Any, ledger: Ledger) -> None:
    stored = json.loads((ledger.rung_folder("rule") / tracking.RECORD_FILE).read_bytes())
    assert stored == client.get_run(stored).info.run_id
