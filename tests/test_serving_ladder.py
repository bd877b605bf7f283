"""Who answers when something is wrong with the champion while requests come in."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from pipeline.economics import Columns, FloatArray
from pipeline.rule import Points, Rule
from pipeline.scoring import RungName
from pipeline.tables import Where
from serving.breaker import OPEN_SECONDS
from serving.ladder import Answered, Ladder, NothingAnswersError
from serving.rungs import Fault, Rung, assumed_table, declared_rung, rungs_of
from serving.standing import Standing
from serving.threads import OverdueError, Threads
from tests.little_releases import CUSTOMER, DATASET, FIELDS, two_releases


@dataclass
class Scripted:
    """A scorer that does what it is told; it does well until then."""

    does: Callable[[], FloatArray] = lambda: np.array([0.9])
    asked: int = 0
    fields: tuple[Any, ...] = FIELDS
    name: RungName = "logistic"

    def probability(self, columns: Columns, rows: int) -> FloatArray:
        self.asked += 1
        return self.does()

    def reasons(self, columns: Columns, rows: int) -> FloatArray:
        return np.zeros((rows, len(self.fields)))

    def as_dict(self) -> dict[str, Any]:
        return {}


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Scene:
    """A ladder with a scripted champion over two real releases."""

    rungs: tuple[Rung, ...]
    champion: Scripted = field(default_factory=Scripted)
    clock: Clock = field(default_factory=Clock)
    deadline_seconds: float = 0.2

    def plays(self, play: Callable[["Scene", Ladder], Coroutine[Any, Any, Any]]) -> Any:
        first, *others = self.rungs
        standing = Standing((replace(first, scorer=self.champion), *others))

        async def scene() -> Any:
            ladder = Ladder(Threads(2), self.deadline_seconds, clock=self.clock)
            ladder.standing = standing
            return await play(self, ladder)

        return asyncio.run(scene())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    older, newer = two_releases(tmp_path)
    return Scene(rungs_of(newer, older))


async def asked(ladder: Ladder) -> Answered:
    return await ladder.answer(ladder.standing, [CUSTOMER])


def test_the_champion_answers_where_nothing_is_wrong(scene: Scene) -> None:
    async def play(scene: Scene, ladder: Ladder) -> None:
        answered = await asked(ladder)
        assert (answered.considered.rung.served_by, answered.fault) == ("champion", None)
        assert answered.considered.probability.tolist() == [0.9]

    scene.plays(play)


def raises() -> FloatArray:
    raise ZeroDivisionError("a bug in the model")


@pytest.mark.parametrize(
    "does",
    [
        raises,
        lambda: np.array([np.nan]),
        lambda: np.array([1.2]),
        lambda: np.array([-0.1]),
        lambda: np.array([0.5, 0.5]),
        lambda: np.array([]),
        lambda: None,
    ],
)
def test_a_champion_that_raises_or_gives_no_probability_is_passed_over(
    scene: Scene, does: Callable[[], FloatArray]
) -> None:
    scene.champion.does = does

    async def play(scene: Scene, ladder: Ladder) -> None:
        answered = await asked(ladder)
        assert answered.considered.rung.served_by == "last_good"
        assert answered.considered.probability.tolist() == [pytest.approx(1 / (1 + np.e))]
        assert answered.fault is not None
        assert answered.fault.kind == "error"
        scene.champion.does = lambda: np.array([0.9])
        assert (await asked(ladder)).considered.rung.served_by == "champion"

    scene.plays(play)


def test_a_champion_that_keeps_failing_is_logged_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.champion.does = raises

    async def play(scene: Scene, ladder: Ladder) -> None:
        for _ in range(20):
            await asked(ladder)

    scene.plays(play)
    assert caplog.text.count("failed on 1 customers") == 1


def test_a_hanging_champion_costs_one_caller_the_deadline_and_the_others_nothing(scene: Scene) -> None:
    release = threading.Event()

    def hangs() -> FloatArray:
        release.wait(20)
        return np.array([0.9])

    scene.champion.does = hangs

    async def play(scene: Scene, ladder: Ladder) -> None:
        started = monotonic()
        first = await asked(ladder)
        assert 0.15 < monotonic() - started < 2
        assert first.fault is not None
        assert (first.considered.rung.served_by, first.fault.kind) == ("last_good", "deadline")
        for _ in range(50):
            assert (await asked(ladder)).considered.rung.served_by == "last_good"
        assert scene.champion.asked == 1

        scene.clock.now += OPEN_SECONDS  # one trial, which hangs again
        await asked(ladder)
        await asked(ladder)
        assert scene.champion.asked == 2

        release.set()
        scene.champion.does = lambda: np.array([0.9])
        scene.clock.now += OPEN_SECONDS
        answered = await asked(ladder)
        assert (answered.considered.rung.served_by, answered.fault) == ("champion", None)
        assert (await asked(ladder)).considered.rung.served_by == "champion"

    scene.plays(play)


def test_while_one_request_tries_a_champion_that_hung_the_others_do_not_wait(scene: Scene) -> None:
    release = threading.Event()

    def hangs() -> FloatArray:
        release.wait(20)
        return np.array([0.9])

    scene.champion.does = hangs

    async def play(scene: Scene, ladder: Ladder) -> None:
        await asked(ladder)
        scene.clock.now += OPEN_SECONDS
        await asyncio.gather(*(asked(ladder) for _ in range(10)))
        assert scene.champion.asked == 2
        release.set()

    scene.plays(play)


def test_files_in_doubt_for_long_pass_the_champion_over_until_they_are_verified(scene: Scene) -> None:
    async def play(scene: Scene, ladder: Ladder) -> None:
        ladder.doubt(True)
        assert (await asked(ladder)).considered.rung.served_by == "champion"
        scene.clock.now += 2
        answered = await asked(ladder)
        assert answered.fault is not None
        assert (answered.considered.rung.served_by, answered.fault.kind) == ("last_good", "slow")
        ladder.doubt(False)
        assert (await asked(ladder)).considered.rung.served_by == "champion"

    scene.plays(play)


def test_the_rule_answers_with_its_own_cutoff_where_no_model_stands(scene: Scene) -> None:
    async def play(scene: Scene, ladder: Ladder) -> None:
        standing = ladder.standing.by_rule(Fault("monitoring", "drift"))
        answered = await ladder.answer(standing, [CUSTOMER, CUSTOMER | {"failed_payments": 0.0}])
        found = answered.considered
        assert (found.rung.served_by, str(answered.fault)) == ("rule", "monitoring: drift")
        assert found.probability.tolist() == [0.4, 0.1]
        assert found.decisions.expected_value.tolist() == pytest.approx([-1.0, 0.1 * 35 - 0.9 * 25])
        assert found.decisions.reason == ("threshold", "threshold")

    scene.plays(play)


def test_where_nothing_stands_that_is_said(scene: Scene) -> None:
    async def play(scene: Scene, ladder: Ladder) -> None:
        with pytest.raises(NothingAnswersError, match="no release"):
            await ladder.answer(Standing((), Fault("no release")), [CUSTOMER])

    scene.plays(play)


def test_the_declared_rule_has_a_rate_for_every_sum_and_more_points_mean_more_risk() -> None:
    table = assumed_table(Rule((Points(Where("a", ">", 0), 2), Points(Where("b", ">", 0), -1))))
    assert table.sums == (-1, 0, 1, 2)
    assert table.rates[1] == pytest.approx(0.05)
    assert list(table.rates) == sorted(table.rates)
    assert assumed_table(Rule(())).rates == (pytest.approx(0.05),)
    assert declared_rung(DATASET).release is None


def test_work_that_is_overdue_is_left_behind_and_its_thread_is_used_again_once_it_is_done() -> None:
    release, names = threading.Event(), []

    def hangs() -> None:
        names.append(threading.current_thread())
        release.wait(20)

    async def play() -> None:
        threads = Threads(1)
        with pytest.raises(OverdueError):
            await threads.run(hangs, 0.05)
        assert await threads.run(lambda: 1, 1) == 1
        release.set()
        await asyncio.sleep(0.05)
        found = [await threads.run(threading.current_thread, 1) for _ in range(2)]
        assert names[0] in found
        threads.close()

    asyncio.run(play())


def test_too_much_work_that_never_comes_back_is_refused_at_once() -> None:
    release = threading.Event()

    async def play() -> None:
        threads = Threads(1, most_stuck=2)
        for _ in range(2):
            with pytest.raises(OverdueError):
                await threads.run(lambda: release.wait(20), 0.02)
        started = monotonic()
        with pytest.raises(OverdueError):
            await threads.run(lambda: 1, 5)
        assert monotonic() - started < 1
        release.set()

    asyncio.run(play())


def test_a_caller_who_gives_up_loses_no_thread() -> None:
    release = threading.Event()

    async def play() -> None:
        threads = Threads(1)
        task = asyncio.ensure_future(threads.run(lambda: release.wait(20), 20))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await threads.run(lambda: 1, 1) == 1
        release.set()

    asyncio.run(play())


def test_the_clock_of_the_deadline_does_not_run_while_a_caller_waits_for_a_thread() -> None:
    async def play() -> None:
        threads = Threads(1)
        work = [threads.run(lambda: threading.Event().wait(0.05), 0.2) for _ in range(8)]
        assert await asyncio.gather(*work) == [False] * 8

    asyncio.run(play())
