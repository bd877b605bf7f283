"""Your own one-table data in one module: `churn run --dataset examples/own_table.py`.

The table is `mlc_churn.csv` beside this file (from R's modeldata), or the file that OWN_TABLE names. It has no id, so
its rows are numbered. Its column `state` is not declared, so it is dropped, and counted as dropped.
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

NUMBERS = ["account_length", "number_vmail_messages", "number_customer_service_calls"]
NUMBERS += [f"total_{t}_{what}" for t in ("day", "eve", "night", "intl") for what in ("minutes", "calls", "charge")]
CHOICES = {"area_code": ("area_code_408", "area_code_415", "area_code_510")}
CHOICES |= dict.fromkeys(("international_plan", "voice_mail_plan", "churn"), ("no", "yes"))
COLUMNS = [Column("customer_id", "string"), *(Column(name, "number", minimum=0) for name in NUMBERS)]
COLUMNS += [Column(name, "string", categories=values) for name, values in CHOICES.items()]
CALLS, ABROAD = Where("number_customer_service_calls", ">=", 4), Where("international_plan", "==", "yes")

DATASET = Dataset(
    name="own_table",
    description="5,000 customers of a telephone company.",
    tables=(Table(name="customers", key=("customer_id",), columns=tuple(COLUMNS)),),
    population=Everyone("customers"),
    features=tuple(Attribute(name=c.name, table="customers", column=c.name) for c in COLUMNS[1:] if c.name != "churn"),
    label=ColumnLabel(table="customers", column="churn", positive="yes"),
    economics=RetentionOffer(contact_cost=3, offer_cost=20, acceptance=0.3, value=Value(times=300), budget_share=0.1),
    rule=Rule((Points(CALLS, 2), Points(ABROAD, 2), Points(Where("total_day_minutes", ">", 250), 2))),
    slices=(Slice(name="international plan", field="international_plan"),),
    calendar=SingleSnapshot(),
    source=CsvSource(path=os.environ.get("OWN_TABLE", f"{Path(__file__).parent}/mlc_churn.csv"), row_id="customer_id"),
)
