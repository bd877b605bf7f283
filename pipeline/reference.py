"""What the training rows looked like: a release carries it, to show an example and to notice when customers change."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.feature_kinds import Field

QUANTILES = tuple(round(i / 20, 2) for i in range(21))


def reference_of(rows: pd.DataFrame, fields: Sequence[Field]) -> dict[str, Any]:
    """Distribution of every field and one typical customer (medians and most frequent categories), JSON-safe."""
    distributions = {field.name: _distribution(rows[field.name], field) for field in fields}
    example = {name: figures["typical"] for name, figures in distributions.items()}
    return {"rows": len(rows), "fields": distributions, "example": example}


def _distribution(values: pd.Series, field: Field) -> dict[str, Any]:
    missing = float(values.isna().mean()) if len(values) else 1.0
    if field.kind == "category":
        shares = values.value_counts(normalize=True).to_dict()
        known = {name: float(shares.get(name, 0.0)) for name in field.categories}
        typical = max(known, key=lambda name: known[name]) if any(known.values()) else None
        return {"missing_share": missing, "shares": known, "typical": typical}
    known_values = values.dropna().to_numpy(dtype=np.float64)
    if len(known_values) == 0:
        return {"missing_share": missing, "typical": None}
    quantiles = np.quantile(known_values, QUANTILES, method="inverted_cdf")
    return {
        "missing_share": missing,
        "mean": float(known_values.mean()),
        "sd": float(known_values.std()),
        "quantiles": quantiles.tolist(),
        "typical": float(quantiles[len(QUANTILES) // 2]),
    }
