"""Which rows a model learns from, is calibrated on and is judged by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.calendar import SingleSnapshot, month_after
from pipeline.control_group import representative, without_called
from pipeline.declaration import Dataset
from pipeline.errors import ChurnError
from pipeline.hashing import hashed_shares
from pipeline.labels import matured
from pipeline.lake import Lake
from pipeline.settings import Settings

TRAIN_SHARE, CALIBRATION_SHARE = 0.60, 0.15  # of a dataset without time; the rest is the test part
TESTED_SHARE = 0.5  # of the customers of the newest month, where they are dealt
HALF = 0.5
FEWEST_OF_AN_OUTCOME = 5  # leavers, and stayers, below which a part says nothing


@dataclass(frozen=True)
class Months:
    """The snapshots of each part, oldest first; every label of a part is known when the next part begins."""

    train: tuple[str, ...]
    calibration: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Labelled rows: `customer_id`, `snapshot`, one column per feature, `churned`. The test part is read once.

    Args:
        is_shared: whether the rows of the calibration are among those of the training, so that each has to be scored by
            a model that has not seen its customer.
    """

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    is_shared: bool = False

    @property
    def snapshots(self) -> list[str]:
        """Those of the training part, oldest first."""
        return sorted(self.train["snapshot"].unique())


def split_of(dataset: Dataset, lake: Lake, run_key: str, settings: Settings) -> Split:
    """The rows known when the month `run_key` closes, split by time, or by customer where there is no time.

    Raises:
        ChurnError: there is too little history, or a part in which hardly anybody left or hardly anybody stayed.
    """
    if isinstance(dataset.calendar, SingleSnapshot):
        return _with_both_outcomes(by_customer(labelled_rows(dataset, lake, dataset.calendar.keys()), settings.seed))
    if settings.months_since_change and (dealt := _newest_dealt(dataset, lake, run_key, settings)) is not None:
        return dealt
    months = split_months(dataset, run_key, settings)
    train = labelled_rows(dataset, lake, months.train, only=without_called)
    # a sigmoid fits best where most rows are, so the likeliest leavers must not be missing from its rows
    calibration, test = (
        labelled_rows(dataset, lake, keys, only=representative) for keys in (months.calibration, months.test)
    )
    return _with_both_outcomes(Split(train, calibration, test))


def _newest_dealt(dataset: Dataset, lake: Lake, run_key: str, settings: Settings) -> Split | None:
    """The customers of the newest labelled month in halves, one to learn from and one for the test.

    Whole months for each part would have a model wait for three of them before it learns from the first. Nobody is on
    both sides in that month; the months before it are learned from too. None where there is not enough for that.
    """
    labelled = matured(dataset, run_key)
    before = _known_before(dataset, labelled, labelled[-1:])[-settings.training_months :]
    if not before:
        return None
    newest = labelled[-1]
    learned, judged = (labelled_rows(dataset, lake, [newest], only=only) for only in (without_called, representative))
    learned, calibration, test = (
        rows[is_tested(rows["customer_id"], newest) == tested].reset_index(drop=True)
        for rows, tested in ((learned, False), (judged, False), (judged, True))
    )
    known = labelled_rows(dataset, lake, before, only=without_called)
    first = is_in_first_half(calibration["customer_id"])  # whoever calibrates asks one half what the other has taught
    is_enough = all(map(has_both_outcomes, (known, calibration[first], calibration[~first], test)))
    train = pd.concat([known, learned], ignore_index=True)
    return Split(train, calibration, test, is_shared=True) if is_enough else None


def is_tested(customers: "Sequence[str] | pd.Series[str]", newest: str) -> NDArray[np.bool_]:
    """Which customers are tested on where those of the newest month are dealt; whoever monitors must know it too."""
    return np.asarray(hashed_shares(customers, f"tested in {newest}") < TESTED_SHARE, dtype=bool)


def is_in_first_half(customers: "pd.Series[str]") -> NDArray[np.bool_]:
    """Which customers are in the one of two halves that are drawn by lot, for always."""
    return np.asarray(hashed_shares(customers, "halves") < HALF, dtype=bool)


def has_both_outcomes(rows: pd.DataFrame) -> bool:
    """Whether enough left, and enough stayed, for the rows to say anything."""
    left = int(rows["churned"].sum())
    return min(left, len(rows) - left) >= FEWEST_OF_AN_OUTCOME


def split_months(dataset: Dataset, run_key: str, settings: Settings) -> Months:
    """The newest labelled snapshots for the test, the ones before for calibration, the ones before those for training.

    Where there is little history, calibration and then test get fewer months than wished.

    Raises:
        ChurnError: there are too few labelled snapshots for three parts with a gap between them.
    """
    labelled = matured(dataset, run_key)
    for test_months, calibration_months in _sizes(settings):
        test = labelled[-test_months:]
        calibration = _known_before(dataset, labelled, test)[-calibration_months:]
        train = _known_before(dataset, labelled, calibration)[-settings.training_months :]
        if len(test) == test_months and len(calibration) == calibration_months and train:
            return Months(tuple(train), tuple(calibration), tuple(test))
    raise ChurnError(
        f"month {run_key}",
        expected=f"at least {_months_needed(dataset)} labelled snapshots: one each to train, calibrate and test, and "
        "each known before the next is taken",
        found=f"{len(labelled)} labelled: {', '.join(labelled) or 'none'}",
        remedy="Run a later month, or bring more history.",
    )


def labelled_rows(
    dataset: Dataset, lake: Lake, keys: Sequence[str], *, only: Callable[[pa.Table, Lake, str], pa.Table] | None = None
) -> pd.DataFrame:
    """Features joined to labels, sorted by snapshot and customer; `only` says which rows of a month are wanted."""
    parts = []
    for key in keys:
        features, labels = lake.read("features", "customers", key), lake.read("labels", "customers", key)
        joined = features.join(labels, "customer_id", join_type="inner")
        joined = joined if only is None else only(joined, lake, key)
        parts.append(joined.append_column("snapshot", pa.array([key] * len(joined), type=pa.string())))
    return as_frame(pa.concat_tables(parts), dataset).sort_values(["snapshot", "customer_id"], ignore_index=True)


def as_frame(rows: pa.Table, dataset: Dataset) -> pd.DataFrame:
    """Rows as every model expects them: float64 with NaN for numbers, objects with None for categories.

    A field that was declared after the rows were made is not there; whoever needs it fails for want of it.
    """
    frame = rows.to_pandas()
    for field in (field for field in dataset.fields() if field.name in frame):
        if field.kind == "number":
            frame[field.name] = frame[field.name].astype("float64")
        else:
            frame[field.name] = frame[field.name].astype(object).where(frame[field.name].notna(), None)
    return frame


def by_customer(rows: pd.DataFrame, seed: int) -> Split:
    """Three parts by a hash of the customer, so that a customer stays in a part whatever else the table holds."""
    place = hashed_shares(rows["customer_id"], seed)
    train, calibration = place < TRAIN_SHARE, place < TRAIN_SHARE + CALIBRATION_SHARE
    parts = [rows[part].reset_index(drop=True) for part in (train, calibration & ~train, ~calibration)]
    return Split(parts[0], parts[1], parts[2])


def _sizes(settings: Settings) -> list[tuple[int, int]]:
    """Sizes of test and calibration in months, as wished first, then smaller where there is little history."""
    smaller = range(settings.calibration_months, 0, -1)
    return [(test, calibration) for test in range(settings.test_months, 0, -1) for calibration in smaller]


def _known_before(dataset: Dataset, labelled: Sequence[str], later: Sequence[str]) -> list[str]:
    """The snapshots whose labels are known when the first of `later` is taken: the gap is at least the horizon."""
    calendar = dataset.calendar
    begins = calendar.as_of(later[0]) if later else None
    return [key for key in labelled if begins and dataset.label.mature_at(calendar.as_of(key)) <= begins]


def _months_needed(dataset: Dataset) -> int:
    """How many labelled snapshots in a row hold three of which each is known before the next is taken."""
    calendar, needed = dataset.calendar, 1
    key = calendar.keys()[0]
    for _ in ("calibration", "test"):
        known_at = dataset.label.mature_at(calendar.as_of(key))
        while calendar.as_of(key) < known_at:
            key, needed = month_after(key), needed + 1
    return needed


def _with_both_outcomes(split: Split) -> Split:
    for name, rows in (("training", split.train), ("calibration", split.calibration), ("test", split.test)):
        if not has_both_outcomes(rows):
            left = int(rows["churned"].sum())
            raise ChurnError(
                f"{name} part, {_period(rows)}",
                expected=f"at least {FEWEST_OF_AN_OUTCOME} customers who left and {FEWEST_OF_AN_OUTCOME} who stayed",
                found=f"{left} who left and {len(rows) - left} who stayed",
                remedy="Check the label's declaration; bring more customers or a longer horizon.",
            )
    return split


def _period(rows: pd.DataFrame) -> str:
    return f"{rows['snapshot'].min()} to {rows['snapshot'].max()}" if len(rows) else "no rows"
