"""What a person sees while a run goes on."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assets.run import Progress as Told


@contextmanager
def progress_bar(*, is_quiet: bool) -> Iterator[Told]:
    """A bar on standard error that each finished step moves; nothing at all where a machine reads."""
    console = Console(file=sys.stderr, quiet=is_quiet)  # the stream as it is now: while a run goes on it is a file
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("starting", total=None)

        def told(step: str, done: int, total: int) -> None:
            bar.update(task, description=step or "starting", completed=done, total=total)

        yield told
