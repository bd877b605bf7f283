"""What one step of a run leaves for the next: fitted rungs, the report, the candidate's release, the decision."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from upath import UPath

from pipeline import features, labels
from pipeline.calendar import SingleSnapshot
from pipeline.code_version import code_version
from pipeline.control_group import with_stand_ins
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.encoding import model_fields
from pipeline.errors import ReleaseError, SourceError
from pipeline.evaluation import Evaluation, evaluate_rungs, evaluation_from_dict, part_of
from pipeline.gate import PromotionDecision, gate, promote_decided, write_decision
from pipeline.gate_case import Candidate, Case
from pipeline.labels import matured
from pipeline.lake import Lake, canonical_json, lake_of, write_atomically, write_json
from pipeline.manifest import Origin
from pipeline.model_card import model_card
from pipeline.model_file import MODEL_FILE, model_bytes, scorer_from_bytes
from pipeline.pointer import Pointer, current_release, generation_of, read_pointer
from pipeline.policy import Policy, policy_of
from pipeline.reference import reference_of
from pipeline.release import Contents, Release, golden_rows, releases_root, write_release
from pipeline.scoring import RUNGS, RuleScorer, RungName, Scorer
from pipeline.serving_order import read_order
from pipeline.settings import Settings
from pipeline.splits import Split, as_frame, split_of
from pipeline.tracking import RECORD_FILE
from pipeline.training import FittedRung


@dataclass
class Run:
    """One dataset, one month. Keeps the month's rows, which several steps of a run read, while the run lasts."""

    dataset: Dataset
    settings: Settings
    key: str
    _split: Split | None = None

    @property
    def lake(self) -> Lake:
        """Where everything is read and written."""
        return lake_of(self.settings, self.dataset.name)

    @property
    def folder(self) -> UPath:
        """Everything about the month that is no table: rungs, report, plots, decision."""
        return self.lake.root / "reports" / self.key

    @property
    def releases(self) -> Path:
        """The folder of the dataset's releases."""
        return releases_root(Path(str(self.lake.root)))

    @property
    def split(self) -> Split:
        """The labelled rows known when the month closes."""
        if self._split is None:
            self._split = split_of(self.dataset, self.lake, self.key, self.settings)
        return self._split

    @property
    def data_version(self) -> str:
        """Changes when a row of any labelled month does, or the code that computes it."""
        keys = matured(self.dataset, self.key)
        parts = [self.lake.digest(layer, "customers", keys) for layer in ("features", "labels")]
        return "-".join([*(part[:12] for part in parts), features.CODE_VERSION, labels.CODE_VERSION])

    def save_rung(self, rung: FittedRung) -> str:
        """Keep a rung, and what the object that was fitted says of the test rows; returns the rung's SHA-256."""
        folder, content = self.rung_folder(rung.name), model_bytes(rung.scorer)
        write_atomically(folder / MODEL_FILE, content)
        told = {"parameters": dict(rung.parameters), "search": list(rung.search)}
        write_json(folder / "training.json", {**told, "since": rung.since, "is_no_news": rung.is_no_news})
        buffer = io.BytesIO()
        np.save(buffer, rung.offline_probability(self.split.test))
        write_atomically(folder / "offline.npy", buffer.getvalue())
        return hashlib.sha256(content).hexdigest()

    def rung_folder(self, name: str) -> UPath:
        """Everything about a rung of the month."""
        return self.folder / "rungs" / name

    def rung(self, name: RungName) -> Scorer:
        """A rung of the month, from its bytes."""
        content = (self.rung_folder(name) / MODEL_FILE).read_bytes()
        return scorer_from_bytes(content, model_fields(self.dataset.fields()))

    def learned_by(self, name: str) -> pd.DataFrame:
        """The training rows that a rung was fitted on: after a change, those of the newest months at most."""
        train, since = self.split.train, self.read(f"rungs/{name}/training.json").get("since", "")
        return train[train["snapshot"] >= since].reset_index(drop=True) if since else train

    def learned_and_stood_for(self, name: str) -> pd.DataFrame:
        """The rows that a rung was fitted on, as the test has them: with those who stand for the called ones.

        Without time nobody was called; and after a change few stand for too many to be proof of anything.
        """
        learned, has_months = self.learned_by(name), not isinstance(self.dataset.calendar, SingleSnapshot)
        return with_stand_ins(learned, self.lake) if has_months and not self.split.is_shared else learned

    def offline_probability(self, name: RungName) -> FloatArray:
        """What the object that was fitted said of the test rows."""
        return np.asarray(np.load(io.BytesIO((self.rung_folder(name) / "offline.npy").read_bytes())))

    def mlflow_run_id(self, name: str) -> str:
        """The record of a rung for people; empty where there is none."""
        path = self.rung_folder(name) / RECORD_FILE
        return str(json.loads(path.read_bytes())) if path.exists() else ""

    def write_plots(self, found: Evaluation) -> dict[str, bytes]:
        """Draw the evaluation and keep the pictures beside it."""
        from pipeline.plots import all_plots  # matplotlib

        plots = all_plots(found, seed=self.settings.seed)
        for name, png in plots.items():
            write_atomically(self.folder / f"{name}.png", png)
        return plots

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the month.

        Raises:
            SourceError: the step that writes it has not run.
        """
        path = self.folder / name
        if not path.exists():
            raise SourceError(
                f"month {self.key} of {self.dataset.name!r}",
                expected=f"a file at {path}",
                found="none",
                remedy="Run the month's earlier steps first, or all of them: `churn run`.",
            )
        stored: dict[str, Any] = json.loads(path.read_bytes())
        return stored

    def evaluation(self) -> Evaluation:
        """The month's report, without its scores."""
        return evaluation_from_dict(self.read("evaluation.json"))


def evaluate_run(run: Run) -> Evaluation:
    """Judge the month's rungs on rows that none has seen, and write the report."""
    rungs: dict[str, Scorer] = {name: run.rung(name) for name in RUNGS}
    found = evaluate_rungs(
        run.dataset,
        run.split,
        rungs,
        run.settings,
        run_key=run.key,
        data_version=run.data_version,
        incumbent=_incumbent(run),
    )
    learned = part_of("train", run.learned_by(found.verdict.rung))
    found = replace(found, parts=(learned, *found.parts[1:]))
    write_json(run.folder / "evaluation.json", found.as_dict())
    return found


def _incumbent(run: Run) -> str | None:
    """The rung that answers now; none where nothing does, or nobody can say what."""
    try:
        release, order = current_release(run.releases), read_order(run.releases.parent)
    except ReleaseError:
        return None
    if order is not None and order.wants_rule:
        return "rule"
    return release.manifest.rung if release else None


def write_candidate(
    run: Run, *, at: datetime, dagster_run_id: str = "", drift: Mapping[str, Any] | None = None
) -> Release:
    """Put the proposed rung, and all that answering needs, into a release that nobody serves yet.

    Args:
        run: the month.
        at: when.
        dagster_run_id: who asked.
        drift: what the release will be monitored by.
    """
    evaluation = run.evaluation()
    scorer, rule = run.rung(evaluation.verdict.rung), run.rung("rule")  # type: ignore[arg-type]
    if not isinstance(rule, RuleScorer):
        raise TypeError("the rung named rule is a rule")
    origin = Origin(
        dataset=run.dataset.name,
        run_key=run.key,
        data_version=run.data_version,
        code_version=code_version(),
        created_at=at,
        mlflow_run_id=run.mlflow_run_id(evaluation.verdict.rung),
        dagster_run_id=dagster_run_id,
    )
    test, fields = run.split.test, run.dataset.fields()
    contents = Contents(
        scorer=scorer,
        rule=rule.table,
        fields=fields,
        policy=_policy(run, scorer, rule),
        reference=reference_of(run.learned_by(scorer.name), fields),
        golden=golden_rows(test, scorer.probability(test, len(test)), fields),
        evaluation=evaluation.as_dict(),
        card=model_card(run.dataset, evaluation),
        drift=drift or {},
    )
    release = write_release(run.releases, contents, origin)
    write_json(run.folder / "candidate.json", {"release": release.id, "generation": generation_of(run.releases)})
    return release


def judge_candidate(run: Run) -> PromotionDecision:
    """Put the month's candidate before the gate and write the decision."""
    candidate, evaluation = run.read("candidate.json"), run.evaluation()
    report = run.folder / "evaluation.json"
    case = Case(
        dataset=run.dataset,
        candidate=Candidate(
            folder=run.releases / candidate["release"],
            offline_probability=run.offline_probability(evaluation.verdict.rung),  # type: ignore[arg-type]
            report=Path(str(report)),
            report_digest=hashlib.sha256(canonical_json(evaluation.as_dict())).hexdigest(),
            data_version=run.data_version,
        ),
        train=run.learned_and_stood_for(evaluation.verdict.rung),
        test=run.split.test,
        root=run.releases,
        expected_generation=candidate["generation"],
        settings=run.settings,
        is_after_a_change=run.split.is_shared,
        rule_answers=_incumbent(run) in (None, "rule"),
    )
    decision = gate(case)
    digest = write_decision(run.folder / "decision.json", decision)
    write_json(run.folder / "decision_digest.json", digest)
    return decision


def act_on_decision(run: Run, *, at: datetime) -> Pointer | None:
    """Promote the month's candidate if the decision on disk says so; None where it was refused."""
    digest = json.loads((run.folder / "decision_digest.json").read_bytes())
    return promote_decided(run.releases, run.folder / "decision.json", digest, at=at)


def standing(run: Run) -> dict[str, str | int]:
    """What answers now, for people; a damaged pointer is said, not raised."""
    try:
        pointer = read_pointer(run.releases)
    except ReleaseError as error:
        return {"release": f"damaged: {error.found}"}
    if pointer is None:
        return {"release": "none yet: the rule answers"}
    return {"release": pointer.release, "generation": pointer.generation, "why": pointer.history[-1].why}


def _policy(run: Run, scorer: Scorer, rule: RuleScorer) -> Policy:
    """The policy that spends the budget on the customers of the month itself, who are the newest that are known."""
    rows: pd.DataFrame = as_frame(run.lake.read("features", "customers", run.key), run.dataset)
    payoffs = run.dataset.economics.payoffs(rows, len(rows))
    return policy_of(
        run.dataset,
        payoffs,
        probability=scorer.probability(rows, len(rows)),
        rule_probability=rule.probability(rows, len(rows)),
    )
