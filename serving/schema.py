"""Requests and answers as strict models, made from a release's own fields.

What a caller may send follows from the release, so the page at `/docs.json` shows real names, units, ranges and an
example. Every field must be sent: a missing value is an explicit null, so that a forgotten field is told, not guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo

from pipeline import feature_kinds
from pipeline.policy import DecisionReason
from serving.problems import Problem, shown
from serving.rungs import ServedBy

MOST_CUSTOMERS = 1_000
MOST_PROBLEMS = 50
IDENTITY = "1 to 100 characters, none of them a control character"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


class Reason(BaseModel):
    """One of the fields that speak loudest in a score."""

    field: str = Field(description="name of the field")
    value: float | str | None = Field(description="its value in the request")
    effect: float = Field(description="effect in log-odds against the average customer of the training months")
    text: str = Field(description="the same as a sentence")


class Prediction(BaseModel):
    """What the service says of one customer."""

    customer_id: str
    churn_probability: float = Field(ge=0, le=1)
    contact: bool = Field(description="whether a retention contact is worth its cost and within the budget")
    why: DecisionReason
    why_text: str = Field(description="the same as a sentence")
    expected_value: float | None = Field(description="of a contact, in `currency`; null where the value is unknown")
    currency: str
    reasons: list[Reason] = Field(description="up to three, strongest first")
    action: str = Field(description="what to offer; empty where nobody should call or no field suggests anything")


class Answer(BaseModel):
    """Predictions in the order of the request, and what gave them."""

    predictions: list[Prediction]
    release: str | None = Field(description="id of the release that answered; null where there is none")
    served_by: ServedBy
    fallback_reason: str | None = Field(description="why the champion did not answer; null where it did")
    request_id: str


class ProblemModel(BaseModel):
    """One thing that the caller can mend."""

    field: str
    expected: str
    found: str


class Refusal(BaseModel):
    """The body of every 4xx answer."""

    errors: list[ProblemModel]


@dataclass(frozen=True)
class Contract:
    """What a caller may send while a release is current."""

    fields: tuple[feature_kinds.Field, ...]
    request: type[BaseModel]
    example: Mapping[str, Any]
    expectations: Mapping[str, str]

    def customers(self, body: bytes) -> list[dict[str, Any]]:
        """The customers of a request, each a dict of `customer_id` and the fields.

        Raises:
            ValidationError: the body is not as declared; `problems_of` tells what is wrong.
        """
        request = self.request.model_validate_json(body)
        names = ("customer_id", *(field.name for field in self.fields))
        sent = cast(list[BaseModel], vars(request)["customers"])
        return [dict(zip(names, vars(customer).values(), strict=True)) for customer in sent]

    def problems_of(self, error: ValidationError) -> list[Problem]:
        """The first problems of a body."""
        found = error.errors(include_url=False)[:MOST_PROBLEMS]
        return [self._problem(dict(one)) for one in found]

    def _problem(self, error: Mapping[str, Any]) -> Problem:
        place = _place(error["loc"])
        if error["type"] == "json_invalid":
            return Problem("body", "a JSON document in UTF-8", str(error["ctx"]["error"]))
        if error["type"] == "missing":
            return Problem(place, self._expected(error["loc"]), "nothing")
        if error["type"] == "extra_forbidden":
            return Problem(place, "no such field", shown(error["input"]))
        return Problem(place, self._expected(error["loc"]), shown(error["input"]))

    def _expected(self, location: tuple[int | str, ...]) -> str:
        if len(location) == 3:
            return self.expectations[str(location[2])]
        if len(location) == 2:
            return f"an object with customer_id and {len(self.fields)} fields"
        return f"a list of 1 to {MOST_CUSTOMERS} customers" if location else 'an object {"customers": [...]}'


def contract_of(fields: tuple[feature_kinds.Field, ...], example: Mapping[str, Any]) -> Contract:
    """The contract of a release; `example` is a typical customer, and may lack fields."""
    shown_example = {"customer_id": "C-000001"} | {field.name: _example_value(field, example) for field in fields}
    customer = _customer_model(fields, shown_example)
    listed = Annotated[list[customer], Field(min_length=1, max_length=MOST_CUSTOMERS)]  # type: ignore[valid-type]
    request = create_model("PredictRequest", __config__=STRICT, customers=(listed, ...))
    expectations = {"customer_id": IDENTITY} | {field.name: expectation(field) for field in fields}
    return Contract(fields, request, {"customers": [shown_example]}, expectations)


def expectation(field: feature_kinds.Field) -> str:
    """What a field takes, in words."""
    if field.kind == "category":
        text = f"one of {', '.join(field.categories)}" if field.categories else "a text"
    else:
        text = f"a number{_range(field)}" + (f" ({field.unit})" if field.unit else "")
    return f"{text}, or null where it is missing" if field.nullable else text


def _customer_model(fields: tuple[feature_kinds.Field, ...], example: Mapping[str, Any]) -> type[BaseModel]:
    """Attributes are numbered and fields are their aliases: a field may be called `json` or `copy`."""
    identity = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", description="your own id")
    declared: dict[str, Any] = {"customer_id": (str, identity)}
    for i, field in enumerate(fields):
        declared[f"field_{i}"] = (_annotation(field), _field_info(field))
    config = ConfigDict(**STRICT, json_schema_extra={"example": dict(example)})
    return create_model("Customer", __config__=config, **declared)


def _annotation(field: feature_kinds.Field) -> Any:
    kind: Any = float
    if field.kind == "category":
        kind = Literal[field.categories] if field.categories else str
    return kind | None if field.nullable else kind


def _field_info(field: feature_kinds.Field) -> FieldInfo:
    extra: dict[str, Any] = {"x-unit": field.unit} if field.unit else {}
    description = ", ".join(text for text in (field.description, field.unit and f"in {field.unit}") if text)
    words: dict[str, Any] = {"alias": field.name, "title": field.name, "description": description}
    limits: dict[str, Any] = {"ge": field.minimum, "le": field.maximum} if field.kind == "number" else {}
    return cast(FieldInfo, Field(**words, **limits, json_schema_extra=extra))


def _range(field: feature_kinds.Field) -> str:
    if field.minimum is not None and field.maximum is not None:
        return f" from {field.minimum:g} to {field.maximum:g}"
    if field.minimum is not None:
        return f" of at least {field.minimum:g}"
    return "" if field.maximum is None else f" of at most {field.maximum:g}"


def _example_value(field: feature_kinds.Field, example: Mapping[str, Any]) -> Any:
    value = example.get(field.name)
    if field.kind == "category":
        return value if value in field.categories else (*field.categories, None)[0]
    if value is None and field.nullable:
        return None
    low = -float("inf") if field.minimum is None else field.minimum
    high = float("inf") if field.maximum is None else field.maximum
    return min(max(float(value or 0.0), low), high)


def _place(location: tuple[int | str, ...]) -> str:
    """`customers[3].price` from ("customers", 3, "price")."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")[:200] or "body"
