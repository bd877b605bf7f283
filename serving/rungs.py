"""What can answer: the champion, the last good release, the rule; and why a better one does not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.declaration import Dataset
from pipeline.encoding import model_fields
from pipeline.feature_kinds import Field
from pipeline.policy import Policy
from pipeline.release import Release
from pipeline.rule import Rule, RuleTable
from pipeline.scoring import RuleScorer, Scorer, log_odds, sigmoid

ServedBy = Literal["champion", "last_good", "rule"]
FaultKind = Literal["damaged", "slow", "error", "deadline", "no release", "monitoring"]

ASSUMED_CHURN_RATE = 0.05  # of customers without any point, where no release ever told
ASSUMED_ODDS_PER_POINT = 1.5


@dataclass(frozen=True)
class Fault:
    """Why a rung does not answer. `kind` is counted, `text` is for people."""

    kind: FaultKind
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind


@dataclass(frozen=True)
class Rung:
    """One thing that can answer. `release` is None where the rule answers for want of any release."""

    served_by: ServedBy
    release: str | None
    scorer: Scorer
    policy: Policy
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        """For logs and for the memory of what failed."""
        return f"{self.served_by} {self.release or 'without a release'}"


def rungs_of(champion: Release | None, last_good: Release | None) -> tuple[Rung, ...]:
    """The rungs of the releases that are whole. The rule is that of the better of them."""
    best = champion or last_good
    found = (
        champion and _rung("champion", champion, champion.scorer),
        last_good and _rung("last_good", last_good, last_good.scorer),
        best and _rung("rule", best, best.rule_scorer),
    )
    return tuple(rung for rung in found if rung)


def _rung(served_by: ServedBy, release: Release, scorer: Scorer) -> Rung:
    return Rung(served_by, release.id, scorer, release.policy, release.fields)


def declared_rung(dataset: Dataset) -> Rung:
    """The rule as the dataset states it, with assumed rates: what answers before there is any release."""
    fields = dataset.fields()
    policy = Policy(
        economics=dataset.economics,
        cutoff_value=0.0,
        rule_cutoff_value=0.0,
        actions={feature.name: feature.action for feature in dataset.features if feature.action},
    )
    return Rung("rule", None, RuleScorer(assumed_table(dataset.rule), model_fields(fields)), policy, fields)


def assumed_table(rule: Rule) -> RuleTable:
    """Rates for every reachable sum of points, where nobody has counted yet."""
    points = [condition.points for condition in rule.points]
    sums = np.arange(sum(p for p in points if p < 0), sum(p for p in points if p > 0) + 1)
    rates = sigmoid(log_odds(np.array([ASSUMED_CHURN_RATE])) + sums * np.log(ASSUMED_ODDS_PER_POINT))
    return RuleTable(rule, tuple(sums.tolist()), tuple(rates.tolist()))
