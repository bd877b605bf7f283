"""What stands, given what is on disk."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from pipeline.pointer import generation_of, promote, rollback
from pipeline.release import Release, releases_root
from pipeline.serving_order import ORDER_FILE
from serving import shelf
from serving.ladder import Ladder
from serving.rungs import Rung, declared_rung
from serving.threads import Threads
from serving.watch import Watch
from tests.little_releases import DATASET, NEWER, OLDER, a_release, two_releases


class Room:
    """A dataset's folder, a ladder, and somebody who looks when told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 0.0
        self.releases = releases_root(folder)
        self.ladder = Ladder(Threads(1), 1.0)
        self.told: list[str] = []
        self.watch = Watch(
            self.ladder,
            self.releases,
            orders=folder,
            declared=self.declared,
            tell=lambda standing: self.told.append(standing.summary),
            clock=lambda: self.now,
        )

    def declared(self) -> Rung:
        return declared_rung(DATASET)

    def look(self) -> list[tuple[str, str | None]]:
        self.watch.look()
        return [(rung.served_by, rung.release) for rung in self.ladder.standing.rungs]

    @property
    def fault(self) -> str:
        return str(self.ladder.standing.fault)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def releases(room: Room) -> tuple[Release, Release]:
    return two_releases(room.releases)


def test_champion_last_good_and_rule_stand_in_this_order(room: Room, releases: tuple[Release, Release]) -> None:
    older, newer = releases
    assert room.look() == [("champion", newer.id), ("last_good", older.id), ("rule", newer.id)]
    assert room.ladder.standing.fault is None


def test_without_any_release_the_declared_rule_stands(room: Room) -> None:
    assert room.look() == [("rule", None)]
    assert room.fault == "no release"
    assert room.ladder.standing.contract is not None


def deleted(folder: Path, other: Path) -> None:
    (folder / "model.json").unlink()


def truncated(folder: Path, other: Path) -> None:
    os.truncate(folder / "model.json", 100)


def emptied(folder: Path, other: Path) -> None:
    (folder / "model.json").write_bytes(b"")


def swapped(folder: Path, other: Path) -> None:
    shutil.copyfile(other / "model.json", folder / "model.json")


def swapped_whole(folder: Path, other: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def made_a_pipe(folder: Path, other: Path) -> None:
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")


def gone(folder: Path, other: Path) -> None:
    shutil.rmtree(folder)


def unreadable_json(folder: Path, other: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\0\0\0\0")


DAMAGES = [deleted, truncated, emptied, swapped, swapped_whole, made_a_pipe, gone, unreadable_json]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_champion_falls_and_returns_once_it_is_whole_again(
    room: Room, releases: tuple[Release, Release], damage: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    older, newer = releases
    room.look()
    kept = tmp_path / "kept"
    shutil.copytree(newer.folder, kept)

    damage(newer.folder, older.folder)
    assert room.look() == [("last_good", older.id), ("rule", older.id)]
    assert room.fault.startswith(f"damaged: {newer.id}: expected")
    assert str(tmp_path) not in room.fault

    shutil.rmtree(newer.folder, ignore_errors=True)
    shutil.copytree(kept, newer.folder)
    assert room.look()[0] == ("champion", newer.id)
    assert room.fault == "None"


def test_the_same_damage_is_told_once(room: Room, releases: tuple[Release, Release]) -> None:
    deleted(releases[1].folder, releases[0].folder)
    for _ in range(5):
        room.look()
    assert len(room.told) == 1


def test_files_that_did_not_change_are_not_read_again(
    room: Room, releases: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    room.look()

    def never(folder: Path) -> Release:
        raise AssertionError("a release was read again")

    monkeypatch.setattr(shelf, "verify_release", never)
    assert room.look()[0][0] == "champion"


def test_damage_that_left_size_and_time_alone_is_found_within_a_minute(
    room: Room, releases: tuple[Release, Release]
) -> None:
    room.look()
    path = releases[1].folder / "model.json"
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.0", b"9.0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    room.now += 61
    assert room.look()[0][0] == "last_good"


def test_where_both_releases_are_damaged_the_rule_of_the_last_whole_one_stands(
    room: Room, releases: tuple[Release, Release]
) -> None:
    room.look()
    for release in releases:
        gone(release.folder, release.folder)
    assert room.look() == [("rule", releases[1].id)]
    assert room.fault.startswith("damaged")


def test_where_both_were_damaged_before_the_start_the_declared_rule_stands(
    room: Room, releases: tuple[Release, Release]
) -> None:
    for release in releases:
        gone(release.folder, release.folder)
    assert room.look() == [("rule", None)]
    assert room.fault.startswith("damaged")


def test_a_new_champion_takes_over_and_a_rollback_takes_it_back(room: Room) -> None:
    first = a_release(room.releases, OLDER)
    promote(room.releases, first.id, 0, "first")
    assert room.look() == [("champion", first.id), ("rule", first.id)]
    second = a_release(room.releases, NEWER)
    promote(room.releases, second.id, generation_of(room.releases), "second")
    assert room.look()[:2] == [("champion", second.id), ("last_good", first.id)]
    rollback(room.releases, "it was worse")
    assert room.look()[0] == ("champion", first.id)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0", b'{"release": "x"}'])
def test_a_damaged_pointer_is_read_from_its_copy(room: Room, releases: tuple[Release, Release], content: bytes) -> None:
    (room.releases / "current.json").write_bytes(content)
    assert room.look()[0] == ("champion", releases[1].id)


def test_a_lost_pointer_is_read_from_its_copy_also_by_a_service_that_starts(
    room: Room, releases: tuple[Release, Release]
) -> None:
    (room.releases / "current.json").unlink()
    assert room.look()[0] == ("champion", releases[1].id)


def test_a_pointer_that_vanishes_under_a_running_service_changes_nothing(
    room: Room, releases: tuple[Release, Release]
) -> None:
    room.look()
    for name in ("current.json", "current.copy.json"):
        (room.releases / name).unlink()
    assert room.look()[0] == ("champion", releases[1].id)


def test_monitoring_can_order_the_rule_and_call_it_off(room: Room, releases: tuple[Release, Release]) -> None:
    order = room.folder / ORDER_FILE
    order.write_text(json.dumps({"serve": "rule", "reason": "usage drifted"}))
    assert room.look() == [("rule", releases[1].id)]
    assert room.fault == "monitoring: usage drifted"
    order.write_text(json.dumps({"serve": "champion"}))
    assert room.look()[0][0] == "champion"
    order.write_text(json.dumps({"serve": "rule"}))
    assert room.look()[0][0] == "rule"
    order.unlink()
    assert room.look()[0][0] == "champion"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"serve": "nobody"}', '{"serve": []}', "{}"])
def test_an_order_that_cannot_be_read_changes_nothing(
    room: Room, releases: tuple[Release, Release], content: str
) -> None:
    order = room.folder / ORDER_FILE
    order.write_text(content)
    assert room.look()[0][0] == "champion"
    order.write_text('{"serve": "rule"}')
    room.look()
    order.write_text(content)
    assert room.look()[0][0] == "rule"


def test_callers_may_go_on_sending_what_a_fallen_champion_took(room: Room, releases: tuple[Release, Release]) -> None:
    room.look()
    contract = room.ladder.standing.contract
    gone(releases[1].folder, releases[0].folder)
    room.look()
    assert room.ladder.standing.contract is contract


def test_reading_that_takes_long_puts_the_champion_in_doubt_and_a_new_one_does_not(
    room: Room, releases: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    room.look()
    doubts: list[Any] = []
    verify = shelf.verify_release

    def noted(folder: Path) -> Release:
        doubts.append(room.ladder._doubted_since is not None)
        return verify(folder)

    monkeypatch.setattr(shelf, "verify_release", noted)
    os.utime(releases[1].folder / "model.json")
    room.look()
    third = a_release(room.releases, "2024-07", intercept=-1.5)
    promote(room.releases, third.id, generation_of(room.releases), "third")
    room.look()
    assert doubts[0] is True
    assert doubts[-1] is False
    assert room.ladder._doubted_since is None


def test_a_start_over_a_disk_that_hangs_is_not_held_up(
    room: Room, releases: tuple[Release, Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, verify = threading.Event(), shelf.verify_release

    def hangs(folder: Path) -> Release:
        release.wait(20)
        return verify(folder)

    monkeypatch.setattr(shelf, "verify_release", hangs)
    monkeypatch.setattr("serving.watch.FIRST_LOOK_SECONDS", 0.1)
    room.watch.start()
    assert [rung.served_by for rung in room.ladder.standing.rungs] == ["rule"]
    assert room.fault.startswith("slow")
    release.set()
    deadline = monotonic() + 5
    while room.ladder.standing.rungs[0].served_by != "champion" and monotonic() < deadline:
        sleep(0.02)
    room.watch.stop()
    assert room.ladder.standing.rungs[0].served_by == "champion"


def test_a_look_that_fails_is_told_once_and_leaves_everything_as_it_was(
    room: Room,
    releases: tuple[Release, Release],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    room.look()

    def broken(entry: object) -> bool:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(room.watch._shelf, "is_fresh", broken)
    monkeypatch.setattr("serving.watch.PAUSE_SECONDS", 0.01)
    room.watch.start()
    sleep(0.1)
    room.watch.stop()
    assert room.ladder.standing.rungs[0].served_by == "champion"
    assert caplog.text.count("look failed") == 1
