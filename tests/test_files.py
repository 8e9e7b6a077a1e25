"""Outputs appear whole or not at all."""

import hashlib
import json

import pytest

from e2e.files import read_json, sha256, whole, write_json


def test_a_finished_file_takes_its_place(tmp_path):
    with whole(tmp_path / "new" / "a.txt") as scratch:
        scratch.write_text("done")
        assert not (tmp_path / "new" / "a.txt").exists()
        assert scratch.suffix == ".txt"
    assert (tmp_path / "new" / "a.txt").read_text() == "done"
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "a.txt"]


def test_a_failure_leaves_the_earlier_file_and_no_litter(tmp_path):
    (tmp_path / "a.txt").write_text("earlier")
    with pytest.raises(RuntimeError), whole(tmp_path / "a.txt") as scratch:  # noqa: PT012
        scratch.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_a_failed_directory_is_removed(tmp_path):
    with pytest.raises(RuntimeError), whole(tmp_path / "figures") as scratch:  # noqa: PT012
        scratch.mkdir()
        (scratch / "a.png").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_finished_directory_replaces_the_earlier_one(tmp_path):
    for name in ("a", "b"):
        with whole(tmp_path / "figures") as scratch:
            scratch.mkdir()
            (scratch / name).write_text(name)
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["b"]


def test_json_round_trip_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json") == {"x": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", {"x": float("nan")})
    assert not (tmp_path / "b.json").exists()
    assert json.loads((tmp_path / "a.json").read_text())


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
