"""A request's way through guard, pages, desk and ladder and back, without a server."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import prediction_log
from pipeline.lake import lake_of
from pipeline.state import state_engine
from serving.considered import considered
from serving.desk import Desk
from serving.guard import Guard, Limits
from serving.log import Entry, PredictionQueue
from serving.rungs import rungs_of
from serving.schema import Answer, Refusal
from serving.web import web_app
from tests.little_releases import CUSTOMER, EXAMPLE
from tests.serving_house import House, house_with_releases

HOSTS = ("testserver",)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return house_with_releases(tmp_path)


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Client:
    """Asks an application in this process, from code that awaits nothing."""

    app: Any
    runner: asyncio.Runner

    def get(self, path: str) -> Reply:
        return self.runner.run(self._asked("GET", path, {}, b""))

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> Reply:
        return self.runner.run(self._asked("POST", path, headers, content))

    async def _asked(self, method: str, path: str, headers: dict[str, str], content: bytes) -> Reply:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = [(n.encode(), v.encode()) for n, v in ({"host": "testserver"} | headers).items()]
        scope = {"type": "http", "method": method, "path": path, "headers": pairs, "query_string": b""}
        scope |= {"scheme": "http", "server": ("testserver", 80), "root_path": "", "http_version": "1.1"}
        await self.app(scope, receive, send)
        received = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], received, b"".join(message["body"] for message in sent[1:]))


@dataclass
class Counter:
    """A client of an open desk."""

    client: Client
    desk: Desk

    def predict(self, *customers: Any, **headers: str) -> Reply:
        return self.post({"customers": customers}, **headers)

    def post(self, body: Any, **headers: str) -> Reply:
        sent = {"content-type": "application/json"} | headers
        return self.client.post("/predict", json.dumps(body).encode(), sent)


@pytest.fixture
def counter(house: House) -> Iterator[Counter]:
    yield from opened(house)


def opened(house: House) -> Iterator[Counter]:
    app = web_app()
    app.state.desk = Desk(house.settings())
    with asyncio.Runner() as runner:
        yield Counter(Client(Guard(app, Limits(hosts=HOSTS)), runner), app.state.desk)
    app.state.desk.close()


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_an_answer_holds_the_decision_its_worth_its_reasons_and_who_gave_it(counter: Counter, house: House) -> None:
    response = counter.predict(CUSTOMER)
    answer = response.json()
    assert response.status == 200
    assert Answer.model_validate(answer)
    assert answer["predictions"] == [
        {
            "customer_id": "a",
            "churn_probability": 0.5,
            "contact": True,
            "why": "contact",
            "why_text": answer["predictions"][0]["why_text"],
            "expected_value": 5.0,
            "currency": "USD",
            "reasons": [
                {
                    "field": "failed_payments",
                    "value": 1.0,
                    "effect": 1.0,
                    "text": "failed payments: 1 rows in 60 days (odds of leaving x2.72)",
                }
            ],
            "action": "Offer a new card.",
        }
    ]
    assert (answer["release"], answer["served_by"]) == (house.newer.id, "champion")
    assert answer["fallback_reason"] is None
    assert (response.headers["x-release"], response.headers["x-served-by"]) == (house.newer.id, "champion")
    assert response.headers["x-request-id"] == answer["request_id"]


def test_each_reason_not_to_contact_is_given(counter: Counter) -> None:
    likely = EXAMPLE | {"failed_payments": 1.0}
    customers = [
        {"customer_id": "contact", **likely},
        {"customer_id": "budget", **likely, "price": 9.5},  # worth 95: 0.5 * 32.5 - 12.5 = 3.75, below the cutoff of 4
        {"customer_id": "threshold", **likely, "failed_payments": 0.0},  # p 0.269: -8.9
        {"customer_id": "value", **likely, "price": 2.0},  # worth 20: a leaver who stays for the offer gains -5
        {"customer_id": "unknown value", **likely, "price": None},
    ]
    found = counter.predict(*customers).json()["predictions"]
    assert [one["why"] for one in found] == ["contact", "budget", "threshold", "value", "value"]
    assert [one["contact"] for one in found] == [True, False, False, False, False]
    assert found[1]["expected_value"] == pytest.approx(3.75)
    assert found[4]["expected_value"] is None
    assert [bool(one["action"]) for one in found] == [True, False, False, False, False]


def test_a_thousand_customers_are_answered_in_their_order(counter: Counter) -> None:
    sent = [CUSTOMER | {"customer_id": str(i), "failed_payments": float(i % 5)} for i in range(1000)]
    found = counter.predict(*sent).json()["predictions"]
    assert [one["customer_id"] for one in found] == [str(i) for i in range(1000)]
    expected = [1 / (1 + np.exp(1 - i % 5)) for i in range(1000)]
    assert [one["churn_probability"] for one in found] == pytest.approx(expected)


def test_a_bad_body_is_answered_with_every_place_that_is_wrong(counter: Counter) -> None:
    response = counter.predict(CUSTOMER, CUSTOMER | {"price": "dear", "colour": "red"})
    assert response.status == 400
    assert Refusal.model_validate(response.json())
    assert [one["field"] for one in response.json()["errors"]] == ["customers[1].price", "customers[1].colour"]


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "multipart/form-data"}, b"--x", 415),
        ({"content-type": "text/plain"}, b'{"customers": []}', 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"", 400),
        ({"content-type": "application/json"}, b" " * 2_000_001, 413),
        ({"content-type": "application/json", "host": "evil.example"}, b"{}", 421),
        ({"content-type": "application/vnd.bentoml+pickle"}, b"\x80\x04.", 415),
    ],
)
def test_what_is_no_request_gets_the_right_status(
    counter: Counter, headers: dict[str, str], content: bytes, status: int
) -> None:
    response = counter.client.post("/predict", content, headers)
    assert response.status == status
    assert Refusal.model_validate(response.json())


def test_a_request_id_is_kept_where_it_is_harmless(counter: Counter) -> None:
    assert counter.predict(CUSTOMER, **{"x-request-id": "abc-1"}).json()["request_id"] == "abc-1"
    for odd in ("", "x" * 101, "<script>", "a b"):
        assert counter.predict(CUSTOMER, **{"x-request-id": odd}).json()["request_id"] not in ("", odd)


def test_the_release_page_says_what_serves_and_why(counter: Counter, house: House) -> None:
    (house.newer.folder / "model.json").unlink()
    assert until(lambda: counter.client.get("/release").json()["served_by"] == "last_good")
    page = counter.client.get("/release").json()
    assert page["release"] == house.older.id
    assert page["fallback_reason"].startswith("damaged")
    assert [rung["served_by"] for rung in page["rungs"]] == ["last_good", "rule"]
    answer = counter.predict(CUSTOMER).json()
    assert (answer["served_by"], answer["fallback_reason"]) == ("last_good", page["fallback_reason"])


def test_the_description_shows_fields_units_ranges_and_an_example_that_works(counter: Counter) -> None:
    page = counter.client.get("/docs.json").json()
    fields = page["components"]["schemas"]["Customer"]["properties"]
    assert set(fields) == set(CUSTOMER)
    assert fields["price"]["x-unit"] == "USD a month"
    assert fields["failed_share"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 1}
    assert fields["region"]["anyOf"][0]["enum"] == ["north", "south"]
    assert page["components"]["schemas"]["Customer"]["required"] == list(CUSTOMER)
    operation = page["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert counter.post(example).status == 200
    assert set(operation["responses"]) >= {"200", "400", "413", "415", "503"}


def test_every_reference_of_the_description_leads_somewhere(counter: Counter) -> None:
    page = counter.client.get("/docs.json").json()
    text = json.dumps(page)
    for piece in text.split('"$ref": "#/components/schemas/')[1:]:
        assert piece.split('"')[0] in page["components"]["schemas"]


def test_the_start_page_is_ours_and_loads_nothing_from_anywhere(counter: Counter) -> None:
    response = counter.client.get("/")
    page = response.content.decode()
    assert "docs.json" in page
    assert "http" not in page.replace("http://testserver/", "")
    assert "<script" not in page
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_answer_is_logged_with_what_gave_it(counter: Counter, house: House) -> None:
    answer = counter.predict(CUSTOMER, CUSTOMER | {"customer_id": "b", "price": None}).json()
    counter.desk.close()
    engine = state_engine(house.settings(), lake_of(house.settings(), "little"))
    logged = prediction_log.read_predictions(engine, "little", root=house.state)
    engine.dispose()
    assert logged["customer_id"].tolist() == ["a", "b"]
    assert logged["probability"].tolist() == [0.5, 0.5]
    assert logged["served_by"].tolist() == ["champion"] * 2
    assert logged["release"].tolist() == [house.newer.id] * 2
    assert logged["request_id"].tolist() == [answer["request_id"]] * 2
    assert logged["features"][1] == {**EXAMPLE, "price": None}
    assert np.isnan(logged["expected_value"][1])


def test_a_request_id_that_comes_twice_is_logged_twice(counter: Counter, house: House) -> None:
    for _ in range(2):
        counter.predict(CUSTOMER, **{"x-request-id": "same"})
    counter.desk.close()
    engine = state_engine(house.settings(), lake_of(house.settings(), "little"))
    assert len(prediction_log.read_predictions(engine, "little", root=house.state)) == 2
    engine.dispose()


def test_a_log_that_cannot_be_written_breaks_no_prediction(house: House) -> None:
    spool = house.state / "spool"
    spool.write_text("a file where a folder should be")
    for counter in opened(house):
        for _ in range(3):
            assert counter.predict(CUSTOMER).status == 200


def an_entry(house: House, customers: int) -> Entry:
    sent = [CUSTOMER] * customers
    found = considered(rungs_of(house.newer, None)[0], sent)
    return Entry("id", datetime(2024, 7, 1), sent, found, "")


def test_a_log_that_does_not_keep_up_drops_and_counts_and_never_waits(house: House) -> None:
    lost: list[tuple[str, int]] = []
    queue = PredictionQueue("little", house.state, count=lambda why, n: lost.append((why, n)))
    entry = an_entry(house, 1000)
    started = time.monotonic()
    for _ in range(22):  # nobody writes yet, and 20,000 may wait
        queue.offer(entry)
    assert time.monotonic() - started < 0.5
    assert lost == [("dropped", 1000)] * 2


def test_a_log_that_raises_is_counted_and_told_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    lost: list[tuple[str, int]] = []

    def full(root: Path, predictions: Any) -> None:
        raise OSError("no space left")

    queue = PredictionQueue("little", house.state, count=lambda why, n: lost.append((why, n)), append=full)
    queue.start()
    for _ in range(3):
        queue.offer(an_entry(house, 2))
        assert until(lambda: not queue.customers_waiting)
    queue.close()
    assert lost == [("failed", 2)] * 3
    assert caplog.text.count("no space left") == 1


def test_a_service_without_dataset_and_release_says_so_and_does_not_fall_over(tmp_path: Path) -> None:
    house = house_with_releases(tmp_path)
    (tmp_path / "little.py").write_text("import nothing_that_exists\n")
    for counter in opened(house):
        response = counter.predict(CUSTOMER)
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        assert counter.client.get("/docs.json").status == 503
        assert counter.client.get("/release").json()["served_by"] is None
        assert counter.client.get("/").status == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*CUSTOMER, "nobody"])
customers = st.dictionaries(names, anything, max_size=4).map(lambda odd: CUSTOMER | odd)
bodies = st.one_of(
    st.binary(max_size=200),
    anything.map(lambda value: json.dumps(value).encode()),
    st.lists(customers | anything, max_size=3).map(lambda sent: json.dumps({"customers": sent}).encode()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies)
def test_no_body_whatever_makes_the_service_fail(counter: Counter, body: bytes) -> None:
    response = counter.client.post("/predict", body, {"content-type": "application/json"})
    assert response.status in (200, 400)
    assert json.loads(response.content)


values = st.fixed_dictionaries(
    {
        "price": st.none() | st.floats(0, 1e300),
        "failed_payments": st.none() | st.floats(0, 1e300),
        "failed_share": st.none() | st.floats(0, 1),
        "tenure_days": st.none() | st.integers(0, 10**15),
        "region": st.none() | st.sampled_from(["north", "south"]),
    }
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=values)
def test_every_declared_value_is_answered_by_the_champion(counter: Counter, sent: dict[str, Any]) -> None:
    answer = counter.predict(CUSTOMER | sent).json()
    assert answer["served_by"] == "champion"
    assert 0 <= answer["predictions"][0]["churn_probability"] <= 1
