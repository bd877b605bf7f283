"""Releases: whole or not at all, verified at every reading, light to load."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from upath import UPath

from pipeline.errors import ReleaseError
from pipeline.lake import canonical_json
from pipeline.manifest import FILES, MANIFEST_FILE, Manifest, content_digest, manifest_of
from pipeline.release import (
    Release,
    golden_rows,
    list_releases,
    load_release,
    releases_root,
    verify_release,
    write_release,
)
from pipeline.release_files import release_files_stat, write_files
from tests import gate_world as world

DATASET = world.company()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return world.released(tmp_path, DATASET, world.card(DATASET))


def test_a_release_answers_as_the_model_that_went_into_it(release: Release) -> None:
    frame = world.test_rows()
    loaded = load_release(release.folder)
    assert loaded.scorer.probability(frame, len(frame)).tolist() == (
        world.card(DATASET).probability(frame, len(frame)).tolist()
    )
    assert loaded.rule_scorer.probability(frame, len(frame)).tolist() == (
        world.rule_of(DATASET).probability(frame, len(frame)).tolist()
    )
    assert (loaded.fields, loaded.policy.economics) == (DATASET.fields(), DATASET.economics)
    assert loaded.reference == {"rows": len(frame)}


def test_a_release_says_where_it_comes_from(release: Release) -> None:
    manifest = release.manifest
    assert release.folder.name == release.id == f"2024-06-{release.digest[:12]}"
    assert (manifest.dataset, manifest.rung, manifest.data_version) == ("company", "logistic", world.DATA_VERSION)
    assert manifest.created_at == "2024-07-01T06:00:00"
    assert sorted(path.name for path in release.folder.iterdir()) == sorted([*FILES, MANIFEST_FILE])


def test_the_same_content_is_the_same_release_and_is_not_written_twice(tmp_path: Path, release: Release) -> None:
    before = release_files_stat(release.folder)
    report = world.report_of(DATASET, world.card(DATASET)) | {"seconds": 12}
    contents = world.contents_of(DATASET, world.card(DATASET), report)
    again = write_release(tmp_path, contents, world.origin(mlflow_run_id="another run"))
    assert (again.id, again.manifest) == (release.id, release.manifest)
    assert release_files_stat(release.folder) == before


def test_another_model_is_another_release(tmp_path: Path, release: Release) -> None:
    assert world.released(tmp_path, DATASET, world.card(DATASET, west=0.3)).id != release.id


def test_a_damaged_release_is_written_anew_by_the_month_that_made_it(tmp_path: Path, release: Release) -> None:
    (release.folder / "model.json").write_bytes(b"{}")
    again = world.released(tmp_path, DATASET, world.card(DATASET))
    assert again.id == release.id
    assert verify_release(release.folder).digest == release.digest
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [release.id]


def test_a_write_that_is_interrupted_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        world.released(tmp_path, DATASET, world.card(DATASET))
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_of_the_same_release_loses_without_harm(
    tmp_path: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: (release.folder / name).read_bytes() for name in (*FILES, MANIFEST_FILE)}
    monkeypatch.setattr("pipeline.release_files._put_aside", lambda folder: None)  # it looked before the first finished
    write_files(release.folder, files)
    assert verify_release(release.folder).id == release.id
    assert [path.name for path in tmp_path.iterdir()] == [release.id]


def _swap(folder: Path) -> None:
    (folder / "model.json").write_bytes((folder / "rule.json").read_bytes())


def _truncate(folder: Path) -> None:
    path = folder / "policy.json"
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen(folder: Path) -> None:
    with (folder / "fields.json").open("ab") as file:
        file.write(b" ")


def _flip_one_bit(folder: Path) -> None:
    path = folder / "golden.json"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _remove(folder: Path) -> None:
    (folder / "card.md").unlink()


def _add(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"cos\nsystem\n")


def _add_folder(folder: Path) -> None:
    (folder / "more").mkdir()


def _link_out(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere.json"
    shutil.move(folder / "model.json", elsewhere)
    (folder / "model.json").symlink_to(elsewhere)


def _pipe(folder: Path) -> None:
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")


def _edit_manifest(folder: Path) -> None:
    path = folder / MANIFEST_FILE
    path.write_text(path.read_text().replace('"rung": "logistic"', '"rung": "boosting"'))


def _empty_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_bytes(b"")


def _deep_manifest(folder: Path) -> None:
    (folder / MANIFEST_FILE).write_bytes(b"[" * 60_000)


DAMAGES: dict[Callable[[Path], None], str] = {
    _swap: "model.json: expected .* bytes of SHA-256",
    _truncate: "policy.json: expected .* bytes of SHA-256",
    _lengthen: "fields.json: expected .* found more than",
    _flip_one_bit: "golden.json: expected .* bytes of SHA-256",
    _remove: "card.md is missing",
    _add: "model.pkl is foreign",
    _add_folder: "more is foreign",
    _link_out: "model.json is no plain file",
    _pipe: "model.json is no plain file",
    _edit_manifest: "expected a manifest of format 1 as it was written; found ValueError: format or content changed",
    _empty_manifest: "expected a manifest of format 1",
    _deep_manifest: "expected a manifest of format 1",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_release_that_is_not_as_it_was_written_is_refused(release: Release, damage: Callable[[Path], None]) -> None:
    damage(release.folder)
    with pytest.raises(ReleaseError, match=DAMAGES[damage]) as refused:
        load_release(release.folder)
    assert refused.value.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../../etc"},
        {"id": "2024-06-000000000000"},
        {"run_key": "2024-07"},
        {"content_digest": "0" * 64},
        {"mlflow_run_id": 3},
        {"more": "values"},
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(release: Release, changes: dict[str, Any]) -> None:
    _rewrite_manifest(release.folder, changes)
    with pytest.raises(ReleaseError, match="expected a manifest of format 1"):
        load_release(release.folder)


def test_a_manifest_cannot_name_a_file_of_its_own(release: Release) -> None:
    stored = json.loads((release.folder / MANIFEST_FILE).read_bytes())
    files = stored["files"] | {"../outside.json": stored["files"]["card.md"]}
    _rewrite_manifest(release.folder, {"files": files})
    with pytest.raises(ReleaseError, match="found ValueError: files"):
        load_release(release.folder)


def test_a_release_under_another_name_or_behind_a_link_is_refused(tmp_path: Path, release: Release) -> None:
    with pytest.raises(ReleaseError, match="expected a folder; found none"):
        load_release(tmp_path / "2024-06-0123456789ab")
    (tmp_path / "2024-06-0123456789ab").symlink_to(release.folder)
    with pytest.raises(ReleaseError, match="found a link"):
        load_release(tmp_path / "2024-06-0123456789ab")
    release.folder.rename(tmp_path / "2024-05-0123456789ab")
    with pytest.raises(ReleaseError, match="a folder of the name 2024-06"):
        load_release(tmp_path / "2024-05-0123456789ab")


def test_bytes_with_the_right_digest_that_are_no_model_are_refused(tmp_path: Path) -> None:
    for model in (b"", b"[]", b"null", b"\x80\x04", b'{"rung": "pickle"}', b"[" * 100_000):
        folder = world.folder_of_bytes(tmp_path, DATASET, model)
        with pytest.raises(ReleaseError):
            load_release(folder)


def test_golden_rows_prove_that_a_release_still_says_what_it_said(tmp_path: Path) -> None:
    honest = world.contents_of(DATASET, world.card(DATASET), world.report_of(DATASET, world.card(DATASET)))
    assert write_release(tmp_path, honest, world.origin()).golden_difference() == 0.0
    other = replace(honest, scorer=world.card(DATASET, west=0.9))
    release = write_release(tmp_path, other, world.origin())
    with pytest.raises(ReleaseError, match="expected the 50 golden probabilities"):
        verify_release(release.folder)


def test_golden_rows_reach_from_the_least_to_the_most_likely_leaver_and_keep_missing_values() -> None:
    columns = {
        "region": np.array(["north", None, "west", "west"], dtype=object),
        "failed_payments": np.array([0.0, np.nan, 2.0, 3.0]),
        "usage": np.zeros(4),
        "price": np.ones(4),
    }
    golden = golden_rows(columns, np.array([0.9, 0.1, 0.5, 0.2]), DATASET.fields(), count=3)
    assert golden.probability == (0.1, 0.2, 0.9)
    assert golden.rows[0] == {"region": None, "failed_payments": None, "usage": 0.0, "price": 1.0}


def test_releases_are_listed_oldest_first_and_a_damaged_one_with_its_fault(tmp_path: Path) -> None:
    contents = world.contents_of(DATASET, world.card(DATASET), {})
    july, june = (write_release(tmp_path, contents, world.origin(run_key=key)) for key in ("2024-07", "2024-06"))
    (tmp_path / ".new-left-by-a-kill").mkdir()
    assert list(list_releases(tmp_path)) == [june.id, july.id]
    _remove(june.folder)
    listed = list_releases(tmp_path)
    assert isinstance(listed[june.id], ReleaseError)
    assert isinstance(listed[july.id], Manifest)
    assert list_releases(tmp_path / "nowhere") == {}


def test_whoever_watches_a_release_sees_that_a_file_was_exchanged(release: Release) -> None:
    before = release_files_stat(release.folder)
    assert release_files_stat(release.folder) == before
    content = (release.folder / "model.json").read_bytes()
    (release.folder / "model.new").write_bytes(content)
    (release.folder / "model.new").replace(release.folder / "model.json")
    assert release_files_stat(release.folder) != before
    assert release_files_stat(release.folder / "nowhere") == ()


def test_releases_live_in_a_folder_and_an_object_store_is_refused(tmp_path: Path) -> None:
    assert releases_root(UPath(tmp_path)) == tmp_path / "releases"
    with pytest.raises(ReleaseError, match="expected a folder on this machine"):
        releases_root(UPath("memory://home/company"))


def test_the_digest_is_over_what_answers_depend_on_and_nothing_else() -> None:
    contents = world.contents_of(DATASET, world.card(DATASET), {})
    files = contents.as_files()
    digest = manifest_of(files, "logistic", world.origin()).content_digest
    for name in FILES:
        changed = manifest_of(files | {name: b"other"}, "logistic", world.origin()).files
        depends = name in ("model.json", "rule.json", "fields.json", "policy.json", "reference.json")
        assert (content_digest(changed) != digest) == depends


def test_a_release_is_read_without_any_heavy_library(release: Release) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.release import verify_release; "
        "import pipeline.policy, pipeline.pointer, pipeline.prediction_log, pipeline.reasons; "
        f"verify_release(Path({str(release.folder)!r})); "
        "print({'pandas', 'pyarrow', 'sklearn', 'scipy', 'sqlalchemy', 'ibis', 'duckdb'} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"


def _rewrite_manifest(folder: Path, changes: dict[str, Any]) -> None:
    """A manifest edited by somebody who knows how its digest is made."""
    import hashlib

    stored = json.loads((folder / MANIFEST_FILE).read_bytes()) | changes
    stored.pop("manifest_digest")
    digest = hashlib.sha256(canonical_json(stored)).hexdigest()
    (folder / MANIFEST_FILE).write_bytes(canonical_json(stored | {"manifest_digest": digest}))
