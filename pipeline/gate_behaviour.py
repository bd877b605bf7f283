"""Checks of how a candidate behaves when its input is changed on purpose (after Ribeiro et al. 2020, CheckList)."""

import numpy as np
import pandas as pd

from pipeline.economics import FloatArray
from pipeline.feature_kinds import Field
from pipeline.gate_case import Case, every, fields_of, scored
from pipeline.gate_rules import GateRules
from pipeline.scoring import log_odds
from pipeline.wording import percent

Finding = tuple[bool, str]
LOW, HIGH = 0.05, 0.95  # quantiles between which a field is moved: far enough to matter, and seen in real rows


def keeps_its_answers(case: Case, rules: GateRules) -> Finding:
    """The same customer gets the same answer wherever the row stands and whatever the customer is called."""
    frame = every(case.rows, rules.behaviour_rows)
    said = scored(case.release, frame)
    turned = scored(case.release, frame.iloc[::-1].reset_index(drop=True))[::-1]
    renamed = _scored_with_other_names(case, frame)
    difference = float(np.max(np.abs(np.stack([turned - said, renamed - said]))))
    return (
        difference <= rules.reproduction_tolerance,
        f"turning the rows round and renaming the customers changes {len(frame):,} answers by {difference:.1e} at most "
        f"(allowed {rules.reproduction_tolerance:.0e})",
    )


def follows_declared_directions(case: Case, rules: GateRules) -> Finding:
    """More of a field that is declared to raise risk does not lower it, on average and for almost every customer."""
    frame = every(case.rows, rules.behaviour_rows)
    directed = [field for field in case.dataset.fields() if field.direction and field.in_model]
    wrong = [text for field in directed if (text := _contradiction(case, field, frame, rules))]
    if wrong:
        return False, "; ".join(wrong)
    names = ", ".join(field.name for field in directed) or "none is declared"
    return True, f"every declared direction holds on {len(frame):,} rows: {names}"


def _scored_with_other_names(case: Case, frame: pd.DataFrame) -> FloatArray:
    """Scores from a frame that also holds customer and month, both of other rows; the label stays out of sight."""
    others = {name: frame[name].to_numpy()[::-1] for name in ("customer_id", "snapshot")}
    columns = others | fields_of(case.release, frame)
    return np.asarray(case.release.scorer.probability(columns, len(frame)), dtype=np.float64)


def _contradiction(case: Case, field: Field, frame: pd.DataFrame, rules: GateRules) -> str:
    """What contradicts a field's declared direction; empty where nothing does, or where the field never varies."""
    known = frame[field.name].dropna().to_numpy()
    if len(known) == 0 or known.min() == known.max():
        return ""
    low, high = np.quantile(known, [LOW, HIGH])
    low, high = (low, high) if low < high else (known.min(), known.max())
    at_low, at_high = (scored(case.release, frame.assign(**{field.name: value})) for value in (low, high))
    change = (log_odds(at_high) - log_odds(at_low)) * field.direction
    tolerance = rules.direction_tolerance_log_odds
    contrary = float(np.mean(change < -tolerance))
    if change.mean() >= -tolerance and contrary <= rules.most_contrary_rows_share:
        return ""
    means = f"{percent(float(at_low.mean()))} to {percent(float(at_high.mean()))}"
    declared = "more" if field.direction > 0 else "less"
    return (
        f"{field.name} from {low:.4g} to {high:.4g} moves the mean probability from {means}, and the odds of "
        f"{percent(contrary)} of the rows by more than {percent(tolerance, 0)} the wrong way: it is declared to mean "
        f"{declared} risk"
    )
