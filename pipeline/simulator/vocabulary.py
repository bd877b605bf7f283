"""The words of the simulated company: what its plans, contracts, events and tickets are called, and what plans cost.

Belongs here: names and list prices that the raw tables show. How customers behave is in the behaviour modules.
"""

from dataclasses import dataclass

REGIONS = ("north", "south", "east", "west", "capital")
AGE_BANDS = ("18-29", "30-44", "45-59", "60+")
PAYMENT_METHODS = ("card", "direct_debit", "invoice")
CHANNELS = ("store", "web", "partner")
CONTRACTS = ("monthly", "one_year", "two_years")
EVENTS = (
    "started",
    "renewal_offered",
    "renewed",
    "contract_ended",
    "plan_changed",
    "price_raised",
    "discounted",
    "cancelled",
)
PAYMENT_STATUSES = ("paid", "late", "failed")
TOPICS = ("billing", "network", "device", "moving", "contract_terms")
TICKET_STATUSES = ("opened", "escalated", "resolved")
CAMPAIGNS = ("courtesy_call", "call_list")
OUTCOMES = ("accepted", "declined", "unreachable")

MONTHLY, ONE_YEAR, TWO_YEARS = range(3)
INVOICE = PAYMENT_METHODS.index("invoice")
NETWORK, CONTRACT_TERMS = TOPICS.index("network"), TOPICS.index("contract_terms")
CONTRACT_DAYS = (0, 365, 730)


@dataclass(frozen=True)
class Plan:
    """A tariff: list price in USD a month, included and typically used gigabytes a month."""

    name: str
    price_usd: float
    included_gigabytes: float
    typical_gigabytes: float


PLANS = (
    Plan("basic", 20.0, 8.0, 5.0),
    Plan("standard", 35.0, 25.0, 15.0),
    Plan("plus", 50.0, 80.0, 40.0),
    Plan("unlimited", 65.0, 1e9, 80.0),
)
PLAN_NAMES = tuple(plan.name for plan in PLANS)
OVERAGE_USD_PER_GIGABYTE = 0.8
