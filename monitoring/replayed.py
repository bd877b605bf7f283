"""What is noted of a month when it has been replayed: everything that the page about the replay shows."""

from typing import Any

from monitoring.figures import read_figures
from monitoring.watched import WatchedMonth
from pipeline.errors import ReleaseError
from pipeline.pointer import read_pointer
from pipeline.serving_order import read_order


def month_as_noted(watched: WatchedMonth) -> dict[str, Any]:
    """The month's decision and evidence, what was estimated, what was realised of earlier months, and what answers."""
    decided = read_figures(watched.lake, "decisions", watched.key) or {}
    estimated = read_figures(watched.lake, "estimated", watched.key) or {}
    realised = read_figures(watched.lake, "realised", watched.key) or {}
    pointer = read_pointer(watched.releases)
    return {
        "month": watched.key,
        "decision": decided.get("decision"),
        "evidence": decided.get("evidence", []),
        "estimated": estimated.get("metrics", {}),
        "estimated_of": estimated.get("release"),
        "realised": {
            result["snapshot"]: {"release": result["release"], **result["figures"][0]["metrics"]}
            for result in realised.get("results", [])
        },
        "release": pointer.release if pointer else None,
        "promoted": bool(pointer and pointer.history[-1].release.startswith(watched.key)),
        "served_by": _served_by(watched),
    }


def _served_by(watched: WatchedMonth) -> str:
    try:
        order = read_order(watched.root)
    except ReleaseError:
        return "champion"
    return "rule" if order is not None and order.wants_rule else "champion"
