"""Three rungs, from the simplest to the most complex, each fitted, calibrated and recorded."""

import dagster as dg

from assets.work import TEAM_ML, Work, table_of

NAMES = {"rule": "rule_baseline", "logistic": "logistic_model", "boosting": "boosting_model"}
DESCRIPTIONS = {
    "rule": "Points for what people already watch: the number to beat, and the fallback of the service.",
    "logistic": "A scorecard: logistic regression over linear splines, calibrated on later months.",
    "boosting": "Histogram gradient boosting that respects the declared directions, calibrated on later months.",
}


def assets(work: Work) -> list[dg.AssetsDefinition]:
    """One asset for each rung."""
    return [_rung(work, rung) for rung in NAMES]


def _rung(work: Work, rung: str) -> dg.AssetsDefinition:
    @work.asset(
        "training",
        name=NAMES[rung],
        deps=work.after(["customer_features", "matured_labels"], _reach_back_months(work)),
        description=DESCRIPTIONS[rung],
        owners=TEAM_ML,
        kinds={"scikitlearn", "mlflow"} if rung != "rule" else {"json"},
        code_version="1",
    )
    def fitted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from pipeline.tracking import recorded_rung
        from pipeline.training import fit_rung

        run = work.run_of(context)
        found = fit_rung(rung, work.dataset, run.split, work.settings)  # type: ignore[arg-type]
        run.save_rung(found)
        record = recorded_rung(run, found, dagster_run_id=context.run_id)
        return dg.MaterializeResult(
            metadata={
                "parameters": dg.MetadataValue.json(dict(found.parameters)),
                "search": table_of([{**tried["parameters"], "log loss": tried["log_loss"]} for tried in found.search]),
                "train rows": len(run.split.train),
                "calibration rows": len(run.split.calibration),
                "mlflow": record,
            }
        )

    return fitted


def _reach_back_months(work: Work) -> int:
    settings = work.settings
    return settings.training_months + settings.calibration_months + settings.test_months + 2
