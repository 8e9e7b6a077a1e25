"""Outputs appear whole or not at all."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from e2e.errors import E2EError, of_the_machine
from e2e.files import (
    MARK,
    fresh_folder,
    local_path,
    output_path,
    read_json,
    sha256,
    whole,
    whole_folder,
    write_json,
)


def do_no_work(context):
    with context:
        pytest.fail("no work is done for an output that cannot be written")


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


def test_a_failed_folder_is_removed(tmp_path):
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "new" / "figures") as scratch:  # noqa: PT012
        (scratch / "a.png").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_finished_folder_replaces_the_earlier_one(tmp_path):
    for name in ("a", "b"):
        with whole_folder(tmp_path / "figures") as scratch:
            (scratch / name).write_text(name)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"b", MARK}


def test_a_folder_of_somebody_else_stays(tmp_path):
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.tex").write_text("years of work")
    with pytest.raises(E2EError, match="thesis: a folder that was not written by this project"):
        do_no_work(whole_folder(mine))
    with pytest.raises(E2EError, match="thesis: is a folder; name a file in it"):
        do_no_work(whole(mine))
    with pytest.raises(E2EError, match=r"chapter\.tex: is a file, and a folder is written there"):
        do_no_work(whole_folder(mine / "chapter.tex"))
    assert (mine / "chapter.tex").read_text() == "years of work"
    assert list(tmp_path.rglob("*")) == [mine, mine / "chapter.tex"]


def test_a_fresh_folder_takes_the_place_of_its_own_kind_alone(tmp_path):
    (fresh_folder(tmp_path / "trial") / "model.pt").touch()
    assert [path.name for path in fresh_folder(tmp_path / "trial").iterdir()] == [MARK]
    (tmp_path / "trial" / MARK).unlink()
    (tmp_path / "trial" / "mine").touch()
    with pytest.raises(E2EError, match="trial: a folder that was not written by this project"):
        fresh_folder(tmp_path / "trial")
    assert (tmp_path / "trial" / "mine").exists()


def test_a_folder_made_meanwhile_stays(tmp_path):
    with pytest.raises(E2EError, match="Is a directory"), whole(tmp_path / "a.txt") as scratch:  # noqa: PT012
        scratch.write_text("done")
        (tmp_path / "a.txt").mkdir()
        (tmp_path / "a.txt" / "note").touch()
    assert list(tmp_path.rglob("*")) == [tmp_path / "a.txt", tmp_path / "a.txt" / "note"]


def test_symbolic_links_are_followed_and_stay(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "earlier").write_text("earlier")
    for name, target in (("link", "earlier"), ("dangling", "absent"), ("twice", "../link")):
        link = tmp_path / name if name != "twice" else disk / name
        link.symlink_to(disk / target if name != "twice" else target)
        with whole(link) as scratch:
            assert scratch.parent == disk
            scratch.write_text(name)
        assert link.is_symlink()
    assert {path.name: path.read_text() for path in disk.iterdir()} == {
        "earlier": "twice",
        "absent": "dangling",
        "twice": "twice",
    }


def test_links_to_folders_and_in_circles_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(E2EError, match="link: is a folder"):
        output_path(tmp_path / "link")
    with pytest.raises(E2EError, match="a: cannot be written"):
        output_path(tmp_path / "a")


@pytest.mark.parametrize("way", ["same", "dotted", "symbolic", "hard", "folder"])
def test_an_input_is_never_an_output(tmp_path, way):
    given = tmp_path / "in.root"
    given.write_text("events")
    (tmp_path / "folder").symlink_to(".")
    (tmp_path / "real").mkdir()
    if way in ("symbolic", "hard"):
        (tmp_path / way).hardlink_to(given) if way == "hard" else (tmp_path / way).symlink_to(given)
    names = {"same": "in.root", "dotted": "real/../in.root", "folder": "folder/in.root"}
    with pytest.raises(E2EError, match=r"would be written over the input .*in\.root"):
        output_path(tmp_path / names.get(way, way), tmp_path / "other", given)


def test_devices_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null", "/dev/full"):
        with pytest.raises(E2EError, match="is no ordinary file"):
            do_no_work(whole(path))


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(read_only, tmp_path):
    (tmp_path / "file").touch()
    for path, reason in (
        (read_only / "a.txt", "is read-only"),
        (read_only / "new" / "a.txt", "is read-only"),
        (tmp_path / "file" / "a.txt", "file is no folder"),
        (tmp_path / ("x" * 256), "File name too long"),
    ):
        with pytest.raises(E2EError, match=reason):
            do_no_work(whole(path))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(full_disk):
    with (
        pytest.raises(E2EError, match=r"a\.txt: cannot be written \(No space left on device\)"),
        whole(full_disk / "new" / "a.txt") as scratch,
    ):
        scratch.write_bytes(bytes(1 << 20))
    assert list(full_disk.iterdir()) == []


def test_what_cannot_be_read_is_not_taken_for_what_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.txt"):
        (tmp_path / "input.txt").read_text()


@pytest.mark.parametrize(
    "name", ["x" * 255, "a." + "b" * 250, "josé", "a#b?c$d,e f.txt", "a\nb", "%[*]'\".txt"]
)
def test_any_name_is_written(tmp_path, name):
    with whole(tmp_path / name) as scratch:
        assert re.fullmatch(r"[\w.-]+", scratch.name)
        scratch.write_text("done")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_urls_and_names_that_are_not_utf_8_are_refused():
    for url in ("https://host/a.root", "root://host//store/a.root", "HTTPS://host/a"):
        with pytest.raises(E2EError, match=f"^{url}: only files of this machine"):
            local_path(url)
    with pytest.raises(E2EError, match=r"^'a\\udcff': the name is not UTF-8"):
        local_path(os.fsdecode(b"a\xff"))
    assert local_path("a/b.root") == Path("a/b.root")


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


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room there"),
        (errno.EDQUOT, "make room there"),
        (errno.EROFS, "choose another place"),
        (errno.EACCES, "look at the permissions"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EMFILE, "allow more open files (ulimit -n)"),
    ],
)
def test_what_the_machine_refuses_comes_with_what_helps(number, remedy):
    with pytest.raises(E2EError) as caught, of_the_machine():
        raise OSError(number, os.strerror(number), "out.root")
    assert str(caught.value).startswith(f"out.root: {os.strerror(number)}; {remedy}")


def test_a_name_too_long_is_not_a_full_disk(tmp_path):
    with pytest.raises(E2EError, match=r"\(File name too long\); choose a shorter name$"):
        output_path(tmp_path / ("x" * 300 + ".parquet"))


def test_a_folder_that_takes_no_file_although_root_may_write_there():
    with pytest.raises(E2EError, match=r"/proc/x\.parquet: cannot be written"):
        output_path("/proc/x.parquet")
