"""One process beside this one that does what nobody waits for, one thing after the other, on the other core.

`multiprocessing` would import the caller's main module again in that process; this one starts from nothing.
"""

import atexit
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

LENGTH_BYTES = 8
SECONDS_TO_END = 60

Task = Callable[..., str]


class Clerk:
    """Takes functions of a module with arguments that can be pickled; each returns what came of it, as text."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._given = 0

    def give(self, task: Task, *arguments: Any, log: Path) -> None:
        """Hand over a task. What the process prints goes to the file `log`."""
        content = pickle.dumps((task, arguments))
        process = self._process or self._started(log)
        self._given += 1
        try:
            process.stdin.write(len(content).to_bytes(LENGTH_BYTES) + content)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        except BrokenPipeError:
            return  # the process ended; `settle` says so

    def settle(self) -> list[str]:
        """Wait for everything that was given since the last time, and return what came of it."""
        given, self._given = self._given, 0
        return [self._outcome() for _ in range(given)]

    def close(self) -> None:
        """Let the process finish what was given, and end it."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        try:
            process.stdin.close()
            process.wait(SECONDS_TO_END)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        process.stdout.close()

    def _started(self, log: Path) -> "subprocess.Popen[bytes]":
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        with log.open("ab") as errors:
            # -P: a folder of the same name in the current one is not ours
            command = [sys.executable, "-P", "-m", "pipeline.clerk"]
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
            )
        atexit.register(self.close)
        return self._process

    def _outcome(self) -> str:
        line = self._process.stdout.readline() if self._process and self._process.stdout else b""
        if line:
            return str(json.loads(line))
        self.close()
        return "not done: the process ended before it came to it"


def work(tasks: IO[bytes], outcomes: IO[bytes]) -> None:
    """In the other process: do every task until there are no more."""
    waiting: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(tasks, waiting), daemon=True).start()  # so that whoever gives never waits
    while content := waiting.get():
        outcomes.write(json.dumps(_done(content)).encode() + b"\n")
        outcomes.flush()


def _done(content: bytes) -> str:
    try:
        task, arguments = pickle.loads(content)  # noqa: S301  (from our own parent, over a pipe)
        return str(task(*arguments))
    except Exception as error:  # said, not raised: the next task is another matter
        return f"not done: {type(error).__name__}: {str(error)[:200]}"


def _read(tasks: IO[bytes], waiting: "SimpleQueue[bytes]") -> None:
    while length := int.from_bytes(tasks.read(LENGTH_BYTES)):
        waiting.put(tasks.read(length))
    waiting.put(b"")


def main() -> None:
    """Keep the way to the parent apart from standard output, which libraries write to."""
    outcomes = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    work(sys.stdin.buffer, outcomes)


if __name__ == "__main__":
    main()
