"""A Bento is built from a release, stands on its own, and proves itself."""

import os
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import ReleaseError
from pipeline.release import Golden
from serving.asking import wait_until_ready
from serving.bento import Proof, build_bento, prove_bento
from tests.serving_house import house_with_releases


@pytest.mark.slow
def test_a_bento_serves_its_release_and_says_what_was_said_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_with_releases(tmp_path)
    monkeypatch.setenv("CHURN_HOME", "/nowhere")  # none of the caller's settings may reach the Bento
    monkeypatch.setenv("CHURN_API_KEY", "secret")
    tag = build_bento(house.newer, tmp_path / "bento")
    proof = prove_bento(tag, tmp_path / "bento", house.newer.golden)
    assert proof.holds
    assert (proof.release, proof.rows, proof.max_difference) == (house.newer.id, 10, 0.0)

    source = tmp_path / "bento" / "bentos" / "churn" / house.newer.id / "src"
    baked = source / "baked" / "little" / "releases"
    assert sorted(os.listdir(baked)) == [house.newer.id, "current.copy.json", "current.json"]
    recipe = (source.parent / "bento.yaml").read_text()
    assert "secret" not in recipe
    assert "BENTOML_DO_NOT_TRACK" in recipe

    wrong = Golden(house.newer.golden.rows, tuple(p + 1e-6 for p in house.newer.golden.probability))
    assert not prove_bento(tag, tmp_path / "bento", wrong).holds

    monkeypatch.setattr("serving.bento.wait_until_ready", partial(wait_until_ready, seconds=10))
    model = baked / house.newer.id / "model.json"
    model.write_bytes(model.read_bytes().replace(b"-1.0", b"-1.5"))
    with pytest.raises(ReleaseError, match="Bento churn:"):
        prove_bento(tag, tmp_path / "bento", house.newer.golden)


def a_proof(**changes: object) -> Proof:
    values = {"tag": "t", "release": "r", "served_by": "champion", "rows": 1, "max_difference": 0.0}
    return Proof(**({**values, "start_seconds": 1.0, "seconds": 2.0} | changes))  # type: ignore[arg-type]


def test_a_proof_holds_only_where_the_champion_said_the_same() -> None:
    assert a_proof(max_difference=1e-10).holds
    assert not a_proof(max_difference=1e-8).holds
    assert not a_proof(max_difference=float("nan")).holds
    assert not a_proof(served_by="rule").holds
    assert not a_proof(rows=0).holds


def test_a_bento_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="Bento churn:nothing"):
        prove_bento("churn:nothing", tmp_path, Golden(({"a": 1.0},), (0.5,)))
