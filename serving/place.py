"""Where this service finds its releases: under the home of a dataset, or baked into a Bento."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.datasets.registry import load_dataset
from pipeline.declaration import Dataset
from pipeline.errors import ReleaseError
from pipeline.lake import lake_of
from pipeline.release import releases_root
from pipeline.settings import Settings
from serving.rungs import Rung, declared_rung

BAKED = "baked"  # beside the packages, inside a Bento: one folder named like the dataset, holding `releases`


@dataclass(frozen=True)
class Place:
    """Folders of one dataset.

    Args:
        dataset: name of the dataset.
        state: where the prediction log spools and monitoring leaves its order.
        releases: where the pointer and the releases are.
        declared: gives the rule as the dataset states it.
    """

    dataset: str
    state: Path
    releases: Path
    declared: Callable[[], Rung]


def place_of(settings: Settings) -> Place:
    """Where to look.

    Raises:
        ChurnError: the dataset is not there, or its home is no folder of this machine.
    """
    baked = _baked_dataset(Path(__file__).parents[1] / BAKED)
    if baked is not None:
        return Place(baked.name, _state(settings, baked.name), baked / "releases", _no_declaration)
    dataset = _loaded(settings)
    state = _state(settings, dataset.name)
    return Place(dataset.name, state, releases_root(state), lambda: declared_rung(dataset))


@cache
def _loaded(settings: Settings) -> Dataset:
    return load_dataset(settings)


def _state(settings: Settings, name: str) -> Path:
    return releases_root(lake_of(settings, name).root).parent


def _baked_dataset(folder: Path) -> Path | None:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return found[0] if found else None


def _no_declaration() -> Rung:
    raise ReleaseError(
        "Bento",
        expected="the release that was built into it",
        found="a damaged one",
        remedy="Build the Bento again, or pull its image again.",
    )
