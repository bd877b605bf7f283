"""Takes a request's body and gives back its answer: everything between HTTP and the ladder."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from pipeline.policy import WHY
from pipeline.settings import Settings
from serving.considered import Considered
from serving.counters import Counters, count
from serving.ladder import Answered, Ladder, NothingAnswersError
from serving.log import Entry, PredictionQueue
from serving.place import Place, place_of
from serving.problems import Problem, problems_body
from serving.schema import Answer, Prediction, Reason, UnfitError
from serving.standing import Standing
from serving.threads import Threads
from serving.watch import Watch

SCORING_THREADS = 2

logger = logging.getLogger("serving.desk")


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Desk:
    """One open service. Opening it never raises: BentoML would try for ever."""

    def __init__(self, settings: Settings) -> None:
        self._threads = Threads(SCORING_THREADS)
        self._ladder = Ladder(self._threads, settings.serve_deadline_seconds)
        self._watch: Watch | None = None
        self._log: PredictionQueue | None = None
        try:
            self._open(place_of(settings))
        except Exception:
            logger.exception("this service has nothing to answer with; see `churn doctor`")

    @property
    def standing(self) -> Standing:
        """What answers now."""
        return self._ladder.standing

    async def predict(self, body: bytes, request_id: str) -> Reply:
        """The answer to a request: 200, 400 with what is wrong, or 503 where nothing can answer."""
        started, standing = perf_counter(), self.standing
        contract = standing.contract
        if contract is None:
            return _nothing(str(standing.fault))
        try:
            customers = contract.customers(body)
            answered = await self._ladder.answer(standing, customers)
        except UnfitError as error:
            return Reply(400, problems_body(error.problems), {})
        except NothingAnswersError as error:
            return _nothing(str(error))
        reason = str(answered.fault) if answered.fault else ""
        if self._log:
            self._log.offer(Entry(request_id, _now(), customers, answered.considered, reason))
        reply = _reply(answer_of(answered, customers, request_id))
        seconds = perf_counter() - started
        count(lambda figures: _note_answer(figures, answered, len(customers), seconds))
        return reply

    def state_of_affairs(self) -> dict[str, Any]:
        """What serves and why, for people and for `/release`."""
        standing = self.standing
        first = standing.rungs[0] if standing.rungs else None
        return {
            "served_by": first.served_by if first else None,
            "release": first.release if first else None,
            "fallback_reason": str(standing.fault) if standing.fault else None,
            "rungs": [
                {"served_by": rung.served_by, "release": rung.release, "model": rung.scorer.name}
                for rung in standing.rungs
            ],
        }

    def close(self) -> None:
        """Stop looking at releases, and write what waits for the log."""
        if self._watch:
            self._watch.stop()
        if self._log:
            self._log.close()
        self._threads.close()

    def _open(self, place: Place) -> None:
        self._log = PredictionQueue(place.dataset, place.state, count=_note_loss)
        self._log.start()
        self._watch = Watch(
            self._ladder, place.releases, orders=place.state, declared=place.declared, tell=_note_standing
        )
        self._watch.start()


def answer_of(answered: Answered, customers: list[dict[str, Any]], request_id: str) -> Answer:
    """What the caller gets to read."""
    found = answered.considered
    return Answer(
        predictions=_predictions(found, customers),
        release=found.rung.release,
        served_by=found.rung.served_by,
        fallback_reason=str(answered.fault) if answered.fault else None,
        request_id=request_id,
    )


def _predictions(found: Considered, customers: list[dict[str, Any]]) -> list[Prediction]:
    decisions = found.decisions
    probability, contact = found.probability.tolist(), decisions.contact.tolist()
    unknown = np.isnan(decisions.expected_value)
    return [
        Prediction(
            customer_id=customer["customer_id"],
            churn_probability=probability[i],
            contact=contact[i],
            why=decisions.reason[i],
            why_text=WHY[decisions.reason[i]],
            expected_value=None if unknown[i] else float(decisions.expected_value[i]),
            currency=found.rung.policy.currency,
            reasons=[Reason(field=r.field, value=r.value, effect=r.effect, text=r.text) for r in found.reasons[i]],
            action=found.actions[i],
        )
        for i, customer in enumerate(customers)
    ]


def _reply(answer: Answer) -> Reply:
    headers = {"X-Served-By": answer.served_by, "X-Release": answer.release or "", "X-Request-Id": answer.request_id}
    return Reply(200, answer.model_dump_json().encode(), headers)


def _nothing(why: str) -> Reply:
    return Reply(503, problems_body([Problem("service", "something that can answer", why)]), {})


def _note_standing(standing: Standing) -> None:
    is_champion = bool(standing.rungs) and standing.rungs[0].served_by == "champion"
    count(lambda figures: figures.on_champion.set(is_champion))


def _note_loss(why: str, customers: int) -> None:
    count(lambda figures: figures.log_losses.labels(why).inc(customers))


def _note_answer(figures: Counters, answered: Answered, customers: int, seconds: float) -> None:
    served_by = answered.considered.rung.served_by
    figures.predictions.labels(served_by).inc(customers)
    figures.latency.labels(served_by).observe(seconds)
    if answered.fault:
        figures.fallbacks.labels(answered.fault.kind).inc()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
