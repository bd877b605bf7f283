"""Which rung is worth its complexity: the simplest that no more complex one beats in money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pipeline.bootstrap import Draws, Interval
from pipeline.scoring import RUNGS
from pipeline.wording import money, money_range


@dataclass(frozen=True)
class Comparison:
    """Profit per month of `rung` less that of the simpler `against`, on the same draws; positive favours `rung`.

    `looks` is the number of comparisons that the interval allows for (Bonferroni).
    """

    rung: str
    against: str
    profit: Interval
    looks: int


@dataclass(frozen=True)
class Verdict:
    """The chosen rung, and why, in full sentences."""

    rung: str
    reasons: tuple[str, ...]


def simplest_first(names: Sequence[str]) -> tuple[str, ...]:
    """The rungs from the simplest to the most complex; those the project does not know come last, by name."""
    known: Mapping[str, int] = {name: i for i, name in enumerate(RUNGS)}
    return tuple(sorted(names, key=lambda name: (known.get(name, len(known)), name)))


def comparisons_of(drawn: Draws, names: Sequence[str]) -> tuple[Comparison, ...]:
    """Every rung against every simpler one."""
    pairs = list(combinations(simplest_first(names), 2))
    return tuple(
        Comparison(rung, simpler, drawn.difference((rung, "profit"), (simpler, "profit"), looks=len(pairs)), len(pairs))
        for simpler, rung in pairs
    )


def against_chance(drawn: Draws, names: Sequence[str]) -> dict[str, Interval]:
    """Profit per month of each rung less that of as many contacts drawn by lot."""
    return {name: drawn.difference((name, "profit"), (name, "random")) for name in names}


def verdict_of(
    profits: Mapping[str, Interval], comparisons: Sequence[Comparison], chance: Mapping[str, Interval], currency: str
) -> Verdict:
    """The simplest rung that no more complex one beats, by an interval that lies above zero."""
    chosen = next(name for name in simplest_first(list(profits)) if not _beaten(name, comparisons))
    reasons = [_sentence(comparison, currency) for comparison in comparisons if _matters(chosen, comparison)]
    reasons.append(_against_nobody(chosen, profits[chosen], currency))
    reasons.append(_against_chance(chance[chosen], currency))
    return Verdict(chosen, tuple(reasons))


def _beaten(name: str, comparisons: Sequence[Comparison]) -> bool:
    return any(each.against == name and each.profit.is_above_zero for each in comparisons)


def _matters(chosen: str, comparison: Comparison) -> bool:
    """A comparison that rejects a simpler rung, or that shows no need for a more complex one."""
    order = simplest_first([chosen, comparison.against])
    rejects = order[0] == comparison.against != chosen and comparison.profit.is_above_zero
    return rejects or comparison.against == chosen


def _sentence(comparison: Comparison, currency: str) -> str:
    rung, against, profit = comparison.rung, comparison.against, comparison.profit
    by = f"{money(abs(profit.value), currency)} a month"
    interval = f"95 % interval {money_range(profit)}, allowing for {comparison.looks} comparisons"
    if comparison.looks == 1:
        interval = f"95 % interval {money_range(profit)}"
    if profit.is_above_zero:
        return f"The {rung} rung earns {by} more than the {against} rung ({interval}), so {against} is not enough."
    more = "more" if profit.value >= 0 else "less"
    return (
        f"The {rung} rung is not shown to earn more than the {against} rung: it earned {by} {more} on the test months"
        f" ({interval}), so its complexity does not pay."
    )


def _against_nobody(name: str, profit: Interval, currency: str) -> str:
    earned = (
        f"{money(profit.value, currency)} a month more than contacting nobody (95 % interval {money_range(profit)})"
    )
    if profit.is_above_zero:
        return f"The {name} rung earns {earned}."
    return f"The {name} rung is not shown to earn anything: it made {earned}."


def _against_chance(difference: Interval, currency: str) -> str:
    interval = f"95 % interval {money_range(difference)}"
    if difference.is_above_zero:
        by = f"{money(difference.value, currency)} a month more"
        return f"It earns {by} than as many contacts drawn by lot ({interval})."
    return f"It is not shown to earn more than as many contacts drawn by lot ({interval} a month)."
