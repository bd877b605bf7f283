"""IBM's sample of a telecom's customers in California: 7,043 rows, 26.5 % churners, one snapshot.

Read from the CSV file that CHURN_TELCO_PATH names, or else fetched from OpenML by scikit-learn and checked by its
content. `TotalCharges` is blank for the eleven customers of tenure 0: nothing has been billed to them yet, so it is 0.
"""

from typing import TYPE_CHECKING, Any

from pipeline.calendar import SingleSnapshot
from pipeline.declaration import Dataset, Everyone, Slice
from pipeline.economics import RetentionOffer, Value
from pipeline.feature_kinds import Attribute
from pipeline.label_kinds import ColumnLabel
from pipeline.rule import Points, Rule
from pipeline.settings import Settings
from pipeline.sources import CsvSource, FetchedSource
from pipeline.tables import Column, Table, Where

if TYPE_CHECKING:
    import pyarrow as pa

OPENML_ID = 42178
YES_NO = ("No", "Yes")
WITH_INTERNET = ("No", "No internet service", "Yes")

CUSTOMERS = Table(
    name="customers",
    description="One row for each customer of the quarter; `Churn` says who left within the last month.",
    customer="customerID",
    key=("customerID",),
    columns=(
        Column("customerID", "string"),
        Column("gender", "string", categories=("Female", "Male")),
        Column("SeniorCitizen", "string", categories=("0", "1"), description="1 for 65 years or older"),
        Column("Partner", "string", categories=YES_NO),
        Column("Dependents", "string", categories=YES_NO),
        Column("tenure", "integer", unit="months", minimum=0, maximum=600),
        Column("PhoneService", "string", categories=YES_NO),
        Column("MultipleLines", "string", categories=("No", "No phone service", "Yes")),
        Column("InternetService", "string", categories=("DSL", "Fiber optic", "No")),
        Column("OnlineSecurity", "string", categories=WITH_INTERNET),
        Column("OnlineBackup", "string", categories=WITH_INTERNET),
        Column("DeviceProtection", "string", categories=WITH_INTERNET),
        Column("TechSupport", "string", categories=WITH_INTERNET),
        Column("StreamingTV", "string", categories=WITH_INTERNET),
        Column("StreamingMovies", "string", categories=WITH_INTERNET),
        Column("Contract", "string", categories=("Month-to-month", "One year", "Two year")),
        Column("PaperlessBilling", "string", categories=YES_NO),
        Column(
            "PaymentMethod",
            "string",
            categories=("Bank transfer (automatic)", "Credit card (automatic)", "Electronic check", "Mailed check"),
        ),
        Column("MonthlyCharges", "number", unit="USD a month", minimum=0, maximum=10_000),
        Column("TotalCharges", "number", unit="USD", minimum=0, maximum=1_000_000, description="billed so far"),
        Column("Churn", "string", categories=YES_NO),
    ),
)
NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
BLANKS = {"TotalCharges": "0"}


def _about(name: str, column: str, action: str = "") -> Attribute:
    return Attribute(name=name, table="customers", column=column, action=action)


FEATURES = (
    _about("gender", "gender"),
    _about("senior_citizen", "SeniorCitizen", "Offer help with the set-up."),
    _about("partner", "Partner"),
    _about("dependents", "Dependents"),
    _about("tenure_months", "tenure", "Welcome call: check that everything works as promised."),
    _about("phone_service", "PhoneService"),
    _about("multiple_lines", "MultipleLines"),
    _about("internet_service", "InternetService", "Ask about the fibre connection; offer a technician."),
    _about("online_security", "OnlineSecurity", "Offer online security for three months."),
    _about("online_backup", "OnlineBackup", "Offer online backup for three months."),
    _about("device_protection", "DeviceProtection", "Offer device protection for three months."),
    _about("tech_support", "TechSupport", "Offer technical support for three months."),
    _about("streaming_tv", "StreamingTV"),
    _about("streaming_movies", "StreamingMovies"),
    _about("contract", "Contract", "Offer a one-year contract at its lower price."),
    _about("paperless_billing", "PaperlessBilling", "Go through the last bill together."),
    _about("payment_method", "PaymentMethod", "Offer automatic payment."),
    _about("monthly_charges", "MonthlyCharges", "Compare price and usage; offer the plan that fits."),
    _about("total_charges", "TotalCharges"),
)


def as_text(frame: Any) -> "pa.Table":
    """A DataFrame of the table as text, the same whatever types a library gave it; without the customers' numbers."""
    import pyarrow as pa

    names = [column.name for column in CUSTOMERS.columns[1:]]
    return pa.table({name: [_text(value, is_number=name in NUMBERS) for value in frame[name]] for name in names})


def _text(value: Any, *, is_number: bool) -> str:
    text = "" if value is None or value != value else str(value).strip(" '\"")  # noqa: PLR0124  (NaN)
    return f"{float(text):.10g}" if is_number and text else text


def _from_openml(settings: Settings) -> "pa.Table":
    from sklearn.datasets import fetch_openml

    root = settings.root()
    kept_in = str(root / "downloads") if root.protocol in ("", "file", "local") else None
    return as_text(fetch_openml(data_id=OPENML_ID, as_frame=True, parser="auto", data_home=kept_in).frame)


DATASET = Dataset(
    name="telco",
    description="7,043 customers of a telecom in California, as IBM publishes them.",
    tables=(CUSTOMERS,),
    population=Everyone("customers"),
    features=FEATURES,
    label=ColumnLabel(table="customers", column="Churn", positive="Yes"),
    economics=RetentionOffer(
        contact_cost=5,
        offer_cost=40,
        acceptance=0.3,
        stayer_acceptance=0.5,
        value=Value(times=12, field="monthly_charges"),
        budget_share=0.1,
    ),
    rule=Rule(
        (
            Points(Where("contract", "==", "Month-to-month"), 3),
            Points(Where("tenure_months", "<", 12), 2),
            Points(Where("internet_service", "==", "Fiber optic"), 2),
            Points(Where("payment_method", "==", "Electronic check"), 1),
            Points(Where("online_security", "==", "No"), 1),
            Points(Where("tech_support", "==", "No"), 1),
        )
    ),
    slices=(
        Slice(name="contract", field="contract"),
        Slice(name="senior citizen", field="senior_citizen"),
        Slice(name="gender", field="gender"),
        Slice(name="tenure", field="tenure_months", edges=(12, 36)),
    ),
    calendar=SingleSnapshot(),
    source=CsvSource(
        path=lambda settings: settings.telco_path,
        blanks=BLANKS,
        otherwise=FetchedSource(
            fetch=_from_openml,
            named=f"OpenML's data set {OPENML_ID}",
            sha256="3311028baa924a2d16af19d54bd262062bc9e54c40ab9b6ce157926c02548766",
            row_id="customerID",
            blanks=BLANKS,
            remedy="Without a network, save the table as a CSV file and set CHURN_TELCO_PATH to it.",
        ),
    ),
)
