"""What callers of the service sent in the month, beside what the batch had computed when the month began."""

from typing import Any

from monitoring.evidence import Evidence
from monitoring.skew import Skew, skew_evidence, skew_of
from monitoring.watched import WatchedMonth
from pipeline.calendar import month_after, month_start
from pipeline.prediction_log import read_online


def skew_of_month(watched: WatchedMonth) -> Skew | None:
    """How what was sent differs; None where nobody asked, or where there was no month before."""
    before = month_after(watched.key, -1)
    if not watched.lake.path("features", "customers", before).exists():
        return None
    engine = watched.engine()
    first, end = month_start(watched.key), month_start(month_after(watched.key))
    log = read_online(engine, watched.dataset.name, first, end, root=watched.root)
    engine.dispose()
    if log.empty:
        return None
    features = watched.lake.read("features", "customers", before).to_pandas()
    return skew_of(watched.key, log, features, watched.dataset.fields())


def skew_as_dict(found: Skew | None) -> dict[str, Any]:
    """The figures as they are kept."""
    if found is None:
        return {}
    fields = [dict(vars(field)) for field in found.fields]
    return {"customers": found.customers, "unknown": found.unknown, "fields": fields}


def evidence_of_skew(watched: WatchedMonth, found: Skew | None) -> list[Evidence]:
    """What of it somebody must know; it speaks against the callers, whichever release answers them."""
    if found is None:
        return []
    sources = {feature.name: feature.table for feature in watched.dataset.features}
    return skew_evidence(found, sources)
