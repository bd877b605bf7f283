"""A process beside this one does tasks in order, says what went wrong, and never makes anybody wait."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clerk import Clerk


def add(one: int, other: int) -> str:
    print("adding")
    return str(one + other)


def fail(why: str) -> str:
    raise ValueError(why)


def end() -> str:
    os._exit(3)


def length_of(content: bytes, after_seconds: float) -> str:
    time.sleep(after_seconds)
    return str(len(content))


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    made = Clerk()
    yield made
    made.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "clerk.log"


def test_tasks_are_done_in_order_and_each_outcome_is_told_once(clerk: Clerk, log: Path) -> None:
    clerk.give(add, 1, 2, log=log)
    clerk.give(add, 3, 4, log=log)
    assert clerk.settle() == ["3", "7"]
    clerk.give(add, 5, 6, log=log)
    assert clerk.settle() == ["11"]
    assert clerk.settle() == []


def test_a_task_that_fails_says_why_and_the_next_is_done(clerk: Clerk, log: Path) -> None:
    clerk.give(fail, "the database is locked", log=log)
    clerk.give(add, 1, 1, log=log)
    assert clerk.settle() == ["not done: ValueError: the database is locked", "2"]


def test_a_process_that_ends_is_said_and_replaced(clerk: Clerk, log: Path) -> None:
    clerk.give(end, log=log)
    assert clerk.settle() == ["not done: the process ended before it came to it"]
    clerk.give(add, 2, 2, log=log)
    assert clerk.settle() == ["4"]


def test_what_a_task_prints_goes_to_the_log_and_not_between_the_outcomes(clerk: Clerk, log: Path) -> None:
    clerk.give(add, 1, 2, log=log)
    assert clerk.settle() == ["3"]
    clerk.close()
    assert log.read_text() == "adding\n"


def test_whoever_gives_a_large_task_does_not_wait_for_the_one_before(clerk: Clerk, log: Path) -> None:
    clerk.give(length_of, b"", 2.0, log=log)
    began = time.monotonic()
    clerk.give(length_of, b"x" * 5_000_000, 0.0, log=log)
    assert time.monotonic() - began < 1.5
    assert clerk.settle() == ["0", "5000000"]


def test_what_was_given_is_finished_before_the_process_ends(clerk: Clerk, log: Path, tmp_path: Path) -> None:
    clerk.give(length_of, b"", 0.3, log=log)
    clerk.give(leave, tmp_path / "done", log=log)
    clerk.close()
    assert (tmp_path / "done").exists()


def leave(path: Path) -> str:
    path.touch()
    return str(path)
