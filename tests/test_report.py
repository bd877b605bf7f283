"""The page about a replay: what it says, that it needs nothing but itself, and the asset that shows it in Dagster."""

import json
import math
import re
import struct
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from assets import cli
from assets.definitions import build_definitions
from assets.replay_summary import show
from assets.report import made_report, write_report
from monitoring import replay_words as words
from monitoring.hindsight import judged
from monitoring.page import Picture, table, text
from monitoring.replay_page import replay_page
from pipeline import value_replay
from pipeline.bootstrap import Interval
from pipeline.datasets.registry import load_dataset
from pipeline.errors import SourceError
from pipeline.plot_sheets import NARROW, WIDE, key_rows
from pipeline.plot_style import DPI
from pipeline.replay_estimates import estimator_error
from pipeline.replay_outcome import WAYS, Outcome, outcome_of
from pipeline.settings import Settings
from pipeline.simulator.scenarios import Event
from tests.replays import REFUSED, broken_feed, competitor, made_up, written

MOST_BYTES = 600_000


class Page(HTMLParser):
    """The texts of a page by tag, and everything that it would load."""

    VOID = {"meta", "img", "source"}

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


NO_PICTURE = Picture(b"", b"", "nothing to be seen")


def page_of(found: dict[str, Any]) -> tuple[str, Page]:
    """The page with no pictures, which take a second to draw."""
    hindsight = judged(found["months"], found["happened"])
    html = replay_page(outcome_of(found), hindsight, course=NO_PICTURE, estimates=NO_PICTURE)
    return html, Page(html)


def whole_page_of(found: dict[str, Any], home: Path) -> tuple[str, Page]:
    settings = written(found, home)
    html = write_report(load_dataset(settings), settings).read_text()
    return html, Page(html)


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """The outcome with parts of every month emptied."""
    return found | {"months": [month | {name: type(month[name])() for name in names} for month in found["months"]]}


# ---- the page


def test_the_page_says_what_it_came_to_in_one_sentence() -> None:
    _, page = page_of(competitor())
    assert (
        "This pipeline earned 85.4 % (83.4 to 87.4 %) of the best possible, 9,023 USD (7,923 to 10,123) more than "
        "never retrained and 2,602 USD (1,502 to 3,702) more than retrained every month; it trained 3 times, and 6 "
        "months raised alarms, 3 of them falsely (1.5 a year)."
    ) in page.said


def test_the_page_needs_no_script_no_host_and_no_other_file(tmp_path: Path) -> None:
    html, page = whole_page_of(competitor(), tmp_path)
    assert page.loaded != []
    assert all(loaded.startswith("data:image/png;base64,") for loaded in page.loaded)
    assert not page.tags & {"script", "link", "iframe", "object", "form"}
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|url\(|@import", html)
    assert len(html.encode()) < MOST_BYTES


def test_alarms_stand_beside_what_happened_what_was_decided_and_what_explains_them() -> None:
    html, page = page_of(competitor())
    rows = [re.sub(r"<[^>]+>", " ", row) for row in re.findall("<tr>(.*?)</tr>", html)]
    row = next(row for row in rows if row.strip().startswith("2025-12"))
    assert "Realised below estimate : log loss 0.139 (0.121 to 0.158)" in row
    assert "fall back: trained, the gate refused it" in row
    assert "the rule answers" in row
    assert "explained by A" in row
    assert "found in 2025-12, 2 months after it began" in page.said
    assert any("2025-07 to 2025-09" in row and "nothing" in row for row in rows)


def test_a_feed_that_was_repaired_says_why_the_contract_stopped_it() -> None:
    _, page = page_of(broken_feed())
    assert f"The contract stopped the month : {REFUSED}" in page.said
    assert "found in 2025-12, at once" in page.said


@pytest.mark.parametrize(
    "found",
    [
        made_up(months=1),
        made_up("competitor", 5),
        without(made_up(months=6), "estimated"),
        without(made_up(months=6), "realised"),
        without(made_up(months=6), "estimated", "realised"),
        made_up("price_rise") | {"happened": []},
    ],
    ids=["a month", "before it happens", "not estimated", "not realised", "neither", "nothing happened"],
)
def test_every_replay_has_a_page(found: dict[str, Any], tmp_path: Path) -> None:
    html, page = whole_page_of(found, tmp_path)
    assert "This pipeline earned" in page.said
    assert not re.search(r"\bnan\b|\bNone\b", page.said)
    assert len(html.encode()) < MOST_BYTES


def test_a_month_in_which_nothing_was_estimated_or_decided_is_left_out_of_what_needs_it() -> None:
    found = made_up(months=6)
    found["months"][2] |= {"estimated": {}, "decision": None, "release": None}
    found["months"][4]["estimated"]["roc_auc"] = {"value": None, "low": None, "high": None}
    outcome = outcome_of(found)
    assert [*outcome.errors("log_loss")] == ["2025-04", "2025-05", "2025-07", "2025-08"]  # 2025-09 has not matured
    assert [*outcome.errors("roc_auc")] == ["2025-04", "2025-05", "2025-07"]
    _, page = page_of(found)
    assert not re.search(r"\bnan\b|\bNone\b", page.said)


def test_what_looks_like_html_is_shown_and_not_obeyed() -> None:
    found = made_up(evidence={2: ["drift"]})
    found["months"][1]["evidence"][0]["says"] = "<script>alert(1)</script>"
    found["description"] = '"><img src=x>'
    html, page = page_of(found)
    assert "script" not in page.tags
    assert "&lt;script&gt;" in html
    assert '"><img src=x>' in page.said


def test_the_same_outcome_gives_the_same_page(tmp_path: Path) -> None:
    assert whole_page_of(competitor(), tmp_path / "a")[0] == whole_page_of(competitor(), tmp_path / "b")[0]


# ---- what is wrong with the input


def test_without_a_replay_the_error_says_how_to_play_one(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), dataset="simulated_season")
    with pytest.raises(SourceError, match=r"found none\. Run `churn replay --scenario season` first"):
        write_report(load_dataset(settings), settings)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda found: found["months"][1].pop("served_by"), r"months\.1\.served_by: Field required"),
        (lambda found: found["values"]["profit"]["the best possible"].pop(), "4 months, and profit of"),
        (lambda found: found.update(months=None), "months: TypeError"),
        (lambda found: found["months"][1]["realised"].update({"2025-01": {}}), "months: KeyError"),
        (lambda found: found.pop("values"), "values: Field required"),
    ],
)
def test_an_outcome_that_cannot_be_read_is_refused_with_the_place(broken: Any, said: str, tmp_path: Path) -> None:
    found = made_up(months=4)
    broken(found)
    settings = written(found, tmp_path)
    with pytest.raises(SourceError, match=said) as error:
        write_report(load_dataset(settings), settings)
    assert "churn replay --scenario calm" in error.value.remedy


def test_a_file_that_is_cut_short_is_refused_and_the_page_before_it_stays(tmp_path: Path) -> None:
    settings = written(made_up(months=2), tmp_path)
    page = write_report(load_dataset(settings), settings)
    before = page.read_bytes()
    (page.parent / "outcome.json").write_text('{"months": [')
    with pytest.raises(SourceError, match="as a replay writes it"):
        write_report(load_dataset(settings), settings)
    assert page.read_bytes() == before


# ---- figures and words


def test_the_estimators_error_by_hand() -> None:
    found = made_up(months=5)
    for place, (estimated, realised) in enumerate([(100, 130), (100, 90), (100, 115), (100, 0)]):
        found["months"][place]["estimated"]["profit"] = {"value": estimated, "low": 80, "high": 120}
        found["months"][place + 1]["realised"][f"2025-0{4 + place}"]["profit"]["value"] = realised
    found["months"][3] |= {"promoted": True}  # its estimate is about the release before
    error = estimator_error(outcome_of(found), "profit")
    assert (error.months, error.inside) == (3, 2)  # 130 is outside
    assert error.mean == pytest.approx(35 / 3)  # 30, -10, 15
    assert error.spread == pytest.approx(math.sqrt((18.333**2 + 21.667**2 + 3.333**2) / 2), rel=1e-3)


def test_what_the_rule_scored_is_not_held_against_the_estimate() -> None:
    assert [*outcome_of(made_up(months=4, by_rule=[2])).errors("profit")] == ["2025-04", "2025-06"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (Interval(1200, 300, 2100), "1,200 USD (300 to 2,100) more than"),
        (Interval(-1200, -2100, 300), "1,200 USD (\N{MINUS SIGN}300 to 2,100) less than"),
        (Interval(0, 0, 0), "exactly as much as"),
        (Interval(-0.2, -800, 900), "0 USD (\N{MINUS SIGN}900 to 800) less than"),
        (Interval(50, math.nan, math.nan), "50 USD more than"),
    ],
)
def test_how_much_more_or_less_is_said_with_its_range_the_same_way_round(more: Interval, said: str) -> None:
    assert words.compared(more, "USD") == said


def test_a_quiet_replay_has_no_alarms_to_speak_of() -> None:
    assert words.alarms(judged(made_up()["months"], [])) == "no month raised an alarm"
    one = made_up("broken_feed", evidence={5: ["volume"]})
    assert words.alarms(judged(one["months"], one["happened"])) == "1 month raised an alarm, none of them false"


def test_an_alarm_of_which_a_part_is_left_over_says_which() -> None:
    found = made_up("broken_feed", evidence={5: ["volume"], 9: ["service"]}, repaired=[9])
    said = [words.explained(alarm) for alarm in judged(found["months"], found["happened"]).alarms]
    assert said == ["explained by A", "explained by B; not service"]


def test_cells_of_a_card_say_their_column_and_texts_are_escaped() -> None:
    assert '<td data-of="seen">x</td>' in table(["month", "seen"], [["2025-04", "x"]], "cards")
    assert text("p", "a < b", "quiet") == '<p class="quiet">a &lt; b</p>'


def test_a_key_takes_as_many_rows_as_it_needs() -> None:
    entries = [({"marker": "o"}, "a mark with a name of some length")] * 3
    assert [[len(row) for row in key_rows(entries, sheet)] for sheet in (WIDE, NARROW)] == [[3], [1, 1, 1]]


# ---- pictures


@pytest.mark.parametrize("found", [competitor(), broken_feed(), made_up(months=1)], ids=["events", "feed", "a month"])
def test_pictures_are_as_wide_as_their_sheet_and_light(found: dict[str, Any], tmp_path: Path) -> None:
    settings = written(found, tmp_path)
    report = made_report(load_dataset(settings), settings)
    for picture in (report.course, report.estimates):
        for png, width in ((picture.wide, 9 * DPI), (picture.narrow, 4.5 * DPI)):
            assert png[:8] == b"\x89PNG\r\n\x1a\n"
            assert struct.unpack(">I", png[16:20]) == (width,)
            assert len(png) < 80_000


# ---- in Dagster, and in the terminal


def test_only_a_scenario_has_the_asset_and_its_job(tmp_path: Path) -> None:
    found = {}
    for name in ("simulated", "simulated_calm", "telco"):
        settings = Settings(home=str(tmp_path), dataset=name)
        definitions = build_definitions(load_dataset(settings), settings)
        names = {job.name for job in definitions.resolve_all_job_defs()}
        keys = definitions.resolve_asset_graph().materializable_asset_keys
        found[name] = (dg.AssetKey("replay_report") in keys, "report" in names)
    assert found == {"simulated": (False, False), "simulated_calm": (True, True), "telco": (False, False)}


def test_no_other_job_writes_the_page(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), dataset="simulated_calm")
    definitions = build_definitions(load_dataset(settings), settings)
    jobs = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    key = dg.AssetKey("replay_report")
    assert [job.name for job in jobs if key in job.asset_layer.executable_asset_keys] == ["report"]


def test_the_asset_shows_the_pictures_and_the_page(tmp_path: Path) -> None:
    settings = written(competitor(), tmp_path)
    job = build_definitions(load_dataset(settings), settings).resolve_job_def("report")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("replay_report"))
    assert result.success
    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert str(shown["profit by month"].value).startswith("![")
    assert "data:image/png;base64," in str(shown["estimated and realised"].value)
    assert "1.5 a year" in str(shown["verdict"].value)
    assert shown["false alarms a year"].value == 1.5
    assert Path(str(shown["page"].value)).read_text().startswith("<!DOCTYPE html>")


def test_the_page_can_be_written_again_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(competitor(), tmp_path)
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    assert cli.guarded(lambda: cli.app(["report", "--scenario", "competitor"], result_action="return_value")) == 0
    assert cli.guarded(lambda: cli.app(["report", "--scenario", "calm"], result_action="return_value")) == 1
    said = capsys.readouterr()
    assert Path(said.out.removeprefix("report: ").strip()).name == "report.html"
    assert "Run `churn replay --scenario calm` first" in said.err


def test_events_say_when_they_held() -> None:
    keys = ["2025-04", "2025-05", "2025-06"]
    events = [Event(place=2, kind="feed", says="", last=last) for last in (2, 3, 9, None)]
    assert [words.event_months(event, keys) for event in events] == [
        "2025-05",
        "2025-05 to 2025-06",
        "2025-05 to 2025-06",
        "from 2025-05 on",
    ]


def test_the_terminal_says_the_same_as_the_page(tmp_path: Path) -> None:
    found = json.loads(json.dumps(competitor()))
    console = Console(width=200, record=True, file=StringIO())
    show(found, "report.html", console)
    said = console.export_text()
    outcome: Outcome = outcome_of(found)
    assert words.verdict(outcome, judged(found["months"], found["happened"])) in said.replace("\n", " ")
    assert "2025-12 fall back" in said
    assert "report: report.html" in said


def test_the_ways_have_the_names_that_the_replay_gives_them() -> None:
    assert WAYS == value_replay.WAYS
