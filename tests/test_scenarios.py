"""Scenarios: what is different in each, from when on, and nothing before; a feed that breaks and is repaired."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.datasets import simulated
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.errors import DeclarationError, SourceError
from pipeline.ingestion import ingest
from pipeline.lake import lake_of
from pipeline.settings import Settings
from pipeline.simulator.feed import CategoryRenamed, ColumnMissing, RowsDoubled, UnitChanged, is_repaired, repair
from pipeline.simulator.hazard import churn_probability, churn_probability_if_contacted, log_odds, reached_share
from pipeline.simulator.months import month_of
from pipeline.simulator.parameters import Modifiers, WorldParameters
from pipeline.simulator.scenarios import SCENARIOS, WARM_UP_MONTHS, dataset_name, played_month, scenario_of
from pipeline.simulator.state import State
from pipeline.simulator.store import NOBODY
from pipeline.simulator.tables import SCHEMAS
from pipeline.simulator.world import Step, first_state, step
from pipeline.validation import validate

NAMES = (
    "calm",
    "season",
    "price_rise",
    "competitor",
    "new_market",
    "broken_feed",
    "slow_decay",
    "campaign_feedback",
)
CHANGING = tuple(name for name, scenario in SCENARIOS.items() if scenario.modifiers)
CUSTOMERS = 400


@cache
def lived(name: str, months: int, customers: int = CUSTOMERS) -> list[Step]:
    """The first months of a scenario without calls, in memory."""
    parameters = SCENARIOS[name].parameters(customers, 7)
    state, found = first_state(parameters), []
    for _ in range(months):
        found.append(step(state, parameters, NOBODY))
        state = found[-1].state
    return found


def before_the_event(name: str) -> int:
    """How many months have passed when the first thing happens."""
    return WARM_UP_MONTHS + min(SCENARIOS[name].modifiers) - 1


# ---- scenarios as datasets


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_a_dataset_with_a_home_of_its_own(name: str, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), dataset=f"simulated_{name}", replay_months=6, replay_customers=250)
    dataset = load_dataset(settings)
    assert dataset.name == f"simulated_{name}"
    assert dataset.features == simulated.DATASET.features
    assert dataset.calendar.keys()[:1] == ["2024-01"]
    assert len(dataset.calendar.keys()) == 15 + 6
    assert str(dataset.source.world(settings).root) == str(lake_of(settings, dataset.name).root)
    assert dataset.source.world(settings).parameters.customers == 250


def test_the_default_company_has_no_scenario() -> None:
    assert scenario_of("simulated") is None
    assert scenario_of("telco") is None
    assert scenario_of("simulated_calm") is SCENARIOS["calm"]
    assert simulated.DATASET.source.parameters == WorldParameters()
    assert simulated.DATASET.source.faults == {}


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(DeclarationError) as refused:
        load_dataset(Settings(dataset="simulated_boom"))
    assert all(dataset_name(name) in refused.value.expected for name in NAMES)


def test_a_scenario_is_declared_without_loading_anything_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'pyarrow', 'sklearn', 'ibis', 'duckdb'}"
    code = f"import sys, pipeline.simulator.scenarios; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_fifteen_ordinary_months_come_before_the_first_that_is_played() -> None:
    assert [played_month("2024-01", place) for place in (1, 7, 24)] == ["2025-04", "2025-10", "2027-03"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_different_and_what_is_told_agree(name: str) -> None:
    scenario = SCENARIOS[name]
    places = [event.place for event in scenario.what_happened]
    assert places == sorted(places)
    assert all(1 <= event.place <= (event.last or 24) <= 24 for event in scenario.what_happened)
    assert (min(scenario.modifiers) if scenario.modifiers else None) in {*places, None}
    faulty = {place for event in scenario.what_happened if event.kind == "feed" for place in _months(event)}
    assert faulty == set(scenario.faults)


def _months(event: object) -> range:
    return range(event.place, event.last + 1)  # type: ignore[attr-defined]


def test_a_short_replay_does_not_meet_what_comes_later(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), dataset="simulated_broken_feed", replay_months=4, replay_customers=250)
    dataset = load_dataset(settings)
    assert not set(dataset.source.faults) & set(dataset.calendar.keys())


def test_a_replay_may_be_made_longer_in_the_same_world() -> None:
    short, long = (load_dataset(Settings(dataset="simulated_price_rise", replay_months=n)).source for n in (6, 24))
    assert short.parameters == long.parameters


# ---- what holds from when on


def test_modifiers_hold_from_their_month_until_the_next_that_is_named() -> None:
    parameters = WorldParameters(modifiers={"2024-03": Modifiers(usage=0.5), "2024-05": Modifiers(usage=2.0)})
    found = [parameters.of_month(f"2024-{month:02d}").usage for month in range(1, 8)]
    assert found == [1.0, 1.0, 0.5, 0.5, 2.0, 2.0, 2.0]


@pytest.mark.parametrize("name", CHANGING)
def test_the_months_before_the_event_are_those_of_calm_and_the_month_of_it_is_not(name: str) -> None:
    months = before_the_event(name)
    ours, calm = lived(name, months + 1), lived("calm", months + 1)
    for i in range(months):
        assert all(ours[i].tables[table].equals(calm[i].tables[table]) for table in SCHEMAS), i
        if i < months - 1:  # the truth of a month's close is about the month to come
            assert ours[i].truth.equals(calm[i].truth), i
    if name != "campaign_feedback":  # where nobody is called, nothing is different
        assert not all(ours[-1].tables[table].equals(calm[-1].tables[table]) for table in SCHEMAS)


def test_a_broken_feed_is_no_other_world() -> None:
    assert SCENARIOS["broken_feed"].parameters(300, 7) == SCENARIOS["calm"].parameters(300, 7)


# ---- what each world does


def test_calm_is_the_ordinary_company() -> None:
    assert SCENARIOS["calm"].parameters(20_000, 7) == WorldParameters()


def test_in_the_season_of_low_usage_it_is_a_tenth_below_the_mean() -> None:
    """July is 0.90 of a mean month there and 0.97 in calm; January 1.07 and 1.01."""
    assert SCENARIOS["season"].parameters(CUSTOMERS, 7).usage_season[6] == 0.9
    ours, calm = (lived(name, 1)[0].tables["usage"] for name in ("season", "calm"))
    joined = ours.join(calm, ["customer_id", "week_ended_at"], join_type="inner", right_suffix="_calm")
    undamaged = joined.filter(pc.and_(pc.greater(joined["gigabytes_calm"], 5), pc.less(joined["gigabytes"], 1_000)))
    ratio = undamaged["gigabytes"].to_numpy() / undamaged["gigabytes_calm"].to_numpy()
    assert len(ratio) > 300
    assert np.allclose(ratio, 1.07 / 1.01, atol=0.001)


def test_a_price_rise_hits_half_of_those_without_a_contract() -> None:
    months = before_the_event("price_rise")
    at_risk = (lived("calm", months)[-1].state.customers.contract == 0).sum()
    ours, calm = (raised(lived(name, months + 1)[-1]) for name in ("price_rise", "calm"))
    assert 0.4 * at_risk < len(ours) < 0.6 * at_risk
    assert len(calm) < 0.08 * at_risk


def raised(found: Step) -> pa.Table:
    events = found.tables["subscription_events"]
    return events.filter(pc.equal(events["event"], "price_raised"))


@pytest.mark.parametrize(
    ("name", "place", "most"),
    [("price_rise", 7, 0.95), ("price_rise", 13, 0.9), ("competitor", 7, 0.7)],
)
def test_after_the_event_others_leave(name: str, place: int, most: float) -> None:
    assert same_leavers(name, place) < most


def test_a_season_and_a_campaign_change_how_many_leave_and_not_who() -> None:
    assert same_leavers("season", 7) == same_leavers("campaign_feedback", 7) == 1.0


def test_the_reasons_decay_a_little_every_month() -> None:
    same = [same_leavers("slow_decay", place) for place in (1, 6, 12, 18, 24)]
    assert same[0] > 0.95
    assert same == sorted(same, reverse=True)
    assert same[-1] < 0.6
    after = SCENARIOS["slow_decay"].parameters(CUSTOMERS, 7).of_month
    assert after(played_month("2024-01", 30)) == after(played_month("2024-01", 24))  # and then stay as they are


def same_leavers(name: str, place: int) -> float:
    """Of the hundred customers of 2,000 that calm would lose first, how many a scenario would lose first too."""
    state, month = lived("calm", WARM_UP_MONTHS, 2_000)[-1].state, month_of("2024-01", WARM_UP_MONTHS + place - 1)
    ours, calm = (
        set(np.argsort(-churn_probability(state, month, SCENARIOS[which].parameters(2_000, 7)))[:100].tolist())
        for which in (name, "calm")
    )
    return len(ours & calm) / 100


def test_the_competitor_wants_the_young_who_pay_much_and_changes_no_price_and_no_usage() -> None:
    months = before_the_event("competitor")
    ours, calm = lived("competitor", months + 1)[-1], lived("calm", months + 1)[-1]
    stayed = pa.array(sorted(active(ours) & active(calm)))
    for table in ("usage", "customers"):
        both = (found.tables[table] for found in (ours, calm))
        first, second = (rows.filter(pc.is_in(rows["customer_id"], stayed)) for rows in both)
        # what is damaged hangs on how many rows there are
        assert abs(len(first) - len(second)) < 0.02 * len(first)
    state, month = lived("calm", months)[-1].state, month_of("2024-01", months)
    changed = log_odds(state, month, SCENARIOS["competitor"].parameters(CUSTOMERS, 7)) - log_odds(
        state, month, SCENARIOS["calm"].parameters(CUSTOMERS, 7)
    )
    customers = state.customers
    wanted = (customers.age_band == 0) & (customers.price > 50)
    unwanted = (customers.age_band == 3) & (customers.price < 25)
    assert wanted.sum() > 5
    assert unwanted.sum() > 5
    assert (changed[wanted] > 0.5).all()
    assert (changed[unwanted] < -0.5).all()


def active(found: Step) -> set[str]:
    return set(found.truth["customer_id"].to_pylist())


def test_in_a_new_market_more_sign_up_and_most_of_them_are_young_and_on_the_web() -> None:
    modifier = SCENARIOS["new_market"].modifiers[7]
    months = before_the_event("new_market")
    ours, calm = (lived(name, months + 1)[-1].tables["customers"] for name in ("new_market", "calm"))
    assert len(ours) / len(calm) == pytest.approx(modifier.sign_ups, rel=0.25)
    young = pc.and_(pc.equal(ours["age_band"], "18-29"), pc.equal(ours["channel"], "web"))
    assert pc.mean(pc.cast(pc.fill_null(young, False), pa.float64())).as_py() > modifier.young_share - 0.15
    assert SCENARIOS["new_market"].modifiers[13] == Modifiers()


def test_calls_bend_more_where_own_contacts_feed_back() -> None:
    """Among the 100 likeliest leavers of 2,000, who are those that are called."""
    state, month = lived("calm", WARM_UP_MONTHS, 2_000)[-1].state, month_of("2024-01", WARM_UP_MONTHS)
    ours, calm = (SCENARIOS[name].parameters(2_000, 7) for name in ("campaign_feedback", "calm"))
    alone = churn_probability(state, month, calm)
    assert churn_probability(state, month, ours).tolist() == alone.tolist()
    called = np.argsort(-alone)[:100]
    kept = [
        1 - churn_probability_if_contacted(state, month, of)[called].sum() / alone[called].sum() for of in (calm, ours)
    ]
    assert 0.2 < kept[0] < 0.45
    assert kept[1] > 0.55


# ---- the knobs


@pytest.fixture(scope="module")
def state() -> State:
    return lived("calm", WARM_UP_MONTHS)[-1].state


def odds(state: State, modifiers: Modifiers) -> np.ndarray:
    month = month_of("2024-01", WARM_UP_MONTHS)
    return log_odds(state, month, WorldParameters(customers=CUSTOMERS, modifiers={month.key: modifiers}))


def test_modifiers_that_say_the_ordinary_change_no_bit(state: State) -> None:
    spelled_out = Modifiers(weights={"who": 1.0, "tenure": 1.0, "unpaid": 1.0, "contract_ends": 1.0})
    assert odds(state, spelled_out).tolist() == odds(state, Modifiers()).tolist()


def test_a_weight_multiplies_its_cause(state: State) -> None:
    none, once, thrice = (odds(state, Modifiers(weights={"unpaid": weight})) for weight in (0.0, 1.0, 3.0))
    assert np.allclose(thrice - none, 3 * (once - none))
    is_unpaid = state.customers.failures + state.customers.failures_1_month_ago > 0
    assert (once[is_unpaid] > none[is_unpaid]).all()
    assert once[~is_unpaid].tolist() == none[~is_unpaid].tolist()


def test_a_competitor_takes_from_one_what_it_adds_to_another(state: State) -> None:
    change = odds(state, Modifiers(poaching=2.0)) - odds(state, Modifiers())
    assert change.min() < -1.0
    assert change.max() > 1.0
    assert np.abs(change).max() <= 2.0 + 1e-9


def test_no_more_than_all_calls_reach_somebody() -> None:
    assert reached_share(Modifiers()) == 0.85
    assert reached_share(Modifiers(reach=0.5)) == 0.425
    assert reached_share(Modifiers(reach=9.0)) == 1.0


# ---- the feed


ROWS = pa.table({"customer_id": ["a", "b", "c", "d"], "topic": ["x", "y", "x", None], "gigabytes": [1.0, None, 3, 4]})


def test_a_unit_changes_every_value_that_is_there() -> None:
    found = UnitChanged(table="usage", column="gigabytes", factor=1.5).damaged(ROWS)
    assert found["gigabytes"].to_pylist() == [1.5, None, 4.5, 6.0]
    assert found.schema == ROWS.schema
    assert found.drop_columns(["gigabytes"]).equals(ROWS.drop_columns(["gigabytes"]))


def test_a_category_is_renamed_everywhere_or_in_some_rows() -> None:
    renamed = CategoryRenamed(table="support_tickets", column="topic", old="x", new="z")
    assert renamed.damaged(ROWS)["topic"].to_pylist() == ["z", "y", "z", None]
    assert replace(renamed, every=2).damaged(ROWS)["topic"].to_pylist() == ["x", "y", "z", None]
    assert replace(renamed, every=3).damaged(ROWS).equals(ROWS)


def test_a_column_goes_missing() -> None:
    found = ColumnMissing(table="usage", column="topic").damaged(ROWS)
    assert found.column_names == ["customer_id", "gigabytes"]


def test_rows_are_doubled_all_or_some() -> None:
    assert RowsDoubled(table="usage").damaged(ROWS)["customer_id"].to_pylist() == [*"abcd", *"abcd"]
    assert RowsDoubled(table="usage", every=3).damaged(ROWS)["customer_id"].to_pylist() == [*"abcd", "c"]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Settings]:
    """The company with the broken feed; its months are repaired as the tests need it, each by one of them."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=str(home), dataset="simulated_broken_feed", replay_customers=600, replay_months=18)
    return load_dataset(settings), settings


def trusted(broken: tuple[Dataset, Settings], table: str, place: int) -> tuple[str | None, int]:
    """Why a month was stopped, or None; and how many of its rows are in quarantine."""
    dataset, settings = broken
    lake, key = lake_of(settings, dataset.name), played_month("2024-01", place)
    ingest(dataset, table, key, settings, lake)
    (found,) = validate(dataset, table, [key], lake)
    return found.contract_broken, found.rows_quarantined


def handed_out(broken: tuple[Dataset, Settings], table: str, place: int) -> tuple[pa.Table, pa.Table]:
    """A month as it is handed out, and as the company has it."""
    dataset, settings = broken
    key, world = played_month("2024-01", place), dataset.source.world(settings)
    given = dataset.source.read(dataset.table(table), key, settings)
    return given, pa.parquet.read_table(str(world.raw_path(table, key)))


def test_another_unit_passes_every_check_and_is_mended_by_a_repair(broken: tuple[Dataset, Settings]) -> None:
    given, true = handed_out(broken, "usage", 5)
    assert pc.sum(given["gigabytes"]).as_py() == pytest.approx(1.3 * pc.sum(true["gigabytes"]).as_py())
    assert given.drop_columns(["gigabytes"]).equals(true.drop_columns(["gigabytes"]))
    why, _ = trusted(broken, "usage", 5)
    assert why is None
    mend(broken, 5)
    given, true = handed_out(broken, "usage", 5)
    assert given.equals(true)
    given, true = handed_out(broken, "usage", 6)
    assert not given.equals(true)


def mend(broken: tuple[Dataset, Settings], place: int) -> None:
    dataset, settings = broken
    root, key = dataset.source.root(settings), played_month("2024-01", place)
    assert not is_repaired(root, key)
    repair(root, key)
    assert is_repaired(root, key)


@pytest.mark.parametrize(
    ("place", "table", "why"),
    [(9, "customers", "payment_method: expected one of card, direct_debit, invoice"), (17, "payments", "payment_id")],
)
def test_a_month_with_too_many_bad_rows_is_stopped_until_the_feed_is_repaired(
    broken: tuple[Dataset, Settings], place: int, table: str, why: str
) -> None:
    stopped, _ = trusted(broken, table, place)
    assert stopped is not None
    assert why in stopped
    mend(broken, place)
    assert trusted(broken, table, place)[0] is None


def test_a_month_without_a_column_is_stopped_until_the_feed_is_repaired(broken: tuple[Dataset, Settings]) -> None:
    dataset, settings = broken
    with pytest.raises(SourceError, match="expected a column 'overage'"):
        trusted(broken, "invoices", 13)
    assert lake_of(settings, dataset.name).keys("raw", "invoices") == []
    mend(broken, 13)
    assert trusted(broken, "invoices", 13)[0] is None


def test_a_few_bad_rows_go_to_quarantine_and_the_month_goes_on(broken: tuple[Dataset, Settings]) -> None:
    given, true = handed_out(broken, "usage", 11)
    assert len(given) - len(true) == len(true) // 100
    why, quarantined = trusted(broken, "usage", 11)
    assert why is None
    assert quarantined >= len(true) // 100
    why, _ = trusted(broken, "support_tickets", 11)
    assert why is None
