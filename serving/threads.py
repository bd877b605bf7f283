"""Runs scoring beside the event loop, and walks away from what does not come back in time.

A thread cannot be stopped. One that is overdue is left alone and ends when its work does; the threads of
`concurrent.futures` would be waited for at exit, so these are our own and are not.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Task = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class OverdueError(Exception):
    """The work did not come back in time, or too much of it never did."""


class Threads:
    """A few threads that work in the order of asking.

    Args:
        at_once: how many may work at once; a caller waits for a place without the clock running.
        most_stuck: how many may be left behind before new work is refused at once.
    """

    def __init__(self, at_once: int, most_stuck: int = 8) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most_stuck = most_stuck
        self._idle: list[_Worker] = []
        self._stuck: list[_Worker] = []

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """What `work` returns or raises.

        Raises:
            OverdueError: it took longer than `seconds`.
        """
        async with self._places:
            worker = self._worker()
            future = worker.submit(work)
            try:
                await asyncio.wait((future,), timeout=seconds)
            finally:  # also where the caller was cancelled
                (self._idle if future.done() else self._stuck).append(worker)
            if not future.done():
                future.cancel()
                raise OverdueError
            return future.result()

    def close(self) -> None:
        """Let the idle threads end."""
        while self._idle:
            self._idle.pop().stop()

    def _worker(self) -> "_Worker":
        came_back = [worker for worker in self._stuck if worker.is_idle]
        self._stuck = [worker for worker in self._stuck if not worker.is_idle]
        self._idle += came_back
        if len(self._stuck) >= self._most_stuck:
            raise OverdueError
        return self._idle.pop() if self._idle else _Worker()


class _Worker:
    """One thread and its queue."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.is_idle = True
        threading.Thread(target=self._run, name="scoring", daemon=True).start()

    def submit(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Start the work; the future belongs to the running loop."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.is_idle = False
        self._tasks.put((work, future))
        return future

    def stop(self) -> None:
        """End the thread once it is idle."""
        self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            work, future = task
            try:
                result, error = work(), None
            except Exception as raised:
                result, error = None, raised
            self.is_idle = True
            _deliver(future, result, error)
            del task, work, future, result, error  # while idle, hold on to nothing of the last request


def _deliver(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    def settle() -> None:
        if future.done():  # the caller walked away
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    try:
        future.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # the loop is closed: the service is going down
        return
