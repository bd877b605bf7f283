"""The gate's table of checks. To add one: write a function of the case and the rules, and name it in CHECKS.

A check returns whether it passed and why, with its figures. It may raise: what cannot be checked is refused.
"""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from pipeline.bootstrap import Key
from pipeline.gate_behaviour import Finding, follows_declared_directions, keeps_its_answers
from pipeline.gate_case import Case, every, scored
from pipeline.gate_figures import calibration_slope, field_ranking, skill, touches
from pipeline.gate_rules import GateRules
from pipeline.holdout import checked_probability, frame_digest
from pipeline.metrics import interval_of
from pipeline.paired import once
from pipeline.pointer import generation_of
from pipeline.release import verify_release
from pipeline.scoring import log_odds
from pipeline.slices import SMALL_CHURNERS, SMALL_ROWS
from pipeline.wording import figure, money_figure, number, percent, unit_of

CheckFunction = Callable[[Case, GateRules], Finding]
REPORTED = ("profit", "log_loss")
LOOKS = 2  # profit is compared with the rule and with the champion


def stored_bytes(case: Case, rules: GateRules) -> Finding:
    """The release on disk is whole, and its bytes say what the object said that was fitted."""
    release = verify_release(case.candidate.folder)
    offline = np.asarray(case.candidate.offline_probability, dtype=np.float64)
    if offline.shape != case.probability.shape:
        return False, f"{len(offline):,} offline probabilities for {len(case.probability):,} test rows"
    difference = float(np.max(np.abs(case.probability - offline[case.order])))
    return (
        difference <= rules.reproduction_tolerance,
        f"release {release.id}: every file has its SHA-256; its {len(offline):,} probabilities differ from the fitted "
        f"model's by {difference:.1e} at most (allowed {rules.reproduction_tolerance:.0e})",
    )


def report_belongs(case: Case, rules: GateRules) -> Finding:  # noqa: ARG001
    """The report is about these rows, this data and this model: its figures come out again from the stored bytes.

    It need not be the copy inside the release: the same model, trained again, is a release that is already there.
    """
    manifest, report = case.release.manifest, case.report
    stated = report["rungs"][manifest.rung]
    pairs = {
        "dataset": (report["dataset"], case.dataset.name),
        "run month": (report["run_key"], manifest.run_key),
        "data version": (report["data_version"], case.candidate.data_version),
        "digest of the test rows": (report["test_digest"], frame_digest(case.test)),
    }
    for name in REPORTED:  # the report's figures are those of the stored model on these rows
        found, wanted = float(stated[name]["value"]), case.drawn.values["candidate", name]
        pairs[f"{name} of the rung"] = (f"{found:.9g}", f"{wanted:.9g}")
    wrong = [
        f"{what}: {found:.24} instead of {wanted:.24}" for what, (found, wanted) in pairs.items() if found != wanted
    ]
    return not wrong, "; ".join(wrong) or f"the report is about these {len(case.rows):,} rows and this release"


def simplest_rung(case: Case, rules: GateRules) -> Finding:  # noqa: ARG001
    """Added complexity has to pay: the candidate is the rung that the evaluation chose."""
    chosen, rung = case.report["verdict"]["rung"], case.release.manifest.rung
    return chosen == rung, f"the evaluation chose {chosen}, the candidate is {rung}"


def declared_fields(case: Case, rules: GateRules) -> Finding:  # noqa: ARG001
    """The release reads the declared fields and no other: one that is not declared cannot exist at prediction time."""
    declared = {field.name: asdict(field) for field in case.dataset.fields()}
    released = {field.name: asdict(field) for field in case.release.fields}
    wrong = [f"{name} is not declared" for name in released if name not in declared]
    wrong += [f"{name} is missing" for name in declared if name not in released]
    wrong += [
        f"{name} is declared otherwise" for name in released if declared.get(name, released[name]) != released[name]
    ]
    return not wrong, "; ".join(wrong) or f"all {len(released)} fields are as declared"


def probabilities(case: Case, rules: GateRules) -> Finding:
    """Every row gets a probability, and not all the same."""
    p = checked_probability("candidate", case.probability)
    spread = float(np.std(log_odds(p)))
    return (
        spread >= rules.least_spread_log_odds,
        f"{percent(float(p.min()), 2)} to {percent(float(p.max()), 2)}, a spread of {spread:.3f} in log-odds "
        f"(at least {rules.least_spread_log_odds})",
    )


def enough_rows(case: Case, rules: GateRules) -> Finding:
    """There are enough leavers to tell models apart."""
    churners = int(case.holdout.churned.sum())
    found = f"{churners:,} churners in {len(case.rows):,} test rows (at least {rules.least_churners})"
    return churners >= rules.least_churners, found


def ranking(case: Case, rules: GateRules) -> Finding:
    """The candidate ranks better than a coin, and not better than anybody honestly can."""
    auc = interval_of(case.drawn, "candidate", "roc_auc")
    return (
        auc.low > rules.ranking_floor and auc.value < rules.ranking_ceiling,
        f"ROC-AUC {figure(auc)}: the interval must lie above {rules.ranking_floor}, and a value of "
        f"{rules.ranking_ceiling} or more means that the future has leaked in",
    )


def no_leaking_field(case: Case, rules: GateRules) -> Finding:
    """No field alone tells who leaves."""
    named = [field.name for field in case.dataset.fields() if field.in_model]
    found = {name: field_ranking(case.rows[name], case.holdout.churned) for name in named}
    leaking = [name for name in named if not found[name] < rules.field_ranking_ceiling]
    best = max(found, key=found.__getitem__)
    suspects = ", ".join(leaking) or f"the strongest is {best}"
    return not leaking, f"{suspects}: ROC-AUC {found[best]:.3f} alone (below {rules.field_ranking_ceiling})"


def no_overfitting(case: Case, rules: GateRules) -> Finding:
    """What the candidate learned on its training rows holds on later ones; after a change, on others of that month.

    Months differ in how well anybody can tell who leaves. Where both sides have the newest month, it alone is compared,
    and each customer counts once.
    """
    learned, asked, where = case.train, np.ones(len(case.rows), dtype=bool), ""
    if case.is_after_a_change:
        learned = learned[learned["snapshot"].isin(set(case.test["snapshot"]))]
        asked, where = once(case.rows), f" of {case.test['snapshot'].max()}"
    train = every(learned, rules.train_rows)
    before = skill(train["churned"].to_numpy(dtype=np.float64), scored(case.release, train))
    after = skill(case.holdout.churned[asked], case.probability[asked])
    return (
        before - after <= rules.most_lost_skill,
        f"it saves {percent(before)} of the base rate's log loss on training rows{where} and {percent(after)} on test "
        f"rows{where} (at most {percent(rules.most_lost_skill, 0)} may be lost)",
    )


def calibration(case: Case, rules: GateRules) -> Finding:
    """Probabilities mean what they say, in total, at the ends and in between."""
    ratio = interval_of(case.drawn, "candidate", "calibration_ratio")
    error = interval_of(case.drawn, "candidate", "calibration_error")
    slope = calibration_slope(case.holdout.churned, case.probability)
    most = rules.most_calibration_error_share * float(case.holdout.churned.mean())
    low, high = rules.calibration_ratio_low, rules.calibration_ratio_high
    flat, steep = rules.calibration_slope_low, rules.calibration_slope_high
    findings = {
        f"observed over predicted churn {figure(ratio, 2)}, band {low} to {high}": touches(ratio, low, high),
        f"slope {figure(slope, 2)}, band {flat} to {steep}": touches(slope, flat, steep),
        f"calibration error {figure(error, 4)}, at most {most:.4f}": error.low <= most,
    }
    return all(findings.values()), "; ".join(text if ok else f"{text}: missed" for text, ok in findings.items())


def earns_something(case: Case, rules: GateRules) -> Finding:  # noqa: ARG001
    """Following the candidate earns more than contacting nobody."""
    profit = interval_of(case.drawn, "candidate", "profit")
    return (
        profit.is_above_zero,
        f"{money_figure(profit)} {unit_of(case.dataset).name}; contacting nobody earns 0",
    )


def earns_as_the_rule(case: Case, rules: GateRules) -> Finding:
    """The candidate does not earn less than the rule."""
    return _not_less(case, "rule", rules, rules.rule_margin_share, may_be_doubtful=not case.rule_answers)


def earns_as_the_champion(case: Case, rules: GateRules) -> Finding:
    """The candidate does not earn less than the champion on the same rows."""
    if case.champion is None:
        return True, "there is no champion yet"
    return _not_less(case, "champion", rules, rules.champion_margin_share)


def slices(case: Case, rules: GateRules) -> Finding:
    """No group of customers pays for a better average: nowhere is the log loss worse than the baseline's."""
    churned = case.holdout.churned
    large = [
        group
        for group, inside in case.groups.items()
        if inside.sum() >= SMALL_ROWS and churned[inside].sum() >= SMALL_CHURNERS
    ]
    worse = [text for group in large if (text := _worse_slice(case, group, rules, looks=len(large)))]
    return not worse, "; ".join(
        worse
    ) or f"{len(large)} slices are large enough, none is worse than the {case.baseline}"


def pointer(case: Case, rules: GateRules) -> Finding:  # noqa: ARG001
    """The champion that the candidate was compared with is still the champion."""
    seen, now = case.pointer.generation if case.pointer else 0, generation_of(case.root)
    expected = case.expected_generation
    return seen == now == expected, f"generation {now} of the pointer, {expected} when the comparison began"


CHECKS: tuple[tuple[str, CheckFunction], ...] = (
    ("stored bytes", stored_bytes),
    ("report", report_belongs),
    ("simplest rung", simplest_rung),
    ("declared fields", declared_fields),
    ("probabilities", probabilities),
    ("enough rows", enough_rows),
    ("ranking", ranking),
    ("no leaking field", no_leaking_field),
    ("no overfitting", no_overfitting),
    ("calibration", calibration),
    ("earns something", earns_something),
    ("earns as the rule", earns_as_the_rule),
    ("earns as the champion", earns_as_the_champion),
    ("slices", slices),
    ("directions", follows_declared_directions),
    ("invariance", keeps_its_answers),
    ("pointer", pointer),
)


def _not_less(
    case: Case, other: str, rules: GateRules, margin_share: float, *, may_be_doubtful: bool = True
) -> Finding:
    """Non-inferiority, and no shown loss either, which month after month would add up.

    The lower end of the paired interval must be above the margin, so too few rows are a refusal; unless, after a
    change, the candidate is shown to say better who leaves.
    """
    difference = case.drawn.difference(("candidate", "profit"), (other, "profit"), looks=LOOKS)
    theirs = case.drawn.values[other, "profit"]
    least = -margin_share * max(theirs, 0.0)
    found = (
        f"{money_figure(difference)} {unit_of(case.dataset).name} more than the {other}, which earns "
        f"{number(theirs)}; the interval must lie above {number(least)} and not wholly below 0"
    )
    is_doubtful = not difference.low >= least  # a figure that does not exist is doubtful too
    if is_doubtful and case.is_after_a_change and may_be_doubtful:
        worse = case.says_worse_than(other)
        is_doubtful = not worse < -rules.better_by_standard_errors
        asked = f"(at least {rules.better_by_standard_errors} make up for the doubt)"
        found += f"; its log loss lies {-worse:.1f} standard errors below that of the {other} {asked}"
    return not is_doubtful and difference.high >= 0, found


def _worse_slice(case: Case, group: Key, rules: GateRules, *, looks: int) -> str:
    """What is worse in one group; empty where nothing is. The interval allows for as many looks as there are groups."""
    mine, theirs = (*group, "candidate", "log_loss"), (*group, case.baseline, "log_loss")
    difference = case.drawn.difference(mine, theirs, looks=looks)
    most = rules.slice_margin_share * case.drawn.values[theirs]
    if difference.low <= most:
        return ""
    return (
        f"{group[0]} {group[1]}: log loss {case.drawn.values[mine]:.4f} against {case.drawn.values[theirs]:.4f} of the "
        f"{case.baseline}, {figure(difference, 4)} worse (at most {most:.4f})"
    )
