"""Requests and answers as strict models, made from a release's own fields.

What a caller may send follows from the release, so the page at `/docs.json` shows real names, units, ranges and an
example. Every field must be sent: a missing value is an explicit null, so that a forgotten field is told, not guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import from_json

from pipeline import feature_kinds
from pipeline.policy import DecisionReason
from serving.problems import Problem, shown
from serving.rungs import ServedBy

MOST_CUSTOMERS = 1_000
MOST_PROBLEMS = 50
LONGEST_PLACE = 200
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


class UnfitError(Exception):
    """A body is not as declared."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems[:MOST_PROBLEMS]
        super().__init__(problems)


@dataclass(frozen=True)
class Contract:
    """What a caller may send while a release is current. `request` describes it all, `customer` one of them."""

    fields: tuple[feature_kinds.Field, ...]
    request: type[BaseModel]
    customer: type[BaseModel]
    example: Mapping[str, Any]
    expectations: Mapping[str, str]

    def customers(self, body: bytes) -> list[dict[str, Any]]:
        """The customers of a request, each a dict of `customer_id` and the fields.

        They are checked one by one, so that a body of a hundred thousand mistakes costs no more than one of fifty.

        Raises:
            UnfitError: the body is not as declared.
        """
        found, problems = [], list[Problem]()
        for i, sent in enumerate(_listed(body)):
            try:
                found.append(self._checked(sent))
            except ValidationError as error:
                problems += [self._problem(i, sent, dict(one)) for one in error.errors(include_url=False)]
            if len(problems) >= MOST_PROBLEMS:
                break
        if problems:
            raise UnfitError(problems)
        return found

    def _checked(self, sent: Any) -> dict[str, Any]:
        if isinstance(sent, dict) and len(sent) > len(self.expectations) + MOST_PROBLEMS:
            unknown = [name for name in sent if name not in self.expectations]
            sent = {name: sent[name] for name in sent.keys() - set(unknown[MOST_PROBLEMS:])}
        values = vars(self.customer.model_validate(sent)).values()
        return dict(zip(self.expectations, values, strict=True))

    def _problem(self, i: int, sent: Any, error: Mapping[str, Any]) -> Problem:
        place = f"customers[{i}]"
        if not error["loc"]:
            return Problem(place, f"an object with customer_id and {len(self.fields)} fields", shown(sent))
        name = str(error["loc"][0])
        place = f"{place}.{name}"[:LONGEST_PLACE]
        if error["type"] == "extra_forbidden":
            return Problem(place, "no such field", shown(error["input"]))
        found = "nothing" if error["type"] == "missing" else shown(error["input"])
        return Problem(place, self.expectations[name], found)


def _listed(body: bytes) -> list[Any]:
    """What a body lists under `customers`. Raises UnfitError where it is no such body."""
    try:
        sent = from_json(body)
    except ValueError as error:
        raise UnfitError([Problem("body", "a JSON document in UTF-8", str(error))]) from error
    if not isinstance(sent, dict):
        raise UnfitError([Problem("body", 'an object {"customers": [...]}', shown(sent))])
    unknown = islice((name for name in sent if name != "customers"), MOST_PROBLEMS)
    problems = [Problem(name[:LONGEST_PLACE], "no such field", shown(sent[name])) for name in unknown]
    if problems:
        raise UnfitError(problems)
    customers, expected = sent.get("customers"), f"a list of 1 to {MOST_CUSTOMERS} customers"
    if not isinstance(customers, list):
        raise UnfitError([Problem("customers", expected, shown(customers) if sent else "nothing")])
    if not 0 < len(customers) <= MOST_CUSTOMERS:
        raise UnfitError([Problem("customers", expected, f"{len(customers):,}")])
    return customers


def contract_of(fields: tuple[feature_kinds.Field, ...], example: Mapping[str, Any]) -> Contract:
    """The contract of a release; `example` is a typical customer, and may lack fields."""
    shown_example = {"customer_id": "C-000001"} | {field.name: _example_value(field, example) for field in fields}
    customer = _customer_model(fields, shown_example)
    listed = Annotated[list[customer], Field(min_length=1, max_length=MOST_CUSTOMERS)]  # type: ignore[valid-type]
    request = create_model("PredictRequest", __config__=STRICT, customers=(listed, ...))
    expectations = {"customer_id": IDENTITY} | {field.name: expectation(field) for field in fields}
    return Contract(fields, request, customer, {"customers": [shown_example]}, expectations)


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
