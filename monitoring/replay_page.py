"""The page about a replay: what it came to, its course, what was estimated, what alarms were worth, and each month."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from monitoring import replay_words as words
from monitoring.hindsight import Alarm, Fate, Hindsight
from monitoring.page import Picture, chip, figure, page, table, text, tiles
from pipeline.replay_estimates import METRICS, estimator_error
from pipeline.replay_outcome import BY_RULE, Outcome, PlayedMonth
from pipeline.replay_plots import letter
from pipeline.wording import readable, sentence

CHIPS: Mapping[str, str] = {"found": "good", "missed": "bad"}


def replay_page(outcome: Outcome, hindsight: Hindsight, *, course: Picture, estimates: Picture) -> str:
    """The whole page as HTML."""
    return page(
        f"Replay of {readable(outcome.scenario)}",
        [
            *_top(outcome, hindsight),
            text("h2", "Profit by month"),
            figure(course),
            _events(outcome, hindsight.fates),
            text("h2", "Estimated before labels, and realised"),
            figure(estimates),
            _errors(outcome),
            text("p", words.BLIND, "quiet"),
            text("h2", "Alarms against what really happened"),
            _alarms(outcome, hindsight),
            text("h2", "Month by month"),
            _months(outcome),
            text("h2", "How the figures are made"),
            f"<ol class='plain-list'>{''.join(text('li', each) for each in words.HOW_MADE)}</ol>",
        ],
    )


def _top(outcome: Outcome, hindsight: Hindsight) -> list[str]:
    about = (
        f"Replay of {readable(outcome.scenario)}: {words.months(len(outcome.months))} "
        f"({words.span(outcome.keys)}) of {outcome.customers:,} customers"
    )
    return [
        text("p", about, "above"),
        text("h1", words.verdict(outcome, hindsight)),
        tiles(words.tiles_of(outcome, hindsight)),
        text("p", outcome.description, "quiet"),
    ]


def _events(outcome: Outcome, fates: Sequence[Fate]) -> str:
    """What really happened, by letter, and what became of it."""
    if not outcome.met:
        return text("p", "Nothing special happened in these months: any alarm is a false one.", "quiet")
    items = [
        f"<li>{text('span', letter(number), 'letter')} <b>{escape(words.event_months(event, outcome.keys))}</b> "
        f"{escape(event.says)} {chip(words.fate(fate), CHIPS.get(fate.state, 'plain'))}</li>"
        for number, (event, fate) in enumerate(zip(outcome.met, fates, strict=True))
    ]
    return f'<ul class="events">{"".join(items)}</ul>'


def _errors(outcome: Outcome) -> str:
    rows = [words.error_row(metric, estimator_error(outcome, metric), outcome.currency) for metric in METRICS]
    columns = ("realised less estimated", "months", "mean", "spread (sd)", "inside the range")
    return table(columns, [[escape(cell) for cell in row] for row in rows], "narrow", numbers=4)


def _alarms(outcome: Outcome, hindsight: Hindsight) -> str:
    """The months in which something happened, was seen or was done; runs of quiet ones as a row."""
    by_month = {alarm.month: alarm for alarm in hindsight.alarms}
    columns = ("month", "really happened", "seen", "decided", "verdict")
    return table(columns, _alarm_rows(outcome, by_month), "cards")


def _alarm_rows(outcome: Outcome, alarms: Mapping[str, Alarm]) -> Iterator[list[str]]:
    quiet: list[str] = []
    for place, month in enumerate(outcome.months, start=1):
        begins = [i for i, event in enumerate(outcome.met) if event.place == place]
        alarm = alarms.get(month.month)
        if alarm is None and not begins and not month.is_trained:
            quiet.append(month.month)
            continue
        yield from _quiet(quiet)
        quiet = []
        yield [
            escape(month.month),
            "".join(f"<p>{text('span', letter(i), 'letter')} {escape(outcome.met[i].says)}</p>" for i in begins),
            _seen(month),
            _decided(month),
            "" if alarm is None else chip(words.explained(alarm), "bad" if alarm.is_false else "good"),
        ]
    yield from _quiet(quiet)


def _quiet(keys: Sequence[str]) -> Iterator[list[str]]:
    if keys:
        yield [escape(words.span(keys)), "", text("span", "nothing", "quiet"), "", ""]


def _seen(month: PlayedMonth) -> str:
    """Causes by kind, each with its sentences."""
    by_kind: dict[str, list[str]] = {"the contract stopped the month": list(month.repairs)} if month.repairs else {}
    for seen in month.evidence:
        by_kind.setdefault(readable(seen.kind), []).append(words.without_month(seen.says, month.month))
    said = [f"<p><b>{escape(sentence(kind))}</b>: {escape('; '.join(says))}</p>" for kind, says in by_kind.items()]
    return "".join(said) or text("span", "nothing", "quiet")


def _decided(month: PlayedMonth) -> str:
    rule = ["the rule answers"] if month.served_by == BY_RULE else []
    said = [words.decided(month), *words.own_reasons(month), *rule]
    return "".join(text("p", each) for each in said)


def _months(outcome: Outcome) -> str:
    rows = [
        [
            escape(month.month),
            escape(month.release or "none"),
            escape(readable(month.decision.action) if month.decision else "none"),
            ("promoted" if month.promoted else "refused") if month.is_trained else "",
            "the rule" if month.served_by == BY_RULE else "the release",
            "repaired" if month.repairs else "",
        ]
        for month in outcome.months
    ]
    return table(("month", "release at its end", "decision", "trained", "answers", "feed"), rows, "narrow")
