"""What the release is expected to achieve on the month's customers, before anybody can know who leaves."""

from typing import Any

import numpy as np

from monitoring.estimated import WEIGHED_ROWS, Estimate, Labelled, Unlabelled, pape
from monitoring.evidence import Evidence
from monitoring.figures import intervals_as_dict
from monitoring.realised import honest_rows
from monitoring.watched import WatchedMonth
from pipeline.bootstrap import Interval
from pipeline.economics import FloatArray, Payoffs
from pipeline.encoding import Encoding
from pipeline.gate_rules import GateRules
from pipeline.labels import matured
from pipeline.release import Release
from pipeline.scored import ScoredMonth, evenly
from pipeline.splits import is_tested, labelled_rows
from pipeline.wording import money_figure, number

LOOKED_AT_ROWS = 3_000  # of the month, to tell how its customers differ from the labelled ones
LABELLED_MONTHS = 3  # the newest: what was true half a year ago may not be
FEWEST_PROMISING = 2  # test months


def estimate_month(watched: WatchedMonth) -> Estimate | None:
    """ROC-AUC, log loss, Brier and profit that the labels should show later; None without a release or labels."""
    if watched.release is None or watched.scored is None or watched.everybody is None:
        return None
    labelled = _labelled(watched, watched.release)
    if labelled is None or not 0 < labelled.churned.mean() < 1:
        return None
    scored = watched.scored
    some = ScoredMonth(scored.key, evenly(scored.features, LOOKED_AT_ROWS), watched.release)
    share, encoded = len(scored) / max(len(watched.everybody), 1), _encoded(watched.release, some)
    month = Unlabelled(scored.probability, scored.payoffs, encoded, scored.budget, share)
    return pape(labelled, month, seed=watched.settings.seed)


def estimate_as_dict(watched: WatchedMonth, found: Estimate | None) -> dict[str, Any]:
    """The estimate as it is kept, with the release that it is about."""
    if found is None or watched.release is None or watched.everybody is None:
        return {}
    about = {"release": watched.release.id, "customers": len(watched.everybody), "method": found.method}
    figures = {"domain_auc": found.domain_auc, "effective_share": found.effective_share}
    return {**about, **figures, "metrics": intervals_as_dict(found.metrics)}


def estimate_evidence(watched: WatchedMonth, found: Estimate | None) -> list[Evidence]:
    """Whether the release is sure to earn less, by customer, than on the months that it passed the gate with."""
    if found is None or watched.release is None or watched.everybody is None:
        return []
    if not is_yardstick(watched.release):
        return []
    promised, margin = promised_profit(watched.release), GateRules().champion_margin_share
    expected = found.metrics["profit"]
    per_customer = expected.high / max(len(watched.everybody), 1)
    if not per_customer < promised.low - margin * abs(promised.low):  # nor where it is not known
        return []
    at_test = promised.value * len(watched.everybody)
    says = (
        f"{watched.key}: estimated profit {money_figure(expected)}, {number(at_test)} at the rate of the release's "
        "test months"
    )
    return [Evidence(watched.key, "estimated_loss", says, watched.release.id, cost_a_month=at_test - expected.value)]


def is_yardstick(release: Release) -> bool:
    """Whether later months can be held against those that the release passed the gate with.

    Months differ by their season, and one alone, as after a change, is no yardstick for others: nobody is alarmed where
    such a release promises less later, or ranks worse.
    """
    return len(release.evidence("evaluation.json")["snapshots"]) >= FEWEST_PROMISING


def promised_profit(release: Release) -> Interval:
    """Profit by customer and month on the test months of the release."""
    report = release.evidence("evaluation.json")
    stored = report["rungs"][release.manifest.rung]["profit"]
    customers = report["rows"] / len(report["snapshots"])
    return Interval(*(stored[part] / customers for part in ("value", "low", "high")))


def _labelled(watched: WatchedMonth, release: Release) -> Labelled | None:
    """Rows whose outcome is known and that the release was neither fitted nor calibrated on, the newest months of them.

    Where customers were called, only the control group tells what would have happened.
    """
    parts = {part["name"]: set(part["snapshots"]) for part in release.evidence("evaluation.json")["parts"]}
    seen = set().union(*(snapshots for name, snapshots in parts.items() if name != "test"))
    tested = parts.get("test", set())
    dealt = seen & tested  # a month of which half of the customers were tested on
    # not those before all that it has seen either: it was given what is new only, because they are of another world
    later = [key for key in matured(watched.dataset, watched.key) if key >= min(seen | tested, default="")]
    keys = [key for key in later if key in dealt or key not in seen][-LABELLED_MONTHS:]
    most = WEIGHED_ROWS // max(len(keys), 1)  # as many as are weighed in all: the others cost time only
    found = [_of_month(watched, release, key, is_dealt=key in dealt, most=most) for key in keys]
    if not found:
        return None
    said, churned, encoded, gain, loss, copies = (np.concatenate(column) for column in zip(*found, strict=True))
    return Labelled(said, churned, encoded, Payoffs(gain, loss), copies)


def _of_month(
    watched: WatchedMonth, release: Release, key: str, *, is_dealt: bool, most: int
) -> tuple[FloatArray, ...]:
    """Probability, outcome, encoded features, gain, loss and copies of about `most` of a month's rows.

    Where its customers were dealt, only those who were tested on.
    """
    outcome = watched.matured(key)
    if outcome is None:
        rows = labelled_rows(watched.dataset, watched.lake, [key])
        if is_dealt:
            rows = rows[is_tested(rows["customer_id"], key)]
        rows = rows.iloc[:: max(1, len(rows) // most)].reset_index(drop=True)
        encoded = Encoding(release.scorer.fields).matrix(rows, len(rows))
        churned = rows["churned"].to_numpy(dtype=np.float64)
        payoffs = release.policy.economics.payoffs(rows, len(rows))
        said = release.scorer.probability(rows, len(rows))
        return said, churned, encoded, payoffs.gain, payoffs.loss, np.ones(len(rows))
    places = honest_rows(outcome.outcomes)
    if is_dealt:
        places = places[is_tested(outcome.outcomes.customer[places].tolist(), key)]
    places = places[:: max(1, len(places) // most)]
    taken, copies = outcome.outcomes.only(places), np.bincount(places)[places].astype(np.float64)
    encoded, said = _encoded(release, outcome.scored.only(places)), outcome.said_by(release, places)
    return said, taken.churned.astype(np.float64), encoded, taken.gain, taken.loss, copies


def _encoded(release: Release, scored: ScoredMonth) -> FloatArray:
    return Encoding(release.scorer.fields).matrix(scored.columns, len(scored))
