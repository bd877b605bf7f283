"""What each way of running the company would have earned in a replayed month, by the truth: a benchmark of the project.

All ways choose among the same customers, within the same budget, and are valued alike: by what their contacts are
expected to earn under the true probabilities. The control group counts as chosen for all of them, because all of them
would need one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.bootstrap import Interval, percentile_interval
from pipeline.candidates import Run
from pipeline.datasets.registry import load_dataset
from pipeline.economics import FloatArray, contacts
from pipeline.lake import read_parquet
from pipeline.release import Release, load_release
from pipeline.replay_outcome import BEST, MONTHLY, NEVER, PIPELINE, WAYS
from pipeline.scored import scored_month
from pipeline.settings import Settings
from pipeline.training import fit_with

ROUNDS = 1_000


def value_month(settings: Settings, key: str, first_release: str) -> str:
    """Keep who each way would have chosen in a month and what each customer was worth; says what it did.

    Args:
        settings: which world.
        key: the month, whose call list is written.
        first_release: the release of the way that never trains again; the one that trains every month has its rung and
            its settings, and asks no gate.
    """
    run = Run(load_dataset(settings), settings, key)
    first = load_release(run.releases / first_release)
    scored = scored_month(run.lake, first, key)
    true = _truth(run, scored.customers)
    worth = scored.payoffs.expected(true)
    listed = run.lake.read("scores", "customers", key).to_pandas().set_index("customer_id").loc[list(scored.customers)]
    chosen = {
        NEVER: contacts(scored.payoffs.expected(scored.probability), scored.budget),
        PIPELINE: (listed["contact"] | listed["holdout"]).to_numpy(dtype=bool),
        MONTHLY: contacts(scored.payoffs.expected(_fresh(run, first)), scored.budget),
        BEST: contacts(worth, scored.budget),
    }
    columns = {"customer_id": pa.array(scored.customers, type=pa.string()), "worth": worth}
    run.lake.write(pa.table(columns | chosen), "replay", "choices", key)
    return f"valued {key}"


def values_of(run: Run, keys: Sequence[str]) -> dict[str, Any]:
    """Expected profit of each way by month, their sums, and how much more than the others this pipeline earned.

    Intervals are those of a bootstrap over customers, whose months come and go together.
    """
    months = [run.lake.read("replay", "choices", key).to_pandas() for key in keys]
    by_month = {way: [float(month["worth"][month[way]].sum()) for month in months] for way in WAYS}
    totals = _by_customer(months)
    random = np.random.default_rng(run.settings.seed)
    drawn = _drawn(totals, random)
    sums = {way: float(values.sum()) for way, values in totals.items()}
    more = {
        way: percentile_interval(sums[PIPELINE] - sums[way], drawn[PIPELINE] - drawn[way])
        for way in WAYS
        if way != PIPELINE
    }
    share = percentile_interval(sums[PIPELINE] / sums[BEST], drawn[PIPELINE] / drawn[BEST])
    return {"months": list(keys), "profit": by_month, "total": sums, "share": vars(share), "more": _plain(more)}


def _truth(run: Run, customers: NDArray[np.object_]) -> FloatArray:
    """The true probability of each customer, as the world wrote it apart."""
    truth = read_parquet(run.lake.root / "truth" / f"{run.key}.parquet").to_pandas().set_index("customer_id")
    return truth["churn_probability"].loc[list(customers)].to_numpy(dtype=np.float64)


def _fresh(run: Run, first: Release) -> FloatArray:
    """What a model says that was trained on everything known when the month closed."""
    rung = first.manifest.rung
    trained = Run(run.dataset, run.settings, first.manifest.run_key).rung_folder(rung) / "training.json"
    parameters = json.loads(trained.read_bytes())["parameters"]
    scorer = fit_with(rung, run.dataset, run.split, parameters, run.settings).scorer  # type: ignore[arg-type]
    scored = scored_month(run.lake, first, run.key)
    return scorer.probability(scored.columns, len(scored))


def _by_customer(months: Sequence[Any]) -> dict[str, FloatArray]:
    """What each customer earned over all months, by way, shape (customers,)."""
    import pandas as pd

    every = pd.concat(months, ignore_index=True)
    codes, names = pd.factorize(every["customer_id"])
    worth = every["worth"].to_numpy(dtype=np.float64)
    earned = {way: worth * every[way].to_numpy(dtype=bool) for way in WAYS}
    return {way: np.bincount(codes, values, len(names)).astype(np.float64) for way, values in earned.items()}


def _drawn(totals: Mapping[str, FloatArray], random: np.random.Generator) -> dict[str, FloatArray]:
    """Sums over customers drawn anew, the same draws for all ways, shape (ROUNDS,)."""
    matrix = np.stack([totals[way] for way in WAYS])
    rows = np.stack([matrix @ random.poisson(1.0, matrix.shape[1]) for _ in range(ROUNDS)])
    return {way: rows[:, place] for place, way in enumerate(WAYS)}


def _plain(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {way: dict(vars(interval)) for way, interval in intervals.items()}
