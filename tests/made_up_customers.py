"""Customers who never were, with everything that numbers and categories can do wrong. Shared by the tests of models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from pipeline.calendar import Monthly, SingleSnapshot
from pipeline.declaration import Dataset, Everyone
from pipeline.economics import RetentionOffer, Value
from pipeline.encoding import model_fields
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel, EventLabel
from pipeline.rule import Points, Rule
from pipeline.scoring import sigmoid
from pipeline.settings import Settings
from pipeline.splits import Split
from pipeline.tables import Column, Table, Where
from tests.little_company import RowsInMemory

QUICK = Settings(search_candidates=2, search_rows=1_000, threads=2)
COLUMNS = (
    Column("plan", "string", categories=("basic", "plus", "max")),
    Column("failed_payments", "number", minimum=0),
    Column("region", "string", categories=("north", "south"), nullable=True),
    Column("usage", "number", nullable=True),
    Column("heavy_tailed", "number"),
    Column("same_or_missing", "number", nullable=True),
    Column("always_the_same", "number"),
    Column("never_known", "number", nullable=True),
)
CUSTOMERS = Table(
    name="customers",
    key=("customer_id",),
    known_at="known_at",
    columns=(
        Column("customer_id", "string"),
        Column("known_at", "timestamp"),
        *COLUMNS,
        Column("price", "number"),
        Column("left", "boolean"),
    ),
)


def made_up(**changes: Any) -> Dataset:
    """The declaration; more failed payments may never mean less risk."""
    directions: dict[str, Any] = {"failed_payments": 1}
    features = [
        Attribute(name=c.name, table="customers", column=c.name, direction=directions.get(c.name, 0)) for c in COLUMNS
    ]
    declared: dict[str, Any] = {
        "name": "made_up",
        "description": "Customers who never were.",
        "tables": (CUSTOMERS,),
        "population": Everyone("customers"),
        "features": (*features, Attribute(name="price", table="customers", column="price", in_model=False)),
        "label": EventLabel(table="customers", where=(), horizon_days=28),
        "economics": RetentionOffer(
            contact_cost=5, offer_cost=20, acceptance=0.5, value=Value(times=10, field="price"), budget_share=0.1
        ),
        "rule": Rule((Points(Where("failed_payments", ">=", 2), 2), Points(Where("plan", "==", "basic"), 1))),
        "calendar": Monthly(first="2024-01", months=12, history_months=1),
        "source": RowsInMemory(),
    }
    return Dataset(**(declared | changes))


def made_up_without_time() -> Dataset:
    return made_up(calendar=SingleSnapshot(), label=ColumnLabel(table="customers", column="left", positive=True))


DATASET = made_up()
FIELDS = model_fields(DATASET.fields())
NAMES = [field.name for field in FIELDS]
NUMBER = st.one_of(
    st.just(float("nan")),
    st.sampled_from([0.0, 1.0, 5.0]),
    st.floats(-5.0, 60.0),
    st.floats(allow_nan=False, allow_infinity=False),
)
CATEGORY = st.sampled_from(["basic", "plus", "max", "north", "south", "", "Basic", "überall", None, float("nan")])
ANY_ROWS = st.lists(
    st.fixed_dictionaries({field.name: NUMBER if field.kind == "number" else CATEGORY for field in FIELDS}),
    min_size=1,
    max_size=8,
)


def customers(rows: int, seed: int, snapshot: str = "2024-01") -> pd.DataFrame:
    """Labelled rows: failed payments, falling usage, a missing region and what is missing or the same all matter."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "customer_id": [f"{seed}-{i:05d}" for i in range(rows)],
            "snapshot": snapshot,
            "plan": random.choice(
                np.array(["basic", "plus", "max", "forgotten"], object), rows, p=[0.5, 0.3, 0.15, 0.05]
            ),
            "failed_payments": random.poisson(0.6, rows).astype(float),
            "region": random.choice(np.array(["north", "south", None], object), rows, p=[0.5, 0.3, 0.2]),
            "usage": np.where(random.random(rows) < 0.2, np.nan, random.gamma(2.0, 10.0, rows)),
            "heavy_tailed": np.exp(3.0 * random.standard_normal(rows)),
            "same_or_missing": np.where(random.random(rows) < 0.5, 1.0, np.nan),
            "always_the_same": 5.0,
            "never_known": np.nan,
            "price": random.choice([20.0, 50.0], rows),
        }
    )
    score = 0.8 * frame["failed_payments"] - 0.04 * frame["usage"].fillna(0.0) - 1.5
    score += np.where(frame["region"].isna(), 1.0, 0.0) + np.where(frame["same_or_missing"].isna(), 0.7, 0.0)
    return frame.assign(churned=random.random(rows) < sigmoid(score.to_numpy()))


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame of the types that models expect."""
    kinds = {field.name: "float64" if field.kind == "number" else "object" for field in FIELDS}
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kinds[name]) for name in NAMES})


def made_up_split(rows: int = 700) -> Split:
    """Four months of training, two to calibrate, one to test."""
    months = [customers(rows, seed, f"2024-{seed:02d}") for seed in range(1, 8)]
    train, calibration = (pd.concat(part, ignore_index=True) for part in (months[:4], months[4:6]))
    return Split(train, calibration, months[6])
