"""What is wrong with a request, in the one form that every refusal has: where, what was expected, what was found."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

LONGEST_FOUND = 100


@dataclass(frozen=True)
class Problem:
    """One thing that the caller can mend. `field` names a place in the body, or a header."""

    field: str
    expected: str
    found: str


def shown(value: object) -> str:
    """A value as a person writes it in JSON, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_FOUND else text[:LONGEST_FOUND] + "..."


def problems_body(problems: Sequence[Problem]) -> bytes:
    """The body of a refusal."""
    return json.dumps({"errors": [asdict(problem) for problem in problems]}).encode()
