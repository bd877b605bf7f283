"""Customers of a cable television company in the first half of 2014, with what each would cost and be worth.

A real table that the library empulse carries inside its package, so that it needs no network (Correa Bahnsen et al.
2015). Its columns are anonymous: x1 to x21 are marks of 0 and 1, x22 to x41 are standardised counts and amounts, x42 to
x46 are codes. The costs are the company's own.

What the columns mean is not known, so the rule says nothing a person could have said: it was read off the churn rates
of the training part (a hash of the customer below 0.6, seed 7), column by column, and not touched afterwards.
"""

from typing import TYPE_CHECKING

from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset, Everyone, Slice
from pipeline.economics import RecordedCosts
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel
from pipeline.rule import Points, Rule
from pipeline.settings import Settings
from pipeline.sources import FetchedSource
from pipeline.tables import Column, Table, Where

if TYPE_CHECKING:
    import pyarrow as pa

MARKS = tuple(f"x{i}" for i in range(1, 22))
AMOUNTS = tuple(f"x{i}" for i in range(22, 42))
CODES = {"x42": 3, "x43": 12, "x44": 5, "x45": 3, "x46": 4}
COSTS = {
    "tp_cost": "what contacting a customer who would leave costs",
    "fp_cost": "what contacting a customer who would stay costs",
    "fn_cost": "what a customer who leaves uncontacted costs",
}

CUSTOMERS = Table(
    name="customers",
    description="One row for each customer.",
    key=("customer_id",),
    columns=(
        Column("customer_id", "string", description="the number of the row: the data have no id"),
        *(Column(name, "integer", minimum=0, maximum=1, description="a mark, unnamed") for name in MARKS),
        *(Column(name, "number", unit="standard deviations", description="unnamed") for name in AMOUNTS),
        *(
            Column(name, "string", categories=tuple(str(code) for code in range(1, codes + 1)), description="unnamed")
            for name, codes in CODES.items()
        ),
        *(Column(name, "number", unit="USD", minimum=0, description=what) for name, what in COSTS.items()),
        Column("churn", "integer", minimum=0, maximum=1, description="1 for who left"),
    ),
)


def _carried(settings: Settings) -> "pa.Table":  # noqa: ARG001
    """The table as empulse carries it, as text; whole numbers without a point."""
    import pandas as pd
    import pyarrow as pa
    from empulse.datasets import load_churn_tv_subscriptions

    carried = load_churn_tv_subscriptions(backend=pd)
    frame = carried.data.assign(**(carried.instance_costs or {}), churn=carried.target)
    names = [column.name for column in CUSTOMERS.columns[1:]]
    return pa.table({name: [f"{value:.10g}" for value in frame[name]] for name in names})


DATASET = Dataset(
    name="tv",
    description="9,379 customers of a cable television company, anonymous columns, recorded costs.",
    tables=(CUSTOMERS,),
    population=Everyone("customers"),
    features=(
        *(Attribute(name=name, table="customers", column=name) for name in (*MARKS, *AMOUNTS, *CODES)),
        *(
            Attribute(name=name, table="customers", column=name, description=what, in_model=False)
            for name, what in COSTS.items()
        ),
    ),
    label=ColumnLabel(table="customers", column="churn", positive=1),
    economics=RecordedCosts(
        contacted_leaver="tp_cost", contacted_stayer="fp_cost", missed_leaver="fn_cost", budget_share=0.1
    ),
    rule=Rule(
        (
            Points(Where("x28", ">", -0.69), 3),
            Points(Where("x28", ">", 0.32), -1),
            Points(Where("x43", "==", "1"), 2),
            Points(Where("x43", "==", "7"), 1),
            Points(Where("x17", "==", 1), 2),
            Points(Where("x11", "==", 0), 1),
            Points(Where("x42", "==", "3"), 1),
        )
    ),
    slices=(
        Slice(name="x42", field="x42"),
        Slice(name="x45", field="x45"),
        Slice(name="x28", field="x28", edges=(-0.69, 0.32)),
    ),
    calendar=SingleSnapshot(),
    source=FetchedSource(
        fetch=_carried,
        named="churn_tv_subscriptions of empulse",
        sha256="520e70ee870eab1ddc20a30add97ead182a1238705a0bdb9754465ecaa9affe0",
        row_id="customer_id",
        remedy="Install the version of empulse that requirements.lock names.",
    ),
)
