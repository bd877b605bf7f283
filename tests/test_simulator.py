"""The simulated company: the same bytes from the same seed, calls that change fates, dirt that is written down."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from pipeline.calendar import month_start
from pipeline.errors import SourceError
from pipeline.simulator.dirt import DAMAGES
from pipeline.simulator.draws import Draws
from pipeline.simulator.months import DAY, Month, month_of
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.state import State
from pipeline.simulator.store import NOBODY, World
from pipeline.simulator.tables import SCHEMAS, customer_numbers
from pipeline.simulator.vocabulary import CONTRACTS, REGIONS
from pipeline.simulator.world import Step, first_state, step

ROOT = Path(__file__).parents[1]
FOUR_GIGABYTES = 4 * 1024**3
SMALL = WorldParameters(customers=300)
LIVE_FOUR_MONTHS = """
import sys
import numpy as np
from upath import UPath
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.store import World
world = World(UPath(sys.argv[1]), WorldParameters(customers=300))
world.live_until("2024-02")
world.live_month("2024-03", np.arange(0, 300, 3))
world.live_until("2024-04")
"""
LIVE_A_MILLION = """
import resource, tempfile
from upath import UPath
from pipeline.simulator.parameters import WorldParameters
from pipeline.simulator.store import World
with tempfile.TemporaryDirectory() as folder:
    World(UPath(folder), WorldParameters(customers=1_000_000)).live_until("2024-03")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file of a world but its lock and what a killed process left."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix not in ("", ".tmp")]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def lived(parameters: WorldParameters, months: int, called: dict[int, Any] | None = None) -> Iterator[Step]:
    """The first months of a world, in memory; `called` has the numbers of who is called, by month from 0."""
    state = first_state(parameters)
    for i in range(months):
        found = step(state, parameters, (called or {}).get(i, NOBODY))
        state = found.state
        yield found


def left(found: Step) -> set[str]:
    """Who cancelled in a month."""
    events = found.tables["subscription_events"]
    return set(events.filter(pc.equal(events["event"], "cancelled"))["customer_id"].to_pylist())


def python(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


# ---- the same bytes


def test_two_processes_with_different_hash_seeds_make_the_same_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        python(LIVE_FOUR_MONTHS, str(tmp_path / seed), PYTHONHASHSEED=seed)
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    # four months of seven tables, of the truth, of the dirt and of the calls; the parameters and the state
    assert len(first) == 4 * 10 + 2
    assert first == second


def test_a_world_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    World(UPath(tmp_path / "at once"), SMALL).live_until("2024-04")
    World(UPath(tmp_path / "stopped"), SMALL).live_until("2024-02")
    # killed while it wrote March: one table is there and wrong, another is half a file that nobody reads
    for name, content in (("usage/2024-03.parquet", b"PAR1"), ("invoices/.2024-03.parquet.1f.tmp", b"PA")):
        (tmp_path / "stopped" / "source" / name).write_bytes(content)
    World(UPath(tmp_path / "stopped"), SMALL).live_until("2024-04")
    assert digests(tmp_path / "stopped") == digests(tmp_path / "at once")


def test_another_seed_is_another_world() -> None:
    (one,), (other,) = lived(SMALL, 1), lived(WorldParameters(customers=300, seed=8), 1)
    assert one.tables["customers"]["region"] != other.tables["customers"]["region"]


def test_a_month_is_the_same_however_many_are_asked_for(tmp_path: Path) -> None:
    few, many = World(UPath(tmp_path / "few"), SMALL), World(UPath(tmp_path / "many"), SMALL)
    few.live_until("2024-02")
    many.live_until("2024-05")
    many.live_until("2024-03")
    assert many.months_lived() == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    for table in SCHEMAS:
        assert few.raw_path(table, "2024-02").read_bytes() == many.raw_path(table, "2024-02").read_bytes()


def test_a_world_refuses_to_go_on_with_other_parameters(tmp_path: Path) -> None:
    World(UPath(tmp_path), SMALL).live_until("2024-01")
    with pytest.raises(SourceError, match=r"expected customers=301; found customers=300, as it was begun"):
        World(UPath(tmp_path), WorldParameters(customers=301)).live_until("2024-01")


@given(st.lists(st.integers(0, 5_000), min_size=1, unique=True), st.sampled_from(["churn/leaves", "usage/decline"]))
def test_a_customer_draws_the_same_number_whoever_else_is_there(numbers: list[int], stream: str) -> None:
    draws, those = Draws(7, 3), np.array(sorted(numbers))
    everybody = draws.uniform(stream, np.arange(5_001))
    assert draws.uniform(stream, those).tolist() == everybody[those].tolist()
    assert ((everybody >= 0) & (everybody < 1)).all()


# ---- calls


def test_the_number_behind_a_customer_id() -> None:
    assert customer_numbers(["C0000012", "C0000003", "C1000000", "C0000003"]).tolist() == [3, 12, 1_000_000]
    assert customer_numbers([]).tolist() == []


def test_a_month_is_lived_once_with_its_calls_and_not_again_with_others(tmp_path: Path) -> None:
    world = World(UPath(tmp_path), SMALL)
    world.live_month("2024-01", np.array([5, 3, 3]))
    before = digests(tmp_path)
    world.live_month("2024-01", np.array([3, 5]))
    assert digests(tmp_path) == before
    assert json.loads(world.called_path("2024-01").read_bytes()) == [3, 5]
    with pytest.raises(SourceError, match="found one that was lived with other calls"):
        world.live_month("2024-01", NOBODY)
    with pytest.raises(SourceError, match="expected the month 2024-02, which comes next; found 2024-03"):
        world.live_month("2024-03", NOBODY)
    assert digests(tmp_path) == before


def test_a_call_changes_nothing_for_those_who_are_not_called() -> None:
    parameters = WorldParameters(customers=600, dirt_share=0.0)  # how much is damaged hangs on how much there is
    called = np.arange(0, 600, 2)
    others = pa.array([f"C{number:07d}" for number in range(1, 2_000, 2)])
    pairs = zip(lived(parameters, 4), lived(parameters, 4, {1: called}), strict=True)
    for i, (without, with_calls) in enumerate(pairs):
        for table in SCHEMAS:
            ours, theirs = (
                found.tables[table].filter(pc.is_in(found.tables[table]["customer_id"], others))
                for found in (without, with_calls)
            )
            assert ours.equals(theirs), (i, table)
    assert not without.tables["subscription_events"].equals(with_calls.tables["subscription_events"])


def test_calls_keep_some_lose_some_and_leave_most_as_they_are() -> None:
    parameters = WorldParameters(customers=4_000)
    everybody = np.arange(4_000)
    (_, without), (_, with_calls) = lived(parameters, 2), lived(parameters, 2, {1: everybody})
    kept, lost = left(without) - left(with_calls), left(with_calls) - left(without)
    # 2 or 3 % of 4,000 leave; a call reaches 85 % of them and persuades most of those it can
    assert 60 < len(left(without)) < 200
    assert 0.3 * len(left(without)) < len(kept) < 0.8 * len(left(without))
    assert 0 < len(lost) < 0.3 * len(kept)


def test_the_truth_about_a_call_has_the_persuaded_the_woken_and_the_lost() -> None:
    (found,) = lived(WorldParameters(customers=2_000), 1)
    alone, called = (found.truth[name].to_numpy() for name in ("churn_probability", "churn_probability_if_contacted"))
    shares = [(called < alone).mean(), (called > alone).mean(), (called == alone).mean()]
    assert 0.5 < shares[0] < 0.9
    assert 0.05 < shares[1] < 0.35
    assert 0.05 < shares[2] < 0.4


# ---- the truth


def test_as_many_leave_as_the_truth_said_would() -> None:
    """Within four standard deviations of a sum of independent coins, over five months."""
    months = list(lived(WorldParameters(customers=3_000, courtesy_share=0.0), 6))
    expected = variance = happened = 0.0
    for i, (before, after) in enumerate(pairwise(months)):
        p = before.truth["churn_probability"].to_numpy()
        expected, variance = expected + p.sum(), variance + (p * (1 - p)).sum()
        happened += len(gone_within(after, days=28, month=month_of("2024-01", i + 1)) & ids(before))
    assert 350 < expected < 600
    assert abs(happened - expected) < 4 * np.sqrt(variance)


def gone_within(found: Step, *, days: int, month: Month) -> set[str]:
    events = found.tables["subscription_events"]
    until = pa.scalar((month.start + days * 86_400) * 1_000_000, pa.int64()).cast(pa.timestamp("us"))
    is_gone = pc.and_(pc.equal(events["event"], "cancelled"), pc.less(events["happened_at"], until))
    return set(events.filter(is_gone)["customer_id"].to_pylist())


def ids(found: Step) -> set[str]:
    return set(found.truth["customer_id"].to_pylist())


def test_those_with_a_higher_probability_leave_more() -> None:
    before, after = lived(WorldParameters(customers=4_000, courtesy_share=0.0), 2)
    p, gone = before.truth["churn_probability"].to_numpy(), left(after)
    leaves = np.array([name in gone for name in before.truth["customer_id"].to_pylist()])
    likeliest = np.argsort(-p)[: len(p) // 20]
    # a twentieth of the customers, and far more than a twentieth of those who leave
    assert leaves[likeliest].sum() > 0.35 * leaves.sum()


# ---- dirt


def rows_of(parameters: WorldParameters, months: int) -> tuple[dict[str, Counter[tuple[Any, ...]]], pa.Table]:
    """Every row of a world by table, those that are recorded later included, and what was planted."""
    found = list(lived(parameters, months))
    tables = {}
    for name in SCHEMAS:
        parts = [*(month.tables[name] for month in found), found[-1].state.pending[name]]
        tables[name] = Counter(tuple(row.values()) for row in pa.concat_tables(parts).to_pylist())
    return tables, pa.concat_tables([month.planted for month in found])


def what_was_done(table: str, dirty: Counter[tuple[Any, ...]], clean: Counter[tuple[Any, ...]]) -> Counter[Any]:
    """(kind, column, customer) for each row that a dirty world has and the same world without dirt has not."""
    names, done = SCHEMAS[table].names, Counter[Any]()
    undamaged = clean - dirty
    for row in (dirty - clean).elements():
        customer = row[names.index("customer_id")]
        if row in clean:
            done["doubled", "", customer] += 1
            continue
        for damage in DAMAGES[table]:
            place = names.index(damage.column) if damage.column else -1
            like_it = [r for r in undamaged if all(r[i] == row[i] for i in range(len(row)) if i != place)]
            if place >= 0 and row[place] == damage.value and like_it:
                done[damage.kind, damage.column, customer] += 1
                undamaged[like_it[0]] -= 1
                undamaged += Counter()
                break
        else:
            raise AssertionError(f"{table}: nobody planted {row}")
    assert not undamaged, f"{table}: lost"
    return done


def test_every_planted_damage_is_in_the_rows_and_nothing_else_is() -> None:
    dirty, planted = rows_of(WorldParameters(customers=3_000, dirt_share=0.009), 3)
    clean, nothing = rows_of(WorldParameters(customers=3_000, dirt_share=0.0), 3)
    assert len(nothing) == 0
    for table in SCHEMAS:
        listed = planted.filter(pc.equal(planted["table"], table))
        expected = Counter((row["kind"], row["column"], row["customer_id"]) for row in listed.to_pylist())
        assert what_was_done(table, dirty[table], clean[table]) == expected, table
    assert set(planted["kind"].to_pylist()) == {"doubled", "missing", "impossible", "unknown category"}
    assert 100 < len(planted) < 600


def test_the_events_that_make_a_label_are_never_damaged_and_never_late() -> None:
    for found in lived(WorldParameters(customers=1_500, dirt_share=0.3, late_share=0.3), 3):
        events = found.tables["subscription_events"]
        exact = events.filter(pc.is_in(events["event"], pa.array(["started", "cancelled"])))
        assert len(exact) == len(set(exact["event_id"].to_pylist()))
        assert pc.all(pc.is_valid(exact["monthly_price"])).as_py()
        cancelled = exact.filter(pc.equal(exact["event"], "cancelled"))
        assert cancelled["recorded_at"].equals(cancelled["happened_at"])


def test_a_row_lies_in_the_month_that_it_was_recorded_in_and_some_come_weeks_late(tmp_path: Path) -> None:
    world = World(UPath(tmp_path), WorldParameters(customers=600, late_share=0.05))
    world.live_until("2024-03")
    late = 0
    for key, following in pairwise(("2024-01", "2024-02", "2024-03", "2024-04")):
        for table in SCHEMAS:
            rows = pq.read_table(str(world.raw_path(table, key)))
            moments = rows["recorded_at"].to_numpy()
            assert (moments >= np.datetime64(month_start(key))).all()
            assert (moments < np.datetime64(month_start(following))).all()
            if table == "payments":
                late += int((moments - rows["happened_at"].to_numpy() > np.timedelta64(5, "D")).sum())
    # 600 payments a month, 1 in 20 late by 5 to 45 days: most of January's and February's have come by March's end
    assert 30 < late < 90


# ---- what the company looks like


@pytest.fixture(scope="module")
def company() -> list[Step]:
    return list(lived(WorldParameters(customers=4_000), 8))


def test_the_company_has_customers_and_contracts_of_all_ages_from_the_start() -> None:
    parameters = WorldParameters(customers=8_000)
    first, *_, last = [first_state(parameters), *(found.state for found in lived(parameters, 12))]
    now, then = ages(first, parameters), ages(last, parameters)
    assert now.keys() == then.keys()
    for name, value in now.items():  # three standard errors of chance, and what a company ages in a year
        assert value == pytest.approx(then[name], rel=0.08, abs=0.012), name


def ages(state: State, parameters: WorldParameters) -> dict[str, float]:
    """How old customers, their contracts and their prices are, in days and shares, by contract."""
    customers, at = state.customers, month_of(parameters.first, state.months).start
    found: dict[str, float] = {}
    for code, contract in enumerate(CONTRACTS):
        inside = customers.contract == code
        began, since = customers.signed_up_at[inside], customers.contract_started_at[inside]
        found[f"share of {contract}"] = float(inside.mean())
        found[f"tenure with {contract}"] = float((at - began).mean() / DAY)
        found[f"age of {contract}"] = float((at - since).mean() / DAY)
        found[f"first {contract}"] = float((began >= since).mean())
    found["price raised in a quarter"] = float((customers.price_raised_at > at - 92 * DAY).mean())
    return found


def test_the_company_neither_grows_nor_shrinks_much_and_loses_about_three_in_a_hundred_a_month(
    company: list[Step],
) -> None:
    for before, after in pairwise(company):
        assert 3_600 < len(before.truth) < 4_800
        assert 0.015 < len(left(after)) / len(before.truth) < 0.055
    rates = [found.truth["churn_probability"].to_numpy().mean() for found in company]
    assert 0.02 < np.mean(rates) < 0.045


def test_the_customers_are_a_plausible_mix(company: list[Step]) -> None:
    first = company[0].tables["customers"].slice(0, 4_000)
    shares = {name: share(first, name) for name in ("region", "age_band", "payment_method", "channel")}
    assert all(0.1 < shares["region"][region] < 0.3 for region in REGIONS)
    assert 0.15 < shares["age_band"]["18-29"] < 0.33
    assert 0.02 < shares["age_band"][None] < 0.08
    assert 0.42 < shares["payment_method"]["card"] < 0.58
    assert 0.1 < shares["channel"]["partner"] < 0.26
    customers = company[-1].state.customers
    assert 0.35 < (customers.contract == 0).mean() < 0.65
    assert 30 < customers.price.mean() < 55
    assert 12 < np.median(customers.gigabytes) < 40


def share(rows: pa.Table, column: str) -> dict[str | None, float]:
    counts = Counter(rows[column].to_pylist())
    return {value: count / len(rows) for value, count in counts.items()}


def test_bills_calls_and_complaints_are_as_frequent_as_one_would_think(company: list[Step]) -> None:
    customers = len(company[-2].truth)
    tables = company[-1].tables
    assert 0.9 < len(tables["invoices"]) / customers < 1.1
    assert 3.5 < len(tables["usage"]) / customers < 5.5
    assert 0.01 < share(tables["payments"], "status")["failed"] < 0.12
    opened = share(tables["support_tickets"], "status")["opened"] * len(tables["support_tickets"])
    assert 0.02 < opened / customers < 0.12
    assert 0.003 < len(tables["retention_contacts"]) / customers < 0.02  # the courtesy campaign alone


def test_the_declared_tables_and_the_made_ones_have_the_same_columns() -> None:
    from pipeline.datasets.simulated import DATASET

    assert {table.name: [column.name for column in table.columns] for table in DATASET.tables} == {
        name: schema.names for name, schema in SCHEMAS.items()
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_million_customers_need_less_than_four_gigabytes() -> None:
    """Three months: the first, in which everybody is loaded, and two ordinary ones, which hold late rows besides."""
    kilobytes = int(python(LIVE_A_MILLION))
    assert kilobytes * 1024 < FOUR_GIGABYTES
