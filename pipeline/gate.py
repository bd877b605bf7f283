"""The gate: may this candidate answer for the company? It runs every check, fails closed, and says why.

Nothing is taken on trust: the candidate is the bytes on disk, the champion is scored anew on the same rows, the report
is the one whose digest was noted. Whatever raises is a refusal. Only `promote_decided` acts on a decision, and it reads
the decision from disk and checks it again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from upath import UPath

from pipeline.errors import ReleaseError
from pipeline.gate_case import Case
from pipeline.gate_checks import CHECKS, CheckFunction
from pipeline.gate_rules import GateRules
from pipeline.lake import canonical_json, write_atomically
from pipeline.pointer import Pointer, promote
from pipeline.release import load_release


@dataclass(frozen=True)
class Check:
    """One check of one candidate; `reason` holds the figures."""

    name: str
    passed: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class PromotionDecision:
    """Whether a candidate is promoted, and why. A promotion with a failed check cannot be made.

    Args:
        candidate: id of the candidate's release.
        digest: its content digest; what is promoted must still have it.
        champion: id of the release that it was compared with; None where there was none.
        expected_generation: the pointer's generation that the decision holds for.
        reasons: what failed; where nothing did, what was shown.
    """

    promote: bool
    champion: str | None
    candidate: str
    digest: str
    expected_generation: int
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    def __post_init__(self) -> None:
        names = [check.name for check in self.checks]
        is_complete = names == [name for name, _ in CHECKS]
        if self.promote and not (is_complete and all(check.passed is True for check in self.checks)):
            raise ReleaseError(
                f"promotion of {self.candidate}",
                expected=f"all {len(CHECKS)} checks, each passed",
                found=", ".join(check.name for check in self.checks if not check.passed) or f"{len(names)} checks",
                remedy="Do not promote it.",
            )

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain values."""
        return asdict(self)


def gate(case: Case, rules: GateRules | None = None) -> PromotionDecision:
    """Judge a candidate by every check; never raises for anything that the candidate is or does."""
    checks = tuple(_checked(name, function, case, rules or GateRules()) for name, function in CHECKS)
    failed = tuple(f"{check.name}: {check.reason}" for check in checks if not check.passed)
    shown = tuple(f"{check.name}: {check.reason}" for check in checks if check.name.startswith("earns"))
    release_id, digest = _identity(case)
    return PromotionDecision(
        promote=not failed,
        champion=_champion(case),
        candidate=release_id,
        digest=digest,
        expected_generation=case.expected_generation,
        reasons=failed or (f"all {len(checks)} checks passed", *shown),
        checks=checks,
    )


def write_decision(path: UPath, decision: PromotionDecision) -> str:
    """Write a decision, whoever reads it; returns the SHA-256 that `promote_decided` asks for."""
    content = canonical_json(decision.as_dict())
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_decision(path: UPath, digest: str) -> PromotionDecision:
    """The decision that was written.

    Raises:
        ReleaseError: it is missing, was changed since, or promotes in spite of a failed check.
    """
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise ReleaseError(
            f"decision {path}",
            expected=f"SHA-256 {digest[:12]}",
            found=hashlib.sha256(content).hexdigest()[:12] if content else "no file",
            remedy="Run the gate again.",
        )
    stored = json.loads(content)
    return PromotionDecision(**(stored | {"reasons": tuple(stored["reasons"]), "checks": _checks(stored["checks"])}))


def promote_decided(root: Path, path: UPath, digest: str, *, at: datetime) -> Pointer | None:
    """Act on a decision as it stands on disk: promote the very bytes that were judged, or nothing (None).

    Raises:
        ReleaseError: the decision or the release was changed since, or somebody moved the pointer.
    """
    decision = read_decision(path, digest)
    if not decision.promote:
        return None
    found = load_release(root / decision.candidate).digest
    if found != decision.digest:
        raise ReleaseError(
            f"release {decision.candidate}",
            expected=f"the content {decision.digest[:12]} that passed the gate",
            found=found[:12],
            remedy="Run the gate again.",
        )
    why = f"passed the gate against {decision.champion or 'no champion'}"
    return promote(root, decision.candidate, decision.expected_generation, why, at=at)


def _checked(name: str, function: CheckFunction, case: Case, rules: GateRules) -> Check:
    try:
        passed, reason = function(case, rules)
    except Exception as error:  # fail closed: whatever cannot be checked is refused
        return Check(name, False, f"{type(error).__name__}: {str(error)[:500]}")
    return Check(name, bool(passed), reason)


def _identity(case: Case) -> tuple[str, str]:
    """Id and content digest of the candidate; no digest where it does not verify."""
    try:
        return case.release.id, case.release.digest
    except ReleaseError:
        return case.candidate.folder.name, ""


def _champion(case: Case) -> str | None:
    try:
        return case.champion.id if case.champion else None
    except ReleaseError:
        return "damaged"


def _checks(stored: Sequence[dict[str, Any]]) -> tuple[Check, ...]:
    return tuple(Check(**check) for check in stored)
