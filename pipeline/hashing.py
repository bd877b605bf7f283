"""Draws that are the same in every process: by a hash of who is drawn, not by a generator's state."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


def hashed_shares(customers: "Sequence[str] | pd.Series[str]", seed: int | str) -> NDArray[np.float64]:
    """A number in [0, 1) for each customer, the same in every process."""
    salt = str(seed).encode()
    return np.array([_hashed(customer, salt) for customer in customers])


def _hashed(customer: str, salt: bytes) -> float:
    return int.from_bytes(hashlib.blake2b(customer.encode(), digest_size=6, key=salt).digest(), "big") / 2**48
