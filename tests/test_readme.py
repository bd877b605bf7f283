"""What commands write into the README."""

from assets.readme import of_production
from tests.replays import competitor


def test_a_scenario_is_a_line_with_what_it_earned_and_what_was_found() -> None:
    hindsight = {"false_alarms_a_year": 1.5, "events_found": 1, "events_missed": 1}
    outcome = competitor() | {"hindsight": hindsight}
    quiet = outcome | {"hindsight": hindsight | {"events_found": 0, "events_missed": 0}}
    replays = {"customers": 10_000, "seed": 11, "scenarios": {"competitor": outcome, "calm": quiet}, "goals": []}
    row = {"world": "seasonal and jittering", "customers": 10_000, "rule": "ours", "false_alarms": 0.4}
    rules = {"rows": [row | {"found": {"a": 1.0, "b": 0.9}}], "goals": [{"met": place > 0} for place in range(30)]}
    written = of_production({"churn bench replay": replays, "churn bench monitors": rules})
    lines = written.splitlines()
    assert next(line for line in lines if line.startswith("| `competitor`")).endswith("| 1.5 | 1 of 2 |")
    assert next(line for line in lines if line.startswith("| `calm`")).endswith("| 1.5 | nothing to find |")
    assert "| ours | 0.4 | 95 % |" in lines
    assert lines[-1] == "* `churn bench monitors` meets 29 of its 30 goals."
