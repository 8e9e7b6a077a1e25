"""Fetching from a server that answers as CERNBox does: a file that is whole and right, or one clear line."""

import hashlib
import multiprocessing
import os
import shutil
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from e2e.data import cernbox, data_lock, public, public_link, transfer
from e2e.errors import E2EError
from e2e.tasks import task

sys.path.insert(0, str(Path(__file__).parent))  # pytest does not, in its import mode
from cernbox_server import CernBox
from public_files import electron_photon, quark_gluon

TOKEN = "hqz8zE7oxyPjvsL"
BODY = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(1).bytes(300_000)
NAME = "Single Photon+Pt50 #1%.hdf5"  # every character that a URL has to quote


@pytest.fixture
def server(monkeypatch):
    """A server with a folder of two files and a link to a single one; retries come quickly."""
    monkeypatch.setattr(public_link, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(transfer, "BLOCK", 10_000)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    found = CernBox()
    found.links = {
        TOKEN: {NAME: BODY, "b.root": b"root" + b"b" * 5000, "sub folder/c.parquet": b"PAR1 c PAR1"},
        "single": {"alone.hdf5": BODY},
    }
    found.single = {"single"}
    yield found
    found.stop()


@pytest.fixture
def get(server, tmp_path):
    """Fetches one file of the server into a folder of its own."""

    def fetch(file=NAME, token=TOKEN, **arguments):
        output = tmp_path / "downloads" / Path(file).name
        return output, cernbox.fetch(
            token, file, output, tmp_path / "data.lock", server.url, progress=False, **arguments
        )

    return fetch


def _left(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.glob("*"))


def _refused(get, tmp_path, *words, left=(), **arguments):
    """Fetching ends in one line with ``words``; the final name, and the data lock, do not appear."""
    before = (tmp_path / "data.lock").read_text() if (tmp_path / "data.lock").exists() else None
    with pytest.raises(E2EError) as raised:
        get(**arguments)
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    folder = tmp_path / "downloads"
    assert [path.suffix for path in folder.glob("*")] == list(left)
    assert before == ((tmp_path / "data.lock").read_text() if (tmp_path / "data.lock").exists() else None)


@pytest.mark.parametrize(
    ("token", "file", "content"),
    [
        (TOKEN, NAME, BODY),
        (TOKEN, "sub folder/c.parquet", b"PAR1 c PAR1"),
        ("single", "alone.hdf5", BODY),
    ],
)
def test_a_file_arrives_whole(get, tmp_path, token, file, content):
    output, entry = get(file, token)
    assert output.read_bytes() == content
    assert entry == data_lock.Entry(hashlib.sha256(content).hexdigest(), len(content))
    assert data_lock.read(tmp_path / "data.lock") == {token: {file: entry}}
    assert _left(output) == [output.name]


def test_a_link_lists_its_files(server):
    found = cernbox.listing(TOKEN, url=server.url)
    assert [(remote.name, remote.size) for remote in found] == [(NAME, len(BODY)), ("b.root", 5004)]
    (found,) = cernbox.listing(TOKEN, "sub folder", server.url)
    assert found.name == "c.parquet"
    (found,) = cernbox.listing("single", url=server.url)
    assert (found.name, found.size) == ("alone.hdf5", len(BODY))


@pytest.mark.parametrize(("token", "file"), [(TOKEN, NAME), ("single", "alone.hdf5"), ("single", "any.hdf5")])
def test_a_server_that_lists_nothing_still_serves(server, get, token, file):
    server.faults.lists = False
    output, _ = get(file, token)
    assert output.read_bytes() == BODY
    assert server.seen[-1][1].startswith("/index.php/s/single/download") == (file == "any.hdf5")


def test_public_layouts_survive_the_way(server, get, tmp_path):
    for make, name in ((electron_photon, "SinglePhotonPt50.hdf5"), (quark_gluon, "run0.test.snappy.parquet")):
        source, _ = make(tmp_path / name)
        server.links["real"] = {name: source.read_bytes()}
        output, _ = get(name, "real")
        assert public.layout(output) == make.__name__
    metadata = public.convert(task("quark_gluon"), output, tmp_path / "store.parquet", progress=False)
    assert metadata.part == "test"


def test_a_dropped_connection_is_resumed(server, get):
    server.faults.drops = [100_000, 50_000, 0]
    output, _ = get()
    assert output.read_bytes() == BODY
    extents = server.downloads()
    assert extents[0] is None
    starts = [int(extent.removeprefix("bytes=").removesuffix("-")) for extent in extents[1:]]
    assert len(starts) == 3
    assert 0 < starts[0] <= 100_000 < starts[0] + 50_000
    assert starts == sorted(starts)


def test_the_next_call_goes_on_where_the_last_one_stopped(server, get, tmp_path):
    server.faults.drops = [100_000] + [0] * public_link.ATTEMPTS
    _refused(get, tmp_path, "at byte 100000, 5 times in a row", "goes on from there", left=[".part"])
    server.faults.drops, server.seen[:] = [], []
    output, _ = get()
    assert output.read_bytes() == BODY
    assert server.downloads() == ["bytes=100000-"]
    assert _left(output) == [output.name]


@pytest.mark.parametrize("ranges", ["ignored", "refused", "shifted", "nameless"])
def test_a_server_that_does_not_resume_starts_again(server, get, ranges):
    server.faults.ranges = ranges
    server.faults.drops = [100_000]
    output, _ = get()
    assert output.read_bytes() == BODY


def test_a_part_of_a_file_that_has_changed_is_not_resumed(server, get, tmp_path):
    server.faults.drops = [100_000] + [0] * public_link.ATTEMPTS
    _refused(get, tmp_path, left=[".part"])
    changed = BODY[:8] + bytes(len(BODY) - 8)  # of equal size
    server.links[TOKEN][NAME] = changed
    server.faults.drops = []
    output, _ = get()
    assert output.read_bytes() == changed
    assert _left(output) == [output.name]


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_busy_server_is_asked_again(server, get, status):
    server.faults.statuses = [(status, {})] * 3
    output, _ = get()
    assert output.read_bytes() == BODY


def test_a_server_that_asks_to_wait_is_given_time(server, get):
    server.faults.statuses = [(429, {"Retry-After": "1"})]
    start = time.monotonic()
    get()
    assert time.monotonic() - start >= 1


def test_pauses_grow(server, get, tmp_path, monkeypatch):
    pauses = []
    monkeypatch.setattr(public_link.time, "sleep", pauses.append)
    server.faults.statuses = [(503, {})] * 10
    _refused(get, tmp_path, "503", "5 times in a row")
    assert pauses == [0.001, 0.002, 0.004, 0.008]


def test_an_expired_link(get, tmp_path):
    _refused(get, tmp_path, "/s/expired", "the link has expired", "ask its owner for a new", token="expired")


def test_an_expired_link_is_said_by_the_listing(server):
    with pytest.raises(E2EError, match="the link has expired"):
        cernbox.listing("expired", url=server.url)


def test_an_html_page(server, get, tmp_path):
    server.faults.page = True
    _refused(get, tmp_path, "HTML page (200 OK)", "open it in a browser")


@pytest.mark.parametrize("login", ["redirect", "page", "status"])
def test_a_login(server, get, tmp_path, login):
    server.faults.login = login
    _refused(get, tmp_path, "wants a login", "public link without a password")


def test_a_file_that_is_not_there(get, tmp_path):
    _refused(
        get,
        tmp_path,
        "no file b.rot",
        "did you mean b.root?",
        f"it holds {NAME}, b.root",
        file="b.rot",
    )


def test_a_listing_that_cannot_be_read(server, get, tmp_path):
    server.faults.garbled = b"<d:multistatus"
    _refused(get, tmp_path, "the list of files cannot be read", "try again later")


def test_a_body_shorter_than_listed(server, get, tmp_path):
    server.faults.listed = 10
    _refused(get, tmp_path, "truncated on the server", "300008 bytes are sent, 300018 were announced")


def test_a_body_shorter_than_announced(server, get, tmp_path):
    server.faults.lists = False
    server.faults.announced = 10
    _refused(get, tmp_path, "the connection failed", "5 times in a row", left=[".part"])


def test_a_truncated_parquet_file(server, get, tmp_path):
    server.links[TOKEN]["cut.parquet"] = b"PAR1" + bytes(5000)
    _refused(get, tmp_path, "truncated parquet file", "fetch it again", file="cut.parquet")


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(100), b"", b"x"])
def test_a_file_of_another_format(server, get, tmp_path, content):
    server.links[TOKEN]["x.hdf5"] = content
    _refused(get, tmp_path, "no HDF5, parquet or ROOT file", file="x.hdf5")


@pytest.mark.parametrize("checksum", ["ADLER32:00000000", "SHA1:abc MD5:0123456789abcdef ADLER32:00"])
def test_a_wrong_checksum_of_the_server(server, get, tmp_path, checksum):
    server.faults.checksum = checksum
    _refused(get, tmp_path, "damaged on the way", "fetch it again")


@pytest.mark.parametrize("checksum", ["Invalid:", f"MD5:{hashlib.md5(BODY).hexdigest()}", "CRC64:12"])
def test_checksums_that_say_nothing_or_the_truth(server, get, checksum):
    server.faults.checksum = checksum
    assert get()[0].read_bytes() == BODY


def test_a_file_that_differs_from_the_lock(server, get, tmp_path):
    output, first = get()
    output.unlink()
    server.links[TOKEN][NAME] = BODY[:-1] + bytes([BODY[-1] ^ 1])
    _refused(get, tmp_path, NAME, first.sha256, "data.lock says", "delete its entry")
    server.links[TOKEN][NAME] = BODY
    assert get()[1] == first


def test_another_size_than_in_the_lock_is_seen_before_the_download(server, get, tmp_path):
    output, _ = get()
    output.unlink()
    server.links[TOKEN][NAME] = BODY + b"more"
    server.seen.clear()
    _refused(get, tmp_path, "has 300012 bytes", "says 300008", "delete its entry")
    assert server.downloads() == []


def test_what_is_there_is_not_fetched_again(server, get):
    output, entry = get()
    server.seen.clear()
    assert get() == (output, entry)
    assert server.seen == []
    output.write_bytes(BODY[:-1] + b"?")
    assert get() == (output, entry)
    assert output.read_bytes() == BODY


def test_too_little_space_is_seen_before_the_download(get, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 1000, 1000))
    _refused(get, tmp_path, str(tmp_path / "downloads"), "GB are free", "work in another directory")


def test_a_disk_that_becomes_full(server, get, tmp_path):
    (remote, _) = cernbox.listing(TOKEN, url=server.url)
    with cernbox._part(tmp_path / "downloads" / NAME, remote) as part:
        path = Path(part.name)
    path.symlink_to("/dev/full")
    _refused(get, tmp_path, str(tmp_path / "downloads"), "disk is full", "goes on from there")


def test_two_processes_do_not_fetch_one_file(server, get, tmp_path):
    (remote, _) = cernbox.listing(TOKEN, url=server.url)
    with cernbox._part(tmp_path / "downloads" / NAME, remote):
        _refused(get, tmp_path, "another process is fetching it", left=[".part"])


def test_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(public_link, "FIRST_DELAY", 0.001)
    arguments = ("token", "x.hdf5", tmp_path / "x.hdf5", tmp_path / "data.lock")
    with pytest.raises(
        E2EError, match=r"nowhere\.invalid cannot be resolved; check that this machine is online"
    ):
        cernbox.fetch(*arguments, url="https://nowhere.invalid", progress=False)
    with pytest.raises(E2EError, match=r"127\.0\.0\.1: the connection failed, 5 times in a row"):
        cernbox.fetch(*arguments, url="http://127.0.0.1:9", progress=False)
    with pytest.raises(E2EError, match="not an address"):
        cernbox.fetch(*arguments, url="cernbox.cern.ch", progress=False)


def test_all_files_of_a_folder(server, tmp_path):
    paths = cernbox.fetch_all(TOKEN, tmp_path / "all", tmp_path / "data.lock", url=server.url, progress=False)
    assert {path.name: path.read_bytes() for path in paths} == {
        name: content for name, content in server.links[TOKEN].items() if "/" not in name
    }
    assert set(data_lock.read(tmp_path / "data.lock")[TOKEN]) == {NAME, "b.root"}


def test_names_are_those_of_data_files(server):
    server.links[TOKEN]["README.txt"] = b"hello"
    assert cernbox.names(TOKEN, server.url) == [NAME, "b.root"]
    server.links["text"] = {"README.txt": b"hello"}
    with pytest.raises(E2EError, match=r"no file of type \.h5, .*; it holds README\.txt"):
        cernbox.names("text", server.url)


def test_one_bad_file_does_not_spoil_the_others(server, tmp_path):
    server.links[TOKEN]["bad.hdf5"] = b"no HDF5"
    with pytest.raises(E2EError, match=r"bad\.hdf5 starts with"):
        cernbox.fetch_all(TOKEN, tmp_path / "all", tmp_path / "data.lock", url=server.url, progress=False)
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == [NAME, "b.root"]


def _enter(path, number):
    for i in range(20):
        data_lock.enforce(path, f"token{number}", f"{i}.hdf5", data_lock.Entry(str(number), i))


def test_jobs_may_write_the_lock_at_the_same_time(tmp_path):
    path = tmp_path / "config" / "data.lock"
    jobs = [multiprocessing.get_context("fork").Process(target=_enter, args=(path, n)) for n in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    expected = {f"token{n}": {f"{i}.hdf5": data_lock.Entry(str(n), i) for i in range(20)} for n in range(4)}
    assert data_lock.read(path) == expected
    assert os.listdir(path.parent) == ["data.lock"]


def test_the_lock_is_sorted_and_readable(tmp_path):
    path = tmp_path / "data.lock"
    for token, name in (("b", "2.root"), ("b", "1.root"), ("123e4", "x.root")):
        data_lock.enforce(path, token, name, data_lock.Entry("00ff", 7))
    assert path.read_text() == (
        "# What each public file was when it was first fetched: see docs/how-to/cernbox.md.\n"
        "123e4:\n  x.root:\n    sha256: 00ff\n    size: 7\n"
        "b:\n  1.root:\n    sha256: 00ff\n    size: 7\n  2.root:\n    sha256: 00ff\n    size: 7\n"
    )


@pytest.mark.parametrize("text", ["- a\n", "a: {b: {sha256: x}}\n", "a: [\n", "<html>", "a: {b: 1}\n"])
def test_a_malformed_lock_is_one_line(get, tmp_path, text):
    (tmp_path / "data.lock").write_text(text)
    _refused(get, tmp_path, str(tmp_path / "data.lock"), "not a data lock", "restore it")
