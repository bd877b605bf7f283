"""What a simulated world is made of, as one frozen value: the same parameters and seed give the same bytes.

Belongs here: numbers that one world may have and another not. A scenario is a `WorldParameters` with `Modifiers` that
hold from some month on; a world without modifiers is an ordinary one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

WORLD_VERSION = 2
Cause: TypeAlias = Literal[
    "poor_value",
    "price_raised",
    "lost_interest",
    "competition",
    "contract_ends",
    "unpaid",
    "unsolved",
    "tenure",
    "who",
]


@dataclass(frozen=True, kw_only=True)
class Modifiers:
    """What is different from the ordinary.

    Args:
        log_odds: added to everybody's log-odds of leaving (a season, a scandal, slow decay).
        competitor: added to the pressure of competitors' offers in every region; 1 is a strong offer.
        price_rise_share: share of the customers without a running contract whose price is raised besides the usual.
        price_rise: by how much, as a share of the price.
        usage: factor on everybody's usage.
        sign_ups: factor on the number of sign-ups.
        young_share: share of the sign-ups that come from the youngest age band and the web, besides the usual.
        weights: factors on causes of leaving, where they are not 1; the causes are those of `hazard.py`.
        poaching: log-odds of leaving that those whom a competitor wants most gain, and those it wants least lose.
        reach: factor on the share of the calls that reach a customer.
        persuasion: factor on what a call that persuades does; so much fewer are those whom nothing persuades.
    """

    log_odds: float = 0.0
    competitor: float = 0.0
    price_rise_share: float = 0.0
    price_rise: float = 0.10
    usage: float = 1.0
    sign_ups: float = 1.0
    young_share: float = 0.0
    weights: Mapping[Cause, float] = field(default_factory=dict)
    poaching: float = 0.0
    reach: float = 1.0
    persuasion: float = 1.0

    def weight(self, cause: Cause) -> float:
        """The factor on a cause of leaving."""
        return self.weights.get(cause, 1.0)


ORDINARY = Modifiers()


@dataclass(frozen=True, kw_only=True)
class WorldParameters:
    """A subscription company.

    Args:
        customers: customers when the first month begins.
        seed: seed of everything random.
        first: first month, as "YYYY-MM".
        sign_up_share: monthly sign-ups as a share of `customers`; about what leaves.
        base_log_odds: log-odds that a customer without any cause leaves within a month.
        trait_sd: spread of what no table shows about a customer, in log-odds.
        courtesy_share: share of the customers whom the old courtesy campaign calls each month, drawn at random.
        late_share: share of the rows that are recorded weeks after they happened, less in some tables; see `dirt.py`.
        dirt_share: share of the rows that are damaged, likewise.
        season: log-odds added in January ... December.
        modifiers: what is different from a month "YYYY-MM" on, until the next one that is named.
    """

    customers: int = 20_000
    seed: int = 7
    first: str = "2024-01"
    sign_up_share: float = 0.035
    base_log_odds: float = -4.35
    trait_sd: float = 0.12
    courtesy_share: float = 0.01
    late_share: float = 0.004
    dirt_share: float = 0.004
    season: tuple[float, ...] = (0.04, 0.0, 0.0, -0.02, -0.03, 0.01, 0.03, 0.04, 0.06, 0.02, -0.03, -0.06)
    usage_season: tuple[float, ...] = (1.01, 1.0, 1.0, 0.99, 0.99, 0.98, 0.97, 0.97, 0.99, 1.0, 1.02, 1.03)
    modifiers: Mapping[str, Modifiers] = field(default_factory=dict)

    def of_month(self, key: str) -> Modifiers:
        """What is different in a month."""
        begun = [since for since in self.modifiers if since <= key]
        return self.modifiers[max(begun)] if begun else ORDINARY

    def as_dict(self) -> dict[str, Any]:
        """The parameters as plain values, to be stored beside the world that they made."""
        return {
            "version": WORLD_VERSION,
            **asdict(self),
            "season": list(self.season),
            "usage_season": list(self.usage_season),
        }
