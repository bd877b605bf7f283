"""What a replay came to, in sentences: for the page about it, the terminal and the Dagster UI alike."""

import math
from collections.abc import Sequence

from monitoring.hindsight import Alarm, Fate, Hindsight
from pipeline.bootstrap import Interval
from pipeline.replay_estimates import METRICS, EstimatorError
from pipeline.replay_outcome import MONTHLY, NEVER, Outcome, PlayedMonth
from pipeline.replay_plots import letter
from pipeline.simulator.scenarios import Event
from pipeline.wording import UNKNOWN, money, number, percent, readable

HOW_MADE = (
    "All ways choose among the same customers of the same months, and each may contact the same number of them.",
    "A month's profit is what the chosen contacts are expected to earn under the true probabilities of leaving, which "
    "the simulated world writes down and which no model, gate or monitor ever reads.",
    "The control group, customers who were chosen and then left alone to learn from, counts as contacted for all ways "
    "alike, because all of them would need one.",
    "The model that is trained every month has the kind and the settings of the first one and asks no gate; ranges are "
    "95 % intervals of a bootstrap over customers, whose months come and go together.",
    "Everything is simulated: the figures say how well this pipeline runs a company like this one, and not what yours "
    "would earn.",
)
COURSE = (
    "Expected profit of each month under the true probabilities, for four ways of choosing whom to contact, and what "
    "really happened, was seen and was done in it. A dashed line is where an event begins."
)
ESTIMATES = (
    "What monitoring estimated at a month's end, when nobody could know who would leave, and what the month's labels "
    "showed once they had matured."
)
BLIND = (
    "The estimate takes the model's calibrated probabilities at their word, so it cannot see concept drift: when the "
    "same customers begin to leave for other reasons, nothing in their features says so, and only matured labels do. A "
    "realised figure outside the estimated range is therefore news in itself. Months that promoted a release or that "
    "the rule scored are drawn, but not compared: their estimate is about another model."
)


def verdict(outcome: Outcome, hindsight: Hindsight) -> str:
    """The verdict in a sentence, with figures and intervals."""
    share, more = outcome.values.share, outcome.values.more
    trained = sum(month.is_trained for month in outcome.months)
    earned = f"This pipeline earned {percent(share.value)} ({percent_range(share)}) of the best possible"
    never, monthly = (compared(more[way], outcome.currency) for way in (NEVER, MONTHLY))
    return f"{earned}, {never} {NEVER} and {monthly} {MONTHLY}; it {trainings(trained)}, and {alarms(hindsight)}."


def alarms(hindsight: Hindsight) -> str:
    """How many months alarmed, and for how many of them nothing was the matter."""
    total, wrong = len(hindsight.alarms), hindsight.false_alarms
    if not total:
        return "no month raised an alarm"
    counted = "1 month raised an alarm" if total == 1 else f"{total} months raised alarms"
    rate = f"{hindsight.false_alarms_a_year:.1f} a year"
    falsely = "none of them false" if not wrong else f"{wrong} of them falsely ({rate})"
    return f"{counted}, {falsely}"


def tiles_of(outcome: Outcome, hindsight: Hindsight) -> dict[str, str]:
    """The four figures that matter most, by what they are."""
    share, more, until = outcome.values.share, outcome.values.more[NEVER], hindsight.months_until_found
    due = hindsight.count("found") + hindsight.count("missed")
    found = f"{hindsight.count('found')} of {due}" if due else "none to find"
    soon = "" if until is None else ", at once" if until == 0 else f", {months(until)} after they began on average"
    return {
        f"of the best possible profit ({percent_range(share)})": percent(share.value),
        f"{outcome.currency} more than never retrained ({signed_range(more)})": signed(more.value),
        f"false alarms a year, in {months(hindsight.months)}": f"{hindsight.false_alarms_a_year:.1f}",
        f"events found{soon}": found,
    }


def compared(more: Interval, currency: str) -> str:
    """How much more or less than something else, e.g. `1,200 USD (300 to 2,100) more than`."""
    if more.value == more.low == more.high == 0:
        return "exactly as much as"
    less = more.value < 0
    turned = Interval(-more.value, -more.high, -more.low) if less else more
    within = f" ({signed_range(turned)})" if math.isfinite(more.low) else ""
    return f"{money(_rounded(turned.value), currency)}{within} {'less' if less else 'more'} than"


def span(keys: Sequence[str]) -> str:
    """Months that follow each other, e.g. `2025-04` or `2025-04 to 2025-09`."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"


def event_months(event: Event, keys: Sequence[str]) -> str:
    """When it held, e.g. `2025-10`, `2025-10 to 2026-03` or `from 2025-10 on`."""
    if event.last is None:
        return f"from {keys[event.place - 1]} on"
    return span(keys[event.place - 1 : event.last])


def fate(found: Fate) -> str:
    """What became of an event, e.g. `found in 2025-12, 2 months after it began`."""
    if found.state != "found" or found.months_until is None:
        return found.state
    soon = "at once" if found.months_until == 0 else f"{months(found.months_until)} after it began"
    return f"found in {found.month}, {soon}"


def explained(alarm: Alarm) -> str:
    """Whether something that happened explains an alarm, e.g. `explained by A, B`, and what of it is left over."""
    if alarm.is_false:
        return "false alarm"
    left = [readable(kind) for kind in alarm.kinds if kind not in alarm.explained_by]
    rest = f"; not {', '.join(left)}" if left else ""
    return f"explained by {', '.join(letter(event) for event in alarm.events)}{rest}"


def decided(month: PlayedMonth) -> str:
    """The decision and what came of it, e.g. `retrain: promoted`."""
    if month.decision is None:
        return "no decision"
    trained = f": trained, {'promoted' if month.promoted else 'the gate refused it'}" if month.is_trained else ""
    return readable(month.decision.action) + trained


def own_reasons(month: PlayedMonth) -> list[str]:
    """Reasons of the decision that are not sentences of the evidence, which is shown beside it."""
    shown = {seen.says for seen in month.evidence}
    return [reason for reason in (month.decision.reasons if month.decision else ()) if reason not in shown]


def error_row(metric: str, found: EstimatorError, currency: str) -> tuple[str, ...]:
    """How far an estimate was off: its name, months, mean, spread, and how often it was inside."""
    is_money = metric == "profit"
    name = f"{METRICS[metric]}, {currency}" if is_money else METRICS[metric]
    if not found.months:
        return name, "0", UNKNOWN, UNKNOWN, UNKNOWN
    mean = signed(found.mean) if is_money else _minus(f"{found.mean:+.4f}")
    spread = UNKNOWN
    if math.isfinite(found.spread):
        spread = number(round(found.spread)) if is_money else f"{found.spread:.4f}"
    return name, str(found.months), mean, spread, f"{found.inside} of {found.months}"


def without_month(says: str, key: str) -> str:
    """A sentence of evidence beside its month need not begin with it."""
    return says.removeprefix(f"{key}: ")


def months(count: float) -> str:
    """E.g. `1 month`, `2.5 months`."""
    return f"{count:.3g} month" + ("" if count == 1 else "s")


def trainings(count: int) -> str:
    """How often it trained, as a predicate."""
    return {0: "never trained", 1: "trained once", 2: "trained twice"}.get(count, f"trained {count} times")


def percent_range(interval: Interval) -> str:
    """E.g. `82.7 to 87.2 %`."""
    if not math.isfinite(interval.low):
        return "no interval"
    return f"{100 * interval.low:.1f} to {percent(interval.high)}"


def signed(value: float) -> str:
    """An amount with a sign, e.g. `+1,200`; 0 has none."""
    return UNKNOWN if not math.isfinite(value) else _minus(f"{_rounded(value):+,.0f}") if _rounded(value) else "0"


def signed_range(interval: Interval) -> str:
    """Both ends, with a real minus."""
    if not math.isfinite(interval.low):
        return "no interval"
    return f"{_minus(f'{_rounded(interval.low):,.0f}')} to {_minus(f'{_rounded(interval.high):,.0f}')}"


def _rounded(value: float) -> float:
    return float(round(value)) + 0.0 if math.isfinite(value) else value


def _minus(written: str) -> str:
    return written.replace("-", "\N{MINUS SIGN}")
