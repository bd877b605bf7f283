"""What the UI shows beside an asset: tables, previews, column statistics, plots. Dagster's words for plain values."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from pipeline.lake import Layer
from pipeline.tables import ColumnKind, Table

if TYPE_CHECKING:
    from assets.work import Work
    from pipeline.evaluation import Evaluation

SHOWN = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error", "lift")
TYPES: Mapping[ColumnKind, str] = {"number": "float", "integer": "int", "boolean": "bool"}


def table_of(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table; what a row does not have is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["empty"]
    records = [dg.TableRecord({name: _shown(row.get(name)) for name in names}) for row in rows]
    return dg.MetadataValue.table(records, schema=dg.TableSchema([dg.TableColumn(name) for name in names]))


def points(sentences: Iterable[object]) -> dg.MarkdownMetadataValue:
    """Sentences, or files, as a list."""
    return dg.MetadataValue.md("\n".join(f"* {sentence}" for sentence in sentences) or "none")


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A plot, shown in place."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{b64encode(png).decode()})")


def schema_of(table: Table) -> dg.TableSchema:
    """A declared table as columns with types, units and what they promise."""
    columns = []
    for column in table.columns:
        about = [column.description, column.unit, ", ".join(column.categories[:8])]
        constraints = dg.TableColumnConstraints(nullable=column.nullable, unique=table.key == (column.name,))
        kind = TYPES.get(column.kind, column.kind)
        columns.append(dg.TableColumn(column.name, kind, "; ".join(filter(None, about)), constraints))
    return dg.TableSchema(columns)


def months(
    context: dg.AssetExecutionContext, work: "Work", layer: Layer, table: str, keys: Sequence[str]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Rows of every month of the run, and, where pages are wanted, statistics and a preview of the newest."""
    from pipeline.profile import preview, profile, rows_of_file

    lake = work.lake
    written = [key for key in keys if lake.path(layer, table, key).exists()]
    for key in written:
        path = lake.path(layer, table, key)
        rows = {"dagster/row_count": rows_of_file(path), "file": dg.MetadataValue.path(str(path))}
        context.add_asset_metadata(rows, partition_key=key)
    if not written:
        return dg.MaterializeResult(metadata={"note": "no month of this run has such a table"})
    shown: dict[str, dg.TableMetadataValue] = {}
    if work.settings.pages:
        newest = lake.read(layer, table, written[-1])
        shown[f"columns in {written[-1]}"] = table_of(profile(newest))
        shown[f"first rows of {written[-1]}"] = table_of(preview(newest))
    return dg.MaterializeResult(data_version=dg.DataVersion(lake.digest(layer, table, written)), metadata=shown)


def rungs_of(evaluation: "Evaluation") -> dg.TableMetadataValue:
    """Every rung with its figures and their intervals, money first."""
    from pipeline.wording import figure, money_figure

    rows = []
    for rung, metrics in evaluation.rungs.items():
        profit = {f"profit ({evaluation.unit.name})": money_figure(metrics["profit"])}
        rows.append({"rung": rung} | profit | {name.replace("_", " "): figure(metrics[name]) for name in SHOWN})
    return table_of(rows)


def _shown(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
