"""Bills and how they are paid: an invoice a month, an attempt to collect it, and a second one where the first fails."""

from dataclasses import replace

import numpy as np

from pipeline.simulator import vocabulary as v
from pipeline.simulator.arrays import BoolArray, CodeArray, FloatArray, IntArray
from pipeline.simulator.life import Life
from pipeline.simulator.months import DAY
from pipeline.simulator.state import Customers
from pipeline.simulator.tables import Batch, cents, identifiers, words

_PAID, _LATE, _FAILED = range(3)
_HOUR = 3600
_RETRY_AFTER = 5 * DAY
_SECOND_FAILURE = 0.4


def billing(customers: Customers, life: Life) -> tuple[Customers, list[Batch]]:
    """A month of invoices and payments. Usage beyond the plan in the month before is charged on top."""
    issued_at = life.month.start + (customers.billing_day - 1).astype(np.int64) * DAY + 3 * _HOUR
    is_billed = life.is_there(issued_at)
    overage = np.where(is_billed, _overage(customers), 0.0)
    first_at, second_at = _attempts(customers, life, issued_at)
    is_tried = is_billed & life.is_there(first_at)
    failed = is_tried & (life.uniform("billing/failure") < _failure_probability(customers))
    is_retried = failed & life.is_there(second_at)
    failed_again = is_retried & (life.uniform("billing/second_failure") < _SECOND_FAILURE)
    status = np.where(failed, _FAILED, np.where(_pays_late(customers, life), _LATE, _PAID)).astype(np.int8)
    second = np.where(failed_again, _FAILED, _LATE).astype(np.int8)
    bill = replace(customers, overage_usd=overage)
    batches = [
        _invoices(bill, life, is_billed, issued_at),
        _payments(bill, life, is_tried, status, at=first_at, attempt=1),
        _payments(bill, life, is_retried, second, at=second_at, attempt=2),
    ]
    failures = failed.astype(np.int8) + failed_again.astype(np.int8)
    return replace(bill, failures=failures, failures_1_month_ago=customers.failures), batches


def _overage(customers: Customers) -> FloatArray:
    included = np.array([plan.included_gigabytes for plan in v.PLANS])[customers.plan]
    return cents(v.OVERAGE_USD_PER_GIGABYTE * np.maximum(0.0, customers.gigabytes - included))


def _attempts(customers: Customers, life: Life, issued_at: IntArray) -> tuple[IntArray, IntArray]:
    """When a bill is collected, or paid by those who do it themselves; and when it is tried again."""
    by_hand = 4 * DAY * life.uniform("billing/paid_at")
    first = issued_at + np.where(customers.payment_method == v.INVOICE, by_hand, 4 * _HOUR).astype(np.int64)
    return first, first + _RETRY_AFTER


def _failure_probability(customers: Customers) -> FloatArray:
    base = np.array([0.03, 0.02, 0.04])[customers.payment_method]
    again = np.where(customers.failures > 0, 3.0, 1.0)
    return np.minimum(0.6, base * np.exp(0.8 * customers.unreliability) * again)


def _pays_late(customers: Customers, life: Life) -> BoolArray:
    habit = np.array([0.01, 0.005, 0.15])[customers.payment_method]
    return np.asarray(life.uniform("billing/late") < habit * np.exp(0.5 * customers.unreliability))


def _invoices(customers: Customers, life: Life, who: BoolArray, issued_at: IntArray) -> Batch:
    billed = customers.only(who)
    return Batch(
        table="invoices",
        name="invoice",
        numbers=billed.number,
        recorded_at=issued_at[who] + _HOUR,
        columns={
            "invoice_id": identifiers("I", billed.number, f"-{life.month.digits}"),
            "amount": cents(billed.price + billed.overage_usd),
            "overage": billed.overage_usd,
            "issued_at": issued_at[who],
        },
    )


def _payments(
    customers: Customers, life: Life, who: BoolArray, status: CodeArray, *, at: IntArray, attempt: int
) -> Batch:
    paying = customers.only(who)
    return Batch(
        table="payments",
        name=f"attempt{attempt}",
        numbers=paying.number,
        recorded_at=at[who] + _HOUR,
        columns={
            "payment_id": identifiers("P", paying.number, f"-{life.month.digits}-{attempt}"),
            "invoice_id": identifiers("I", paying.number, f"-{life.month.digits}"),
            "amount": cents(paying.price + paying.overage_usd),
            "status": words(status[who], v.PAYMENT_STATUSES),
            "happened_at": at[who],
        },
    )
