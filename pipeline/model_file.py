"""A fitted rung as the one file of a release: plain data, from which it is brought back without any code.

Numpy only: the service imports this, and neither pandas nor scikit-learn.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.boosting import trees_from_dict
from pipeline.errors import ReleaseError
from pipeline.feature_kinds import Field
from pipeline.lake import canonical_json
from pipeline.rule import rule_table_from_dict
from pipeline.scorecard import scorecard_from_dict
from pipeline.scoring import RuleScorer, RungName, Scorer, finite

MODEL_FILE = "model.json"


def model_bytes(scorer: Scorer) -> bytes:
    """The one file a rung is stored as; the same rung always gives the same bytes."""
    return canonical_json(scorer.as_dict())


def scorer_from_bytes(content: bytes, fields: Sequence[Field]) -> Scorer:
    """The inverse of `model_bytes`. `fields` are those that models see.

    Raises:
        ReleaseError: the bytes are not a rung over these fields.
    """
    try:
        stored = json.loads(content, parse_constant=_refuse_constant)
        return _READERS[stored["rung"]](stored, tuple(fields))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ReleaseError(
            MODEL_FILE,
            expected="a rule, a scorecard or a list of trees over the release's fields",
            found=f"{type(error).__name__}: {str(error)[:200]}",
            remedy="Do not repair it by hand: roll back, or train again.",
        ) from error


def _rule_from_dict(stored: Mapping[str, Any], fields: tuple[Field, ...]) -> RuleScorer:
    table = rule_table_from_dict(stored)
    rates, sums = finite(table.rates, "the rates"), finite(table.sums, "the sums of points")
    if len(rates) == 0 or len(rates) != len(sums) or rates.min() < 0 or rates.max() > 1 or (np.diff(sums) <= 0).any():
        raise ValueError("a rule needs one rate between 0 and 1 for each sum of points, and the sums rising")
    return RuleScorer(table, fields)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} where a number belongs")


_READERS: Mapping[RungName, Callable[[Mapping[str, Any], tuple[Field, ...]], Scorer]] = {
    "rule": _rule_from_dict,
    "logistic": scorecard_from_dict,
    "boosting": trees_from_dict,
}
