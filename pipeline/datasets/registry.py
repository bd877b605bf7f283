"""Finds a dataset by its name or by the path of a module that exposes `DATASET`."""

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from pipeline.declaration import Dataset
from pipeline.errors import DeclarationError
from pipeline.settings import Settings
from pipeline.simulator.scenarios import SCENARIOS, dataset_name

SHIPPED = ("simulated", "telco", "tv")
OF_SCENARIOS = tuple(dataset_name(scenario) for scenario in SCENARIOS)


def load_dataset(settings: Settings) -> Dataset:
    """The dataset that the settings name.

    Raises:
        DeclarationError: it does not exist, does not import, exposes no `DATASET`, or contradicts itself.
    """
    name = settings.dataset
    if name in SHIPPED or name in OF_SCENARIOS:
        module = importlib.import_module(f"pipeline.datasets.{name.partition('_')[0]}")
    elif name.endswith(".py"):
        module = _module_from(Path(name).expanduser())
    else:
        raise DeclarationError(
            f"dataset {name!r}",
            expected=f"one of {', '.join(SHIPPED)}, or the path of a module ending in .py, or a scenario of the "
            f"simulated company: {', '.join(OF_SCENARIOS)}",
            found=repr(name),
            remedy="Correct the name.",
        )
    return _dataset_of(module, name, settings)


def _dataset_of(module: ModuleType, name: str, settings: Settings) -> Dataset:
    build = getattr(module, "dataset_for", None)  # only a world whose size is a setting needs it
    dataset = build(settings) if build else getattr(module, "DATASET", None)
    if not isinstance(dataset, Dataset):
        raise DeclarationError(
            f"module {name!r}",
            expected="a name DATASET that holds a pipeline.declaration.Dataset",
            found=f"{type(dataset).__name__}",
            remedy="See the example of bringing your own table in the README.",
        )
    return dataset


def _module_from(path: Path) -> ModuleType:
    if not path.is_file():
        raise DeclarationError(
            f"dataset {str(path)!r}",
            expected="a Python file",
            found="no file there",
            remedy="Check the path; it is taken from the current folder.",
        )
    spec = importlib.util.spec_from_file_location(f"churn_dataset_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DeclarationError(f"dataset {str(path)!r}", expected="a Python file", found="something else", remedy="")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except DeclarationError:
        raise
    except Exception as error:  # anything may be written in a user's module
        raise DeclarationError(
            f"dataset {str(path)!r}",
            expected="a module that can be imported",
            found=f"{type(error).__name__}: {error}",
            remedy="Mend the module; `python` on the file alone shows the line.",
        ) from error
    return module
