"""What the gate looks at, read anew from the disk: candidate, champion and report; and the rows they are judged on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.bootstrap import Draws
from pipeline.campaign import Groups
from pipeline.declaration import Dataset
from pipeline.economics import FloatArray
from pipeline.errors import ReleaseError
from pipeline.holdout import Holdout, canonical_order, checked_probability, holdout_of_frame
from pipeline.metrics import drawn_metrics
from pipeline.paired import losses_of, once, standard_errors_above
from pipeline.pointer import Pointer, current_release, read_pointer
from pipeline.release import Release, load_release
from pipeline.settings import Settings
from pipeline.slices import slice_groups


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What asks to be promoted.

    Args:
        folder: its release on disk.
        offline_probability: what the object that was fitted said of the test rows, in their order.
        report: the evaluation report on disk.
        report_digest: SHA-256 of the report when it was written.
        data_version: version of the data that it was fitted on.
    """

    folder: Path
    offline_probability: FloatArray
    report: Path
    report_digest: str
    data_version: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """One candidate before the gate. What cannot be read or scored raises, and so fails every check that needs it.

    Args:
        train: the rows that the candidate was fitted on, or some of which it was; but for after a change, whoever was
            left alone by lot as often as they stand for.
        test: later rows that nothing was fitted on.
        root: the folder of the dataset's releases and of their pointer.
        expected_generation: generation of the pointer when the comparison began.
        is_after_a_change: whether the test is half of the newest month, because something changed.
        rule_answers: whether the rule does where the candidate is refused.
    """

    dataset: Dataset
    candidate: Candidate
    train: pd.DataFrame
    test: pd.DataFrame
    root: Path
    expected_generation: int
    settings: Settings
    is_after_a_change: bool = False
    rule_answers: bool = False

    @cached_property
    def release(self) -> Release:
        """The candidate, from the bytes on disk."""
        return load_release(self.candidate.folder)

    @cached_property
    def pointer(self) -> Pointer | None:
        """The pointer as it is now."""
        return read_pointer(self.root)

    @cached_property
    def champion(self) -> Release | None:
        """What is current now; a champion that does not verify raises, because nobody can be compared with it."""
        return current_release(self.root)

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """The evaluation report; the very bytes whose digest was noted.

        Raises:
            ReleaseError: it is missing, or was changed since it was written.
        """
        content = self.candidate.report.read_bytes() if self.candidate.report.is_file() else b""
        found = hashlib.sha256(content).hexdigest() if content else "no report"
        if found != self.candidate.report_digest:
            raise ReleaseError(
                f"evaluation report {self.candidate.report}",
                expected=f"SHA-256 {self.candidate.report_digest[:12]}",
                found=found[:12],
                remedy="Evaluate the candidate again.",
            )
        stored: Mapping[str, Any] = json.loads(content)
        return stored

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The places of the test rows in the one order that figures are computed in."""
        return canonical_order(self.test["customer_id"], self.test["snapshot"])

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The test rows in that order."""
        return self.test.iloc[self.order].reset_index(drop=True)

    @cached_property
    def holdout(self) -> Holdout:
        """The labels and payoffs of the rows."""
        return holdout_of_frame(self.dataset, self.rows)

    @cached_property
    def probability(self) -> FloatArray:
        """What the candidate's stored bytes say of the rows; it never sees the label."""
        return scored(self.release, self.rows)

    @cached_property
    def rule_probability(self) -> FloatArray:
        """What the rule that the candidate carries says of them."""
        return self.release.rule_scorer.probability(fields_of(self.release, self.rows), len(self.rows))

    @cached_property
    def groups(self) -> Groups:
        """The rows of every declared slice."""
        return slice_groups(self.dataset, self.rows)

    @cached_property
    def baseline(self) -> str:
        """Whom the candidate must not be worse than in any slice."""
        return "champion" if self.champion else "rule"

    @cached_property
    def scores(self) -> dict[str, FloatArray]:
        """What candidate, rule and champion say of the rows."""
        said = {"candidate": self.probability, "rule": self.rule_probability}
        if self.champion:
            said["champion"] = scored(self.champion, self.rows)
        return {name: checked_probability(name, p) for name, p in said.items()}

    @cached_property
    def drawn(self) -> Draws:
        """Every figure of candidate, rule and champion on the same rows and the same draws."""
        return drawn_metrics(self.holdout, self.scores, self.settings, groups=self.groups)

    def says_worse_than(self, other: str) -> float:
        """How far the candidate's log loss lies above another's, in standard errors; each customer counts once."""
        asked = once(self.rows)
        rows = self.rows[asked]
        mine, theirs = (losses_of(rows, self.scores[who][asked]) for who in ("candidate", other))
        return standard_errors_above(mine, theirs, rows["customer_id"])


def fields_of(release: Release, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """The columns that a release may look at: its declared fields, never the customer, the month or the label."""
    return {field.name: frame[field.name].to_numpy() for field in release.fields}


def scored(release: Release, frame: pd.DataFrame) -> FloatArray:
    """A release's probabilities of a frame's rows, as float64."""
    return np.asarray(release.scorer.probability(fields_of(release, frame), len(frame)), dtype=np.float64)


def every(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """At most `rows` rows, spread evenly over the frame; the same ones every time."""
    places = np.unique(np.linspace(0, len(frame) - 1, min(rows, len(frame))).astype(np.int64))
    return frame.iloc[places].reset_index(drop=True)
