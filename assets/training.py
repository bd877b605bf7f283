"""Three rungs, from the simplest to the most complex, each fitted, calibrated and recorded."""

import dagster as dg

from assets.metadata import table_of
from assets.work import TEAM_ML, Work
from pipeline.code_version import code_version

NAMES = {"rule": "rule_baseline", "logistic": "logistic_model", "boosting": "boosting_model"}
SOURCES = {"rule": "rule", "logistic": "scorecard", "boosting": "boosting"}
DESCRIPTIONS = {
    "rule": "Points for what people already watch: the number to beat, and the fallback of the service.",
    "logistic": "A scorecard: logistic regression over linear splines, calibrated on later months.",
    "boosting": "Histogram gradient boosting that respects the declared directions, calibrated on later months.",
}


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """`rule_baseline`, `logistic_model` and `boosting_model`."""
    return [_rung(work, rung) for rung in NAMES]


def _rung(work: Work, rung: str) -> dg.AssetsDefinition:
    @work.asset(
        "training",
        name=NAMES[rung],
        deps=work.after(["customer_features", "matured_labels"], _reach_back_months(work)),
        description=DESCRIPTIONS[rung],
        owners=TEAM_ML,
        kinds={"scikitlearn", "mlflow"} if rung != "rule" else {"json", "mlflow"},
        code_version=code_version("training", "search", "splits", "paired", "encoding", SOURCES[rung]),
    )
    def fitted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.recording import recorded_rung
        from pipeline.training import fit_rung

        run = work.run_of(context)
        found = fit_rung(rung, work.dataset, run.split, run.settings)  # type: ignore[arg-type]
        version = run.save_rung(found)
        recorded_rung(run, found, dagster_run_id=context.run_id)
        search = [{**tried["parameters"], "log loss on later rows": tried["log_loss"]} for tried in found.search]
        about = {"parameters": dg.MetadataValue.json(dict(found.parameters)), "search": table_of(search)}
        rows = {"train rows": len(run.split.train), "calibration rows": len(run.split.calibration)}
        return dg.MaterializeResult(data_version=dg.DataVersion(version), metadata=about | rows)

    return fitted


def _reach_back_months(work: Work) -> int:
    settings = work.settings
    return settings.training_months + settings.calibration_months + settings.test_months + 2
