"""The month's batch: every active customer scored by whatever may answer, listed and logged."""

from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
from upath import UPath

from pipeline.call_list import build_call_list, predictions_of, write_call_list
from pipeline.candidates import Run
from pipeline.errors import ReleaseError
from pipeline.pointer import entries_to_serve, release_of
from pipeline.prediction_log import log_batch
from pipeline.release import Release, verify_release
from pipeline.scored import fields_gone
from pipeline.serving_order import read_order
from pipeline.state import state_engine


@dataclass(frozen=True)
class Answering:
    """What scores a month. `fallback_reason` says why it is not the champion; empty where it is."""

    release: Release
    served_by: str
    fallback_reason: str = ""


@dataclass(frozen=True)
class Month:
    """A scored month, and where its call list lies."""

    answering: Answering
    scores: pa.Table
    listed: pa.Table
    path: UPath


def answering(run: Run) -> Answering:
    """The champion, else the last good release, else the rule that the month's candidate carries.

    Where monitoring ordered the rule, it is the rule of whichever of them would have answered.

    Raises:
        ReleaseError: not even the candidate is whole.
    """
    found, ordered = _best(run), _ordered(run)
    return _by_rule(found.release, f"monitoring: {ordered}") if ordered else found


def _best(run: Run) -> Answering:
    refused: list[str] = []
    for place, entry in enumerate(entries_to_serve(run.releases)):
        try:
            release = release_of(run.releases, entry)
        except ReleaseError as error:
            refused.append(str(error))
            continue
        if gone := fields_gone(run.dataset, release):
            refused.append(f"{release.id} needs {', '.join(gone)}, which is not declared any more")
            continue
        return Answering(release, "last_good" if place else "champion", "; ".join(refused))
    if refused and not (run.folder / "candidate.json").exists():
        raise ReleaseError(
            f"the call list of {run.key}",
            expected="a release that may score the month's customers",
            found="; ".join(refused),
            remedy=f"Train a new one, which writes the list too: the job `retrain` of {run.key}, or `churn run`.",
        )
    candidate = verify_release(run.releases / run.read("candidate.json")["release"])
    return _by_rule(candidate, "; ".join(refused) or "nothing has passed the gate yet")


def _ordered(run: Run) -> str:
    """Why the rule alone may answer, empty where it need not; an order that cannot be read may well have said so."""
    try:
        order = read_order(run.releases.parent)
    except ReleaseError as error:
        return str(error)
    return order.reason if order and order.wants_rule else ""


def _by_rule(release: Release, why: str) -> Answering:
    return Answering(replace(release, scorer=release.rule_scorer), "rule", why)


def is_by_another(run: Run) -> bool:
    """Whether the month's list is not by whoever would answer now; False where there is none yet."""
    if not run.lake.path("scores", "customers", run.key).exists():
        return False
    listed = run.lake.read("scores", "customers", run.key, columns=["release", "served_by"]).slice(0, 1).to_pylist()
    now = answering(run)
    return listed not in ([], [{"release": now.release.id, "served_by": now.served_by}])


def write_list(run: Run, *, at: datetime) -> Month | None:
    """`write_month`, or None before the first training, when nothing can answer yet."""
    has_candidate = (run.folder / "candidate.json").exists()
    return write_month(run, at=at) if has_candidate or entries_to_serve(run.releases) else None


def write_month(run: Run, *, at: datetime) -> Month:
    """Score the month's customers, write the call list, and log every prediction.

    Where somebody else has come to answer meanwhile, the list is made again: whoever changes that looks at the list
    afterwards, and may have looked before it was written.
    """
    dataset, lake, share = run.dataset, run.lake, run.settings.holdout_share
    is_by_who_answers = False
    while not is_by_who_answers:
        found = answering(run)
        scores, listed = build_call_list(lake, found.release, run.key, served_by=found.served_by, holdout_share=share)
        write_call_list(lake, scores, listed, run.key)
        is_by_who_answers = not is_by_another(run)
    predictions = predictions_of(dataset, lake, scores, run.key, predicted_at=at, fallback_reason=found.fallback_reason)
    engine = state_engine(run.settings, lake)
    log_batch(engine, predictions, dataset=dataset.name, snapshot=run.key, release=found.release.id)
    engine.dispose()
    return Month(found, scores, listed, lake.path("call_lists", "customers", run.key).with_suffix(".csv"))
