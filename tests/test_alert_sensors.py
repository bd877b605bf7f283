"""What goes wrong on the Dagster instance is told once, and called over when it is."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from pydantic import SecretStr

from assets.definitions import build_definitions
from assets.jobs import LIFE_CYCLE
from pipeline.errors import ContractError
from pipeline.settings import Settings
from tests import listeners
from tests.little_company import little_company

APRIL, MAY = ({"dagster/partition": month} for month in ("2024-04", "2024-05"))
WRONG = dg.AssetCheckSeverity.ERROR


@dataclass
class World:
    """What the company and the world do to the pipeline."""

    is_broken: bool = True
    why: str = "0"


WORLD = World()


@dg.op
def break_the_contract() -> None:
    if WORLD.is_broken:
        raise ContractError("month 2024-04", expected="at least 1 row", found=WORLD.why, remedy="Ask the source.")


@dg.job(name=LIFE_CYCLE)
def fragile() -> None:
    break_the_contract()


@dataclass
class House:
    """An instance, the sensors over it, and what they told."""

    settings: Settings
    instance: dg.DagsterInstance
    hook: listeners.Webhook
    cursor: str | None = None
    seen: list[str] = field(default_factory=list)

    def sensor(self, name: str) -> dg.SensorDefinition:
        sensor = build_definitions(little_company(), self.settings).resolve_sensor_def(name)
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        return sensor

    def run(self, tags: dict[str, str] = APRIL, *, is_broken: bool = True, why: str = "0") -> None:
        """Run the job, and the sensor of failed runs where it fails."""
        WORLD.is_broken, WORLD.why = is_broken, why
        result = fragile.execute_in_process(instance=self.instance, raise_on_error=False, tags=tags)
        if is_broken:
            self.tell_of(result)

    def tell_of(self, result: dg.ExecuteInProcessResult) -> None:
        sensor = self.sensor("tell_of_failed_runs")
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_instance=self.instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        )
        sensor(context.for_run_failure())  # type: ignore[operator]

    def checked(
        self,
        *,
        passed: bool,
        name: str = "adds_up",
        month: dict[str, str] = APRIL,
        severity: dg.AssetCheckSeverity = WRONG,
        blocking: bool = False,
    ) -> dg.ExecuteInProcessResult:
        """Write an asset and check it, in a run."""
        result = dg.AssetCheckResult(passed=passed, severity=severity, description=f"{name} found 3 rows")

        @dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="sums", blocking=blocking)])
        def sums() -> dg.MaterializeResult:  # type: ignore[type-arg]
            return dg.MaterializeResult(check_results=[result])

        return dg.materialize([sums], instance=self.instance, tags=month, raise_on_error=False)

    def reported(self) -> None:
        """Report a failed check from outside any run; the event itself knows its month."""
        key = dg.AssetKey("call_list")
        self.instance.report_runless_asset_event(dg.AssetCheckEvaluation(key, "adds_up", False, partition="2024-04"))

    def fresh(self, state: FreshnessState) -> None:
        moment = datetime(2024, 5, 9, 6, tzinfo=UTC).timestamp() + len(self.seen)
        change = FreshnessStateChange(
            key=dg.AssetKey("call_list"),
            new_state=state,
            previous_state=FreshnessState.UNKNOWN,
            state_change_timestamp=moment,
        )
        self.instance.report_runless_asset_event(change)

    def tick(self) -> list[str]:
        """The subjects of what the other sensor tells now."""
        before = len(self.hook.told)
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            self.sensor("tell_of_checks_and_freshness").evaluate_tick(context)
            self.cursor = context.cursor
        self.seen += self.subjects[before:]
        return self.subjects[before:]

    @property
    def subjects(self) -> list[str]:
        return [message["text"].partition("\n")[0].removeprefix("churn little: ") for message in self.hook.told]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with listeners.webhook() as hook, dg.DagsterInstance.ephemeral() as instance:
        settings = Settings(home=str(tmp_path), webhook_url=SecretStr(hook.url), ui_url="http://ui")
        yield House(settings, instance, hook)


# ---- runs


def test_a_failed_run_is_told_in_the_words_of_its_error_with_a_link_to_it(house: House) -> None:
    house.run()
    (message,) = house.hook.told
    (run,) = house.instance.get_runs()
    lines = message["text"].splitlines()
    assert lines[:2] == [
        "churn little: warning: failed run: life_cycle, 2024-04",
        "break_the_contract: month 2024-04: expected at least 1 row; found 0. Ask the source.",
    ]
    assert lines[-1] == f"Look at: http://ui/runs/{run.run_id}"


def test_a_run_that_a_check_stopped_is_told_in_the_words_of_the_check(house: House) -> None:
    house.tell_of(house.checked(passed=False, blocking=True))
    assert house.hook.told[0]["text"].splitlines()[1] == "sums: adds_up found 3 rows"


def test_the_same_failure_again_is_not_told_and_another_reason_is(house: House) -> None:
    house.run()
    house.run()
    assert house.subjects == ["warning: failed run: life_cycle, 2024-04"]
    later(house)
    house.run(why="no file")
    assert house.subjects[1:] == ["still warning: failed run: life_cycle, 2024-04"]


def test_another_month_is_another_failure_and_so_are_several_months_at_once(house: House) -> None:
    house.run(MAY)
    house.run({"dagster/asset_partition_range_start": "2024-01", "dagster/asset_partition_range_end": "2024-03"})
    house.run({})
    assert [subject.rpartition(", ")[2] for subject in house.subjects] == [
        "2024-05",
        "2024-01 to 2024-03",
        "several months",
    ]


def test_a_failed_run_is_over_once_the_same_month_succeeds(house: House) -> None:
    house.run()
    later(house)
    house.run(MAY, is_broken=False)
    assert house.tick() == []
    house.run(is_broken=False)
    assert house.tick() == ["all clear: failed run: life_cycle, 2024-04"]
    assert house.tick() == []


def later(house: House) -> None:
    """Make what was told look older than the runs that follow, which would else be within the same second."""
    import sqlalchemy as sa

    from monitoring.alert_book import alerts_table
    from pipeline.lake import lake_of
    from pipeline.state import state_engine

    engine = state_engine(house.settings, lake_of(house.settings, "little"))
    with engine.begin() as connection:
        connection.execute(sa.update(alerts_table()).values(opened="2024-05-01 06:00:00", seen="2024-05-01 06:00:00"))
    engine.dispose()


def test_without_a_webhook_the_log_has_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.settings = house.settings.model_copy(update={"webhook_url": None})
    with caplog.at_level(logging.ERROR, logger="churn.alarms"):
        house.run()
    assert "expected at least 1 row; found 0" in caplog.text


# ---- checks


def test_a_failed_check_is_told_once_and_over_when_it_passes(house: House) -> None:
    house.tick()
    house.checked(passed=False)
    assert house.tick() == ["warning: failed check: adds_up of sums, 2024-04"]
    text = house.hook.told[-1]["text"]
    assert "adds_up found 3 rows" in text
    assert "Look at: http://ui/assets/sums?view=checks" in text
    house.checked(passed=False)
    assert house.tick() == []
    house.checked(passed=True, month=MAY)
    assert house.tick() == []
    house.checked(passed=True)
    assert house.tick() == ["all clear: failed check: adds_up of sums, 2024-04"]
    assert house.tick() == []


def test_what_happened_before_the_sensor_first_ran_is_not_told(house: House) -> None:
    house.checked(passed=False)
    assert house.tick() == []
    assert house.tick() == []


def test_what_only_warns_and_what_stops_a_run_is_not_told_a_second_time(house: House) -> None:
    house.tick()
    house.checked(passed=False, severity=dg.AssetCheckSeverity.WARN)
    house.checked(passed=False, blocking=True)
    assert house.tick() == []


def test_a_check_that_failed_and_passed_between_two_looks_is_not_told(house: House) -> None:
    house.tick()
    house.checked(passed=False)
    house.checked(passed=True)
    assert house.tick() == []


def test_a_check_that_knows_its_month_itself_needs_no_run_and_no_words(house: House) -> None:
    house.tick()
    house.reported()
    assert house.tick() == ["warning: failed check: adds_up of call_list, 2024-04"]
    assert "the check adds_up of call_list failed" in house.hook.told[-1]["text"]


def test_many_events_are_told_over_several_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.alert_sensors.EVENTS_AT_ONCE", 2)
    house.tick()
    for name in ("one", "two", "three"):
        house.checked(passed=False, name=name)
    assert [len(house.tick()) for _ in range(3)] == [2, 1, 0]


# ---- freshness


def test_an_asset_that_is_late_is_told_once_and_over_when_it_is_fresh(house: House) -> None:
    house.tick()
    house.fresh(FreshnessState.WARN)
    assert house.tick() == []
    house.fresh(FreshnessState.FAIL)
    assert house.tick() == ["warning: late asset: call_list"]
    assert "call_list is later than its freshness policy allows" in house.hook.told[-1]["text"]
    house.fresh(FreshnessState.WARN)
    assert house.tick() == []
    house.fresh(FreshnessState.PASS)
    assert house.tick() == ["all clear: late asset: call_list"]


# ---- all of them


def test_a_message_that_did_not_go_out_is_sent_at_the_next_look(house: House) -> None:
    house.hook.status = 500
    house.run()
    assert house.subjects == []
    house.hook.status = 200
    assert house.tick() == ["warning: failed run: life_cycle, 2024-04"]
    assert house.tick() == []


def test_it_works_on_the_event_log_that_the_project_uses(house: House, tmp_path: Path) -> None:
    from assets.instance import open_instance, prepare_instance

    with pytest.MonkeyPatch.context() as patch:
        for name in ("CHURN_HOME", "CHURN_DATASET", "DAGSTER_HOME"):
            patch.setenv(name, "")
        with open_instance(prepare_instance(little_company(), house.settings)) as instance:
            house.instance = instance
            house.tick()
            house.reported()
            house.fresh(FreshnessState.FAIL)
            assert sorted(house.tick()) == [
                "warning: failed check: adds_up of call_list, 2024-04",
                "warning: late asset: call_list",
            ]
            house.run()
            later(house)
            house.run(is_broken=False)
            assert "all clear: failed run: life_cycle, 2024-04" in house.tick()
