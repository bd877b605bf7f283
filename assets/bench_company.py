"""A simulated company with a past: months of tables, releases that answered, and the calls that their lists ordered.

Belongs here: what a benchmark needs to have happened before it measures. The steps are those of the assets, without
the orchestrator.
"""

from collections.abc import Sequence

from assets.run import Progress
from pipeline.calendar import month_after, month_start
from pipeline.candidates import Run, evaluate_run, write_candidate
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.lake import lake_of
from pipeline.settings import Settings

MONTHS = 10
TRAINED_BEFORE_END = (3, 1)  # months; the newest release and the one before it both stand
QUICK = {  # models like those of a full training, which cost as much to ask and far less to make
    "dataset": "simulated",
    "simulated_months": MONTHS,
    "training_rows": 20_000,
    "search_candidates": 1,
    "search_rows": 5_000,
    "bootstrap_rounds": 100,
    "pages": False,
    "mlflow": False,
}


def company_with_past(settings: Settings, progress: Progress) -> tuple[Dataset, Settings, str]:
    """Make it under the settings' home; returns it with the settings that it was made with, and its last month."""
    settings = settings.model_copy(update=QUICK)
    dataset = load_dataset(settings)
    keys, steps = dataset.calendar.keys(), len(dataset.tables) + 2
    for done, table in enumerate(dataset.tables, 1):
        _make_table(dataset, table.name, keys, settings)
        progress(f"making {table.name}", done, steps)
    _make_features(dataset, keys, settings)
    progress("made features", steps - 1, steps)
    for key in keys[-1 - max(TRAINED_BEFORE_END) :]:
        _live(Run(dataset, settings, key), trains=key in [keys[-1 - back] for back in TRAINED_BEFORE_END])
    progress("made releases", steps, steps)
    return dataset, settings, keys[-1]


def _make_table(dataset: Dataset, table: str, keys: Sequence[str], settings: Settings) -> None:
    from pipeline.ingestion import ingest
    from pipeline.validation import validate

    lake = lake_of(settings, dataset.name)
    for key in keys:
        ingest(dataset, table, key, settings, lake)
    validate(dataset, table, keys, lake)


def _make_features(dataset: Dataset, keys: Sequence[str], settings: Settings) -> None:
    from pipeline.features import write_features
    from pipeline.labels import newly_matured, write_labels

    lake = lake_of(settings, dataset.name)
    write_features(dataset, lake, dataset.calendar.snapshots(keys[-1]), settings.threads)
    known_in = {snapshot: key for key in keys for snapshot in newly_matured(dataset, key)}
    write_labels(dataset, lake, known_in, settings.threads)


def _live(run: Run, *, trains: bool) -> None:
    """The close of a month: a new release where it trains, then the call list, whose control group is left alone."""
    from pipeline.batch import write_month

    if trains:
        _train(run)
    write_month(run, at=month_start(month_after(run.key)))


def _train(run: Run) -> None:
    """A new release that answers. The gate is not asked: it costs much and changes nothing of what is measured."""
    from monitoring.reference import reference_of_run
    from pipeline.pointer import generation_of, promote
    from pipeline.scoring import RUNGS
    from pipeline.training import fit_rung

    for name in RUNGS:
        run.save_rung(fit_rung(name, run.dataset, run.split, run.settings))
    evaluate_run(run)
    closed = month_start(month_after(run.key))
    release = write_candidate(run, at=closed, drift=reference_of_run(run))
    promote(run.releases, release.id, generation_of(run.releases), "to be monitored", at=closed)
