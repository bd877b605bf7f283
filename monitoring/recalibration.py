"""Probabilities as labelled rows say they should be, in bins, with the doubt that so many rows leave.

A round of the doubt is a Bayesian bootstrap (Rubin 1981): every row has an exponential weight, so the rows of a bin
have a Gamma one, and a round costs two numbers a bin, however many rows there are.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.economics import FloatArray

BINS = 40
BELIEF_ROWS = 10  # how many rows of a bin the model's own probability is worth
NOTHING = 1e-12


@dataclass(frozen=True)
class Bins:
    """Labelled rows by what the model said of them; every array has shape (bins,).

    Args:
        said: mean probability.
        left, stayed: sums of the weights of those who did.
        left_squares, stayed_squares: sums of the squares of these weights.
    """

    said: FloatArray
    left: FloatArray
    stayed: FloatArray
    left_squares: FloatArray
    stayed_squares: FloatArray


def binned(probability: FloatArray, churned: FloatArray, weights: FloatArray, copies: FloatArray | float = 1.0) -> Bins:
    """Rows in up to BINS bins of as many rows each; those without weight are left out.

    A row that is there several times, `copies`, tells no more than one: its copies come and go together, so the squares
    are those of their sum.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, probability, side="right")
    leaving, staying = weights * churned, weights * (1 - churned)
    columns = (
        weights,
        weights * probability,
        leaving,
        staying,
        *(weights * copies * each for each in (leaving, staying)),
    )
    mass, promised, *sums = (np.bincount(place, weights=column).astype(np.float64) for column in columns)
    there = mass > 0
    return Bins(promised[there] / mass[there], *(each[there] for each in sums))


def drawn(bins: Bins, rounds: int, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Sums of the weights of those who left and of those who stayed in each round, shape (rounds, bins)."""
    sums = [(bins.left, bins.left_squares), (bins.stayed, bins.stayed_squares)]
    left, stayed = (_gamma(mass, squares, rounds, random) for mass, squares in sums)
    return left, stayed


def corrections(bins: Bins, left: FloatArray, stayed: FloatArray) -> FloatArray:
    """What each bin adds to the logit, shape (rounds, bins), for weights of that shape.

    Isotonic regression, so the order never changes; a bin leans on what the model said until it has rows enough.
    """
    from scipy.optimize import isotonic_regression

    mass = left + stayed + BELIEF_ROWS
    observed = (left + BELIEF_ROWS * bins.said) / mass
    fitted = np.stack([isotonic_regression(y, weights=w).x for y, w in zip(observed, mass, strict=True)])
    return logit(fitted) - logit(bins.said)


def as_observed(bins: Bins) -> FloatArray:
    """What each bin adds to the logit without any chance, shape (1, bins)."""
    return corrections(bins, bins.left[None], bins.stayed[None])


def corrected(bins: Bins, correction: FloatArray, probability: FloatArray) -> FloatArray:
    """Probabilities with the corrections of one round or more, shape (..., rows); never crossing.

    Between the middles of bins the correction is a straight line in the logit, so higher stays higher.
    """
    asked, middles = logit(probability), logit(bins.said)
    right = np.clip(np.searchsorted(middles, asked), 1, max(len(middles) - 1, 1))
    if len(middles) == 1:
        return expit(asked + correction[..., :1])
    way = np.clip((asked - middles[right - 1]) / np.maximum(middles[right] - middles[right - 1], NOTHING), 0.0, 1.0)
    return expit(asked + (1 - way) * correction[..., right - 1] + way * correction[..., right])


def logit(p: FloatArray) -> FloatArray:
    """The log of the odds, of a probability kept away from 0 and 1."""
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    found: FloatArray = np.log(clipped / (1 - clipped))
    return found


def expit(z: FloatArray) -> FloatArray:
    """The inverse of `logit`."""
    found: FloatArray = 1 / (1 + np.exp(-z))
    return found


def _gamma(mean: FloatArray, variance: FloatArray, rounds: int, random: np.random.Generator) -> FloatArray:
    shape = np.divide(mean**2, variance, out=np.zeros_like(mean), where=variance > 0)
    scale = np.divide(variance, mean, out=np.zeros_like(mean), where=mean > 0)
    found: FloatArray = random.standard_gamma(shape, (rounds, len(mean))) * scale
    return found
