"""Which rung is worth its complexity: the simplest that no more complex one beats in money.

Where a rung answers already, the burden of proof is on the others: it has shown that it pays, and a training on few new
rows is no reason to forget that. Half a month, which is the test after a change, proves nothing of the kind: of three
rungs one is nearly always ahead by luck of the few who were left alone. There, a model is followed by one of its rung.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pipeline.bootstrap import Draws, Interval
from pipeline.scoring import RUNGS
from pipeline.wording import Unit, money_range, sentence, the_rung


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
    profits: Mapping[str, Interval],
    comparisons: Sequence[Comparison],
    chance: Mapping[str, Interval],
    unit: Unit,
    *,
    incumbent: str | None = None,
    can_tell: bool = True,
) -> Verdict:
    """The simplest rung that no more complex one beats, by an interval that lies above zero.

    `incumbent`, which answers now, stays all the same unless another beats it, simpler or more complex; where the rows
    are too few to tell (`can_tell`), whatever they say.
    """
    simplest = next(name for name in simplest_first(list(profits)) if not _beaten(name, comparisons))
    stays = incumbent in profits and (not can_tell or _stays(str(incumbent), comparisons))
    chosen = str(incumbent) if stays else simplest
    reasons = [_sentence(comparison, unit) for comparison in _telling(chosen, comparisons)]
    if chosen != simplest:
        why = "no other is shown to earn more" if can_tell else "half a month of customers cannot tell rungs apart"
        reasons.insert(0, sentence(f"{the_rung(chosen)} answers now, and {why}."))
    reasons.append(_against_nobody(chosen, profits[chosen], unit))
    reasons.append(_against_chance(chance[chosen], unit))
    return Verdict(chosen, tuple(reasons))


def _beaten(name: str, comparisons: Sequence[Comparison]) -> bool:
    return any(each.against == name and each.profit.is_above_zero for each in comparisons)


def _stays(incumbent: str, comparisons: Sequence[Comparison]) -> bool:
    """Whether nothing beats it, simpler ones included."""
    by_simpler = any(each.rung == incumbent and each.profit.high < 0 for each in comparisons)
    return not (by_simpler or _beaten(incumbent, comparisons))


def _telling(chosen: str, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """What rejects each simpler rung, by the chosen one where that does it, and what the more complex ones brought.

    Not what would reject the chosen one, where that is held not to be told.
    """
    winning = [each for each in comparisons if each.profit.is_above_zero and each.against != chosen]
    won_by_chosen = {each.against for each in winning if each.rung == chosen}
    rejecting = [each for each in winning if each.rung == chosen or each.against not in won_by_chosen]
    return rejecting + [each for each in comparisons if each.against == chosen and not each.profit.is_above_zero]


def _sentence(comparison: Comparison, unit: Unit) -> str:
    rung, against, profit = the_rung(comparison.rung), the_rung(comparison.against), comparison.profit
    by = unit.amount(abs(profit.value))
    looks = f", allowing for {comparison.looks} comparisons" if comparison.looks > 1 else ""
    interval = f"95 % interval {money_range(profit)}{looks}"
    if profit.is_above_zero:
        return sentence(f"{rung} earns {by} more than {against} ({interval}), so {against} is not enough.")
    more = "more" if profit.value >= 0 else "less"
    return sentence(
        f"{rung} is not shown to earn more than {against}: it earned {by} {more} on the {unit.tested_on} ({interval}),"
        " so its complexity does not pay."
    )


def _against_nobody(name: str, profit: Interval, unit: Unit) -> str:
    earned = f"{unit.amount(profit.value)} more than contacting nobody (95 % interval {money_range(profit)})"
    if profit.is_above_zero:
        return sentence(f"{the_rung(name)} earns {earned}.")
    return sentence(f"{the_rung(name)} is not shown to earn anything: it made {earned}.")


def _against_chance(difference: Interval, unit: Unit) -> str:
    interval = f"95 % interval {money_range(difference)}"
    if difference.is_above_zero:
        by = f"{unit.amount(difference.value)} more"
        return f"It earns {by} than as many contacts drawn by lot ({interval})."
    return f"It is not shown to earn more than as many contacts drawn by lot ({interval} {unit.name})."
