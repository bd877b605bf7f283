"""What a caller may send, and how a refusal reads."""

import json
from collections.abc import Mapping
from time import process_time
from typing import Any

import pytest

from pipeline.feature_kinds import Field
from serving.problems import Problem
from serving.schema import Contract, UnfitError, contract_of
from tests.little_releases import CUSTOMER, EXAMPLE, FIELDS

CONTRACT = contract_of(FIELDS, EXAMPLE)


def body(*customers: Mapping[str, Any]) -> bytes:
    return json.dumps({"customers": list(customers)}).encode()


def problems(content: bytes, contract: Contract = CONTRACT) -> list[Problem]:
    with pytest.raises(UnfitError) as caught:
        contract.customers(content)
    return caught.value.problems


def test_a_customer_comes_out_as_it_went_in() -> None:
    assert CONTRACT.customers(body(CUSTOMER)) == [CUSTOMER]


def test_an_integer_is_a_number() -> None:
    found = CONTRACT.customers(body(CUSTOMER | {"price": 10, "failed_payments": 0}))
    assert found[0]["price"] == 10.0
    assert isinstance(found[0]["price"], float)


def test_the_example_is_accepted() -> None:
    assert CONTRACT.customers(json.dumps(CONTRACT.example).encode())[0]["price"] == 10.0


def test_an_example_is_made_up_where_the_release_has_none_and_is_accepted() -> None:
    fields = (
        Field(name="age", kind="number", minimum=18, maximum=99, nullable=False),
        Field(name="colour", kind="category", categories=("red", "blue"), nullable=False),
    )
    contract = contract_of(fields, {"age": 200, "colour": "green"})
    assert contract.customers(json.dumps(contract.example).encode()) == [
        {"customer_id": "C-000001", "age": 99.0, "colour": "red"}
    ]


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        ({"price": "10"}, "a number of at least 0 (USD a month), or null where it is missing", '"10"'),
        ({"price": True}, "a number of at least 0 (USD a month), or null where it is missing", "true"),
        ({"price": -1}, "a number of at least 0 (USD a month), or null where it is missing", "-1"),
        ({"price": [1]}, "a number of at least 0 (USD a month), or null where it is missing", "[1]"),
        ({"price": float("nan")}, "a number of at least 0 (USD a month), or null where it is missing", "NaN"),
        ({"price": float("inf")}, "a number of at least 0 (USD a month), or null where it is missing", "Infinity"),
        ({"failed_share": 1.5}, "a number from 0 to 1 (share), or null where it is missing", "1.5"),
        ({"region": "west"}, "one of north, south, or null where it is missing", '"west"'),
        ({"customer_id": ""}, "1 to 100 characters, none of them a control character", '""'),
        ({"customer_id": "a\0b"}, "1 to 100 characters, none of them a control character", '"a\\u0000b"'),
        ({"customer_id": 7}, "1 to 100 characters, none of them a control character", "7"),
        ({"prise": 1}, "no such field", "1"),
    ],
)
def test_a_refusal_names_the_field_what_was_expected_and_what_was_found(
    change: dict[str, Any], expected: str, found: str
) -> None:
    name = next(iter(change))
    assert problems(body(CUSTOMER, CUSTOMER | change)) == [Problem(f"customers[1].{name}", expected, found)]


def test_a_forgotten_field_is_told_not_guessed() -> None:
    forgotten = {name: value for name, value in CUSTOMER.items() if name != "price"}
    expected = "a number of at least 0 (USD a month), or null where it is missing"
    assert problems(body(forgotten)) == [Problem("customers[0].price", expected, "nothing")]


def test_every_problem_is_told_at_once() -> None:
    assert [p.field for p in problems(body(CUSTOMER | {"price": "x", "region": 1}))] == [
        "customers[0].region",
        "customers[0].price",
    ]


@pytest.mark.parametrize(
    ("content", "field", "expected"),
    [
        (b"", "body", "a JSON document in UTF-8"),
        (b'{"customers": [', "body", "a JSON document in UTF-8"),
        (b'{"customers": "\xff"}', "body", "a JSON document in UTF-8"),
        (b"[" * 100_000, "body", "a JSON document in UTF-8"),
        (b"[]", "body", 'an object {"customers": [...]}'),
        (b"{}", "customers", "a list of 1 to 1000 customers"),
        (b'{"customers": []}', "customers", "a list of 1 to 1000 customers"),
        (b'{"customers": {}}', "customers", "a list of 1 to 1000 customers"),
        (b'{"customers": [1]}', "customers[0]", "an object with customer_id and 9 fields"),
    ],
)
def test_what_is_no_request_at_all_is_told_as_such(content: bytes, field: str, expected: str) -> None:
    found = problems(content)
    assert (found[0].field, found[0].expected) == (field, expected)


def test_a_thousand_customers_pass_and_one_more_does_not() -> None:
    assert len(CONTRACT.customers(body(*[CUSTOMER] * 1000))) == 1000
    assert problems(body(*[CUSTOMER] * 1001))[0].field == "customers"


def test_a_list_of_nonsense_gives_a_short_answer() -> None:
    found = problems(json.dumps({"customers": [CUSTOMER | {"price": "x" * 1000}] * 1000}).encode())
    assert len(found) == 50
    assert max(len(problem.found) for problem in found) < 120


def test_a_hundred_thousand_mistakes_cost_little_more_than_one() -> None:
    unknown = {f"x{i}": 1 for i in range(100_000)}
    in_a_customer, at_the_top = body(CUSTOMER, CUSTOMER | unknown), json.dumps(unknown).encode()
    started = process_time()
    found = problems(in_a_customer)
    assert (len(found), found[0].expected, found[0].field[:13]) == (50, "no such field", "customers[1].")
    assert (len(problems(at_the_top)), problems(at_the_top)[0]) == (50, Problem("x0", "no such field", "1"))
    assert process_time() - started < 1


def test_where_only_the_last_of_many_customers_are_wrong_they_are_named() -> None:
    found = problems(body(*[CUSTOMER] * 900, *[CUSTOMER | {"price": "x"}] * 100))
    assert (len(found), found[0].field, found[-1].field) == (50, "customers[900].price", "customers[949].price")


def test_a_number_with_more_digits_than_any_float_is_refused() -> None:
    content = body(CUSTOMER).replace(b'"price": 10.0', b'"price": 1' + b"0" * 400)
    assert problems(content)[0].field == "customers[0].price"


def test_fields_may_have_names_that_mean_something_to_python() -> None:
    fields = tuple(Field(name=name, kind="number") for name in ("json", "copy", "model_config", "class", "self"))
    contract = contract_of(fields, {})
    sent = {"customer_id": "a", "json": 1.0, "copy": 2.0, "model_config": 3.0, "class": 4.0, "self": None}
    assert contract.customers(body(sent)) == [sent]
    assert problems(body(sent | {"copy": "x"}), contract)[0].field == "customers[0].copy"
