"""The pointer: one winner among many, and always a way back."""

import json
import multiprocessing
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.errors import ReleaseError
from pipeline.pointer import (
    Entry,
    Pointer,
    current_release,
    entries_to_serve,
    generation_of,
    promote,
    read_pointer,
    rollback,
)
from pipeline.release import Release
from tests import gate_world as world
from tests import races

AT = datetime(2024, 7, 1, 6)
DATASET = world.company()


def releases(root: Path, count: int) -> list[Release]:
    return [world.released(root, DATASET, world.card(DATASET, west=0.1 * i)) for i in range(count)]


def crowned(root: Path, count: int) -> list[Release]:
    made = releases(root, count)
    for i, release in enumerate(made):
        promote(root, release.id, i, f"month {i}", at=AT)
    return made


def current(root: Path) -> str:
    pointer = read_pointer(root)
    assert pointer is not None
    return pointer.release


def test_nothing_is_current_until_something_is_promoted(tmp_path: Path) -> None:
    assert (read_pointer(tmp_path), generation_of(tmp_path), current_release(tmp_path)) == (None, 0, None)
    assert entries_to_serve(tmp_path) == []


def test_a_promotion_is_read_back_with_its_history(tmp_path: Path) -> None:
    first, second = crowned(tmp_path, 2)
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert (pointer.release, pointer.digest, pointer.generation) == (second.id, second.digest, 2)
    assert [(entry.release, entry.why, entry.at) for entry in pointer.history] == [
        (first.id, "month 0", "2024-07-01T06:00:00"),
        (second.id, "month 1", "2024-07-01T06:00:00"),
    ]
    release = current_release(tmp_path)
    assert release is not None
    assert release.id == second.id


def test_a_promotion_that_was_interrupted_after_it_moved_the_pointer_may_be_asked_for_again(tmp_path: Path) -> None:
    first, second = crowned(tmp_path, 2)
    assert promote(tmp_path, second.id, 1, "again", at=AT).generation == 2
    rollback(tmp_path, "it was bad")
    with pytest.raises(ReleaseError, match="found generation 3"):
        promote(tmp_path, second.id, 1, "and again", at=AT)
    assert current(tmp_path) == first.id


def test_a_promotion_that_was_decided_against_another_champion_is_refused(tmp_path: Path) -> None:
    first, second = releases(tmp_path, 2)
    promote(tmp_path, first.id, 0, "first", at=AT)
    with pytest.raises(ReleaseError, match=r"expected the pointer at generation 0.*found generation 1"):
        promote(tmp_path, second.id, 0, "late", at=AT)
    assert current(tmp_path) == first.id


def test_promoting_what_is_current_changes_nothing(tmp_path: Path) -> None:
    (first,) = crowned(tmp_path, 1)
    assert promote(tmp_path, first.id, 1, "again", at=AT).generation == 1


@pytest.mark.parametrize("name", ["../outside", "2024-06", "2024-06-0123456789ab", ".", "", "current.json"])
def test_only_a_whole_release_of_that_root_can_be_promoted(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReleaseError):
        promote(tmp_path, name, 0, "no such release", at=AT)
    assert read_pointer(tmp_path) is None


def test_a_damaged_release_cannot_be_promoted(tmp_path: Path) -> None:
    (release,) = releases(tmp_path, 1)
    (release.folder / "rule.json").write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=r"rule\.json"):
        promote(tmp_path, release.id, 0, "damaged", at=AT)


def test_of_many_promotions_decided_at_once_exactly_one_wins(tmp_path: Path) -> None:
    made = releases(tmp_path, 5)
    promote(tmp_path, made[0].id, 0, "first", at=AT)
    spawn = multiprocessing.get_context("forkserver")
    ready, answers = spawn.Barrier(4), spawn.Queue()
    racers = [
        spawn.Process(target=races.promote_at_once, args=(tmp_path, release.id, ready, answers)) for release in made[1:]
    ]
    for racer in racers:
        racer.start()
    found = [answers.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    winners = [answer for answer in found if answer != "refused"]
    assert winners == [current(tmp_path)]
    assert generation_of(tmp_path) == 2


def test_a_rollback_goes_to_the_release_before(tmp_path: Path) -> None:
    first, _ = crowned(tmp_path, 2)
    pointer = rollback(tmp_path, "complaints", at=AT)
    assert (pointer.release, pointer.generation) == (first.id, 3)
    assert (pointer.history[-1].why, pointer.history[-1].action) == ("complaints", "rollback")


def test_going_back_twice_never_goes_forward(tmp_path: Path) -> None:
    first, second, _ = crowned(tmp_path, 3)
    assert rollback(tmp_path, "bad", at=AT).release == second.id
    assert rollback(tmp_path, "also bad", at=AT).release == first.id
    with pytest.raises(ReleaseError, match="expected an earlier release that verifies"):
        rollback(tmp_path, "nothing left", at=AT)
    assert current(tmp_path) == first.id


def test_after_a_rollback_the_next_promotion_stands_on_what_was_gone_back_to(tmp_path: Path) -> None:
    first, second, third = releases(tmp_path, 3)
    promote(tmp_path, first.id, 0, "1", at=AT)
    promote(tmp_path, second.id, 1, "2", at=AT)
    rollback(tmp_path, "bad", at=AT)
    promote(tmp_path, third.id, 3, "3", at=AT)
    assert [entry.release for entry in entries_to_serve(tmp_path)] == [third.id, first.id]
    assert rollback(tmp_path, "bad too", at=AT).release == first.id


def test_a_rollback_passes_over_releases_that_do_not_verify(tmp_path: Path) -> None:
    first, second, third = crowned(tmp_path, 3)
    (second.folder / "model.json").write_bytes(b"{}")
    (third.folder / "model.json").unlink()
    assert rollback(tmp_path, "both damaged", at=AT).release == first.id


def test_a_rollback_to_a_named_release_is_possible_in_both_directions(tmp_path: Path) -> None:
    first, second, third = crowned(tmp_path, 3)
    assert rollback(tmp_path, "to the first", first.id, at=AT).release == first.id
    assert rollback(tmp_path, "it was fine", third.id, at=AT).release == third.id
    assert [entry.release for entry in entries_to_serve(tmp_path)] == [third.id, first.id]
    (second.folder / "card.md").unlink()
    with pytest.raises(ReleaseError, match=r"card.md is missing"):
        rollback(tmp_path, "to a damaged one", second.id, at=AT)


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"release": "2024-06-0123456789ab"}',
    b'{"release": "x", "digest": "y", "generation": 1, "history": []}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_pointer_is_a_typed_error_and_nothing_is_promoted_over_it(tmp_path: Path, content: bytes) -> None:
    first, second = crowned(tmp_path, 2)
    (tmp_path / "current.json").write_bytes(content)
    with pytest.raises(ReleaseError, match="churn release rollback"):
        read_pointer(tmp_path)
    with pytest.raises(ReleaseError, match="churn release rollback"):
        promote(tmp_path, first.id, 2, "blind", at=AT)
    assert [entry.release for entry in entries_to_serve(tmp_path)] == [second.id, first.id]  # the service goes on


def test_a_rollback_mends_a_damaged_pointer_and_gives_no_generation_twice(tmp_path: Path) -> None:
    first, second = crowned(tmp_path, 2)
    (tmp_path / "current.json").write_text("{")
    pointer = rollback(tmp_path, "pointer damaged", at=AT)
    assert (pointer.release, read_pointer(tmp_path)) == (second.id, pointer)
    assert pointer.generation > 2
    assert rollback(tmp_path, "and one further", at=AT).release == first.id


def test_a_pointer_that_was_removed_is_not_taken_for_one_that_never_was(tmp_path: Path) -> None:
    first, second = crowned(tmp_path, 2)
    (tmp_path / "current.json").unlink()
    with pytest.raises(ReleaseError, match="although there is a copy of it"):
        promote(tmp_path, first.id, 0, "as if it were the first", at=AT)
    assert [entry.release for entry in entries_to_serve(tmp_path)] == [second.id, first.id]
    assert rollback(tmp_path, "mend it", at=AT).release == second.id


def test_a_pointer_whose_copy_is_lost_too_is_mended_by_naming_a_release(tmp_path: Path) -> None:
    first, _ = crowned(tmp_path, 2)
    for name in ("current.json", "current.copy.json"):
        (tmp_path / name).write_text("{")
    with pytest.raises(ReleaseError, match="expected an earlier release"):
        rollback(tmp_path, "where to?", at=AT)
    assert rollback(tmp_path, "there", first.id, at=AT).release == first.id


@pytest.mark.parametrize(
    "edit",
    [
        {"release": "2024-06-0123456789ab"},
        {"digest": "0" * 64},
        {"generation": 0},
        {"generation": "2"},
        {"more": 1},
        {"history": [{"release": "../../etc", "digest": "0" * 64, "at": "", "why": "", "action": "promote"}]},
    ],
)
def test_a_pointer_that_was_edited_by_hand_is_refused(tmp_path: Path, edit: dict[str, object]) -> None:
    crowned(tmp_path, 2)
    path = tmp_path / "current.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    with pytest.raises(ReleaseError, match="expected the name, digest, generation and history"):
        read_pointer(tmp_path)


def test_a_pointer_behind_a_link_is_refused(tmp_path: Path) -> None:
    crowned(tmp_path, 1)
    (tmp_path / "current.json").rename(tmp_path / "elsewhere.json")
    (tmp_path / "current.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ReleaseError, match="expected the name, digest"):
        read_pointer(tmp_path)


def test_a_release_that_was_exchanged_for_another_whole_one_is_not_current(tmp_path: Path) -> None:
    (release,) = crowned(tmp_path, 1)
    path = tmp_path / "current.json"
    other = "0" * 64
    path.write_text(path.read_text().replace(release.digest, other))
    with pytest.raises(ReleaseError, match="that was promoted"):
        current_release(tmp_path)


def test_standing_releases_are_each_named_once_in_a_row() -> None:
    def entry(name: str, action: str = "promote") -> Entry:
        return Entry(release=name, digest="", at="", why="", action=action)  # type: ignore[arg-type]

    pointer = Pointer(generation=4, history=(entry("a"), entry("b"), entry("a"), entry("b", "rollback")))
    assert [each.release for each in pointer.standing()] == ["b", "a"]
