"""The company of the gate's tests, month by month, with a release, a batch and labels: what monitoring looks at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa

from monitoring.decisions import MonitoringDecision
from monitoring.month import LOOKS, decide_month, evidence_of, look
from monitoring.reference import reference_for
from monitoring.watched import WatchedMonth
from pipeline.calendar import Monthly
from pipeline.call_list import build_call_list, predictions_of, write_call_list
from pipeline.lake import lake_of
from pipeline.pointer import generation_of, promote
from pipeline.prediction_log import log_batch
from pipeline.release import Release, write_release
from pipeline.scoring import Scorer
from pipeline.settings import Settings
from pipeline.state import state_engine
from tests import gate_world as world

DATASET = world.company(calendar=Monthly(first="2024-01", months=12, history_months=1))
MADE_OF = ("2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06")
BEFORE, NOW = "2024-07", "2024-08"  # the outcome of the first is known when the second closes
GOOD = world.card(DATASET)
BAD = world.card(DATASET, {"failed_payments": -1.0, "usage": 0.1})  # every sign is wrong
FLAT = world.card(DATASET, {"failed_payments": 0.5, "usage": -0.1})
Change = Callable[[pd.DataFrame], pd.DataFrame]


def as_it_is(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def live(settings: Settings, key: str, change: Change = as_it_is) -> None:
    """The features of a month and, for the month after, its labels."""
    lake, rows = lake_of(settings, DATASET.name), change(world.rows(int(key[-2:]), (key,)).copy())
    names = ["customer_id", *(field.name for field in DATASET.fields())]
    lake.write(pa.Table.from_pandas(rows[names], preserve_index=False), "features", "customers", key)
    labels = rows[["customer_id", "churned"]]
    lake.write(pa.Table.from_pandas(labels, preserve_index=False), "labels", "customers", key)
    lake.write(pa.table({"customer_id": rows["customer_id"].tolist()}), "raw", "customers", key)


def crowned(
    settings: Settings,
    scorer: Scorer,
    *,
    run_key: str = world.RUN_KEY,
    profit: Mapping[str, float] = MappingProxyType({"value": 8_000.0, "low": 7_000.0, "high": 9_000.0}),
    tested: Sequence[str] = ("2024-05", "2024-06"),
) -> Release:
    """The champion, with the months that it was made of to compare with."""
    lake = lake_of(settings, DATASET.name)
    releases = Path(str(lake.root)) / "releases"
    reference = reference_for(DATASET, lake, MADE_OF, scorer).as_dict()
    report: dict[str, Any] = {
        "rungs": {scorer.name: {"profit": dict(profit)}},
        "rows": 2_000 * len(tested),
        "snapshots": list(tested),
        "parts": [{"name": "train", "snapshots": ["2024-01", "2024-02", "2024-03"]}],
    }
    contents = replace(world.contents_of(DATASET, scorer, report), drift=reference)
    release = write_release(releases, contents, world.origin(run_key=run_key))
    promote(releases, release.id, generation_of(releases), "for the test", at=datetime(2024, 7, 1))
    return release


def score(settings: Settings, release: Release, key: str) -> pa.Table:
    """The batch of a month, in the log."""
    lake = lake_of(settings, DATASET.name)
    scores, listed = build_call_list(lake, release, key, holdout_share=settings.holdout_share)
    write_call_list(lake, scores, listed, key)
    engine = state_engine(settings, lake)
    told = predictions_of(DATASET, lake, scores, key, predicted_at=datetime(2024, 8, 1))
    log_batch(engine, told, dataset=DATASET.name, snapshot=key, release=release.id)
    engine.dispose()
    return scores


def watched(settings: Settings, key: str = NOW) -> WatchedMonth:
    return WatchedMonth(DATASET, settings, key)


def seen(settings: Settings, key: str = NOW) -> MonitoringDecision:
    """Look at a month from every side, and decide."""
    month = watched(settings, key)
    for kind in LOOKS:
        look(month, kind)
    return decide_month(month)


def kinds(settings: Settings, key: str = NOW) -> set[str]:
    return {each.kind for each in evidence_of(watched(settings, key), key)}
