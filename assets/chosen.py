"""The dataset and the settings that a command works on."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.declaration import Dataset


def with_dataset(name: str | None) -> Settings:
    """The settings, with another dataset where one is named; the path of a module is made absolute."""
    settings = Settings()
    if name is None:
        return settings
    return settings.model_copy(update={"dataset": str(Path(name).resolve()) if name.endswith(".py") else name})


def chosen(name: str | None) -> tuple["Dataset", Settings]:
    """The dataset and the settings that a command works on."""
    from pipeline.datasets.registry import load_dataset

    settings = with_dataset(name)
    return load_dataset(settings), settings
