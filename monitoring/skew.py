"""Training-serving skew: what callers sent about customers, beside what the batch computed about the same customers.

A model was fitted on features as they are when a month closes. Whoever asks it online is expected to send those of the
month that closed last, for example from a copy of the batch's table. So each customer's newest online row of a month is
compared with the customer's features of the month before:

- a number differs by more than a millionth of itself;
- a category differs where it is not the same text;
- a missing value is the same as a missing value only;
- a number of days (its declared unit) may have gone on counting since the month closed: it differs where it is more
  than a day below the batch's, or more than a day above that plus the days that have passed. One that started anew,
  because something happened meanwhile, differs: the release was never asked about such a customer when it was judged.

Customers whom the batch does not know, because they came since, are counted and not compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from monitoring.evidence import Evidence
from pipeline.calendar import month_after, month_start
from pipeline.feature_kinds import Field
from pipeline.prediction_log import logged_features
from pipeline.wording import percent

if TYPE_CHECKING:
    import pandas as pd

DAYS = "days"  # the declared unit of a number that goes on counting
SAME_NUMBER, SAME_ZERO, SAME_DAYS = 1e-6, 1e-9, 1.0
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class SkewLimits:
    """A field is told of where more than `share` of at least `fewest` customers differ."""

    share: float = 0.05
    fewest: int = 30


@dataclass(frozen=True)
class FieldSkew:
    """How a field differs. `sent` and `batch` are one customer's values where it does, empty where it never does."""

    field: str
    customers: int
    differing: int
    sent: str = ""
    batch: str = ""

    @property
    def share(self) -> float:
        """The share of customers about whom something else was sent."""
        return self.differing / self.customers if self.customers else 0.0


@dataclass(frozen=True)
class Skew:
    """A month's online rows beside the batch; `unknown` customers are not in the batch."""

    month: str
    customers: int
    unknown: int
    fields: tuple[FieldSkew, ...]


def skew_of(month: str, log: "pd.DataFrame", features: "pd.DataFrame", declared: Sequence[Field]) -> Skew:
    """Compare what was sent in a month with the batch's features of the month before.

    Args:
        month: when the requests came, YYYY-MM; a dataset without months has no skew to look for.
        log: rows of the prediction log; only online rows of the month that name a customer are read.
        features: of the month before, one row for each customer, with `customer_id`.
        declared: the fields; one that the features lack is left out, and so is a row of a release that lacks it.
    """
    closed_at = month_start(month)
    sent = _newest_of_each(log, closed_at, month_start(month_after(month)))
    batch = features.set_index("customer_id")
    known = sent[sent["customer_id"].isin(batch.index)]
    here, there = logged_features(known, declared), batch.loc[known["customer_id"]]
    passed_days = np.asarray((known["predicted_at"] - closed_at) / timedelta(days=1), dtype=np.float64)
    fields = []
    for field in declared:
        if field.name in batch.columns:
            was_sent = np.array([field.name in row for row in known["features"]], dtype=bool)  # a release may lack it
            one, other = (frame[field.name].to_numpy(dtype=object)[was_sent] for frame in (here, there))
            fields.append(_field_skew(field, one, other, passed_days[was_sent]))
    return Skew(month, len(known), len(sent) - len(known), tuple(fields))


def skew_evidence(skew: Skew, sources: Mapping[str, str], *, limits: SkewLimits | None = None) -> list[Evidence]:
    """What of it somebody must know: one piece for each source table, the field that differs most first.

    Args:
        skew: of a month.
        sources: the table of each field; a field without one stands for itself.
        limits: from where on a field is told of.
    """
    limits, by_source = limits or SkewLimits(), dict[str, list[FieldSkew]]()
    for each in sorted(skew.fields, key=lambda field: -field.share):
        if each.customers >= limits.fewest and each.share > limits.share:
            by_source.setdefault(sources.get(each.field, each.field), []).append(each)
    return [
        Evidence(skew.month, "skew", _said(skew, source, fields), about=(source,))
        for source, fields in by_source.items()
    ]


def _newest_of_each(log: "pd.DataFrame", first: datetime, end: datetime) -> "pd.DataFrame":
    """The newest online row of each customer: one who is asked about a thousand times counts once."""
    import pandas as pd

    at = pd.to_datetime(log["predicted_at"])
    online = log[(log["source"] == "online") & log["customer_id"].notna() & (at >= first) & (at < end)]
    newest = online.sort_values("predicted_at", kind="stable").drop_duplicates("customer_id", keep="last")
    return newest.assign(predicted_at=pd.to_datetime(newest["predicted_at"]))


def _field_skew(
    field: Field, sent: NDArray[np.object_], batch: NDArray[np.object_], passed_days: NDArray[np.float64]
) -> FieldSkew:
    import pandas as pd

    if field.kind == "number":
        one, other = (values.astype(np.float64) for values in (sent, batch))
        differs = _numbers_differ(one, other, passed_days * (field.unit == DAYS))
    else:
        differs = (sent != batch) & ~(pd.isna(sent) & pd.isna(batch))
    places = np.flatnonzero(differs)
    example = [f"{values[places[0]]}" for values in (sent, batch)] if len(places) else []
    return FieldSkew(field.name, len(sent), len(places), *example)


def _numbers_differ(
    sent: NDArray[np.float64], batch: NDArray[np.float64], may_grow: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Element by element; `may_grow` is 0 where a number may not."""
    is_same = np.isclose(sent, batch, rtol=SAME_NUMBER, atol=SAME_ZERO, equal_nan=True)
    grew = sent - batch
    has_grown = (may_grow > 0) & (grew >= -SAME_DAYS) & (grew <= may_grow + SAME_DAYS)
    return np.asarray(~(is_same | has_grown))


def _said(skew: Skew, source: str, fields: Sequence[FieldSkew]) -> str:
    worst = fields[0]
    named = ", ".join(f"{each.field} {percent(each.share)}" for each in fields[:MOST_NAMED])
    more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
    return (
        f"{skew.month}: callers send something else than the batch computes from {source}: {named}{more} of "
        f"{skew.customers:,} customers, for example {worst.field} {worst.sent} instead of {worst.batch}"
    )
