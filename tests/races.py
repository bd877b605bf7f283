"""What other processes do in tests of races. Imports little, because each process imports it anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import ReleaseError
from pipeline.pointer import promote
from pipeline.prediction_log import Prediction, append


def promote_at_once(root: Path, release_id: str, ready: Any, answers: Any) -> None:
    """Wait for the others, promote from generation 1, and say which release it was, or "refused"."""
    ready.wait()
    try:
        answers.put(promote(root, release_id, 1, "race").release)
    except ReleaseError:
        answers.put("refused")


def write(root: Path, prediction: Prediction, count: int) -> None:
    """Append predictions one by one, each with an id of its own."""
    for i in range(count):
        append(root, [replace(prediction, id=f"{prediction.id}-{i}")])
