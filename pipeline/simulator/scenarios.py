"""Months of production in which something happens: the same company, and what is different in it from a month on.

Every scenario has the same ordinary months before its replay begins. A place counts the months that are played, from 1:
a replay that ends before a place does not meet what happens there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from pipeline.calendar import month_after
from pipeline.simulator.feed import CategoryRenamed, ColumnMissing, Fault, RowsDoubled, UnitChanged
from pipeline.simulator.parameters import ORDINARY, Cause, Modifiers, WorldParameters

WARM_UP_MONTHS = 15
PREFIX = "simulated_"
EventKind: TypeAlias = Literal["season", "prices", "reasons", "mix", "calls", "feed"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that really happened, for alarms to be compared with.

    Args:
        place: the played month in which it begins.
        kind: what it changes: a season, prices, why customers leave, who they are, what calls do, or only the feed.
        says: what it is, as a sentence.
        last: the last played month in which it holds; None where it stays.
        stops_the_month: whether the tables cannot be used until the feed is repaired.
    """

    place: int
    kind: EventKind
    says: str
    last: int | None = None
    stops_the_month: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One course of things.

    Args:
        modifiers: what is different from a place on, until the next place that is named.
        faults: what is wrong with the feed at a place.
        what_happened: the events, in their order.
        world: what is different all the time, the ordinary months before the replay included.
    """

    name: str
    description: str
    modifiers: Mapping[int, Modifiers] = field(default_factory=dict)
    faults: Mapping[int, tuple[Fault, ...]] = field(default_factory=dict)
    what_happened: tuple[Event, ...] = ()
    world: WorldParameters = field(default_factory=WorldParameters)

    def parameters(self, customers: int, seed: int) -> WorldParameters:
        """The world of this scenario."""
        modifiers = {played_month(self.world.first, place): found for place, found in self.modifiers.items()}
        return replace(self.world, customers=customers, seed=seed, modifiers=modifiers)

    def faults_by_month(self) -> dict[str, tuple[Fault, ...]]:
        """The feed's faults by month."""
        return {played_month(self.world.first, place): faults for place, faults in self.faults.items()}


def played_month(first: str, place: int) -> str:
    """The key of the played month at `place`, counted from 1, in a world that begins with `first`."""
    return month_after(first, WARM_UP_MONTHS + place - 1)


def dataset_name(scenario: str) -> str:
    """The name of the dataset that is a scenario."""
    return PREFIX + scenario


def scenario_of(dataset: str) -> Scenario | None:
    """The scenario behind the name of a dataset; None where it is none."""
    return SCENARIOS.get(dataset.removeprefix(PREFIX)) if dataset.startswith(PREFIX) else None


_WATCHFUL: Mapping[Cause, float] = {
    "price_raised": 1.3,
    "poor_value": 1.8,
    "lost_interest": 0.6,
    "contract_ends": 0.8,
}
_MORE_WATCHFUL: Mapping[Cause, float] = {
    "price_raised": 1.6,
    "poor_value": 2.4,
    "lost_interest": 0.4,
    "contract_ends": 0.7,
}
_SCENARIOS = (
    Scenario(name="calm", description="A simulated telecom in two years in which nothing special happens."),
    Scenario(
        name="season",
        description="A simulated telecom whose customers use less and leave more in summer, every year.",
        world=WorldParameters(
            season=(0.1, -0.05, -0.15, -0.15, 0.0, 0.2, 0.35, 0.35, 0.15, -0.1, -0.3, -0.3),
            usage_season=(1.07, 1.05, 1.02, 0.99, 0.96, 0.92, 0.9, 0.92, 0.97, 1.02, 1.07, 1.1),
        ),
        what_happened=(
            Event(
                place=1, kind="season", says="Usage falls by a fifth from winter to summer and churn rises, each year."
            ),
        ),
    ),
    Scenario(
        name="price_rise",
        description="A simulated telecom that raises prices twice, to customers who then watch them.",
        modifiers={
            7: Modifiers(price_rise_share=0.5, price_rise=0.12, weights=_WATCHFUL),
            8: Modifiers(weights=_WATCHFUL),
            13: Modifiers(price_rise_share=0.4, price_rise=0.12, weights=_MORE_WATCHFUL),
            14: Modifiers(weights=_MORE_WATCHFUL),
        },
        what_happened=(
            Event(place=7, kind="prices", says="Half of the customers without a contract pay 12 % more.", last=7),
            Event(place=7, kind="reasons", says="Customers compare price and use more than before."),
            Event(place=13, kind="prices", says="Four in ten customers without a contract pay 12 % more.", last=13),
            Event(place=13, kind="reasons", says="Customers compare price and use still more."),
        ),
    ),
    Scenario(
        name="competitor",
        description="A simulated telecom whose best customers a competitor begins to buy out of their contracts.",
        modifiers={
            7: Modifiers(
                log_odds=0.2,
                poaching=2.9,
                weights={
                    "poor_value": 0.5,
                    "price_raised": 0.75,
                    "lost_interest": 0.65,
                    "contract_ends": 0.75,
                    "unpaid": 0.75,
                    "unsolved": 0.75,
                },
            ),
        },
        what_happened=(
            Event(
                place=7,
                kind="reasons",
                says="A competitor buys young customers who pay and use much out of their contracts; others stay more.",
            ),
        ),
    ),
    Scenario(
        name="new_market",
        description="A simulated telecom that wins the young on the web for half a year: other people, same reasons.",
        modifiers={7: Modifiers(sign_ups=2.0, young_share=0.8), 13: ORDINARY},
        what_happened=(
            Event(
                place=7,
                kind="mix",
                says="Twice as many sign up, four in five of them young and on the web.",
                last=12,
            ),
        ),
    ),
    Scenario(
        name="broken_feed",
        description="A simulated telecom as calm as it can be, whose tables arrive damaged in some months.",
        faults={
            5: (UnitChanged(table="usage", column="gigabytes", factor=1.3),),
            6: (UnitChanged(table="usage", column="gigabytes", factor=1.3),),
            9: (CategoryRenamed(table="customers", column="payment_method", old="card", new="credit_card"),),
            11: (
                CategoryRenamed(table="support_tickets", column="topic", old="moving", new="relocation", every=8),
                RowsDoubled(table="usage", every=100),
            ),
            13: (ColumnMissing(table="invoices", column="overage"),),
            17: (RowsDoubled(table="payments"),),
        },
        what_happened=(
            Event(place=5, kind="feed", says="usage.gigabytes arrives in another unit, 1.3 times as much.", last=6),
            Event(
                place=9,
                kind="feed",
                says="customers.payment_method says credit_card instead of card.",
                last=9,
                stops_the_month=True,
            ),
            Event(
                place=11,
                kind="feed",
                says="A few tickets name an unknown topic, and a few rows of usage arrive twice.",
                last=11,
            ),
            Event(place=13, kind="feed", says="invoices.overage does not arrive.", last=13, stops_the_month=True),
            Event(place=17, kind="feed", says="Every payment arrives twice.", last=17, stops_the_month=True),
        ),
    ),
    Scenario(
        name="slow_decay",
        description="A simulated telecom whose customers' reasons to leave drift a little every month.",
        modifiers={
            place: Modifiers(
                log_odds=0.025 * place,
                poaching=0.065 * place,
                weights={
                    "lost_interest": 1 - 0.022 * place,
                    "contract_ends": 1 - 0.022 * place,
                    "unpaid": 1 - 0.022 * place,
                    "unsolved": 1 - 0.022 * place,
                },
            )
            for place in range(1, 25)
        },
        what_happened=(
            Event(place=1, kind="reasons", says="Every month the old reasons to leave count a little less.", last=24),
        ),
    ),
    Scenario(
        name="campaign_feedback",
        description="A simulated telecom whose own calls keep most of those who would have left.",
        modifiers={1: Modifiers(reach=1.15, persuasion=3.0)},
        what_happened=(
            Event(place=1, kind="calls", says="Calls reach nearly everybody and persuade most: who is called stays."),
        ),
    ),
)
SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _SCENARIOS}
