"""Whatever a user types after `e2e`: nothing of theirs is lost, and what cannot be done is one sentence."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import uproot

import e2e
from e2e.cli import main
from e2e.report import displays

WRITERS = ("convert", "inspect", "predict", "simulate")


@pytest.fixture
def words(model, ntuple, tmp_path) -> Callable[[str, object], list[str]]:
    """Function (command, output) -> the words after `e2e` that write there, from copies in ``tmp_path``."""
    for path in (model, model.with_suffix(".json")):
        shutil.copyfile(path, tmp_path / path.name)
    shutil.copyfile(ntuple, tmp_path / "in.root")

    def of(command: str, output: object) -> list[str]:
        source = tmp_path / "in.root"
        words = {
            "convert": ["--task", "electron_photon", source, output],
            "inspect": [source, "--picture", output],
            "predict": ["--model", tmp_path / "model.onnx", source, output],
            "simulate": [
                *("--task", "electron_photon", "--sample", "electron", "--objects", 60, "--seed", 1),
                output,
            ],
        }
        return [command, *map(str, words[command])]

    return of


@pytest.fixture
def refused(words, capfd) -> Callable[[str, object], str]:
    """Function (command, output) -> the one sentence with which the command ends."""

    def run(command: str, output: object) -> str:
        assert main(words(command, output)) == 1
        (line,) = [line for line in capfd.readouterr().err.splitlines() if "%|" not in line and line.strip()]
        assert line.startswith("e2e: error: ")
        return line

    return run


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


SUFFIX = {"convert": ".parquet", "inspect": ".png", "predict": ".parquet", "simulate": ".root"}


@pytest.mark.parametrize("command", ["inspect", "predict", "simulate"])
def test_a_folder_stays(words, refused, tmp_path, command):
    folder = tmp_path / f"thesis{SUFFIX[command]}"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    before = contents(tmp_path)
    assert f"{folder}: is a folder; name a file in it" in refused(command, folder)
    (tmp_path / f"link{SUFFIX[command]}").symlink_to(folder)
    assert "is a folder" in refused(command, tmp_path / f"link{SUFFIX[command]}")
    assert {name: content for name, content in contents(tmp_path).items() if "link" not in name} == before


def test_a_folder_that_convert_fills_keeps_what_it_holds(words, tmp_path):
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "note").write_text("mine")
    assert main(words("convert", tmp_path / "stores")) == 0
    assert set(contents(tmp_path / "stores")) == {"note", "in.parquet"}
    (tmp_path / "stores" / "in.parquet").unlink()
    (tmp_path / "stores" / "in.parquet").mkdir()
    assert main(words("convert", tmp_path / "stores")) == 1
    assert set(contents(tmp_path / "stores")) == {"note", "in.parquet"}


@pytest.mark.parametrize("command", ["convert", "inspect", "predict"])
@pytest.mark.parametrize("way", ["same", "dotted", "symbolic", "hard"])
def test_an_input_stays(words, refused, tmp_path, command, way):
    inputs = ["in.root", *(["model.onnx", "model.json"] if command == "predict" else [])]
    (tmp_path / "down").mkdir()
    for name in inputs:
        output = {"same": tmp_path / name, "dotted": tmp_path / "down" / ".." / name}.get(way)
        if output is None:
            output = tmp_path / f"{way}{name}"
            link = output.symlink_to if way == "symbolic" else output.hardlink_to
            link(tmp_path / name)
        before = contents(tmp_path)
        assert "would be written over the input" in refused(command, output)
        assert contents(tmp_path) == before


def test_one_input_of_many_stays(words, tmp_path, capsys):
    """What one source would be written to is another source, by another name."""
    (tmp_path / "in.parquet").write_text("mine")
    (tmp_path / "other.h5").hardlink_to(tmp_path / "in.parquet")
    line = words("convert", tmp_path)
    assert main([*line[:-1], str(tmp_path / "other.h5"), str(tmp_path)]) == 1
    assert "in.parquet: would be written over the input" in capsys.readouterr().err
    assert not (tmp_path / "other.parquet").exists()
    assert (tmp_path / "in.parquet").read_text() == "mine"


def tree(path: Path) -> None:
    """A ROOT file as MLAnalyzer writes it, in so far as it has no marker of ours."""
    with uproot.recreate(path) as file:
        file.mktree("fevt/RHTree", {"eventId": "uint64"}).extend({"eventId": [1, 2]})


FOREIGN = {
    "a tree": lambda folder: tree(folder / "foreign"),
    "a table": lambda folder: pd.DataFrame({"pt": [1.0, 2.0]}).to_parquet(folder / "foreign"),
    "text": lambda folder: (folder / "foreign").write_text("years of work"),
    "nothing": lambda folder: (folder / "foreign").touch(),
}


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("content", FOREIGN)
def test_a_file_of_another_kind_stays(words, refused, tmp_path, command, content):
    """Only what a command may have written itself does it replace, also behind a link."""
    FOREIGN[content](tmp_path)
    path = (tmp_path / "foreign").rename(tmp_path / f"mine{SUFFIX[command]}")
    (tmp_path / f"link{SUFFIX[command]}").symlink_to(path)
    before = contents(tmp_path)
    for given in (path, tmp_path / f"link{SUFFIX[command]}"):
        said = refused(command, given)
        assert f"{given}: exists and is not a" in said
        assert said.endswith(": remove it, or choose another name")
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_stores_scores_ntuples_and_pictures_take_only_their_own_places(words, refused, tmp_path):
    made = {command: tmp_path / f"{command}{SUFFIX[command]}" for command in WRITERS}
    made["pdf"] = tmp_path / "inspect.pdf"
    for _ in range(2):  # the second time they are replaced
        for command, path in made.items():
            line = words("inspect" if command == "pdf" else command, path)
            assert main([word if word != "60" else "2" for word in line]) == 0
    before = contents(tmp_path)
    assert "exists and is not a table of scores" in refused("predict", made["convert"])
    assert "exists and is not a sample store" in refused("convert", made["predict"])
    assert contents(tmp_path) == before


@pytest.mark.parametrize("command", WRITERS)
def test_a_forgotten_output_is_said(words, refused, tmp_path, command):
    """The last of the inputs, `*.root`, is then taken for it."""
    forgotten = {"simulate": "b.onnx"}.get(command, "b.root")
    tree(tmp_path / forgotten)
    before = contents(tmp_path)
    assert f"{forgotten}: exists, and is no name for" in (said := refused(command, tmp_path / forgotten))
    assert "the output seems to be forgotten" in said
    for other in ("new.txt", "new"):
        assert f"name it NAME{SUFFIX[command]}" in refused(command, tmp_path / other)
    if command == "convert":
        line = words(command, tmp_path / forgotten)
        assert main([*line[:-1], str(tmp_path / "in.root"), line[-1]]) == 1
    assert contents(tmp_path) == before


def test_a_file_in_the_folder_that_convert_fills_stays(words, tmp_path, capsys):
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "in.parquet").write_text("mine")
    assert main(words("convert", tmp_path / "stores")) == 1
    assert "in.parquet: exists and is not a sample store" in capsys.readouterr().err
    assert contents(tmp_path / "stores") == {"in.parquet": b"mine"}


TEXTS = {
    "--sample": ["convert", "--task", "tau", "--sample", "\udcff", "in.root", "a.parquet"],
    "--class": ["convert", "--task", "tau", "--class", "\udcff", "in.root", "a.parquet"],
    "--scheduler": ["convert", "--task", "tau", "--scheduler", "\udcff", "in.root", "a.parquet"],
    "simulate": [
        "simulate",
        "--task",
        "tau",
        "--objects",
        "1",
        "--seed",
        "1",
        "--sample",
        "\udcff",
        "a.root",
    ],
    "cmssw": ["cmssw", "run", "cfg.py", "\udcff"],
}


@pytest.mark.parametrize("option", TEXTS)
def test_text_that_is_not_utf_8_is_one_sentence(capsys, option):
    assert main(TEXTS[option]) == 1
    assert capsys.readouterr().err == "e2e: error: '\\udcff': is not UTF-8; write it in other letters\n"


@pytest.mark.parametrize(("objects", "seed"), [(0, 1), (-3, 1), (1, 0), (1, -1), (1, 2**32)])
def test_what_no_ntuple_can_hold_is_not_simulated(tmp_path, capsys, objects, seed):
    output = tmp_path / "a.root"
    numbers = ["--objects", str(objects), "--seed", str(seed)]
    assert main(["simulate", "--task", "tau", "--sample", "tau", *numbers, str(output)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"e2e: error: {output}: {objects} objects with seed {seed}; give objects >= 1")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", ["0", "-1"])
def test_less_than_one_process_is_one_sentence(words, tmp_path, capsys, workers):
    line = words("convert", tmp_path / "a.parquet")
    assert main([line[0], "--workers", workers, *line[1:]]) == 1
    said = capsys.readouterr().err
    assert said == f"e2e: error: {workers} processes cannot convert anything; give 1 or more (--workers)\n"


def test_a_picture_that_was_not_asked_for_takes_nobodys_name(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.png").write_text("mine")
    for expected in ("in-2.png", "in-3.png"):
        assert main(["inspect", "in.root"]) == 0
        assert (tmp_path / expected).stat().st_size > 10_000
    assert (tmp_path / "in.png").read_text() == "mine"


@pytest.mark.parametrize("command", WRITERS)
def test_links_are_followed_and_stay(words, tmp_path, command):
    (tmp_path / "disk").mkdir()
    link = tmp_path / f"link{SUFFIX[command]}"
    link.symlink_to(f"disk/far{SUFFIX[command]}")
    assert main(words(command, link)) == 0
    assert link.is_symlink()
    assert list(contents(tmp_path / "disk")) == [f"far{SUFFIX[command]}"]


@pytest.mark.parametrize("command", WRITERS)
def test_outputs_that_cannot_be_written_are_one_sentence(refused, tmp_path, full_disk, read_only, command):
    (full_disk / "mine").write_bytes(bytes(1 << 16))
    suffix = SUFFIX[command]
    for path in (full_disk / f"a{suffix}", full_disk / "new" / f"a{suffix}"):
        said = refused(command, path)
        assert str(path) in said or f"new{suffix}" in said
        assert set(contents(full_disk)) == {"mine"}
    assert "is read-only" in refused(command, read_only / f"a{suffix}")
    assert "is no folder" in refused(command, tmp_path / "in.root" / f"a{suffix}")
    assert "File name too long" in refused(command, tmp_path / ("x" * 255 + suffix))
    assert "is no ordinary file" in refused(command, "/dev/full" if command == "convert" else "/dev/null")


STRANGE = ["josé", "a b#c?d$e", "'\"\n", "%s*[1]{x}", "a:b", "~", "-x", "x" * 240]


@pytest.mark.parametrize("name", STRANGE)
def test_any_name_works(words, tmp_path, name, monkeypatch):
    monkeypatch.setattr(displays, "PER_CLASS", 1)  # what is drawn is another test's
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    for given in ("model.onnx", "model.json", "in.root"):
        shutil.copyfile(words and tmp_path / given, folder / f"{name}{Path(given).suffix}")
    here = str(folder / name)
    assert main(["convert", "--task", "electron_photon", f"{here}.root", f"{here}.parquet"]) == 0
    assert main(["inspect", f"{here}.parquet"]) == 0
    assert main(["inspect", f"{here}.root", "--picture", f"{here}.pdf"]) == 0
    assert main(["predict", "--model", f"{here}.onnx", f"{here}.root", f"{here}2.parquet"]) == 0
    assert main(["predict", "--model", f"{here}.onnx", f"{here}.parquet", f"{here}3.parquet"]) == 0
    made = {"", "2", "3"}
    assert {path.name for path in folder.glob("*.parquet")} == {f"{name}{end}.parquet" for end in made}


@pytest.mark.parametrize("command", WRITERS)
def test_urls_keep_their_slashes(refused, command):
    said = refused(command, "https://host//a.root")
    assert said.startswith("e2e: error: https://host//a.root: only files of this machine")


@pytest.mark.parametrize("command", ["convert", "inspect", "predict"])
@pytest.mark.parametrize("url", ["https://host/a.root", "root://host//store/a.root"])
def test_files_elsewhere_are_refused_by_their_own_name(words, tmp_path, capsys, command, url):
    given = [
        url if word == str(tmp_path / "in.root") else word for word in words(command, tmp_path / "a.png")
    ]
    assert main(given) == 1
    assert capsys.readouterr().err.startswith(f"e2e: error: {url}: only files of this machine")


EACH = "import json, sys; from e2e.cli import main; print([main(words) for words in json.loads(sys.argv[1])])"


def test_pipes_are_no_inputs(words, tmp_path):
    """Nobody writes to them: to read one is to wait for ever."""
    commands = [words(command, tmp_path / f"out{SUFFIX[command]}") for command in WRITERS[:3]]
    in_parquet = str(tmp_path / "in.parquet")
    commands += [["inspect", in_parquet], [*commands[2][:3], in_parquet, *commands[2][4:]]]
    (tmp_path / "in.root").unlink()
    for name in ("in.root", "in.parquet"):
        os.mkfifo(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    ended = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps(commands)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(e2e.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.stdout == f"{[1] * len(commands)}\n", ended.stderr
    ending = "cannot be opened (no ordinary file); copy what it gives into one"
    sources = [tmp_path / "in.root"] * 3 + [in_parquet] * 2
    assert ended.stderr.splitlines() == [f"e2e: error: {source}: {ending}" for source in sources]
    assert sorted(tmp_path.iterdir()) == before


def test_names_that_are_not_utf_8_are_one_sentence(refused, tmp_path):
    said = refused("predict", os.fsdecode(os.fsencode(tmp_path) + b"/\xff.parquet"))
    assert said.endswith("the name is not UTF-8; rename it")


PROGRAM = [sys.executable, "-c", "import sys; from e2e.cli import main; sys.exit(main())"]
LIBRARY = Path(e2e.__file__).parents[1]
SETTINGS = ("NUMBA_CACHE_DIR", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")


def run(words: list[str], library: Path = LIBRARY, stdout: int = subprocess.PIPE, **environment: str):
    """`e2e` in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment = inherited | {"PYTHONPATH": str(library)} | environment
    return subprocess.run(
        [*PROGRAM, *words], env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True
    )


def test_a_full_disk_behind_what_is_printed_is_one_sentence(words, tmp_path):
    with open("/dev/full", "w") as full:
        job = run(words("inspect", tmp_path / "a.png"), stdout=full.fileno())
    assert job.returncode == 1
    assert "Traceback" not in job.stderr
    assert job.stderr.startswith("e2e: error: No space left on device")


@pytest.mark.slow
def test_a_library_that_cannot_be_written_keeps_its_caches_elsewhere(words, tmp_path, read_only):
    """As in containers and on cvmfs; nobody else's folder is used, since what is cached is run."""
    subprocess.run(["mount", "-o", "remount,rw", str(read_only)], check=True)
    shutil.copytree(LIBRARY / "e2e", read_only / "lib" / "e2e", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["mount", "-o", "remount,ro", str(read_only)], check=True)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    home = {"HOME": "/proc", "TMPDIR": str(temporary)}
    output = tmp_path / "scores.parquet"

    job = run(words("predict", output), read_only / "lib", **home)
    assert job.returncode == 0, job.stderr
    own = temporary / f"e2e-{os.geteuid()}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert list(own.rglob("*.nbc"))
    assert (
        "Matplotlib created a temporary"
        not in run(words("inspect", tmp_path / "a.png"), read_only / "lib", **home).stderr
    )

    def imported(**environment: str) -> None:
        command = [sys.executable, "-c", "import e2e.data.store, e2e.simulation.ecal"]
        inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        library = {"PYTHONPATH": str(read_only / "lib")}
        subprocess.run(command, env=inherited | library | home | environment, check=True)

    shutil.rmtree(own)
    own.mkdir()
    own.chmod(0o777)  # somebody else could have put something there
    imported()
    assert [path.name for path in temporary.rglob("*")] == [own.name]  # another one was made, and removed

    imported(XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert list((tmp_path / "cache" / "e2e").iterdir())
    imported(NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert list((tmp_path / "chosen").iterdir())
    imported(NUMBA_CACHE_DIR="/proc/chosen", XDG_CACHE_HOME=str(tmp_path / "cache2"))
    assert list((tmp_path / "cache2" / "e2e").iterdir())


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

int getaddrinfo(const char* host, const char* port, const struct addrinfo* hints, struct addrinfo** found) {
  if (host) {
    FILE* log = fopen(getenv("LOOKED_UP"), "a");
    fprintf(log, "%s\n", host);
    fclose(log);
  }
  return EAI_FAIL;
}
"""


WAITING = """
import os, sys, time
import e2e, onnxruntime
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end and not os.path.exists(os.environ["LOOKED_UP"]):
    time.sleep(0.1)
"""


def test_onnx_runtime_neither_looks_up_its_maker_nor_leaves_a_trace(tmp_path):
    """Without the setting it does both, some 9 s after its import (1.31): else this test could not fail.

    Not where a variable such as CI or JENKINS_URL is set, so it gets next to none.
    """
    (tmp_path / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
    jobs = []
    for setting, seconds in (("off", "20"), ("on", "120")):
        (tmp_path / setting).mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(LIBRARY),
            "HOME": str(tmp_path / setting),
            "LD_PRELOAD": str(tmp_path / "shim.so"),
            "LOOKED_UP": str(tmp_path / f"{setting}.txt"),
            **({"ORT_DISABLE_TELEMETRY": "0"} if setting == "on" else {}),
        }
        jobs.append(subprocess.Popen([sys.executable, "-c", WAITING, seconds], env=environment))
    assert [job.wait() for job in jobs] == [0, 0]
    assert "microsoft" in (tmp_path / "on.txt").read_text()
    assert "deviceid" in {path.name for path in (tmp_path / "on").rglob("*")}
    assert not (tmp_path / "off.txt").exists()
    assert not [path for path in (tmp_path / "off").rglob("*") if path.is_file()]
