"""What a contact earns and costs. Every decision of the project is in this money.

Contacting a customer who would leave earns the *gain*; contacting one who would stay costs the *loss*; contacting
nobody is worth zero. The expected value of a contact is `p * gain - (1 - p) * loss` (Verbeke et al. 2012, Bahnsen et
al. 2015).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import DeclarationError

FloatArray = NDArray[np.float64]


class Columns(Protocol):
    """Anything that gives a column for a name: a DataFrame, a dict of arrays."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True)
class Payoffs:
    """What contacting each customer earns if they would leave (`gain`) and costs if they would stay (`loss`).

    Both have shape (customers,), in the dataset's currency; `loss` is positive.
    """

    gain: FloatArray
    loss: FloatArray

    def expected(self, probability: ArrayLike) -> FloatArray:
        """Expected value of contacting each customer, in money."""
        p = np.asarray(probability, dtype=np.float64)
        return p * self.gain - (1.0 - p) * self.loss

    def realised(self, churned: ArrayLike) -> FloatArray:
        """Value of having contacted each customer, once it is known who left."""
        return np.where(np.asarray(churned, dtype=bool), self.gain, -self.loss)

    def break_even(self) -> FloatArray:
        """The probability above which a contact pays; above 1 where no contact ever does."""
        reach = self.gain + self.loss
        share: FloatArray = np.divide(self.loss, reach, out=np.full(len(reach), np.inf), where=reach > 0)
        return share


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a kept customer is worth: `times` a field, or `times` alone."""

    times: float
    field: str | None = None

    def __post_init__(self) -> None:
        _must_not_be_negative(times=self.times)

    def of(self, columns: Columns, rows: int) -> FloatArray:
        """Value of each customer, shape (rows,)."""
        if self.field is None:
            return np.full(rows, self.times)
        return self.times * np.asarray(columns[self.field], dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class RetentionOffer:
    """A contact that carries an offer.

    Args:
        contact_cost: what reaching one customer costs.
        offer_cost: what the offer costs when it is taken.
        acceptance: probability that a customer who would leave takes the offer and stays.
        stayer_acceptance: probability that a customer who would stay takes the offer anyway.
        value: what a kept customer is worth.
        budget_share: share of the active customers that can be contacted in a month.
    """

    contact_cost: float
    offer_cost: float
    acceptance: float
    value: Value
    budget_share: float
    stayer_acceptance: float = 1.0
    currency: str = "USD"

    def __post_init__(self) -> None:
        _must_be_shares(acceptance=self.acceptance, stayer_acceptance=self.stayer_acceptance)
        _must_be_a_budget(self.budget_share)
        _must_not_be_negative(contact_cost=self.contact_cost, offer_cost=self.offer_cost)

    def fields(self) -> tuple[str, ...]:
        """The features that the economics reads."""
        return () if self.value.field is None else (self.value.field,)

    def payoffs(self, columns: Columns, rows: int) -> Payoffs:
        """Gain and loss of contacting each of `rows` customers."""
        worth = self.value.of(columns, rows)
        gain = self.acceptance * (worth - self.offer_cost) - self.contact_cost
        return Payoffs(gain, np.full(rows, self.contact_cost + self.stayer_acceptance * self.offer_cost))


@dataclass(frozen=True, kw_only=True)
class RecordedCosts:
    """Costs that the data records for every customer: of a contacted leaver, a contacted stayer, a missed leaver."""

    contacted_leaver: str
    contacted_stayer: str
    missed_leaver: str
    budget_share: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        _must_be_a_budget(self.budget_share)

    def fields(self) -> tuple[str, ...]:
        """The features that the economics reads."""
        return (self.contacted_leaver, self.contacted_stayer, self.missed_leaver)

    def payoffs(self, columns: Columns, rows: int) -> Payoffs:
        """Gain and loss of contacting each of `rows` customers, measured against not contacting them."""
        leaver, stayer, missed = (np.asarray(columns[name], dtype=np.float64).reshape(rows) for name in self.fields())
        return Payoffs(missed - leaver, stayer)


Economics = RetentionOffer | RecordedCosts


def economics_as_dict(economics: Economics) -> dict[str, Any]:
    """The economics as plain values, for a release."""
    return {"kind": type(economics).__name__, **asdict(economics)}


def economics_from_dict(stored: Mapping[str, Any]) -> Economics:
    """The economics of a release; the inverse of `economics_as_dict`."""
    values = {name: value for name, value in stored.items() if name != "kind"}
    if stored["kind"] == RecordedCosts.__name__:
        return RecordedCosts(**values)
    return RetentionOffer(**(values | {"value": Value(**cast(Mapping[str, Any], values["value"]))}))


def contacts(expected_value: FloatArray, budget: int) -> NDArray[np.bool_]:
    """Who is contacted: the `budget` customers of highest expected value, as far as it is positive.

    Ties go to the earlier row, so callers fix the order of rows.
    """
    earning = expected_value > 0
    if earning.sum() <= budget:
        return earning
    place = max(budget - 1, 0)
    last = -np.partition(-expected_value, place)[place]  # a fifth of the time of sorting everybody
    chosen = expected_value > last
    chosen[np.flatnonzero(expected_value == last)[: budget - chosen.sum()]] = True
    return chosen


def budget_of(economics: Economics, active: int) -> int:
    """How many of the active customers can be contacted in a month."""
    return int(np.floor(economics.budget_share * active + 1e-9))


def _must_be_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise DeclarationError(
                f"economics, {name}", expected="a probability between 0 and 1", found=str(share), remedy="Correct it."
            )


def _must_be_a_budget(share: float) -> None:
    if not 0 < share <= 1:
        raise DeclarationError(
            "economics, budget_share",
            expected="a share above 0 and up to 1 of the active customers",
            found=str(share),
            remedy="Use 1.0 where everybody can be contacted.",
        )


def _must_not_be_negative(**costs: float) -> None:
    for name, cost in costs.items():
        if not 0 <= cost < np.inf:  # neither is what is no number
            raise DeclarationError(f"economics, {name}", expected="0 or more", found=str(cost), remedy="Correct it.")
