"""How figures are written wherever a person reads them, so that a plot, a card and a reason say the same."""

import math

from pipeline.bootstrap import Interval

UNKNOWN = "not known"


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
