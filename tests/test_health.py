"""Whether a month's tables arrived as usual."""

from pathlib import Path

import pytest
from upath import UPath

from monitoring.health import TableHealth, health_evidence, table_health
from pipeline.lake import Lake
from tests.little_company import PAYMENTS, day, little_company, rows_of


def health(**changes: float | None) -> TableHealth:
    usual = {
        "rows": 1_000,
        "usual_rows": 1_000.0,
        "quarantined_share": 0.004,
        "usual_quarantined_share": 0.004,
        "days_silent": 0.1,
        "usual_days_silent": 1.0,
    }
    return TableHealth(table="payments", **(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({}, None, ""),
        ({"rows": 590}, "volume", "590 rows came in, usually 1,000"),
        ({"rows": 1_700}, "volume", "1,700 rows came in, usually 1,000"),
        ({"rows": 90, "usual_rows": 190.0}, None, ""),  # so small a table halves by chance
        ({"quarantined_share": 0.019}, None, ""),
        ({"quarantined_share": 0.03}, "quarantine", "3.0 % of the rows are in quarantine, usually 0.4 %"),
        ({"quarantined_share": 0.03, "usual_quarantined_share": 0.02}, None, ""),
        ({"days_silent": 7.9}, None, ""),
        ({"days_silent": 8.5}, "volume", "no row for the last 8.5 days of the month, before at most 1.0"),
        ({"days_silent": 25.0, "usual_days_silent": 24.0}, None, ""),  # calls are made when a month begins
        ({"days_silent": None}, None, ""),
    ],
)
def test_what_is_unusual_is_told_with_what_is_usual(changes: dict[str, float], kind: str | None, says: str) -> None:
    found = health_evidence([health(**changes)], "2025-03")
    assert [(each.kind, each.says, each.about) for each in found] == (
        [(kind, f"2025-03: payments: {says}", ("payments",))] if kind else []
    )


def test_rows_and_silence_are_read_from_the_files_of_the_month_and_of_those_before(tmp_path: Path) -> None:
    lake, company = Lake(UPath(tmp_path)), little_company()
    paid = [(f"p{i}", "a", 10.0, "paid", day("2024-02-10"), day("2024-02-10 12:00")) for i in range(4)]
    for key, rows in (("2024-01", paid[:2]), ("2024-02", paid), ("2024-03", paid[:1])):
        lake.write(rows_of(PAYMENTS, rows), "raw", "payments", key)
        lake.write(rows_of(PAYMENTS, rows), "trusted", "payments", key)
    lake.write(rows_of(PAYMENTS, paid[:1]), "quarantine", "payments", "2024-03")
    found = {health.table: health for health in table_health(company, lake, "2024-03")}["payments"]
    assert (found.rows, found.usual_rows, found.quarantined_share) == (1, 3.0, 1.0)
    assert found.days_silent == 50.5  # from noon of 10 February to the end of March, in a leap year
