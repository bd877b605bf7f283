"""Your own one-table data in one module: `churn run --dataset examples/own_table.py`.

Here: the `mlc_churn` table of R's modeldata package, 5,000 customers of a telephone company, saved as `mlc_churn.csv`
beside this file or wherever OWN_TABLE points. It has no customer id, so the rows are numbered; its column `state` is
not declared, so it is dropped, and counted as dropped.
"""

import os
from pathlib import Path

from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset, Everyone, Slice
from pipeline.economics import RetentionOffer, Value
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel
from pipeline.rule import Points, Rule
from pipeline.sources import CsvSource
from pipeline.tables import Column, Table, Where

MEASURES = ("minutes", "calls", "charge")
NUMBERS = ("account_length", "number_vmail_messages", "number_customer_service_calls") + tuple(
    f"total_{period}_{measure}" for period in ("day", "eve", "night", "intl") for measure in MEASURES
)
CHOICES = {"area_code": ("area_code_408", "area_code_415", "area_code_510")}
CHOICES |= dict.fromkeys(("international_plan", "voice_mail_plan", "churn"), ("no", "yes"))
COLUMNS = [Column("customer_id", "string"), *(Column(name, "number", minimum=0) for name in NUMBERS)]
COLUMNS += [Column(name, "string", categories=values) for name, values in CHOICES.items()]

DATASET = Dataset(
    name="own_table",
    description="5,000 customers of a telephone company.",
    tables=(Table(name="customers", key=("customer_id",), columns=tuple(COLUMNS)),),
    population=Everyone("customers"),
    features=tuple(Attribute(name=c.name, table="customers", column=c.name) for c in COLUMNS[1:] if c.name != "churn"),
    label=ColumnLabel(table="customers", column="churn", positive="yes"),
    economics=RetentionOffer(contact_cost=3, offer_cost=20, acceptance=0.3, value=Value(times=300), budget_share=0.1),
    rule=Rule(
        (
            Points(Where("number_customer_service_calls", ">=", 4), 2),
            Points(Where("international_plan", "==", "yes"), 2),
            Points(Where("total_day_minutes", ">", 250), 2),
        )
    ),
    slices=(Slice(name="international plan", field="international_plan"),),
    calendar=SingleSnapshot(),
    source=CsvSource(
        path=os.environ.get("OWN_TABLE") or Path(__file__).with_name("mlc_churn.csv"), row_id="customer_id"
    ),
)
