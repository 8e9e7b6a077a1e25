"""Fetching from a server that answers as CERNBox does: a file that is whole and right, or one clear line."""

import hashlib
import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from e2e.data import public
from e2e.data.transport import data_lock, transfer, web
from e2e.data.transport import fetch as transport
from e2e.data.transport.cernbox import Link
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
    monkeypatch.setattr(web, "FIRST_DELAY", 0.001)
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

    def fetch(file=NAME, token=TOKEN, hosts=()):
        output = tmp_path / "downloads" / Path(file).name
        return output, transport.fetch(
            transport.place(token, server.url, hosts), file, output, tmp_path / "data.lock", progress=False
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
    found = transport.listing(transport.place(TOKEN, server.url))
    assert [(remote.name, remote.size) for remote in found] == [(NAME, len(BODY)), ("b.root", 5004)]
    (found,) = transport.listing(transport.place(TOKEN, server.url), "sub folder")
    assert found.name == "c.parquet"
    (found,) = transport.listing(transport.place("single", server.url))
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
    server.faults.drops = [100_000] + [0] * web.ATTEMPTS
    _refused(get, tmp_path, "at byte 100000, 5 times in a row", "goes on from there", left=[".part"])
    server.faults.drops, server.seen[:] = [], []
    output, _ = get()
    assert output.read_bytes() == BODY
    assert server.downloads() == ["bytes=100000-"]
    assert _left(output) == [output.name]


def test_a_server_that_drips_is_given_up(server, get, tmp_path, monkeypatch):
    """Each byte comes in time, and the last one never would."""
    monkeypatch.setattr(web, "WINDOW", 0.2)
    server.faults.drip = (1, 0.02)
    start = time.monotonic()
    _refused(get, tmp_path, "sends less than 1000 bytes a second", "5 times in a row")
    with pytest.raises(E2EError, match="sends less than 1000 bytes a second, 5 times in a row"):
        transport.listing(transport.place(TOKEN, server.url))
    assert time.monotonic() - start < 30


def test_a_slow_server_is_waited_for(server, get, monkeypatch):
    monkeypatch.setattr(web, "WINDOW", 0.05)
    server.faults.drip = (3000, 0.01)
    output, _ = get()
    assert output.read_bytes() == BODY


@pytest.mark.parametrize("ranges", ["ignored", "refused", "shifted", "ahead", "nameless"])
def test_a_server_that_does_not_resume_starts_again(server, get, ranges):
    """A part from another byte on, before or behind, would make a file of the right size without sense."""
    server.faults.ranges = ranges
    server.faults.drops = [100_000]
    output, _ = get()
    assert output.read_bytes() == BODY


def test_a_part_of_a_file_that_has_changed_is_not_resumed(server, get, tmp_path):
    server.faults.drops = [100_000] + [0] * web.ATTEMPTS
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
    monkeypatch.setattr(web.time, "sleep", pauses.append)
    server.faults.statuses = [(503, {})] * 10
    _refused(get, tmp_path, "503", "5 times in a row")
    assert pauses == [0.001, 0.002, 0.004, 0.008]


def test_an_expired_link(get, tmp_path):
    _refused(get, tmp_path, "/s/expired", "the link has expired", "ask its owner for a new", token="expired")


def test_an_expired_link_is_said_by_the_listing(server):
    with pytest.raises(E2EError, match="the link has expired"):
        transport.listing(transport.place("expired", server.url))


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


def test_a_disk_that_becomes_full(server):
    (remote, _) = transport.listing(transport.place(TOKEN, server.url))
    link = Link(TOKEN, server.url)
    full = pytest.raises(E2EError, match=r"/dev: the disk is full at byte 0 .* it goes on from there")
    with web.session() as session, open("/dev/full", "ab", buffering=0) as part, full:
        transfer.Transfer(session, link, remote, part, progress=False).run()


def test_two_processes_do_not_fetch_one_file(server, get, tmp_path):
    (remote, _) = transport.listing(transport.place(TOKEN, server.url))
    with transport._part(tmp_path / "downloads" / NAME, remote):
        _refused(get, tmp_path, "another process is fetching it", left=[".part"])


def test_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "FIRST_DELAY", 0.001)

    def get(server):
        place = transport.place("token", server)
        transport.fetch(place, "x.hdf5", tmp_path / "x.hdf5", tmp_path / "data.lock", progress=False)

    with pytest.raises(
        E2EError, match=r"nowhere\.invalid cannot be resolved; check that this machine is online"
    ):
        get("https://nowhere.invalid")
    with pytest.raises(E2EError, match=r"127\.0\.0\.1: the connection failed, 5 times in a row"):
        get("http://127.0.0.1:9")
    with pytest.raises(E2EError, match="not an address"):
        get("cernbox.cern.ch")


def test_all_files_of_a_folder(server, tmp_path):
    paths = transport.fetch_all(
        transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "data.lock", progress=False
    )
    assert {path.name: path.read_bytes() for path in paths} == {
        name: content for name, content in server.links[TOKEN].items() if "/" not in name
    }
    assert set(data_lock.read(tmp_path / "data.lock")[TOKEN]) == {NAME, "b.root"}


def test_names_are_those_of_data_files(server):
    server.links[TOKEN]["README.txt"] = b"hello"
    assert transport.names(transport.place(TOKEN, server.url)) == [NAME, "b.root"]
    server.links["text"] = {"README.txt": b"hello"}
    with pytest.raises(E2EError, match=r"no file of type \.h5, .*; it holds README\.txt"):
        transport.names(transport.place("text", server.url))


def test_one_bad_file_does_not_spoil_the_others(server, tmp_path):
    server.links[TOKEN]["bad.hdf5"] = b"no HDF5"
    with pytest.raises(E2EError, match=r"bad\.hdf5 starts with"):
        transport.fetch_all(
            transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "data.lock", progress=False
        )
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


def test_threads_may_write_the_lock_at_the_same_time(tmp_path, monkeypatch):
    """One after the other until the end: their scratch files have one name."""
    path, writing, most = tmp_path / "data.lock", set(), []

    @contextmanager
    def slowly(path, whole=data_lock.whole):
        writing.add(threading.get_ident())
        most.append(len(writing))
        with whole(path) as scratch:
            yield scratch
        time.sleep(0.05)
        writing.remove(threading.get_ident())

    monkeypatch.setattr(data_lock, "whole", slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: data_lock.enforce(path, "t", f"{i}.h5", data_lock.Entry("0", i)), range(8)))
    assert most == [1] * 8
    assert len(data_lock.read(path)["t"]) == 8


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


def _part_of(server, tmp_path):
    """Where what has arrived of ``NAME`` is kept."""
    (remote, _) = transport.listing(transport.place(TOKEN, server.url))
    with transport._part(tmp_path / "downloads" / NAME, remote) as part:
        return Path(part.name)


@pytest.mark.parametrize("method", ["PROPFIND", "GET"])
@pytest.mark.parametrize(
    "place", ["http://elsewhere.invalid/x", "https://[", "file:///etc/passwd", "//a.invalid/"]
)
def test_no_other_server_is_asked(server, get, tmp_path, method, place):
    server.faults.lists = method == "PROPFIND"
    server.faults.redirect = place
    before = len(server.seen)
    _refused(get, tmp_path, "127.0.0.1 sends us on to", "name it under `hosts`")
    assert len(server.seen) == before + 1


def test_a_server_may_send_us_to_itself_and_to_those_that_are_named(server, get, tmp_path):
    other = CernBox()
    try:
        other.links = {"elsewhere": {NAME: BODY}}
        place = Link("elsewhere", other.url).file(NAME)
        itself = Link(TOKEN, server.url).file(NAME)
        server.faults.redirects = [itself, itself]
        assert get()[0].read_bytes() == BODY
        (tmp_path / "downloads" / NAME).unlink()
        server.faults.redirects = [itself, place]
        _refused(get, tmp_path, "sends us on to")
        server.faults.redirects = [itself, place]
        get(hosts=[other.url.removeprefix("http://")])
        assert other.downloads() == [None]
        (tmp_path / "downloads" / NAME).unlink()
        server.faults.redirect = itself
        _refused(get, tmp_path, "sends us on to", file="b.root")  # and again, without end
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("https://a.ch/x", "https://a.ch/y", True),
        ("http://a.ch/x", "https://a.ch/y", True),
        ("http://a.ch/x", "http://a.ch/y", True),
        ("https://a.ch/x", "http://a.ch/y", False),
        ("https://a.ch/x", "https://A.ch/y", True),
        ("https://a.ch/x", "https://eos.ch/y", True),
        ("https://eos.ch/x", "http://eos.ch/y", False),
        ("https://a.ch/x", "https://a.ch:444/y", False),
        ("https://a.ch/x", "https://a.ch@b.ch/y", False),
        ("https://a.ch/x", "https://a.ch.b.ch/y", False),
        ("https://a.ch/x", "ftp://a.ch/y", False),
        ("https://a.ch/x", "file:///y", False),
    ],
)
def test_where_a_server_may_send_us(before, after, allowed):
    assert Link("token", "https://a.ch/", ("eos.ch",)).allows(before, after) == allowed


@pytest.mark.parametrize("listed", [True, False])
def test_a_body_longer_than_announced_stops_at_once(server, get, tmp_path, listed):
    server.faults.lists = listed
    server.faults.extra = 100_000_000
    words = ["more than the 300008 bytes"] if listed else ["does not say how long"]
    start = time.monotonic()
    _refused(get, tmp_path, *words)
    assert time.monotonic() - start < 20
    assert _left(tmp_path / "downloads" / NAME) == []


def test_an_end_that_is_not_announced_is_fine_where_the_listing_says_it(server, get):
    server.faults.extra = 0
    assert get()[0].read_bytes() == BODY


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_packed_body_is_refused(server, get, tmp_path, encoding):
    """A few bytes of it could become very many."""
    server.faults.encoding = encoding
    _refused(get, tmp_path, "packs what it sends")


def test_a_listing_is_bounded(server, get, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "LISTING_BYTES", 100_000)
    server.faults.garbled = b"<a>" * 1_000_000
    _refused(get, tmp_path, "the list of files has more than 100000 bytes", "name the `files` wanted")


def _entry(name="x.hdf5", size="8", tag="", more=""):
    return (
        f"<d:response><d:href>/remote.php/dav/public-files/t/{name}</d:href><d:propstat><d:prop>"
        f"<d:resourcetype/><d:getcontentlength>{size}</d:getcontentlength><d:getetag>{tag}</d:getetag>{more}"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def _listed(*entries, start='<?xml version="1.0"?>'):
    return f'{start}<d:multistatus xmlns:d="DAV:">{"".join(entries)}</d:multistatus>'.encode()


@pytest.mark.parametrize("size", ["-1", "1e3", "9" * 30, "9" * 5000, "0x10", "\u0663"])
def test_a_length_that_is_none(server, get, tmp_path, size):
    server.faults.garbled = _listed(_entry(NAME, size))
    _refused(get, tmp_path, "the list of files cannot be read", "bytes")


def test_a_list_of_files_that_grows_while_it_is_read(server, get, tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    server.faults.garbled = _listed(_entry("&b;.hdf5"), start=bomb)
    _refused(get, tmp_path, "the list of files cannot be read", "type of document")


@pytest.mark.parametrize("tag", ['"a\nb"', '"\u2603"', '"' + "a" * 100_000 + '"', "&quot;&#127;&quot;"])
def test_an_entity_tag_that_cannot_be_sent_back(server, get, tag):
    size = len(BODY)
    server.faults.garbled = _listed(_entry("Single%20Photon+Pt50%20%231%25.hdf5", size, tag))
    server.faults.drops = [100_000]
    assert get()[0].read_bytes() == BODY


@pytest.mark.parametrize(
    ("quoted", "reason"),
    [
        ("a%00b.hdf5", "printed"),
        ("a%0Ab.hdf5", "printed"),
        ("a%E2%80%A8b.hdf5", "printed"),
        ("%7Bsample%7D.hdf5", "braces"),
        ("a" * 300 + ".hdf5", "longer than"),
        ("%C3%A9" * 150 + ".hdf5", "longer than"),
        ("..%2F..%2Fx.hdf5", "leads out"),
        ("%2Fetc%2Fx.hdf5", "leads out"),
    ],
)
def test_names_that_no_file_can_have_here(server, tmp_path, quoted, reason):
    server.faults.garbled = _listed(_entry(quoted), _entry("good.hdf5", len(BODY)))
    server.links[TOKEN]["good.hdf5"] = BODY
    for ask in (
        lambda: transport.names(transport.place(TOKEN, server.url)),
        lambda: transport.fetch_all(
            transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "lock", progress=False
        ),
    ):
        with pytest.raises(E2EError, match=reason) as raised:
            ask()
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 500
    paths = transport.fetch_all(
        transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "lock", ["good.hdf5"], progress=False
    )
    assert [path.read_bytes() for path in paths] == [BODY]
    with pytest.raises(E2EError, match="no file other") as raised:
        transport.fetch(
            transport.place(TOKEN, server.url),
            "other.hdf5",
            tmp_path / "x.hdf5",
            tmp_path / "lock",
            progress=False,
        )
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "file", ["../x.hdf5", "a/../../x.hdf5", "/etc/x.hdf5", "a//x.hdf5", "a\nb.hdf5", "", "."]
)
def test_paths_that_lead_elsewhere_are_not_asked_for(server, tmp_path, file):
    with pytest.raises(E2EError, match="cannot be fetched") as raised:
        transport.fetch_all(
            transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "lock", [file], progress=False
        )
    assert "\n" not in str(raised.value)
    assert server.seen == []


def test_one_name_twice(server):
    server.faults.garbled = _listed(_entry(), _entry())
    with pytest.raises(E2EError, match="two files have it"):
        transport.names(transport.place(TOKEN, server.url))


def test_files_of_one_name_in_two_folders(server, tmp_path):
    server.links[TOKEN] |= {"one/x.hdf5": BODY, "two/x.hdf5": BODY[:-1]}
    files = ["one/x.hdf5", "two/x.hdf5"]
    paths = transport.fetch_all(
        transport.place(TOKEN, server.url), tmp_path / "all", tmp_path / "lock", files, progress=False
    )
    assert paths == [tmp_path / "all" / file for file in files]
    assert [path.read_bytes() for path in paths] == [BODY, BODY[:-1]]


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_a_part_that_is_something_else_stays_as_it_is(server, get, tmp_path, kind):
    part, victim = _part_of(server, tmp_path), tmp_path / "victim"
    victim.write_bytes(BODY[:1000])
    {
        "link": lambda: part.symlink_to(victim),
        "hard link": lambda: part.hardlink_to(victim),
        "pipe": lambda: os.mkfifo(part),
        "folder": lambda: part.mkdir(),
    }[kind]()
    _refused(get, tmp_path, f"{part}: ", "move it away", left=[".part"])
    assert victim.read_bytes() == BODY[:1000]


def test_an_older_part_is_removed_only_where_it_is_ours(server, get, tmp_path):
    folder, victim = tmp_path / "downloads", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(b"mine")
    (folder / f"{NAME}.01234567.part").write_bytes(BODY[:10])
    (folder / f"{NAME}.89abcdef.part").symlink_to(victim)
    (folder / f"{NAME}.my notes.part").write_bytes(b"mine")
    (folder / f"{NAME}.00000000.part").mkdir()
    output, _ = get()
    left = [NAME, f"{NAME}.00000000.part", f"{NAME}.89abcdef.part", f"{NAME}.my notes.part"]
    assert _left(output) == sorted(left)
    assert victim.read_bytes() == b"mine"


def test_an_output_that_is_a_folder(get, tmp_path):
    (tmp_path / "downloads" / NAME).mkdir(parents=True)
    with pytest.raises(E2EError, match="is a folder"):
        get()


def test_a_lock_that_is_a_folder(get, tmp_path):
    (tmp_path / "data.lock").mkdir()
    with pytest.raises(E2EError, match="the data lock cannot be read"):
        get()


@pytest.fixture
def folder(server):
    """The address of a folder with a page that lists it."""
    server.folders = {"/cfs/G25/": {NAME: BODY, "README": b"text", "sub/c.parquet": b"PAR1 c PAR1"}}
    return f"{server.url}/cfs/G25"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_on_the_web(server, folder, tmp_path, slash):
    address = folder + slash
    assert [(remote.name, remote.size) for remote in transport.listing(transport.place(address))] == [
        ("README", None),
        (NAME, None),
    ]
    assert transport.names(transport.place(address)) == [NAME]
    server.faults.drops = [100_000]
    paths = transport.fetch_all(
        transport.place(address), tmp_path / "all", tmp_path / "data.lock", progress=False
    )
    assert [path.read_bytes() for path in paths] == [BODY]
    entry = data_lock.Entry(hashlib.sha256(BODY).hexdigest(), len(BODY))
    assert data_lock.read(tmp_path / "data.lock") == {address: {NAME: entry}}
    assert any(extent for extent in server.downloads())  # it was resumed
    paths = transport.fetch_all(
        transport.place(address), tmp_path / "all", tmp_path / "data.lock", ["sub/c.parquet"], progress=False
    )
    assert [path.read_bytes() for path in paths] == [b"PAR1 c PAR1"]


def test_errors_of_a_folder_on_the_web(server, folder, tmp_path):
    place = transport.place(folder)
    fetch = partial(transport.fetch, place, output=tmp_path / "x", lock=tmp_path / "lock", progress=False)
    with pytest.raises(E2EError, match=r"no file x\.hdf5; it holds README, Single"):
        fetch("x.hdf5")
    with pytest.raises(E2EError, match="nothing there"):
        transport.names(transport.place(f"{server.url}/cfs/other"))
    server.folders["/cfs/G25/"][NAME] = b"<html>gone</html>"
    with pytest.raises(E2EError, match="HTML page"):
        fetch(NAME)
    server.folders["/cfs/G25/"][NAME] = BODY[:-1]
    fetch(NAME)
    (tmp_path / "x").unlink()
    server.folders["/cfs/G25/"][NAME] = BODY
    with pytest.raises(E2EError, match="300008 bytes are sent, 300007 were announced"):
        fetch(NAME)
    server.faults.login = "page"
    with pytest.raises(E2EError, match="wants a login"):
        transport.names(place)
