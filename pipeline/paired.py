"""Which of two says better who leaves, asked about the same customers, each of whom counts once.

Profit needs somebody in the place of the called ones, so that a few who were left alone by lot stand for many, and what
those few do by chance is most of what nobody knows about it. To tell two models apart takes no stand-ins: log loss is a
proper score on any customers who were chosen without knowing who would leave (Gneiting and Raftery 2007), and everybody
who was not called has a say. Better may be a better ranking or a better level: both decide who is called.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.economics import FloatArray
from pipeline.metrics import log_losses

ROUNDING = 1e-9  # of a customer's loss


def once(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are no copies of one before them: with these, whoever stands for others has one say."""
    return ~rows.duplicated(["customer_id", "snapshot"]).to_numpy()


def losses_of(rows: pd.DataFrame, probability: FloatArray) -> FloatArray:
    """The log loss of each row, shape (rows,)."""
    return log_losses(rows["churned"].to_numpy(dtype=np.float64), probability)


def standard_errors_above(losses: FloatArray, others: FloatArray, customers: "pd.Series[str]") -> float:
    """How far the mean of `losses` lies above that of `others`, in standard errors of their paired difference.

    The months of a customer come and go together. 0 where the two say the same of everybody, but for rounding.
    """
    apart = np.bincount(pd.factorize(customers)[0], losses - others)
    spread = float(np.sqrt((apart**2).sum()))
    return float(apart.sum()) / spread if spread > ROUNDING * len(apart) else 0.0
