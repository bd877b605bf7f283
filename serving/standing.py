"""What stands at one moment, exchanged as a whole: the rungs that can answer, and what callers may send."""

from dataclasses import dataclass, replace

from serving.rungs import Fault, Rung
from serving.schema import Contract


@dataclass(frozen=True)
class Standing:
    """What answers now, best first. `fault` says why the champion is not the first; no rung, no contract."""

    rungs: tuple[Rung, ...]
    fault: Fault | None = None
    contract: Contract | None = None

    @property
    def summary(self) -> str:
        """One line for the log; where it stays the same, there is nothing to tell."""
        names = " > ".join(rung.name for rung in self.rungs) or "nothing"
        return f"{names} ({self.fault})" if self.fault else names

    def by_rule(self, fault: Fault) -> "Standing":
        """The same, with only the rule to answer."""
        return replace(self, rungs=tuple(rung for rung in self.rungs if rung.served_by == "rule"), fault=fault)


NOTHING_YET = Standing((), Fault("slow", "the releases are still being read"))
