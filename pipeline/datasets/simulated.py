"""A subscription telecom that exists only as a seed: made locally, so that it needs no network and its truth is known.

Its raw tables, its dirt and its customers' reasons are described in `pipeline/simulator/`.
"""

from pipeline.calendar import Monthly
from pipeline.declaration import Active, Dataset, Slice
from pipeline.economics import RetentionOffer, Value
from pipeline.feature_kinds import Attribute, Count, DaysSince, Latest, Mean, Share, Sum, Trend
from pipeline.label_kinds import EventLabel
from pipeline.rule import Points, Rule
from pipeline.settings import Settings
from pipeline.simulator import vocabulary as v
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.scenarios import WARM_UP_MONTHS, Scenario, dataset_name, scenario_of
from pipeline.simulator.source import SimulatedSource
from pipeline.tables import Column, Table, Where

ID = Column("customer_id", "string", description="the company's customer number")
HAPPENED = Column("happened_at", "timestamp", unit="UTC")
RECORDED = Column("recorded_at", "timestamp", unit="UTC", description="when the company's systems got the row")

CUSTOMERS = Table(
    name="customers",
    description="One row for each customer, as told when they signed up.",
    key=("customer_id",),
    known_at="recorded_at",
    happened_at="signed_up_at",
    columns=(
        ID,
        Column("signed_up_at", "timestamp", unit="UTC"),
        Column("region", "string", categories=v.REGIONS),
        Column("age_band", "string", categories=v.AGE_BANDS, nullable=True),
        Column("payment_method", "string", categories=v.PAYMENT_METHODS),
        Column("channel", "string", categories=v.CHANNELS, description="where they signed up"),
        Column("contract_at_sign_up", "string", categories=v.CONTRACTS),
        RECORDED,
    ),
)
SUBSCRIPTION_EVENTS = Table(
    name="subscription_events",
    description="Every change of a subscription, with the plan, contract and price that hold from then on.",
    key=("event_id",),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("event_id", "string"),
        ID,
        Column("event", "string", categories=v.EVENTS),
        Column("plan", "string", categories=v.PLAN_NAMES),
        Column("contract", "string", categories=v.CONTRACTS),
        Column("monthly_price", "number", unit="USD a month", minimum=1, maximum=500),
        HAPPENED,
        RECORDED,
    ),
)
USAGE = Table(
    name="usage",
    description="One row for each customer and week.",
    key=("customer_id", "week_ended_at"),
    known_at="recorded_at",
    happened_at="week_ended_at",
    columns=(
        ID,
        Column("week_started_at", "timestamp", unit="UTC"),
        Column("week_ended_at", "timestamp", unit="UTC"),
        Column("minutes", "number", unit="minutes", minimum=0, maximum=10_080),
        Column("gigabytes", "number", unit="GB", minimum=0, maximum=5_000),
        Column("active_days", "integer", unit="days a week", minimum=0, maximum=7),
        RECORDED,
    ),
)
INVOICES = Table(
    name="invoices",
    description="One row for each bill.",
    key=("invoice_id",),
    known_at="recorded_at",
    happened_at="issued_at",
    columns=(
        Column("invoice_id", "string"),
        ID,
        Column("amount", "number", unit="USD", minimum=0, maximum=20_000),
        Column("overage", "number", unit="USD", minimum=0, maximum=20_000, description="for usage beyond the plan"),
        Column("issued_at", "timestamp", unit="UTC"),
        RECORDED,
    ),
)
PAYMENTS = Table(
    name="payments",
    description="One row for each attempt to collect a bill.",
    key=("payment_id",),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("payment_id", "string"),
        Column("invoice_id", "string"),
        ID,
        Column("amount", "number", unit="USD", minimum=0, maximum=20_000),
        Column("status", "string", categories=v.PAYMENT_STATUSES),
        HAPPENED,
        RECORDED,
    ),
)
SUPPORT_TICKETS = Table(
    name="support_tickets",
    may_be_empty=True,
    description="One row each time a ticket is opened, escalated or resolved. A ticket without a last row is open.",
    key=("ticket_id", "status"),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("ticket_id", "string"),
        ID,
        Column("topic", "string", categories=v.TOPICS),
        Column("status", "string", categories=v.TICKET_STATUSES),
        HAPPENED,
        RECORDED,
    ),
)
RETENTION_CONTACTS = Table(
    name="retention_contacts",
    may_be_empty=True,
    description="One row for each call of a retention campaign.",
    key=("contact_id",),
    known_at="recorded_at",
    happened_at="happened_at",
    columns=(
        Column("contact_id", "string"),
        ID,
        Column("campaign", "string", categories=v.CAMPAIGNS),
        Column("outcome", "string", categories=v.OUTCOMES),
        HAPPENED,
        RECORDED,
    ),
)

HISTORY_DAYS = 92  # as much as the first snapshot has behind it, so that no feature grows with the records
CANCELLED = Where("event", "==", "cancelled")
FAILED = Where("status", "==", "failed")
OPENED = Where("status", "==", "opened")

ABOUT_THE_CUSTOMER = (
    DaysSince(
        name="tenure_days",
        table="customers",
        column="signed_up_at",
        description="since they signed up",
        action="Welcome call: check that everything works as promised.",
    ),
    Attribute(name="region", table="customers", column="region", action="Mention the offers of the local shop."),
    Attribute(name="age_band", table="customers", column="age_band"),
    Attribute(name="payment_method", table="customers", column="payment_method", action="Offer direct debit."),
    Attribute(name="channel", table="customers", column="channel"),
)
ABOUT_THE_SUBSCRIPTION = (
    Latest(name="plan", table="subscription_events", column="plan", action="Check whether the plan still fits."),
    Latest(
        name="contract",
        table="subscription_events",
        column="contract",
        action="Offer a one-year contract at its lower price.",
    ),
    Latest(
        name="monthly_price",
        table="subscription_events",
        column="monthly_price",
        action="Compare price and usage; offer the plan that fits.",
    ),
    DaysSince(
        name="contract_age_days",
        table="subscription_events",
        where=(Where("event", "in", ("started", "renewed", "contract_ended")),),
        description="since the contract that holds now began",
        action="The contract is about to end: offer its renewal.",
    ),
    DaysSince(
        name="days_since_renewal_offer",
        table="subscription_events",
        days=HISTORY_DAYS,
        where=(Where("event", "==", "renewal_offered"),),
        description="the letter comes 60 days before the end",
        action="The contract is about to end: offer its renewal.",
    ),
    DaysSince(
        name="days_since_price_rise",
        table="subscription_events",
        days=HISTORY_DAYS,
        where=(Where("event", "==", "price_raised"),),
        action="Explain the price rise; offer the old price for a year.",
    ),
)
ABOUT_USAGE = (
    Mean(
        name="gigabytes_a_week",
        table="usage",
        column="gigabytes",
        days=28,
        description="over the last four weeks",
        action="Compare price and usage; offer the plan that fits.",
    ),
    Mean(name="minutes_a_week", table="usage", column="minutes", days=28, description="over the last four weeks"),
    Mean(name="active_days", table="usage", column="active_days", days=28, description="over the last four weeks"),
    Trend(
        name="gigabytes_trend",
        table="usage",
        column="gigabytes",
        recent_days=28,
        earlier_days=56,
        description="the last four weeks against the eight before",
        action="Ask what changed; usage is falling.",
    ),
)
ABOUT_MONEY = (
    Sum(name="overage", table="invoices", column="overage", days=31, action="Offer the next larger plan."),
    Count(
        name="failed_payments",
        table="payments",
        days=61,
        where=(FAILED,),
        direction=1,
        action="Help with the payment: another card, another day of the month.",
    ),
    Share(
        name="late_share",
        table="payments",
        of=Where("status", "==", "late"),
        days=92,
        action="Offer direct debit or another day of the month.",
    ),
    DaysSince(
        name="days_since_failed_payment",
        table="payments",
        days=HISTORY_DAYS,
        where=(FAILED,),
        action="Help with the payment: another card, another day of the month.",
    ),
)
ABOUT_SUPPORT = (
    Count(
        name="tickets",
        table="support_tickets",
        days=61,
        where=(OPENED,),
        direction=1,
        action="Apologise and ask whether all is solved.",
    ),
    Latest(
        name="last_ticket_status",
        table="support_tickets",
        column="status",
        action="Have the open ticket solved before calling.",
    ),
    Latest(name="last_ticket_topic", table="support_tickets", column="topic"),
    DaysSince(
        name="days_since_ticket",
        table="support_tickets",
        days=HISTORY_DAYS,
        where=(OPENED,),
        action="Have the open ticket solved before calling.",
    ),
    DaysSince(
        name="days_since_contact",
        table="retention_contacts",
        days=HISTORY_DAYS,
        description="since the last call of a retention campaign",
        is_own_action=True,
    ),
)

RULE = Rule(
    (
        Points(Where("days_since_renewal_offer", "<", 60), 3),
        Points(Where("contract", "==", "monthly"), 2),
        Points(Where("failed_payments", ">=", 1), 2),
        Points(Where("gigabytes_trend", "<", 0.7), 2),
        Points(Where("last_ticket_status", "in", ("opened", "escalated")), 1),
        Points(Where("days_since_price_rise", "<", 60), 1),
        Points(Where("tenure_days", "<", 365), 1),
    )
)


def dataset_for(settings: Settings) -> Dataset:
    """The simulated company or one of its scenarios, of the size and seed that the settings name."""
    scenario = scenario_of(settings.dataset)
    if scenario is None:
        return _ordinary(settings.simulated_customers, settings.simulated_months, settings.seed)
    return _of_scenario(scenario, settings)


def _ordinary(customers: int, months: int, seed: int) -> Dataset:
    source = SimulatedSource("simulated", months, WorldParameters(customers=customers, seed=seed))
    return _declared("A subscription telecom, simulated event by event; who leaves, and why, is known exactly.", source)


def _of_scenario(scenario: Scenario, settings: Settings) -> Dataset:
    parameters = scenario.parameters(settings.replay_customers, settings.seed)
    months = WARM_UP_MONTHS + settings.replay_months
    source = SimulatedSource(dataset_name(scenario.name), months, parameters, scenario.faults_by_month())
    return _declared(scenario.description, source)


def _declared(description: str, source: SimulatedSource) -> Dataset:
    return Dataset(
        name=source.name,
        description=description,
        tables=(
            CUSTOMERS,
            SUBSCRIPTION_EVENTS,
            USAGE,
            INVOICES,
            PAYMENTS,
            SUPPORT_TICKETS,
            RETENTION_CONTACTS,
        ),
        population=Active(
            table="customers", started="signed_up_at", ended_table="subscription_events", ended=(CANCELLED,)
        ),
        features=(*ABOUT_THE_CUSTOMER, *ABOUT_THE_SUBSCRIPTION, *ABOUT_USAGE, *ABOUT_MONEY, *ABOUT_SUPPORT),
        label=EventLabel(table="subscription_events", where=(CANCELLED,), horizon_days=28),
        economics=RetentionOffer(
            contact_cost=3,
            offer_cost=20,
            acceptance=0.35,
            stayer_acceptance=0.25,
            value=Value(times=10, field="monthly_price"),
            budget_share=0.05,
        ),
        rule=RULE,
        slices=(
            Slice(name="contract", field="contract"),
            Slice(name="region", field="region"),
            Slice(name="tenure", field="tenure_days", edges=(180, 730, 1_825)),
        ),
        calendar=Monthly(first=source.parameters.first, months=source.months, history_months=3),
        source=source,
    )


DATASET = _ordinary(customers=20_000, months=24, seed=7)
