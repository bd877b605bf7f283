"""What commands write into the README."""

from assets.readme import of_production, results
from tests.replays import competitor


def test_a_scenario_is_a_line_with_what_it_earned_and_what_was_found() -> None:
    hindsight = {"false_alarms_a_year": 1.5, "events_found": 1, "events_missed": 1}
    outcome = competitor() | {"hindsight": hindsight}
    quiet = outcome | {"hindsight": hindsight | {"events_found": 0, "events_missed": 0}}
    played = {"competitor": {"11": outcome, "12": quiet}, "calm": {"11": quiet}}
    replays = {"months": 24, "customers": 10_000, "seeds": (11, 12), "scenarios": played, "goals": []}
    row = {"world": "seasonal and jittering", "customers": 10_000, "rule": "ours", "false_alarms": 0.4}
    rules = {"rows": [row | {"found": {"a": 1.0, "b": 0.9}}], "goals": [{"met": place > 0} for place in range(30)]}
    written = of_production({"churn bench replay": replays, "churn bench monitors": rules})
    lines = written.splitlines()
    assert next(line for line in lines if line.startswith("| `competitor` | 11 ")).endswith("| 1.5 | 1 of 2 |")
    assert next(line for line in lines if line.startswith("| `competitor` | 12 ")).endswith("| nothing to find |")
    assert next(line for line in lines if line.startswith("| `calm` | 11 ")).endswith("| 1.5 | nothing to find |")
    assert "| ours | 0.4 | 95 % |" in lines
    assert lines[-1] == "* `churn bench monitors` meets 29 of its 30 goals."


def test_a_goal_that_has_a_range_shows_it() -> None:
    goal = {"name": "an error, at most", "goal": 0.05, "measured": 0.0312, "met": True}
    written = results([], {"churn bench replay": {"goals": [goal, goal | {"low": 0.0, "high": 0.071}]}}).splitlines()
    assert written[-2:] == [
        "| an error, at most | 0.05 | 0.0312 | yes | `churn bench replay` |",
        "| an error, at most | 0.05 | 0.0312 (0 to 0.071) | yes | `churn bench replay` |",
    ]
