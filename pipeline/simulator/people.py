"""Who the customers are: those whom the company has when the world begins, and those who sign up later."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import CodeArray, FloatArray, IntArray
from pipeline.simulator.draws import Draws
from pipeline.simulator.months import DAY, WEEKS_A_MONTH, Month
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.state import WEEKS_REMEMBERED, Customers
from pipeline.simulator.tables import Batch, cents, words

_REGION_SHARES = (0.22, 0.18, 0.2, 0.15, 0.25)
_AGE_SHARES = (0.24, 0.3, 0.24, 0.17, 0.05)  # the last told no age
_METHOD_SHARES = (0.5, 0.35, 0.15)
_CHANNEL_SHARES = (0.4, 0.42, 0.18)
_PLAN_SHARES = (0.25, 0.38, 0.25, 0.12)
_CONTRACT_SHARES = (0.42, 0.36, 0.22)
_SETTLED_CONTRACT_SHARES = (0.58, 0.19, 0.23)  # of all customers after some years of such sign-ups
_STILL_FIRST_SHARE = (0.51, 0.68, 0.68)  # of them, those whose contract is the one that they signed up with
_MONTHLY_TENURE_DAYS = 1_500  # were nobody there longer than `_LONGEST_TENURE_DAYS`, the mean is some 1,240
_LONGEST_TENURE_DAYS = 3_650
_BETWEEN_RISES_DAYS = 1_150  # of a customer without a contract, on average
_LAST_BILLING_DAY = 18  # so that a bill's retries end within the month


def first_customers(parameters: WorldParameters, month: Month, draws: Draws) -> Customers:
    """The customers whom the company has when its first month begins.

    They are as a company's are that has been there for years: where contracts of all ages were missing, the first two
    years would be ever more contracts' ends, and whoever monitors them would see customers change who only grow up.
    """
    number = np.arange(parameters.customers, dtype=np.int64)
    modifiers, now = parameters.of_month(month.key), np.full(len(number), month.start, dtype=np.int64)
    customers = _people(number, now, draws, modifiers.young_share, _SETTLED_CONTRACT_SHARES)
    return _grown_old(customers, month, draws)


def signed_up(parameters: WorldParameters, month: Month, first_number: int, draws: Draws) -> Customers:
    """Those who sign up within a month, in the order in which they do."""
    modifiers = parameters.of_month(month.key)
    expected = parameters.customers * parameters.sign_up_share * modifiers.sign_ups
    luck = draws.normal("people/sign_ups", np.zeros(1, dtype=np.int64))[0]
    # how many sign up hangs on nothing but the month: numbers must not shift when a call keeps somebody
    count = max(1, round(expected + luck * np.sqrt(expected)))
    number = np.arange(first_number, first_number + count, dtype=np.int64)
    place = (np.arange(count) + draws.uniform("people/signed_up_at", number)) / count
    signed_up_at = month.start + (place * month.seconds).astype(np.int64)
    return _people(number, signed_up_at, draws, modifiers.young_share, _CONTRACT_SHARES)


def term_of(contract: CodeArray) -> IntArray:
    """How long a contract binds, in seconds; 0 where there is none."""
    return np.array(v.CONTRACT_DAYS, dtype=np.int64)[contract] * DAY


def customer_rows(customers: Customers, recorded_at: IntArray) -> Batch:
    """Their rows in the table of customers."""
    return Batch(
        table="customers",
        name="signed_up",
        numbers=customers.number,
        recorded_at=recorded_at,
        columns={
            "signed_up_at": customers.signed_up_at,
            "region": words(customers.region, v.REGIONS),
            "age_band": words(customers.age_band, v.AGE_BANDS),
            "payment_method": words(customers.payment_method, v.PAYMENT_METHODS),
            "channel": words(customers.channel, v.CHANNELS),
            "contract_at_sign_up": words(customers.contract, v.CONTRACTS),
        },
    )


def _people(
    number: IntArray, signed_up_at: IntArray, draws: Draws, young_share: float, contract_shares: Sequence[float]
) -> Customers:
    plan = draws.code("people/plan", number, _PLAN_SHARES)
    contract = draws.code("people/contract", number, contract_shares)
    term = term_of(contract)
    taste = np.log([p.typical_gigabytes for p in v.PLANS])[plan] + 0.6 * draws.normal("people/taste", number)
    nothing: FloatArray = np.zeros(len(number))
    never: IntArray = np.zeros(len(number), dtype=np.int64)
    none: CodeArray = np.zeros(len(number), dtype=np.int8)
    return Customers(
        number=number,
        signed_up_at=signed_up_at,
        **_background(number, draws, young_share),
        billing_day=(1 + draws.uniform("people/billing_day", number) * _LAST_BILLING_DAY).astype(np.int8),
        plan=plan,
        contract=contract,
        contract_started_at=signed_up_at,
        contract_ends_at=np.where(term > 0, signed_up_at + term, 0),
        price=_price(plan, contract, draws.uniform("people/price", number)),
        price_raised_at=never,
        taste=taste,
        engagement=nothing,
        months_of_decline_left=none,
        weekly_gigabytes=np.zeros((len(number), WEEKS_REMEMBERED)),
        overage_usd=nothing,
        unreliability=draws.normal("people/unreliability", number),
        failures=none,
        failures_1_month_ago=none,
        ticket_opened_at=never,
        ticket_resolves_at=never,
        ticket_topic=none,
        tickets=none,
        tickets_1_month_ago=none,
        trait=draws.normal("people/trait", number),
        response=draws.uniform("people/response", number),
    )


def _background(number: IntArray, draws: Draws, young_share: float) -> dict[str, CodeArray]:
    is_young = draws.uniform("people/new_market", number) < young_share
    age = draws.code("people/age", number, _AGE_SHARES)
    channel = draws.code("people/channel", number, _CHANNEL_SHARES)
    return {
        "region": draws.code("people/region", number, _REGION_SHARES),
        "age_band": np.where(is_young, 0, np.where(age == len(v.AGE_BANDS), -1, age)).astype(np.int8),
        "payment_method": draws.code("people/payment_method", number, _METHOD_SHARES),
        "channel": np.where(is_young, v.CHANNELS.index("web"), channel).astype(np.int8),
    }


def _price(plan: CodeArray, contract: CodeArray, bargain: FloatArray) -> FloatArray:
    """List price less what a long contract and a good day in the shop take off."""
    listed = np.array([p.price_usd for p in v.PLANS])[plan]
    return cents(listed * np.array([1.0, 0.94, 0.88])[contract] * (0.9 + 0.2 * bargain))


def _grown_old(customers: Customers, month: Month, draws: Draws) -> Customers:
    """The same people somewhere within their contracts, and as engaged as people are who have been there a while."""
    number, term = customers.number, term_of(customers.contract)
    signed_up_at, started_at = _began(customers, month, draws)
    since_rise = _BETWEEN_RISES_DAYS * DAY * draws.uniform("people/price_raised", number)
    raised_at = month.start - 1 - since_rise.astype(np.int64)
    engagement = -0.12 + 0.3 * draws.normal("people/engagement", number)
    weekly = np.exp(customers.taste + engagement) / WEEKS_A_MONTH
    return replace(
        customers,
        signed_up_at=signed_up_at,
        contract_started_at=started_at,
        contract_ends_at=np.where(term > 0, started_at + term, 0),
        price_raised_at=np.where((term == 0) & (raised_at > started_at), raised_at, 0),
        engagement=engagement,
        weekly_gigabytes=np.repeat(weekly[:, np.newaxis], WEEKS_REMEMBERED, axis=1),
    )


def _began(customers: Customers, month: Month, draws: Draws) -> tuple[IntArray, IntArray]:
    """When each signed up, and when the contract began that holds; without one, when the last one ended.

    A contract is of any age alike, and as many whole ones lie before it as were renewed, each as likely as the next.
    """
    number, term = customers.number, term_of(customers.contract)
    is_first_share = np.array(_STILL_FIRST_SHARE)[customers.contract]
    passed, earlier = draws.uniform("people/contract_passed", number), draws.uniform("people/earlier", number)
    whole_terms = np.floor(np.log1p(-earlier) / np.log1p(-is_first_share))
    known = -np.expm1(-_LONGEST_TENURE_DAYS / _MONTHLY_TENURE_DAYS)
    stayed = -_MONTHLY_TENURE_DAYS * DAY * np.log1p(-known * draws.uniform("people/tenure", number))
    tenure = np.where(term > 0, (passed + whole_terms) * term, stayed)
    age = np.where(term > 0, passed * term, np.where(earlier < is_first_share, 1.0, passed) * tenure)
    return month.start - 1 - tenure.astype(np.int64), month.start - 1 - age.astype(np.int64)
