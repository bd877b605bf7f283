"""What happens to subscriptions: contracts end or are renewed, prices rise, plans change, customers cancel."""

from dataclasses import replace

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import BoolArray, FloatArray, IntArray
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY, Month
from pipeline.simulator.people import term_of
from pipeline.simulator.state import Customers
from pipeline.simulator.tables import Batch, cents, identifiers, repeated, words

_RENEWAL_SHARE = 0.5
_OFFERED_BEFORE = 60 * DAY
_DISCOUNT = 0.1
_MONTHLY_RISE_SHARE = 0.035
_MONTHS_BETWEEN_RISES = 10


def subscriptions(
    customers: Customers, life: Life, took_offer: BoolArray, called_at: IntArray
) -> tuple[Customers, list[Batch]]:
    """A month of the subscriptions, in which `took_offer` marks who took the discount of a call at `called_at`.

    A customer's subscription changes at most once in a month: so the newest row of a customer equals the state,
    whatever the moments. A contract that ends with an offer taken is renewed at the discount.
    """
    offered = _renewal_offers(customers, life)
    customers, contract_batches, ended = _contracts(customers, life, took_offer)
    customers, discounts = _discounts(customers, life, took_offer & ~ended, called_at)
    customers, raised_batch, raised = _prices(customers, life, took_offer | ended)
    customers, plan_batch = _plans(customers, life, took_offer | ended | raised)
    return customers, [offered, *contract_batches, discounts, raised_batch, plan_batch]


def event(name: str, customers: Customers, *, at: IntArray, month: Month, is_exact: bool = False) -> Batch:
    """An event of each of `customers`, with the plan, contract and price that hold from then on."""
    return Batch(
        table="subscription_events",
        name=name,
        numbers=customers.number,
        recorded_at=np.maximum(at, month.start),
        is_exact=is_exact,
        columns={
            "event_id": identifiers("E", customers.number, f"-{month.digits}-{name}"),
            "event": repeated(name, len(customers)),
            "plan": words(customers.plan, v.PLAN_NAMES),
            "contract": words(customers.contract, v.CONTRACTS),
            "monthly_price": customers.price,
            "happened_at": at,
        },
    )


def _renewal_offers(customers: Customers, life: Life) -> Batch:
    """The letter that a customer gets some weeks before their contract ends."""
    at = customers.contract_ends_at - _OFFERED_BEFORE
    who = (at >= life.month.start) & (at < life.month.end) & life.is_there(at)
    return event("renewal_offered", customers.only(who), at=at[who], month=life.month)


def _contracts(customers: Customers, life: Life, took_offer: BoolArray) -> tuple[Customers, list[Batch], BoolArray]:
    ends_at, month = customers.contract_ends_at, life.month
    ended = (ends_at >= month.start) & life.is_there(ends_at)
    renewed = ended & ((life.uniform("subscription/renewal") < _RENEWAL_SHARE) | took_offer)
    lapsed = ended & ~renewed
    term = term_of(customers.contract)
    customers = replace(
        customers,
        contract=np.where(lapsed, v.MONTHLY, customers.contract).astype(np.int8),
        contract_started_at=np.where(ended, ends_at, customers.contract_started_at),
        contract_ends_at=np.where(renewed, ends_at + term, np.where(lapsed, 0, ends_at)),
        price=_discounted(customers.price, ended & took_offer),
    )
    batches = [
        event(name, customers.only(who), at=ends_at[who], month=month)
        for name, who in (("renewed", renewed), ("contract_ended", lapsed))
    ]
    return customers, batches, ended


def _discounts(customers: Customers, life: Life, who: BoolArray, at: IntArray) -> tuple[Customers, Batch]:
    customers = replace(customers, price=_discounted(customers.price, who))
    return customers, event("discounted", customers.only(who), at=at[who], month=life.month)


def _discounted(price: FloatArray, who: BoolArray) -> FloatArray:
    return np.where(who, cents(price * (1.0 - _DISCOUNT)), price)


def _prices(customers: Customers, life: Life, is_settled: BoolArray) -> tuple[Customers, Batch, BoolArray]:
    at, month, modifiers = life.moment("subscription/price_at"), life.month, life.modifiers
    is_due = customers.price_raised_at < month.start - _MONTHS_BETWEEN_RISES * 30 * DAY
    drawn = life.uniform("subscription/price")
    share = _MONTHLY_RISE_SHARE * is_due + modifiers.price_rise_share
    raised = (customers.contract == v.MONTHLY) & (drawn < share) & life.is_there(at) & ~is_settled
    usual = 0.05 + 0.1 * life.uniform("subscription/price_rise")
    rise = np.where(drawn < modifiers.price_rise_share, modifiers.price_rise, usual)
    customers = replace(
        customers,
        price=np.where(raised, cents(customers.price * (1.0 + rise)), customers.price),
        price_raised_at=np.where(raised, at, customers.price_raised_at),
    )
    return customers, event("price_raised", customers.only(raised), at=at[raised], month=month), raised


def _plans(customers: Customers, life: Life, is_settled: BoolArray) -> tuple[Customers, Batch]:
    at, drawn = life.moment("subscription/plan_at"), life.uniform("subscription/plan")
    included = np.array([plan.included_gigabytes for plan in v.PLANS])[customers.plan]
    listed = np.array([plan.price_usd for plan in v.PLANS])
    up = (customers.overage_usd > 0) & (drawn < 0.1)
    idle = np.where(customers.plan == len(v.PLANS) - 1, 25.0, 0.3 * included)
    down = (customers.gigabytes < idle) & (customers.gigabytes > 0) & (customers.plan > 0) & (drawn > 0.985)
    changed = (up | down) & life.is_there(at) & ~is_settled
    plan = (customers.plan + np.where(changed, np.where(up, 1, -1), 0)).astype(np.int8)
    price = np.where(changed, cents(customers.price * listed[plan] / listed[customers.plan]), customers.price)
    customers = replace(customers, plan=plan, price=price)
    return customers, event("plan_changed", customers.only(changed), at=at[changed], month=life.month)
