"""Replays that nobody played: outcomes as the replay writes them, made up by hand, for the page about them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.calendar import month_after
from pipeline.lake import lake_of, write_json
from pipeline.settings import Settings
from pipeline.simulator.scenarios import SCENARIOS, dataset_name

FIRST = "2025-04"
LOSS = "{}: log loss 0.139 (0.121 to 0.158), estimated 0.104 (0.089 to 0.120)"
MOVED = "{}: level: bill_mean_3m of invoices: bill_mean_3m moved: mean 31.2 -> 33.9 (shift 0.27, alarm above 0.11)"
SILENT = "{}: payments: no row for the last 3.5 days of the month"
REFUSED = "customers.payment_method: 38 % of the values are outside the declared categories, 'credit_card' among them"
LESS = "{}: estimated profit 6,066 (3,930 to 8,049), 10,481 at the rate of the release's test months"
SAYS = {"realised_below_estimate": LOSS, "drift": MOVED, "volume": SILENT, "estimated_loss": LESS}


def interval(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def figures(place: int, noise: float) -> dict[str, Any]:
    """What is estimated or realised of a month, each off by its own share of `noise`."""
    wave = math.sin(place)
    return {
        "roc_auc": interval(0.835 + 0.01 * wave + 0.02 * noise, 0.04),
        "log_loss": interval(0.106 - 0.004 * wave + 0.005 * noise, 0.016),
        "brier": interval(0.026, 0.004),
        "profit": interval(8_200 + 900 * wave + 1_500 * noise, 2_300),
    }


def made_up(
    scenario: str = "calm",
    months: int = 24,
    *,
    evidence: Mapping[int, Sequence[str]] | None = None,
    trained: Mapping[int, bool] | None = None,
    by_rule: Sequence[int] = (),
    repaired: Sequence[int] = (),
) -> dict[str, Any]:
    """An outcome.

    Args:
        scenario: whose events happen.
        months: how many were played.
        evidence: the kinds seen, by place from 1.
        trained: the places that started a training, and whether its release was promoted.
        by_rule: the places at whose end the rule answered.
        repaired: the places whose feed had to be repaired.
    """
    evidence, trained = evidence or {}, trained or {}
    keys, release, noted = [month_after(FIRST, i) for i in range(months)], "2025-03-4e2c9f339e7c", []
    scored_by: dict[str, str] = {}
    for place, key in enumerate(keys, start=1):
        release = f"{key}-0123456789ab" if trained.get(place) else release
        scored_by[key] = "rule" if place in by_rule else release
        before = keys[place - 2] if place > 1 else "2025-03"
        kinds = evidence.get(place, ())
        reasons = [SAYS.get(kind, "{}: something else").format(key) for kind in kinds]
        noted.append(
            {
                "month": key,
                "decision": {
                    "action": _action(place, kinds, trained, by_rule),
                    "last_training": None,
                    "month": key,
                    "quiet_months": 0,
                    "reasons": reasons,
                    "since": key,
                    "starts_training": place in trained,
                },
                "evidence": [
                    {"kind": kind, "month": key, "release": release, "says": says}
                    for kind, says in zip(kinds, reasons, strict=True)
                ],
                "estimated": figures(place, 0.0),
                "realised": {
                    before: {"release": scored_by.get(before, release), **figures(place - 1, math.sin(7 * place))}
                },
                "release": release,
                "promoted": bool(trained.get(place)),
                "served_by": "rule" if place in by_rule else "champion",
                "repairs": [REFUSED] if place in repaired else [],
            }
        )
    return {
        "scenario": scenario,
        "description": SCENARIOS[scenario].description,
        "customers": 5000,
        "currency": "USD",
        "months": noted,
        "happened": [dict(vars(event)) for event in SCENARIOS[scenario].what_happened],
        "values": values(keys, min(trained, default=months)),
    }


def _action(place: int, kinds: Sequence[str], trained: Mapping[int, bool], by_rule: Sequence[int]) -> str:
    if place in by_rule:
        return "fall_back"
    return "retrain" if place in trained else "watch" if kinds else "nothing"


def values(keys: Sequence[str], better_from: int) -> dict[str, Any]:
    """What each way earned, where training pays from a place on."""
    places = range(1, len(keys) + 1)
    truth = [12_000 + 1_200 * math.sin(place) for place in places]
    never = [0.86 * best - 90 * max(0, place - better_from) for place, best in zip(places, truth, strict=True)]
    pipeline = [
        each if place <= better_from else 0.85 * best for place, each, best in zip(places, never, truth, strict=True)
    ]
    monthly = [0.845 * best + 60 * math.cos(3 * place) for place, best in zip(places, truth, strict=True)]
    profit = {
        "never retrained": never,
        "this pipeline": pipeline,
        "retrained every month": monthly,
        "the best possible": truth,
    }
    total = {way: sum(each) for way, each in profit.items()}
    earned = total["this pipeline"]
    more = {way: interval(earned - total[way], 1_100.0) for way in total if way != "this pipeline"}
    share = interval(earned / total["the best possible"], 0.02)
    return {"months": list(keys), "profit": profit, "total": total, "share": share, "more": more}


def competitor() -> dict[str, Any]:
    """A competitor in month 7: found in month 9, the rule answers twice, one training refused and two promoted."""
    loss = ["realised_below_estimate"]
    return made_up(
        "competitor",
        evidence={3: ["volume"], 9: loss, 10: [*loss, "drift"], 11: loss, 18: ["drift"], 19: ["estimated_loss"]},
        trained={9: False, 11: True, 19: True},
        by_rule=[9, 10],
    )


def broken_feed() -> dict[str, Any]:
    """Five damages, three of which stop the month."""
    return made_up("broken_feed", evidence={5: ["volume", "drift"], 11: ["volume"]}, repaired=[9, 13, 17])


def written(found: Mapping[str, Any], home: Path) -> Settings:
    """The settings under which an outcome lies where its replay would have written it."""
    settings = Settings(home=str(home), dataset=dataset_name(found["scenario"]))
    write_json(lake_of(settings, settings.dataset).root / "replay" / "outcome.json", json.loads(json.dumps(found)))
    return settings
