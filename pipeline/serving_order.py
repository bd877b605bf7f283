"""Monitoring's order to whatever answers: the champion, or the rule alone. One small file beside a dataset's tables.

Written here only, whole or not at all. The service reads it several times a second and the batch before each month, so
both obey the same word. There is one order at a time, and it knows the pointer's generation when it was decided:

- an order of a month that is not later than the last one changes nothing, so that whoever was interrupted may give it
  again, and so that going over old months moves nothing;
- monitoring's order is lifted by a gate that passed since, or by an operator; an operator's only by an operator.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from upath import UPath

from pipeline.errors import ChurnError, ReleaseError
from pipeline.lake import write_json
from pipeline.manifest import month_of_release
from pipeline.pointer import Entry, locked, read_pointer
from pipeline.release_files import read_plain_file

ORDER_FILE = "serving_policy.json"
LARGEST_ORDER_BYTES = 65_536
LONGEST_REASON = 300  # characters; it goes out with every answer
NO_REASON = "no reason given"

Serve = Literal["champion", "rule"]
By = Literal["monitoring", "operator"]


@dataclass(frozen=True, kw_only=True)
class ServingOrder:
    """What may answer.

    Args:
        serve: "rule" where only the rule may answer.
        reason: goes out with every answer of the rule, after "monitoring: ".
        month: the last month that monitoring gave an order for; empty where it never did.
        generation: the pointer's generation that the order was decided at; a gate that passes later may lift it.
        by: who gave it.
    """

    serve: Serve
    reason: str = NO_REASON
    month: str = ""
    generation: int = 0
    by: By = "monitoring"

    @property
    def wants_rule(self) -> bool:
        """Whether only the rule may answer."""
        return self.serve == "rule"


@dataclass(frozen=True)
class GateSince:
    """Whether a gate has passed the current release since a generation of the pointer, and why not where not."""

    passed: bool
    reason: str


def read_order(root: Path) -> ServingOrder | None:
    """The order under a dataset's folder, None where none was ever given.

    Raises:
        ReleaseError: it cannot be read.
    """
    path = root / ORDER_FILE
    try:
        return _parsed(json.loads(read_plain_file(path, LARGEST_ORDER_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReleaseError(
            f"order {path}",
            expected='{"serve": "champion"} or {"serve": "rule"}, with a reason',
            found=f"{type(error).__name__}: {str(error)[:200]}",
            remedy="Write it anew with `churn release hold --why ...` or `churn release resume --why ...`.",
        ) from error


def order_rule(root: Path, reason: str, *, month: str, generation: int, by: By = "monitoring") -> ServingOrder:
    """Let the rule alone answer from now on; returns the order that holds then.

    Args:
        root: the dataset's folder.
        reason: why, for people.
        month: the month whose evidence led to it; empty from an operator.
        generation: of the pointer, as it was when this was decided (`pipeline.pointer.generation_of`); an operator's
            order is lifted by no gate, and may say 0.
        by: who decides.
    """
    with locked(root):
        before = _order_or_none(root)
        if by == "monitoring" and before is not None:
            is_held = before.wants_rule and before.by == "operator"
            if is_held or month <= before.month:
                return before
        last = max(month, before.month if before else "")
        return _written(root, ServingOrder(serve="rule", reason=reason, month=last, generation=generation, by=by))


def order_champion(root: Path, reason: str, *, by: By = "operator") -> ServingOrder:
    """Let the champion answer again, whatever held it back; returns the order that holds then."""
    with locked(root):
        before = _order_or_none(root) or ServingOrder(serve="champion")
        return _written(root, replace(before, serve="champion", reason=reason, by=by))


def resume_after_gate(root: Path, releases: Path, ordered_generation: int) -> GateSince:
    """Lift monitoring's order if a gate has passed since; the reason says why it was not.

    Args:
        root: the dataset's folder.
        releases: the folder of the pointer and the releases.
        ordered_generation: of the order that the caller saw; another one that came meanwhile is left alone.
    """
    with locked(root):
        order = read_order(root)
        if order is None or not order.wants_rule:
            return GateSince(False, "nothing is ordered")
        if order.by == "operator":
            return GateSince(False, "an operator ordered the rule: `churn release resume` lifts it")
        if order.generation != ordered_generation:
            return GateSince(False, f"the order is of generation {order.generation}, not {ordered_generation}")
        since = gate_passed_since(root, releases, ordered_generation)
        if since.passed:
            _written(root, replace(order, serve="champion", reason=since.reason))
        return since


def gate_passed_since(root: Path, releases: Path, generation: int) -> GateSince:
    """Whether the current release was promoted after a generation, by a decision of the gate that is on disk, whole.

    A rollback since proves nothing, nor does a promotion by hand; whatever cannot be read proves nothing either.
    """
    try:
        pointer = read_pointer(releases)
        if pointer is None or pointer.generation <= generation:
            return GateSince(False, f"nothing was promoted since generation {generation}")
        current = pointer.history[-1]
        if current.action != "promote":
            return GateSince(False, f"{current.release} is current by a {current.action}, which no gate judged")
        return _judged(root, current, generation)
    except (ChurnError, OSError, ValueError, LookupError, TypeError) as error:
        return GateSince(False, str(error))


def _judged(root: Path, entry: Entry, generation: int) -> GateSince:
    """Whether the decision of the entry's month promoted these very bytes, against a pointer not older than that."""
    from pipeline.gate import read_decision  # the checks, and what they need: not in the service

    folder = UPath(root) / "reports" / month_of_release(entry.release)
    decision = read_decision(folder / "decision.json", json.loads((folder / "decision_digest.json").read_bytes()))
    is_it = decision.promote and (decision.candidate, decision.digest) == (entry.release, entry.digest)
    if is_it and decision.expected_generation >= generation:
        return GateSince(True, f"{entry.release} {entry.why}")
    return GateSince(False, f"no decision of the gate since generation {generation} promoted {entry.release}")


def _order_or_none(root: Path) -> ServingOrder | None:
    """One that cannot be read is written over."""
    try:
        return read_order(root)
    except ReleaseError:
        return None


def _written(root: Path, order: ServingOrder) -> ServingOrder:
    found = _parsed(asdict(order))
    write_json(UPath(root / ORDER_FILE), asdict(found))
    return found


def _parsed(stored: Mapping[str, Any]) -> ServingOrder:
    """Raises ValueError, KeyError, TypeError or AttributeError where it is no order; a file by hand may be short."""
    if stored["serve"] not in ("champion", "rule") or stored.get("by", "monitoring") not in ("monitoring", "operator"):
        raise ValueError("an order by nobody, or for nothing that could answer")
    return ServingOrder(
        serve=stored["serve"],
        reason=" ".join(str(stored.get("reason", "")).split())[:LONGEST_REASON] or NO_REASON,
        month=str(stored.get("month", "")),
        generation=int(stored.get("generation", 0)),
        by=stored.get("by", "monitoring"),
    )
