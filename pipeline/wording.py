"""How figures are written wherever a person reads them, so that a plot, a card and a reason say the same."""

import math
from dataclasses import dataclass

from pipeline.bootstrap import Interval
from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset

UNKNOWN = "not known"


@dataclass(frozen=True)
class Unit:
    """What profits are counted in: a currency, and the `period` that they are for, a month or a single campaign."""

    currency: str
    period: str

    @property
    def name(self) -> str:
        """The unit as an axis or a column names it, e.g. `USD a month`."""
        return f"{self.currency} a {self.period}"

    @property
    def tested_on(self) -> str:
        """What the figures were found on."""
        return "test months" if self.period == "month" else "test customers"

    def amount(self, value: float) -> str:
        """An amount with its unit, e.g. `12,345 USD a month`."""
        return f"{money(value, self.currency)} a {self.period}"


def unit_of(dataset: Dataset) -> Unit:
    """The unit of a dataset: without time there is no month, only one campaign among the test customers."""
    period = "campaign" if isinstance(dataset.calendar, SingleSnapshot) else "month"
    return Unit(dataset.economics.currency, period)


def money(value: float, currency: str) -> str:
    """An amount with thousands separated, e.g. `12,345 USD`; below 100 with cents."""
    return f"{number(value)} {currency}" if math.isfinite(value) else UNKNOWN


def number(value: float) -> str:
    """An amount without its currency."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage, e.g. `4.8 %`."""
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else UNKNOWN


def money_range(interval: Interval) -> str:
    """The ends of an interval of money, e.g. `1,200 to 3,400`."""
    return f"{_amount(interval.low, interval)} to {_amount(interval.high, interval)}"


def figure(interval: Interval, digits: int = 3) -> str:
    """A figure with its interval, e.g. `0.845 (0.830 to 0.861)`."""
    if not math.isfinite(interval.value):
        return UNKNOWN
    if not math.isfinite(interval.low):
        return f"{interval.value:.{digits}f}"
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def money_figure(interval: Interval) -> str:
    """An amount with its interval, e.g. `2,300 (1,200 to 3,400)`."""
    return f"{_amount(interval.value, interval)} ({money_range(interval)})"


def the_rung(name: str) -> str:
    """A rung as it is called within a sentence."""
    known = {"rule": "the rule", "logistic": "the logistic regression", "boosting": "the gradient boosting"}
    return known.get(name, f"the {readable(name)} rung")


def sentence(text: str) -> str:
    """A text that begins with a capital."""
    return text[:1].upper() + text[1:]


def readable(name: str) -> str:
    """A column's name as words."""
    return name.replace("_", " ")


def _amount(value: float, interval: Interval) -> str:
    """A part of an interval; cents where the whole interval is small."""
    if not math.isfinite(value):
        return UNKNOWN
    largest = max(abs(part) for part in (interval.value, interval.low, interval.high) if math.isfinite(part))
    return f"{value:,.0f}" if largest >= 20 else f"{value:,.2f}"
