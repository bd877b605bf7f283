"""Why a Dagster run failed, in the words of the error or the check at the bottom of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import errors
from pipeline.errors import ChurnError

if TYPE_CHECKING:
    from dagster import DagsterEvent
    from dagster._utils.error import SerializableErrorInfo

TYPED = tuple(name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ChurnError))
REMEDY = "Nothing downstream of it ran, and the release before goes on answering. `churn up` shows the run."


@dataclass
class Failures:
    """What went wrong in one run, noted from its events."""

    job: str
    broken: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def note(self, event: "DagsterEvent") -> None:
        """Remember an event if it tells of a failure."""
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if check.blocking and not check.passed:
                said = check.description or f"check {check.check_name} failed"
                self.broken.setdefault(check.asset_key.to_user_string(), said)
        elif event.is_step_failure:
            self.failed[str(event.step_key)] = reason(event.step_failure_data.error)
        elif event.is_job_failure and not self.failed:
            self.failed[self.job] = reason(event.job_failure_data.error) or event.message or "no step says why"

    @property
    def found(self) -> str:
        """Every step that failed, and why; those that failed by one cause together. Empty where none did."""
        steps: dict[str, list[str]] = {}
        for step, why in self.failed.items():
            steps.setdefault(self.broken.get(step, why), []).append(step)
        return "; ".join(f"{', '.join(names)}: {why}" for why, names in steps.items())

    def raise_if_any(self) -> None:
        """Raise one ChurnError that names every step that failed, and why."""
        if self.failed:
            found = self.found.rstrip(".")
            raise ChurnError(f"job {self.job!r}", expected="every step to succeed", found=found, remedy=REMEDY)


def reason(error: "SerializableErrorInfo | None") -> str:
    """The message of the error that a user can mend, or of the one at the bottom, with its type."""
    if error is None:
        return ""
    chain = [error]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    typed = [link for link in chain if link.cls_name in TYPED]
    message = (typed or chain)[-1].message.strip()
    return message.partition(": ")[2] if typed else message
