"""Releases of the little company with models written by hand, and a customer whose every figure is worked out.

A failed payment adds one to the log-odds, which start at -1 in the newer release and at -2 in the older one: with one
failed payment the newer says 1 / (1 + e^0) = 0.5 and the older 1 / (1 + e^1) = 0.2689. At a price of 10 the customer
is worth 100, so a contact gains 0.5 * (100 - 20) - 5 = 35 or loses 5 + 20 = 25: at 0.5 it is worth 5, and it breaks
even at 25 / 60 = 0.4167. The rule gives two points for the payment, of which 40 % left: worth 0.4 * 35 - 0.6 * 25 = -1.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from pipeline.candidates import Run
from pipeline.encoding import model_fields
from pipeline.gate import Check, PromotionDecision, promote_decided, write_decision
from pipeline.gate_checks import CHECKS
from pipeline.lake import write_json
from pipeline.manifest import Origin
from pipeline.pointer import generation_of, promote
from pipeline.policy import Policy
from pipeline.release import Contents, Release, golden_rows, write_release
from pipeline.rule import RuleTable
from pipeline.scorecard import Curve, Scorecard
from pipeline.scoring import Calibration, columns_of
from tests.little_company import little_company

DATASET = little_company()
FIELDS = DATASET.fields()
EXAMPLE: dict[str, Any] = {
    "region": "north",
    "tenure_days": 60.0,
    "price": 10.0,
    "failed_payments": 1.0,
    "paid": 12.0,
    "mean_amount": 12.0,
    "failed_share": 0.5,
    "days_since_payment": 12.0,
    "amount_trend": None,
}
CUSTOMER: dict[str, Any] = {"customer_id": "a", **EXAMPLE}
RULE = RuleTable(DATASET.rule, (0, 2), (0.1, 0.4))
NEWER, OLDER = "2024-06", "2024-05"
AT = datetime(2024, 8, 1, 6)


def scorecard(intercept: float) -> Scorecard:
    """Log-odds of `intercept` plus the number of failed payments, up to ten."""
    fields = model_fields(FIELDS)
    curve = Curve(np.array([0.0, 10.0]), np.array([0.0, 10.0]), 0.0)
    return Scorecard(
        fields=fields,
        intercept=intercept,
        curves={"failed_payments": curve},
        constants={"region": {"north": 0.0, "south": 0.25}},
        average=np.zeros(len(fields)),
        calibration=Calibration(slope=1.0, intercept=0.0),
    )


def a_release(root: Path, run_key: str = NEWER, *, intercept: float | None = None, **changes: Any) -> Release:
    """A release under `root`; the newer one's intercept is -1, any other's -2."""
    start = intercept if intercept is not None else (-1.0 if run_key == NEWER else -2.0)
    scorer = scorecard(start)
    rows = [
        EXAMPLE | {"failed_payments": float(n), "region": region} for n in range(5) for region in ("north", "south")
    ]
    columns = columns_of(rows, FIELDS)
    contents: dict[str, Any] = {
        "scorer": scorer,
        "rule": RULE,
        "fields": FIELDS,
        "policy": Policy(
            economics=DATASET.economics,
            cutoff_value=4.0,
            rule_cutoff_value=0.0,
            actions={"failed_payments": "Offer a new card."},
        ),
        "reference": {"example": EXAMPLE},
        "golden": golden_rows(columns, scorer.probability(columns, len(rows)), FIELDS),
        "evaluation": {},
        "card": "# A card",
    }
    return write_release(root, Contents(**(contents | changes)), origin(run_key))


def origin(run_key: str) -> Origin:
    """Where a release says it comes from."""
    return Origin(
        dataset=DATASET.name,
        run_key=run_key,
        data_version="1",
        code_version="1",
        created_at=datetime(2024, 7, 1),
    )


def two_releases(root: Path) -> tuple[Release, Release]:
    """The older one was promoted first, the newer one is current."""
    older, newer = a_release(root, OLDER), a_release(root, NEWER)
    for release in (older, newer):
        promote(root, release.id, generation_of(root), "a test", at=datetime(2024, 7, 1))
    return older, newer


def judged(run: Run, intercept: float = -1.5, *, passes: bool = True) -> Release:
    """A new candidate of 2024-07, the gate's decision about it on disk, and what follows from it."""
    candidate = a_release(run.releases, "2024-07", intercept=intercept)
    decision = PromotionDecision(
        promote=passes,
        champion="the one before",
        candidate=candidate.id,
        digest=candidate.digest,
        expected_generation=generation_of(run.releases),
        reasons=(),
        checks=tuple(Check(name, passes, "") for name, _ in CHECKS),
    )
    folder = UPath(run.releases.parent / "reports" / "2024-07")
    digest = write_decision(folder / "decision.json", decision)
    write_json(folder / "decision_digest.json", digest)
    promote_decided(run.releases, folder / "decision.json", digest, at=AT)
    return candidate
