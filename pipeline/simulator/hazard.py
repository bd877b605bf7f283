"""Why customers leave: the log-odds of leaving within the month to come, as a sum of causes.

Everything is read from the state at the close of a month, plus what holds for the whole month to come (season,
competitors). Most causes count for less while a contract binds: that product, and price against usage, is what an
additive model cannot see.
"""

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import FloatArray
from pipeline.simulator.months import DAY, Month
from pipeline.simulator.parameters import Modifiers, WorldParameters
from pipeline.simulator.state import Customers, State

REACHED_SHARE = 0.85


def churn_probability(state: State, month: Month, parameters: WorldParameters) -> FloatArray:
    """Probability of leaving within `month`, the one after the state, if not contacted; shape (customers,)."""
    return _logistic(log_odds(state, month, parameters))


def churn_probability_if_contacted(state: State, month: Month, parameters: WorldParameters) -> FloatArray:
    """The same for a customer who is called, whether or not the call reaches them."""
    without, reached = churn_probability(state, month, parameters), reached_share(parameters.of_month(month.key))
    return reached * churn_probability_if_reached(state, month, parameters) + (1 - reached) * without


def churn_probability_if_reached(state: State, month: Month, parameters: WorldParameters) -> FloatArray:
    """The same for a customer whom a call reached."""
    effect = _effect_of_a_call(state.customers, month.start, parameters.of_month(month.key).persuasion)
    return _logistic(log_odds(state, month, parameters) + effect)


def reached_share(modifiers: Modifiers) -> float:
    """Share of the calls of a month that reach the customer."""
    return min(1.0, REACHED_SHARE * modifiers.reach)


def log_odds(state: State, month: Month, parameters: WorldParameters) -> FloatArray:
    """Log-odds of leaving within `month` if not contacted; shape (customers,)."""
    customers, now, modifiers = state.customers, month.start, parameters.of_month(month.key)
    pressure = (state.competitor + modifiers.competitor)[customers.region]
    everywhere = parameters.base_log_odds + parameters.season[month.of_year] + modifiers.log_odds
    freedom, dear, weight = _freedom(customers, now), _dearness(customers, now), modifiers.weight
    pushes = weight("poor_value") * _poor_value(customers, dear)
    pushes += weight("price_raised") * _price_raised(customers, now, dear)
    pushes += weight("lost_interest") * _lost_interest(customers, now)
    ends = weight("contract_ends") * _contract_ends(customers, now)
    pushes += weight("competition") * _competition(customers, pressure) + ends * _shops_around(pressure, dear)
    annoyances = weight("unpaid") * _unpaid(customers) + weight("unsolved") * _unsolved(customers, now)
    person = (0.3 + 0.7 * freedom) * weight("tenure") * _tenure(customers, now) + weight("who") * _who(customers)
    person += parameters.trait_sd * customers.trait + modifiers.poaching * _wanted(customers)
    bound = -1.1 * (1.0 - freedom)
    return everywhere + person + bound + freedom * pushes + (0.3 + 0.7 * freedom) * annoyances


def _freedom(customers: Customers, now: int) -> FloatArray:
    """1 where no contract binds, little where it binds for long."""
    days_left = (customers.contract_ends_at - now) / DAY
    bound = np.interp(days_left, [31.0, 60.0], [1.0, 0.15])
    return np.where(customers.contract == v.MONTHLY, 1.0, bound)


def _contract_ends(customers: Customers, now: int) -> FloatArray:
    days_left = (customers.contract_ends_at - now) / DAY
    return np.where(customers.contract == v.MONTHLY, 0.0, np.interp(days_left, [31.0, 60.0], [3.3, 0.0]))


def _shops_around(pressure: FloatArray, dear: FloatArray) -> FloatArray:
    """Whose contract ends compares: with what competitors offer, and with what they get."""
    return np.interp(pressure, [0.0, 0.5], [0.6, 1.3]) * np.interp(dear, [-0.3, 0.2], [0.7, 1.15])


def _tenure(customers: Customers, now: int) -> FloatArray:
    months = (now - customers.signed_up_at) / (30.4 * DAY)
    return np.interp(months, [0, 1, 4, 8, 14, 24, 48, 96], [-0.6, -0.1, 0.6, 0.5, 0.1, -0.2, -0.6, -0.8])


def _dearness(customers: Customers, now: int) -> FloatArray:
    """Log of the price over what the usage is worth; 0 in the first month, when nobody knows yet."""
    dear = np.log(customers.price / (8.0 + 7.0 * np.sqrt(customers.gigabytes)))
    return np.where(now - customers.signed_up_at > 31 * DAY, dear, 0.0)


def _poor_value(customers: Customers, dear: FloatArray) -> FloatArray:
    bill_shock = np.interp(customers.overage_usd, [0.0, 5.0, 20.0], [0.0, 0.4, 1.2])
    return np.interp(dear, [-0.4, 0.0, 0.3, 0.7], [-0.3, 0.0, 0.7, 1.2]) + bill_shock


def _price_raised(customers: Customers, now: int, dear: FloatArray) -> FloatArray:
    """A price rise angers those who got little for their money before."""
    days = (now - customers.price_raised_at) / DAY
    return np.interp(days, [0.0, 40.0, 90.0], [2.6, 2.2, 0.0]) * np.interp(dear, [-0.2, 0.2], [0.4, 1.2])


def _lost_interest(customers: Customers, now: int) -> FloatArray:
    """Falling usage, the last four weeks against the eight before: a reason to leave where the bill is worth saving."""
    recent = customers.weekly_gigabytes[:, -4:].mean(axis=1)
    before = np.maximum(customers.weekly_gigabytes[:, :-4].mean(axis=1), 0.01)
    had_habits = now - customers.signed_up_at > 90 * DAY  # before that there is nothing to fall from
    fall = np.interp(1.0 - recent / before, [0.1, 0.25, 0.4, 0.6], [0.0, 1.8, 3.6, 4.4])
    return had_habits * fall * np.interp(customers.price, [20.0, 40.0], [0.3, 1.2])


def _competition(customers: Customers, pressure: FloatArray) -> FloatArray:
    """Competitors win the young and those with an expensive plan."""
    young = np.array([1.3, 1.0, 0.7, 0.4, 1.0])[customers.age_band]
    return pressure * young * np.interp(customers.price, [20.0, 60.0], [0.6, 1.4])


def _wanted(customers: Customers) -> FloatArray:
    """Whom a competitor wants, from -1 to 1: the young who pay and use much, and no contract keeps them from it."""
    young = np.array([1.0, 0.3, -0.5, -1.0, 0.0])[customers.age_band]
    pays, uses = (
        np.interp(customers.price, [20.0, 60.0], [-1.0, 1.0]),
        np.interp(customers.gigabytes, [5.0, 60.0], [-1, 1]),
    )
    return 0.4 * young + 0.4 * pays + 0.2 * uses


def _unpaid(customers: Customers) -> FloatArray:
    """A card that expired says little; a bill that a customer does not pay by hand says a lot."""
    failures = customers.failures + customers.failures_1_month_ago
    weight = np.array([0.6, 1.1, 2.0])[customers.payment_method]
    return weight * np.interp(failures, [0.0, 1.0, 2.0, 4.0], [0.0, 1.1, 2.1, 2.7])


def _unsolved(customers: Customers, now: int) -> FloatArray:
    """A ticket that stays open, worse for a broken network and for new customers."""
    days_open = (now - customers.ticket_opened_at) / DAY
    patience = np.where(customers.ticket_topic == v.NETWORK, 1.2, 0.9) * np.interp(
        (now - customers.signed_up_at) / DAY, [200.0, 1000.0], [1.6, 0.4]
    )
    waiting = patience * np.interp(days_open, [0.0, 7.0, 21.0], [0.3, 1.6, 2.9])
    return np.where(customers.ticket_opened_at > 0, waiting, 0.0) + 0.2 * (
        customers.tickets + customers.tickets_1_month_ago
    )


def _who(customers: Customers) -> FloatArray:
    age = np.array([0.15, 0.05, -0.05, -0.15, 0.0])[customers.age_band]
    return age + np.array([0.0, 0.05, 0.2])[customers.channel] + np.array([0.0, -0.15, 0.1])[customers.payment_method]


def _effect_of_a_call(customers: Customers, now: int, persuasion: float) -> FloatArray:
    """Change of the log-odds when a call reaches the customer.

    Who lost interest is mostly lost whatever one offers. Quiet old customers are woken: a call is what makes some of
    them leave. Most others can be persuaded. `response` places each customer in one of the three groups.
    """
    years = (now - customers.signed_up_at) / (365.0 * DAY)
    lost = np.interp(_lost_interest(customers, now), [0.0, 2.5], [0.12, 0.45])
    woken = 0.05 + np.interp(years, [1.5, 5.0], [0.0, 0.25]) + np.where(customers.engagement < -0.3, 0.1, 0.0)
    persuaded = -1.8 - 0.8 * np.interp(customers.price, [20.0, 60.0], [1.0, 0.0])
    is_lost, is_woken = customers.response < lost / persuasion, customers.response > 1.0 - woken
    return np.where(is_lost, 0.0, np.where(is_woken, 0.8, persuasion * persuaded))


def _logistic(log_odds: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))
