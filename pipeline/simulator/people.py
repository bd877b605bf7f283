"""Who the customers are: those whom the company has when the world begins, and those who sign up later."""

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
_MEAN_TENURE_DAYS = 800
_LONGEST_TENURE_DAYS = 3_650
_LAST_BILLING_DAY = 18  # so that a bill's retries end within the month


def first_customers(parameters: WorldParameters, month: Month, draws: Draws) -> Customers:
    """The customers whom the company has when its first month begins."""
    number = np.arange(parameters.customers, dtype=np.int64)
    tenure = -_MEAN_TENURE_DAYS * DAY * np.log1p(-draws.uniform("people/tenure", number))
    tenure = 1 + np.minimum(tenure, _LONGEST_TENURE_DAYS * DAY).astype(np.int64)
    customers = _people(number, month.start - tenure, draws, parameters.of_month(month.key).young_share)
    return _with_running_contracts(customers, month, draws)


def signed_up(parameters: WorldParameters, month: Month, first_number: int, draws: Draws) -> Customers:
    """Those who sign up within a month, in the order in which they do."""
    modifiers = parameters.of_month(month.key)
    expected = parameters.customers * parameters.sign_up_share * modifiers.sign_ups
    luck = draws.normal("people/sign_ups", np.zeros(1, dtype=np.int64))[0]
    # how many sign up hangs on nothing but the month: numbers must not shift when a call keeps somebody
    count = max(1, round(expected + luck * np.sqrt(expected)))
    number = np.arange(first_number, first_number + count, dtype=np.int64)
    place = (np.arange(count) + draws.uniform("people/signed_up_at", number)) / count
    return _people(number, month.start + (place * month.seconds).astype(np.int64), draws, modifiers.young_share)


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


def _people(number: IntArray, signed_up_at: IntArray, draws: Draws, young_share: float) -> Customers:
    plan = draws.code("people/plan", number, _PLAN_SHARES)
    contract = draws.code("people/contract", number, _CONTRACT_SHARES)
    term = np.array(v.CONTRACT_DAYS, dtype=np.int64)[contract] * DAY
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


def _with_running_contracts(customers: Customers, month: Month, draws: Draws) -> Customers:
    """The same people somewhere within their contracts, and as engaged as people are who have been there a while."""
    number, term = customers.number, np.array(v.CONTRACT_DAYS, dtype=np.int64)[customers.contract] * DAY
    passed = draws.uniform("people/contract_passed", number)
    tenure = month.start - customers.signed_up_at
    age = (passed * np.where(term > 0, np.minimum(term, tenure), tenure)).astype(np.int64)
    started = month.start - age
    engagement = 0.2 * draws.normal("people/engagement", number)
    weekly = np.exp(customers.taste + engagement) / WEEKS_A_MONTH
    return replace(
        customers,
        contract_started_at=started,
        contract_ends_at=np.where(term > 0, started + term, 0),
        engagement=engagement,
        weekly_gigabytes=np.repeat(weekly[:, np.newaxis], WEEKS_REMEMBERED, axis=1),
    )
