"""The code location: every asset of the dataset that `CHURN_DATASET` names, its jobs, schedule and sensors."""

import warnings

import dagster as dg

from assets import (
    acting,
    alert_sensors,
    batch,
    evaluation,
    features,
    ingestion,
    monitoring,
    release,
    report,
    service,
    serving,
    training,
    validation,
)
from assets.automation import automation
from assets.jobs import jobs, schedules
from assets.work import Work
from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.settings import Settings

MODULES = (ingestion, validation, features, training, evaluation, release, batch, serving, monitoring, service, report)


@dg.definitions
def defs() -> dg.Definitions:
    """What `dg dev` and `churn up` load."""
    settings = Settings()
    return build_definitions(load_dataset(settings), settings)


def build_definitions(dataset: Dataset, settings: Settings) -> dg.Definitions:
    """Definitions for one dataset; tests and the command line call it with their own."""
    _accept_vendor_warnings()
    work = Work(dataset, settings)
    known = jobs(work)
    return dg.Definitions(
        assets=[asset for module in MODULES for asset in module.assets(work)],
        jobs=known,
        schedules=[*schedules(work), service.schedule()],
        sensors=[*alert_sensors.sensors(work), *acting.sensors(work, known), automation()],
        executor=dg.in_process_executor,  # a process per step would import everything again, at several seconds each
    )


def _accept_vendor_warnings() -> None:
    """What Dagster warns of and we mean, in every process that loads the definitions."""
    # single-run backfills and open-ended partition mappings are marked beta; the range in pyproject.toml pins them
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    # `life_cycle` holds tables, which take many months in one run, and models, which take one: it takes one
    warnings.filterwarnings("ignore", message="Asset job .* materializes assets with varying BackfillPolicies")
