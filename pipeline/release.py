"""Releases: immutable folders of plain data that can be verified, served and rolled back to without anything else.

A release holds no code and no pickled object. Reading one needs numpy and nothing heavier, because the service does it.
Releases live in a local folder or on a mounted volume: they need atomic renames, which object stores do not have.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.economics import Columns, FloatArray
from pipeline.encoding import model_fields
from pipeline.errors import ReleaseError
from pipeline.feature_kinds import Field
from pipeline.lake import canonical_json
from pipeline.manifest import MANIFEST_FILE, Manifest, Origin, manifest_of
from pipeline.model_file import MODEL_FILE, model_bytes, scorer_from_bytes
from pipeline.policy import Policy, policy_from_dict
from pipeline.release_files import damaged, read_file, read_files, write_files
from pipeline.rule import RuleTable, rule_table_from_dict
from pipeline.scoring import RuleScorer, Scorer, columns_of

GOLDEN_TOLERANCE = 1e-9  # what two orders of the same sum may differ by, and no model


@dataclass(frozen=True)
class Golden:
    """Rows of the test months with what the release said about them when it was made."""

    rows: tuple[Mapping[str, Any], ...]
    probability: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What goes into a release."""

    scorer: Scorer
    rule: RuleTable
    fields: tuple[Field, ...]
    policy: Policy
    reference: Mapping[str, Any]
    golden: Golden
    evaluation: Mapping[str, Any]
    card: str
    drift: Mapping[str, Any] = dataclass_field(default_factory=dict)

    def as_files(self) -> dict[str, bytes]:
        """The bytes of each file; the same contents always give the same bytes."""
        plain = {
            "rule.json": self.rule.as_dict(),
            "fields.json": [asdict(field) for field in self.fields],
            "policy.json": self.policy.as_dict(),
            "reference.json": self.reference,
            "golden.json": asdict(self.golden),
            "evaluation.json": self.evaluation,
            "drift.json": self.drift,
        }
        files = {name: canonical_json(value) for name, value in plain.items()}
        return files | {MODEL_FILE: model_bytes(self.scorer), "card.md": self.card.encode()}


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release whose every byte was verified when it was read."""

    folder: Path
    manifest: Manifest
    scorer: Scorer
    rule: RuleTable
    fields: tuple[Field, ...]
    policy: Policy
    reference: Mapping[str, Any]
    golden: Golden

    @property
    def id(self) -> str:
        """Run month and the first digits of the content digest."""
        return self.manifest.id

    @property
    def digest(self) -> str:
        """The content digest: two releases with the same one answer alike."""
        return self.manifest.content_digest

    @property
    def rule_scorer(self) -> RuleScorer:
        """What answers when no model may."""
        return RuleScorer(self.rule, model_fields(self.fields))

    def evidence(self, name: Literal["evaluation.json", "drift.json"]) -> dict[str, Any]:
        """A file that answers do not depend on, read and verified when it is asked for: the service never does.

        Raises:
            ReleaseError: it was changed since the release was read.
        """
        found: dict[str, Any] = json.loads(read_file(self.folder, name, self.manifest))
        return found

    def golden_difference(self) -> float:
        """Largest difference between what the release says of its golden rows now and what it said when it was made."""
        if not self.golden.rows:
            return 0.0
        now = self.scorer.probability(columns_of(self.golden.rows, self.fields), len(self.golden.rows))
        return float(np.max(np.abs(now - np.array(self.golden.probability))))


def releases_root(dataset_root: Path) -> Path:
    """The folder that a dataset's releases live in.

    Raises:
        ReleaseError: the dataset lives in an object store.
    """
    if not isinstance(dataset_root, Path):
        raise ReleaseError(
            str(dataset_root),
            expected="a folder on this machine or a mounted volume, where renames and locks are atomic",
            found="a URL",
            remedy="Set CHURN_HOME to a folder.",
        )
    return Path(str(dataset_root)) / "releases"


def write_release(root: Path, contents: Contents, origin: Origin) -> Release:
    """Write a release whole or not at all; one that is already there, undamaged, stays as it is."""
    files = contents.as_files()
    manifest = manifest_of(files, contents.scorer.name, origin)
    folder = root / manifest.id
    try:
        return load_release(folder)
    except ReleaseError:
        write_files(folder, files | {MANIFEST_FILE: manifest.as_bytes()})
    return load_release(folder)


def load_release(folder: Path) -> Release:
    """Read and verify a release; what is returned was built from the very bytes that were verified.

    Raises:
        ReleaseError: it is not there, or a file is missing, foreign, a link, cut short, swapped or edited.
    """
    manifest, content = read_files(folder)
    try:
        fields = tuple(_field(values) for values in json.loads(content["fields.json"]))
        return Release(
            folder=folder,
            manifest=manifest,
            scorer=scorer_from_bytes(content[MODEL_FILE], model_fields(fields)),
            rule=rule_table_from_dict(json.loads(content["rule.json"])),
            fields=fields,
            policy=policy_from_dict(json.loads(content["policy.json"])),
            reference=json.loads(content["reference.json"]),
            golden=_golden(json.loads(content["golden.json"])),
        )
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise damaged(folder, "files that mean something", f"{type(error).__name__}: {str(error)[:200]}") from error


def verify_release(folder: Path) -> Release:
    """`load_release`, and score the golden rows anew: the release still says what it said when it was made."""
    release = load_release(folder)
    difference = release.golden_difference()
    if not difference <= GOLDEN_TOLERANCE:
        expected = f"the {len(release.golden.rows)} golden probabilities to {GOLDEN_TOLERANCE:g}"
        raise damaged(folder, expected, f"a difference of {difference:.3g}")
    return release


def list_releases(root: Path) -> dict[str, Manifest | ReleaseError]:
    """Every release by its id, oldest first, fully verified; a damaged one is listed as the error it gives."""
    if not root.is_dir():
        return {}
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = {folder.name: _listed(folder) for folder in folders}
    return dict(sorted(found.items(), key=lambda item: getattr(item[1], "created_at", "")))


def golden_rows(columns: Columns, probability: FloatArray, fields: tuple[Field, ...], *, count: int = 50) -> Golden:
    """`count` rows spread evenly over the range of probabilities, chosen the same way every time."""
    order = np.argsort(probability, kind="stable")
    places = order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).astype(np.int64))]
    values = {field.name: np.asarray(columns[field.name])[places].tolist() for field in fields}
    rows = [{field.name: _plain(values[field.name][i], field) for field in fields} for i in range(len(places))]
    return Golden(tuple(rows), tuple(probability[places].tolist()))


def _plain(value: Any, field: Field) -> float | str | None:
    if field.kind == "category":
        return value if isinstance(value, str) else None
    return None if np.isnan(value) else float(value)


def _listed(folder: Path) -> Manifest | ReleaseError:
    try:
        return load_release(folder).manifest
    except ReleaseError as error:
        return error


def _field(values: Mapping[str, Any]) -> Field:
    return Field(**(dict(values) | {"categories": tuple(values["categories"])}))


def _golden(stored: Mapping[str, Any]) -> Golden:
    return Golden(tuple(stored["rows"]), tuple(float(p) for p in stored["probability"]))
