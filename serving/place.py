"""Where this service finds its releases: under the home of a dataset, or baked into a Bento."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.registry import load_dataset
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
        baked_settings = settings.model_copy(update={"dataset": baked.name})
        state = _state(settings, baked.name)
        return Place(baked.name, state, baked / "releases", lambda: declared_rung(load_dataset(baked_settings)))
    dataset = load_dataset(settings)
    state = _state(settings, dataset.name)
    return Place(dataset.name, state, releases_root(state), lambda: declared_rung(dataset))


def _state(settings: Settings, name: str) -> Path:
    return releases_root(Path(str(lake_of(settings, name).root))).parent


def _baked_dataset(folder: Path) -> Path | None:
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return found[0] if found else None
