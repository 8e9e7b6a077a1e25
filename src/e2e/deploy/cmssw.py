"""The CMSSW area and cmsRun in it, on one of three hosts.

standalone  CMake on this machine builds cmssw/src/RecoE2E against the host in cmssw/standalone
apptainer   the same, built and run inside an image made from containers/cmssw-standalone.def
cvmfs       a CMSSW release: scram in the CMS image, both from /cvmfs

``settings`` is the ``cmssw`` part of the configuration (config/schema.yaml). A dry run prints the commands,
ready to be pasted into a shell, and runs none of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.deploy import providers
from e2e.deploy.providers import CPU, Provider
from e2e.errors import E2EError
from e2e.files import output_path, read_json, sha256, whole_folder, write_json

CVMFS = Path("/cvmfs")
LAST_S = 20  # for what a command has to do after it was asked to end
AREA = "area.json"  # in a complete area: its host, and what it was made with

_NEXT = r",(?=\w+:|/store/)"  # where the next of several files begins (RecoE2E/Taggers/python/files.py)

# CMSSW's error codes modulo 256, as a shell sees them (FWCore/Utilities/interface/EDMException.h).
EXIT_CODES = {
    65: "an exception in a module",
    66: "a C++ exception from outside CMSSW",
    67: "an unknown exception",
    68: "out of memory",
    70: "a product that a module needs is not in the event",
    71: "a data format has no dictionary",
    72: "a module puts a product that it does not declare",
    73: "a parameter that the module does not know, or a wrong value",
    74: "a logic error in a module",
    84: "an input file cannot be opened",
    85: "an input file cannot be read",
    86: "an error in ROOT",
    89: "the configuration file does not exist",
    90: "the configuration file is wrong",
}


@dataclass(frozen=True)
class Cost:
    """What one cmsRun took, its start included: wall time in s, peak resident memory in bytes."""

    wall_s: float
    peak_rss_bytes: int


def build(
    host: str,
    area: Path,
    source: Path,
    settings: Mapping[str, Any],
    jobs: int,
    log: Path,
    dry_run: bool = False,
) -> None:
    """Build RecoE2E from ``source``, the repository's ``cmssw`` directory, into the directory ``area``.

    An area of the standalone host appears whole or not at all; its build tree stays in ``build`` beside
    it, so a second build compiles only what changed. A scram area cannot be moved and grows in place.
    ``area.json``, written last, names the host, the place, where alone the area works, and the image
    (apptainer: with the SHA-256 of its file).

    Raises `E2EError` when the host cannot be used here, or when a command fails.
    """
    area, source = area.resolve(), source.resolve()
    chosen = HOSTS[host](area, settings)
    if dry_run:
        _print(chosen.build_commands(source, area, jobs))
        return
    chosen.check()
    log.parent.mkdir(parents=True, exist_ok=True)
    place = whole_folder(area, AREA) if chosen.relocatable else _in_place(area)
    with log.open("wb") as output, place as destination:
        for command in chosen.build_commands(source, destination, jobs):
            output.write(f"+ {shlex.join(command)}\n".encode())
            output.flush()
            if _called(command, stdout=output, stderr=subprocess.STDOUT).returncode:
                raise E2EError(f"the {host} area cannot be built: {_failure(log)}")
        write_json(destination / AREA, {"host": host, "path": str(area), **chosen.record(source)})


def run(
    host: str,
    area: Path,
    cfg: Path,
    arguments: Sequence[str],
    log: Path,
    settings: Mapping[str, Any],
    dry_run: bool = False,
) -> Cost | None:
    """Run ``cmsRun cfg arguments...`` of ``area`` in the working directory, its output in the file ``log``.

    For a host with an image, a file beside the log, cmsRun.image.json for cmsRun.log, says which one it
    was. A run that fails may leave the file of its ``outputFile=`` argument incomplete: give it a scratch
    name (`e2e.files.whole`).

    Raises `E2EError` when the area is not built, or with cmsRun's message and the meaning of its exit code.
    """
    area = area.resolve()
    chosen = HOSTS[host](area, settings)
    if not (area / AREA).exists():
        raise E2EError(f"{area}: not a complete {host} area; `e2e cmssw build --host {host}` makes it")
    if _moved(area):
        raise E2EError(
            f"{area}: was built elsewhere, and works only there; `e2e cmssw build --host {host}` "
            "builds it anew"
        )
    command = chosen.run_command(cfg, arguments)
    if dry_run:
        _print([command])
        return None
    chosen.check()
    output_path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    measured = [sys.executable, str(Path(__file__).with_name("measured.py")), str(log), *command]
    done = _called(measured, stdout=subprocess.PIPE, text=True)
    done.check_returncode()
    code, wall, peak = done.stdout.split()
    if code != "0":
        meaning = EXIT_CODES.get(int(code), "see the log")
        raise E2EError(f"cmsRun ended with {code} ({meaning}): {_failure(log)}")
    if image := read_json(area / AREA).get("image"):
        write_json(log.with_suffix(".image.json"), image)
    return Cost(wall_s=float(wall), peak_rss_bytes=1024 * int(peak))


class _Standalone:
    """CMake and cmsRun on this machine."""

    relocatable = True

    def __init__(self, area: Path, settings: Mapping[str, Any]) -> None:
        self.area = area

    def check(self) -> None:
        """Raise `E2EError` if this host cannot be used on this machine."""
        for tool in ("cmake", "ninja", "c++"):
            if shutil.which(tool, path=_environment()["PATH"]) is None:
                raise E2EError(f"{tool} is missing: `make .venv/installed` installs what the C++ part needs")

    def build_commands(self, source: Path, destination: Path, jobs: int) -> list[list[str]]:
        """Commands that compile ``source`` and install into ``destination``."""
        return _cmake(source, self.area.parent / "build" / "standalone", destination, jobs)

    def run_command(self, cfg: Path, arguments: Sequence[str]) -> list[str]:
        return [str(self.area / "bin/cmsRun"), str(cfg), *arguments]

    def record(self, source: Path) -> dict[str, Any]:
        """What ``area.json`` says besides the host's name."""
        return {}


class _Apptainer:
    """The standalone host, built and run inside an image that is made here."""

    relocatable = True

    def __init__(self, area: Path, settings: Mapping[str, Any]) -> None:
        self.area = area
        self.onnxruntime = settings.get("apptainer", {}).get("onnxruntime", CPU.requirements)
        self.libraries = " ".join(providers.libraries(self.onnxruntime))

    def check(self) -> None:
        _need_apptainer("as root, containers/install-apptainer installs it on Debian 12")

    def _image(self, source: Path) -> Path:
        """The image that these sources ask for: another recipe, another file."""
        recipe = [
            source.parent / "containers/cmssw-standalone.def",
            source.parent / "requirements/constraints.txt",
            source.parent / f"requirements/{self.onnxruntime}.txt",
        ]
        parts = [path.read_bytes() for path in recipe] + [self.libraries.encode()]
        key = hashlib.sha256(b"".join(parts)).hexdigest()
        return self.area.parent / "images" / f"cmssw-standalone-{key[:12]}.sif"

    def build_commands(self, source: Path, destination: Path, jobs: int) -> list[list[str]]:
        image = self._image(source)
        build = str(source.parent / "containers/build")
        make_image = [build, str(image), self.onnxruntime, *([self.libraries] if self.libraries else [])]
        inside = _apptainer_exec(image, [source, self.area.parent])
        compiling = _cmake(source, self.area.parent / "build" / image.stem, destination, jobs)
        return [*([] if image.exists() else [make_image]), *(inside + command for command in compiling)]

    def run_command(self, cfg: Path, arguments: Sequence[str]) -> list[str]:
        image = read_json(self.area / AREA)["image"]
        provider = providers.of_cmsrun(arguments)
        if provider.requirements not in (CPU.requirements, image["onnxruntime"]):
            raise E2EError(
                f"{provider.parameter} needs cmssw.apptainer.onnxruntime: {provider.requirements}; "
                f"this image has {image['onnxruntime']}"
            )
        path = self.area.parent / "images" / image["file"]
        inside = _apptainer_exec(path, [self.area, *_folders(cfg, arguments)], provider)
        return [*inside, str(self.area / "bin/cmsRun"), str(cfg), *arguments]

    def record(self, source: Path) -> dict[str, Any]:
        image = self._image(source)
        return {"image": {"file": image.name, "sha256": sha256(image), "onnxruntime": self.onnxruntime}}


class _Cvmfs:
    """A CMSSW release, in the CMS image that it was built for."""

    relocatable = False

    def __init__(self, area: Path, settings: Mapping[str, Any]) -> None:
        self.area = area
        self.release = settings["cvmfs"]["release"]
        self.scram_arch = settings["cvmfs"]["scram_arch"]
        self.image = Path(settings["cvmfs"]["image"])

    def check(self) -> None:
        for path in (CVMFS / "cms.cern.ch/cmsset_default.sh", self.image):
            if not path.exists():
                raise E2EError(
                    f"{path} is not there, so this machine cannot use CMSSW releases: run at a site that "
                    "mounts cvmfs, mount it with cvmfsexec, or set cmssw.host to standalone or apptainer"
                )
        _need_apptainer("ask the site for it")

    def build_commands(self, source: Path, destination: Path, jobs: int) -> list[list[str]]:
        script = [
            f"mkdir -p {_quoted(destination)}",
            f"cd {_quoted(destination)}",
            f"[ -d {self.release}/.SCRAM ] || scram project {self.release}",
            f"cd {self.release}/src",
            f"ln -sfn {_quoted(source / 'src/RecoE2E')} RecoE2E",
            'eval "$(scram runtime -sh)"',
            f"scram build -j {jobs}",
        ]
        return [self._inside(script, [source, self.area.parent])]

    def run_command(self, cfg: Path, arguments: Sequence[str]) -> list[str]:
        src = self.area / self.release / "src"
        script = [
            f"cd {_quoted(src)}",
            'eval "$(scram runtime -sh)"',
            f"cd {_quoted(Path.cwd())}",
            'exec cmsRun "$@"',
        ]
        folders = [self.area, (src / "RecoE2E").resolve(), *_folders(cfg, arguments)]
        inside = self._inside(script, folders, providers.of_cmsrun(arguments))
        return [*inside, "cmsRun", str(cfg), *arguments]

    def _inside(self, script: list[str], folders: Iterable[Path], provider: Provider = CPU) -> list[str]:
        setup = [
            f"source {CVMFS}/cms.cern.ch/cmsset_default.sh",  # does not itself survive `set -e`
            "set -e",
            f"export SCRAM_ARCH={self.scram_arch} ORT_DISABLE_TELEMETRY=1",
        ]
        command = "\n".join([*setup, *script])
        return [*_apptainer_exec(self.image, [CVMFS, *folders], provider), "bash", "-c", command]

    def record(self, source: Path) -> dict[str, Any]:
        # On cvmfs an image's name is a link to a directory that is named after its digest.
        image = {"file": str(self.image), "unpacked": str(self.image.resolve())}
        return {"release": self.release, "scram_arch": self.scram_arch, "image": image}


HOSTS = {"standalone": _Standalone, "apptainer": _Apptainer, "cvmfs": _Cvmfs}


def _cmake(source: Path, tree: Path, destination: Path, jobs: int) -> list[list[str]]:
    """Configure the standalone host with RecoE2E, build it in ``tree``, install it into ``destination``."""
    cache = tree / "CMakeCache.txt"
    places = {
        f"CMAKE_HOME_DIRECTORY:INTERNAL={source / 'standalone'}",
        f"CMAKE_CACHEFILE_DIR:INTERNAL={tree}",
    }
    moved = cache.exists() and not places <= set(cache.read_text().splitlines())
    return [
        [
            "cmake",
            *(["--fresh"] if moved else []),  # CMake refuses a tree that was made elsewhere
            "-S",
            str(source / "standalone"),
            "-B",
            str(tree),
            "-G",
            "Ninja",
            "-DCMAKE_BUILD_TYPE=Release",
        ],
        ["cmake", "--build", str(tree), "--parallel", str(jobs)],
        ["cmake", "--install", str(tree), "--prefix", str(destination)],
    ]


def _need_apptainer(remedy: str) -> None:
    if shutil.which("apptainer") is None:
        raise E2EError(f"apptainer is missing: {remedy}")


def _apptainer_exec(image: Path, folders: Iterable[Path], provider: Provider = CPU) -> list[str]:
    """Start of a command in ``image``: a clean environment, and ``folders`` where the host has them."""
    command = ["apptainer", "--quiet", "exec", "--cleanenv", f"--pwd={Path.cwd()}"]
    if os.geteuid() == 0:
        # Root in a container or a batch job lacks capabilities that Apptainer expects of root.
        command.append("--userns")
    command += [*provider.apptainer, *(f"--env={key}={value}" for key, value in provider.environment.items())]
    bound: list[Path] = []
    for folder in sorted({Path.cwd(), *folders}):
        if re.search("[:,]", str(folder)):
            raise E2EError(f"{folder}: Apptainer takes : and , in a name apart; use a folder without them")
        if not any(folder.is_relative_to(other) for other in bound):
            bound.append(folder)
    return [*command, *(f"--bind={folder}" for folder in bound), str(image)]


def _folders(cfg: Path, arguments: Sequence[str]) -> set[Path]:
    """Folders of the files that a cmsRun command names, and of those that they link to."""
    values = [str(cfg), *(value for text in arguments for value in re.split(_NEXT, text.partition("=")[2]))]
    paths = [Path(value.removeprefix("file:")).absolute() for value in values]
    folders = {folder for path in paths for folder in (path.parent, path.resolve().parent) if folder.is_dir()}
    return folders - {Path("/")}


def _environment() -> dict[str, str]:
    """Environment of a command: this Python's cmake and ninja come first, and what providers need is found.

    What providers want to be set, they get, unless the caller's environment says otherwise.
    """
    libraries = [str(folder) for folder in providers.library_folders()]
    paths = {"PATH": [sysconfig.get_path("scripts")], "LD_LIBRARY_PATH": libraries}
    first = {
        name: ":".join([*new, os.environ.get(name, "")]).strip(":") for name, new in paths.items() if new
    }
    return {**providers.environment(), **os.environ, **first}


def _called(command: Sequence[str], **streams: Any) -> subprocess.CompletedProcess:
    """What came of a command. Whatever ends the call earlier, such as a signal, ends all it started."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, env=_environment(), process_group=0, **streams
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_S)
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _print(commands: Iterable[Sequence[str]]) -> None:
    for command in commands:
        print(shlex.join(command))


def _failure(log: Path) -> str:
    """What went wrong according to a command's output, in one line that ends with the log's name."""
    text = log.read_text(errors="replace")
    if refused := re.search(r".*user namespace.*", text):
        return (
            f"Apptainer may not create user namespaces ({refused[0].strip()}): as root, set "
            "user.max_user_namespaces to 15000 with sysctl (and, where they exist, "
            "kernel.unprivileged_userns_clone to 1 and kernel.apparmor_restrict_unprivileged_userns to 0), "
            f"or set cmssw.host to standalone (log: {log})"
        )
    if exception := re.search(r"Begin Fatal Exception[^\n]*\n(.*?)\n-+ End Fatal Exception", text, re.DOTALL):
        lines = exception[1].splitlines()
    elif errors := re.findall(r"^.*\berror:.*$", text, re.MULTILINE | re.IGNORECASE):
        lines = errors[:1]
    else:
        lines = text.splitlines()[-5:]
    return " ".join([*(line.strip() for line in lines if line.strip()), f"(log: {log})"])


@contextlib.contextmanager
def _in_place(area: Path) -> Iterator[Path]:
    """``area`` itself, without the mark of a complete area until the block writes it again."""
    if (area / AREA).exists() and _moved(area):
        shutil.rmtree(area)
    area.mkdir(parents=True, exist_ok=True)
    (area / AREA).unlink(missing_ok=True)
    yield area


def _moved(area: Path) -> bool:
    """Whether a complete area does not lie where it was built."""
    return read_json(area / AREA).get("path") != str(area)
