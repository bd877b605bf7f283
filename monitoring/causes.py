"""From alarms to messages: one for each cause, not one for each field.

Alarms belong together when they are of one field, of fields of one source table, of fields that go together in the
reference, or of the two numbers of a relation that changed. Where many sources moved at once it is the customers who
changed, and that is one message too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from monitoring.distances import CHANNELS, Channel, Distances, names_of
from monitoring.sketches import UNKNOWN
from monitoring.stack import Layout, Stack
from monitoring.thresholds import DriftThresholds
from pipeline.economics import FloatArray

Kind = Literal["missing", "zeroed", "unknown values", "unit", "level", "spread", "mix", "relation", "population"]
GRAVITY: tuple[Kind, ...] = ("missing", "unknown values", "zeroed", "unit", "level", "spread", "mix", "relation")
"""What explains a field that several channels saw: the first that applies."""
GO_TOGETHER = 0.5  # a correlation from which two fields are taken to say the same
MANY_GROUPS = 3
MOST_NAMED = 3
IS_ONE_FACTOR = 0.25  # share of the shift that multiplying by one factor must leave over at most


@dataclass(frozen=True)
class Comparison:
    """A month beside its reference; `before` and `now` have one month, `distances` none."""

    key: str
    layout: Layout
    before: Stack
    now: Stack
    distances: Distances


@dataclass(frozen=True)
class Move:
    """One distance beyond its threshold. `says` is the change in the field's own terms."""

    channel: Channel
    fields: tuple[str, ...]
    distance: float
    threshold: float
    kind: Kind
    says: str

    @property
    def times_threshold(self) -> float:
        """How far beyond."""
        return self.distance / self.threshold


@dataclass(frozen=True)
class Finding:
    """One cause: what moved, strongest first, and a sentence about it."""

    key: str
    kind: Kind
    source: str
    fields: tuple[str, ...]
    moves: tuple[Move, ...]
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return asdict(self)


def found_causes(seen: Comparison, thresholds: DriftThresholds, sources: Mapping[str, str]) -> list[Finding]:
    """One finding for each cause, the strongest first."""
    moves = _moves(seen, thresholds)
    groups = _groups(moves, seen, sources)
    if len(groups) >= MANY_GROUPS:
        return [_finding(seen.key, "population", moves, sources)]
    findings = [_finding(seen.key, None, [m for m in moves if m.fields[0] in group], sources) for group in groups]
    return sorted(findings, key=lambda finding: -finding.moves[0].times_threshold)


def _moves(seen: Comparison, thresholds: DriftThresholds) -> list[Move]:
    """Everything beyond its threshold, strongest first."""
    found = []
    for channel in CHANNELS:
        limits = thresholds.values.get(channel, {})
        for place, name in enumerate(names_of(channel, seen.layout)):
            distance = float(seen.distances[channel][place])
            if name in limits and distance > limits[name]:
                kind, says = _described(channel, place, seen)
                found.append(Move(channel, tuple(name.split("~")), distance, limits[name], kind, says))
    return sorted(found, key=lambda move: -move.times_threshold)


def _groups(moves: Sequence[Move], seen: Comparison, sources: Mapping[str, str]) -> list[set[str]]:
    """Fields that moved, in groups that share a cause."""
    moved = list(dict.fromkeys(field for move in moves for field in move.fields))
    links = [set(move.fields) for move in moves]
    links += [{a, b} for a in moved for b in moved if a < b and a in sources and sources[a] == sources.get(b)]
    together = np.abs(np.nan_to_num(seen.before.correlations[0])) >= GO_TOGETHER
    pairs = [set(pair) for pair, linked in zip(seen.layout.pairs, together, strict=True) if linked]
    links += [pair for pair in pairs if pair <= {*moved}]
    groups = [{field} for field in moved]
    for link in links:
        joined = [group for group in groups if group & link]
        groups = [group for group in groups if not group & link] + [set().union(*joined)]
    return groups


def _finding(key: str, kind: Kind | None, moves: Sequence[Move], sources: Mapping[str, str]) -> Finding:
    alone = [move for move in moves if len(move.fields) == 1]
    kinds: list[Kind] = sorted((move.kind for move in moves), key=GRAVITY.index)
    kind = kind or kinds[0]
    fields = tuple(dict.fromkeys(move.fields[0] for move in alone)) or _focus(moves)
    source = ", ".join(sorted({sources[field] for field in fields if field in sources}))
    return Finding(key, kind, source, fields, tuple(moves), _message(key, kind, moves, fields, source))


def _focus(moves: Sequence[Move]) -> tuple[str, ...]:
    """The fields that explain changed relations: each time the one in most of those that are left."""
    left, focus = [set(move.fields) for move in moves], []
    while left:
        names = [field for pair in left for field in sorted(pair)]
        focus.append(max(dict.fromkeys(names), key=names.count))
        left = [pair for pair in left if focus[-1] not in pair]
    return tuple(focus)


def _message(key: str, kind: Kind, moves: Sequence[Move], fields: Sequence[str], source: str) -> str:
    headline = next(move for move in moves if kind in (move.kind, "population"))
    more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
    named = ", ".join(fields[:MOST_NAMED]) + more
    whose = f" of {source}" if source else ""
    limit = f"{headline.channel} {headline.distance:.3g}, alarm above {headline.threshold:.3g}"
    return f"{key}: {kind}: {named}{whose}: {headline.says} ({limit})"


def _described(channel: Channel, place: int, seen: Comparison) -> tuple[Kind, str]:
    layout, before, now = seen.layout, seen.before, seen.now
    if channel == "shift":
        return _described_shift(layout.numbers[place], before.quantiles[0, place], now.quantiles[0, place])
    if channel == "category":
        return _described_mix(layout.categories[place], seen)
    if channel == "spread":
        sds = [stack.quantiles[0, place].std() for stack in (before, now)]
        return "spread", f"standard deviation of {layout.numbers[place]} {sds[0]:.4g} -> {sds[1]:.4g}"
    if channel == "correlation":
        a, b = layout.pairs[place]
        r = [stack.correlations[0, place] for stack in (before, now)]
        return "relation", f"correlation of {a} and {b} {r[0]:.2f} -> {r[1]:.2f}"
    lost: Kind = "missing" if channel == "missing" else "zeroed"
    shares = [(stack.missing if channel == "missing" else stack.zeros)[0, place] for stack in (before, now)]
    says = f"share of {lost} values in {layout.numbers[place]} {shares[0]:.1%} -> {shares[1]:.1%}"
    return lost if shares[1] > shares[0] else "level", says  # more that is known is no damage: something happened


def _described_shift(name: str, before: FloatArray, now: FloatArray) -> tuple[Kind, str]:
    factor = float(before @ now / (before @ before)) if before.any() else 1.0
    apart, left = np.abs(now - before).mean(), np.abs(now - factor * before).mean()
    means = f"mean {before.mean():.4g} -> {now.mean():.4g}"
    if left <= IS_ONE_FACTOR * apart:
        return "unit", f"{name} is about {factor:.3g} times what it was ({means})"
    return "level", f"{name} moved: {means}"


def _described_mix(name: str, seen: Comparison) -> tuple[Kind, str]:
    shares = {
        value: (seen.before.shares[0, i], seen.now.shares[0, i])
        for i, (field, value) in enumerate(seen.layout.shares)
        if field == name
    }
    value = max(shares, key=lambda each: abs(shares[each][1] - shares[each][0]))
    grew = shares[UNKNOWN][1] - shares[UNKNOWN][0] if UNKNOWN in shares else 0.0
    says = f"share of {value} in {name} {shares[value][0]:.1%} -> {shares[value][1]:.1%}"
    half = sum(abs(now - before) for before, now in shares.values()) / 4
    return ("unknown values" if grew > half else "mix"), says
