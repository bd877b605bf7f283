"""A company whose truth is a formula, and models of it written by hand: good ones, and each kind of bad one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.calendar import Monthly
from pipeline.campaign import profit_per_month
from pipeline.declaration import Dataset, Everyone, Slice
from pipeline.economics import FloatArray, RetentionOffer, Value
from pipeline.encoding import model_fields
from pipeline.feature_kinds import Attribute, Feature, Field
from pipeline.gate_case import Candidate, Case
from pipeline.holdout import frame_digest, holdout_of_frame, sorted_frame
from pipeline.label_kinds import EventLabel
from pipeline.lake import canonical_json
from pipeline.manifest import Origin, manifest_of
from pipeline.metrics import log_losses
from pipeline.pointer import generation_of, promote
from pipeline.policy import policy_of
from pipeline.release import Contents, Release, golden_rows, write_release
from pipeline.release_files import write_files
from pipeline.rule import Points, Rule, fitted_rule
from pipeline.scorecard import Curve, Scorecard
from pipeline.scoring import Calibration, RuleScorer, Scorer, sigmoid
from pipeline.settings import Settings
from pipeline.tables import Column, Table, Where
from tests.little_company import RowsInMemory

SETTINGS = Settings(bootstrap_rounds=100)
RUN_KEY, DATA_VERSION = "2024-06", "d" * 64
COLUMNS = (
    Column("region", "string", categories=("north", "south", "west")),
    Column("failed_payments", "number", minimum=0),
    Column("usage", "number", unit="GB", minimum=0),
    Column("price", "number", unit="USD a month", minimum=0),
    Column("final_bill", "number"),
    Column("lottery_number", "number"),
)
CUSTOMERS = Table(
    name="customers",
    key=("customer_id",),
    known_at="known_at",
    columns=(Column("customer_id", "string"), Column("known_at", "timestamp"), *COLUMNS),
)
TRUTH = {"failed_payments": 1.0, "usage": -0.1}  # log-odds for each payment and each GB
INTERCEPT = -1.5
WEST = 0.2


def company(*more: str, **changes: Any) -> Dataset:
    """The declaration; `more` names columns that are features besides the honest ones."""
    directions = {"failed_payments": 1, "usage": -1}
    names = ["region", "failed_payments", "usage", *more]
    features = [Attribute(name=n, table="customers", column=n, direction=directions.get(n, 0)) for n in names]
    declared: dict[str, Any] = {
        "name": "company",
        "description": "Customers whose truth is known.",
        "tables": (CUSTOMERS,),
        "population": Everyone("customers"),
        "features": (*features, Attribute(name="price", table="customers", column="price", in_model=False)),
        "label": EventLabel(table="customers", where=(), horizon_days=28),
        "economics": RetentionOffer(
            contact_cost=5, offer_cost=20, acceptance=0.5, value=Value(times=10, field="price"), budget_share=0.1
        ),
        "rule": Rule((Points(Where("failed_payments", ">=", 1), 1),)),
        "slices": (Slice(name="region", field="region"),),
        "calendar": Monthly(first="2024-01", months=6, history_months=1),
        "source": RowsInMemory(),
    }
    return Dataset(**(declared | changes))


@cache
def rows(seed: int, snapshots: tuple[str, ...], customers: int = 2_000) -> pd.DataFrame:
    """Labelled rows of some months. The final bill is written after a customer left; the lottery number is noise."""
    random = np.random.default_rng(seed)
    n = customers * len(snapshots)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i % customers:05d}" for i in range(n)],
            "snapshot": np.repeat(snapshots, customers),
            "region": random.choice(["north", "south", "west"], n, p=[0.5, 0.35, 0.15]).astype(object),
            "failed_payments": random.poisson(0.5, n).astype(float),
            "usage": random.gamma(4.0, 2.5, n),
            "price": random.choice([20.0, 30.0, 50.0], n),
            "lottery_number": random.random(n),
        }
    )
    frame["churned"] = random.random(n) < sigmoid(true_log_odds(frame))
    frame["final_bill"] = np.where(frame["churned"], 1.0, 0.0) + 0.1 * random.random(n)
    return frame


def true_log_odds(frame: pd.DataFrame) -> FloatArray:
    west = np.where(frame["region"] == "west", WEST, 0.0)
    return np.asarray(INTERCEPT + west + sum(frame[name].to_numpy() * slope for name, slope in TRUTH.items()))


def train_rows() -> pd.DataFrame:
    return rows(1, ("2024-01", "2024-02"))


def test_rows() -> pd.DataFrame:
    return rows(2, ("2024-04", "2024-05"))


test_rows.__test__ = False  # type: ignore[attr-defined]


def card(
    dataset: Dataset,
    slopes: Mapping[str, float] | None = None,
    *,
    west: float = WEST,
    intercept: float = INTERCEPT,
    confidence: float = 1.0,
    curves: Mapping[str, Curve] | None = None,
) -> Scorecard:
    """A logistic rung by hand: straight curves of the given slopes, the true ones by default."""
    reach = np.array([0.0, 200.0])
    straight = {n: Curve(reach, reach * slope, 0.0) for n, slope in (TRUTH if slopes is None else slopes).items()}
    fields = model_fields(dataset.fields())
    return Scorecard(
        fields=fields,
        intercept=intercept,
        curves=straight | dict(curves or {}),
        constants={"region": {"north": 0.0, "south": 0.0, "west": west}},
        average=np.zeros(len(fields)),
        calibration=Calibration(slope=confidence, intercept=0.0),
    )


def rule_of(dataset: Dataset) -> RuleScorer:
    train = train_rows()
    return RuleScorer(fitted_rule(dataset.rule, train, train["churned"]), model_fields(dataset.fields()))


def report_of(dataset: Dataset, scorer: Scorer) -> dict[str, Any]:
    """What the gate reads of an evaluation."""
    test = sorted_frame(test_rows())
    holdout, p = holdout_of_frame(dataset, test), scorer.probability(test, len(test))
    figures = {"profit": profit_per_month(holdout, p), "log_loss": float(log_losses(holdout.churned, p).mean())}
    return {
        "dataset": dataset.name,
        "run_key": RUN_KEY,
        "data_version": DATA_VERSION,
        "test_digest": frame_digest(test),
        "rungs": {scorer.name: {name: {"value": value} for name, value in figures.items()}},
        "verdict": {"rung": scorer.name},
    }


def contents_of(dataset: Dataset, scorer: Scorer, report: Mapping[str, Any], fields: Sequence[Field] = ()) -> Contents:
    test = test_rows()
    p, rule = scorer.probability(test, len(test)), rule_of(dataset)
    payoffs = dataset.economics.payoffs(test, len(test))
    return Contents(
        scorer=scorer,
        rule=rule.table,
        fields=tuple(fields) or dataset.fields(),
        policy=policy_of(dataset, payoffs, probability=p, rule_probability=rule.probability(test, len(test))),
        reference={"rows": len(test)},
        golden=golden_rows(test, p, tuple(fields) or dataset.fields()),
        evaluation=report,
        card="# Model card\n",
    )


def origin(**changes: Any) -> Origin:
    values: dict[str, Any] = {
        "dataset": "company",
        "run_key": RUN_KEY,
        "data_version": DATA_VERSION,
        "code_version": "1",
        "created_at": datetime(2024, 7, 1, 6),
    }
    return Origin(**(values | changes))


def released(root: Path, dataset: Dataset, scorer: Scorer) -> Release:
    return write_release(root, contents_of(dataset, scorer, report_of(dataset, scorer)), origin())


def crown(root: Path, dataset: Dataset, scorer: Scorer) -> Release:
    """Make a model the champion, without asking the gate."""
    release = released(root, dataset, scorer)
    promote(root, release.id, generation_of(root), "for the test", at=datetime(2024, 6, 1))
    return release


def folder_of_bytes(root: Path, dataset: Dataset, model: bytes) -> Path:
    """A release whose model file holds any bytes at all, with digests that are right."""
    honest = card(dataset)
    files = contents_of(dataset, honest, report_of(dataset, honest)).as_files() | {"model.json": model}
    manifest = manifest_of(files, "logistic", origin())
    write_files(root / manifest.id, files | {"manifest.json": manifest.as_bytes()})
    return root / manifest.id


def case(
    root: Path,
    dataset: Dataset,
    scorer: Scorer,
    *,
    fields: Sequence[Field] = (),
    changed: Mapping[str, Any] | None = None,
) -> Case:
    """A candidate before the gate, as training and evaluation would bring it there; `changed` goes into its report."""
    report = report_of(dataset, scorer) | dict(changed or {})
    release = write_release(root, contents_of(dataset, scorer, report, fields), origin())
    test = test_rows()
    return Case(
        dataset=dataset,
        candidate=candidate(root, release.folder, scorer.probability(test, len(test)), canonical_json(report)),
        train=train_rows(),
        test=test,
        root=root,
        expected_generation=generation_of(root),
        settings=SETTINGS,
    )


def candidate(root: Path, folder: Path, offline: FloatArray, report: bytes) -> Candidate:
    path = root / "evaluation.json"
    path.write_bytes(report)
    return Candidate(
        folder=folder,
        offline_probability=offline,
        report=path,
        report_digest=hashlib.sha256(report).hexdigest(),
        data_version=DATA_VERSION,
    )


def with_action(feature: Feature, action: str) -> Feature:
    return replace(feature, action=action)


def budget(release: Release, share: float) -> Release:
    """The release with another budget."""
    policy = replace(release.policy, economics=replace(release.policy.economics, budget_share=share))
    return replace(release, policy=policy)
