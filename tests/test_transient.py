"""What is tried again, and what is not."""

import urllib.error

import pytest

from assets.transient import is_transient


def raised(first: Exception, then: Exception, *, linked: str) -> Exception:
    """`then` as it is raised while `first` is handled."""
    try:
        try:
            raise first
        except Exception as error:
            if linked == "because of":
                raise then from error
            if linked == "in place of":
                raise then from None
            raise then  # noqa: B904  (as libraries do)
    except Exception as error:
        return error


@pytest.mark.parametrize("linked", ["because of", "while handling"])
def test_a_network_that_does_not_answer_is_found_beneath_the_library_that_used_it(linked: str) -> None:
    refused = ConnectionRefusedError("refused")
    assert is_transient(raised(refused, urllib.error.URLError(refused), linked=linked))


def test_what_is_wrong_with_the_data_is_not_tried_again() -> None:
    assert not is_transient(raised(KeyError("a"), ValueError("b"), linked="while handling"))
    assert not is_transient(raised(TimeoutError("slow"), ValueError("b"), linked="in place of"))
