"""Tries again what may work in a minute: a network that does not answer. What is wrong with the data stays wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

MOST_RETRIES = 3
FIRST_WAIT_SECONDS = 10  # doubled each time
TRANSIENT = (ConnectionError, TimeoutError)


@contextmanager
def tried_again(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Have the step run again, later each time, where the block fails for a reason that passes."""
    try:
        yield
    except Exception as error:
        if not is_transient(error):
            raise
        wait_seconds = FIRST_WAIT_SECONDS * 2**context.retry_number
        raise dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=wait_seconds) from error


def is_transient(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, is of a kind that passes."""
    while error is not None:
        if isinstance(error, TRANSIENT):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False
