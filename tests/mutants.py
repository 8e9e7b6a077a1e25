"""Do the tests bite: small faults are put into data/, learning/ and deploy/, and the tests run.

``make mutants N=120 SEED=1`` calls it. Cosmic Ray makes the faults; which of them are tried, and on which
tests, is decided here, since all of them would take weeks: a sample, drawn anew by each seed, and for each
mutant the tests that reach its lines (by coverage), the quickest first, until one fails. Each run is a fork
of one process that has imported what others wrote, so that it costs no more than its tests. All is kept in
``results/mutants``: the same command goes on where it was stopped. docs/mutants.md holds what was found.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import hashlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

REPOSITORY = Path(__file__).parents[1]
LIBRARY = Path("src/e2e")
PACKAGES = ("data", "learning", "deploy")
KEPT = REPOSITORY / "results/mutants"
# A mutant is tried on tests that take this long together; one that outlives them has survived.
SECONDS = 60
# What only speaks to people, or makes things faster: a fault in it changes no result.
TALK = {"print", "info", "debug", "warning", "warn", "log", "progress", "say", "E2EError", "add_argument"}
TALKING = {"__repr__", "__str__"}
SPEED = {"cache", "lru_cache", "njit", "compiled", "_compiled"}
SPEED_KEYWORDS = {"maxsize", "nogil", "cache", "num_workers", "pin_memory", "timeout"}
SIZES = re.compile(r"_?(BATCH|CHUNK|BUFFER|BLOCK)_?[A-Z]*")  # of what is handled at a time


def uninteresting(tree: ast.Module) -> Iterator[ast.AST]:
    """Parts of a module in which a mutant changes types, words or speed alone."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) if name in TALKING:
                yield node
            case ast.FunctionDef():
                arguments = [found.annotation for found in ast.walk(node.args) if isinstance(found, ast.arg)]
                yield from filter(None, [node.returns, *arguments])
                yield from (decorator for decorator in node.decorator_list if _called(decorator) in SPEED)
            case ast.AnnAssign():
                yield node.annotation
            case ast.Raise() | ast.JoinedStr() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.Call() if _called(node) in TALK | SPEED:
                yield node
            case ast.keyword(arg=str(name)) if name in SPEED_KEYWORDS:
                yield node
            case ast.Assign(targets=[ast.Name(id=name)]) if SIZES.fullmatch(name):
                yield node


def _called(node: ast.AST) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def sample(number: int, seed: int, items: tuple[WorkItem, ...]) -> list[WorkItem]:
    """``number`` mutants in all, equally many of each package, at most one of a place in the source."""
    places: dict[str, dict] = {package: defaultdict(list) for package in PACKAGES}
    left_out = {}
    for item in items:
        (mutation,) = item.mutations
        path = mutation.module_path
        if path not in left_out:
            nodes = uninteresting(ast.parse(path.read_text()))
            left_out[path] = [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in nodes]
        if not any(start <= mutation.start_pos and mutation.end_pos <= end for start, end in left_out[path]):
            places[path.relative_to(LIBRARY).parts[0]][path, mutation.start_pos, mutation.end_pos].append(
                item
            )
    chance = random.Random(seed)
    chosen = []
    for index, package in enumerate(PACKAGES):
        wanted = number // len(PACKAGES) + (index < number % len(PACKAGES))
        order = sorted(places[package])
        chance.shuffle(order)
        for place in order:
            if not wanted:
                break
            variants = sorted(
                places[package][place],
                key=lambda i: (i.mutations[0].operator_name, i.mutations[0].occurrence),
            )
            item = chance.choice(variants)
            if mutated(item) is not None:
                chosen.append(item)
                wanted -= 1
    chance.shuffle(chosen)
    return chosen


def _kind(item: WorkItem) -> tuple[str, str, int]:
    (mutation,) = item.mutations
    return mutation.operator_name, str(mutation.operator_args), mutation.occurrence


def mutated(item: WorkItem) -> str | None:
    """The module's text with the fault; None if it says the same, or is no Python."""
    (mutation,) = item.mutations
    text = mutation.module_path.read_text()
    changed = mutate_code(
        text, get_operator(mutation.operator_name)(**mutation.operator_args), mutation.occurrence
    )
    try:
        return changed if changed and ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)) else None
    except SyntaxError:
        return None


class Contexts:
    """Tells coverage which test, or which fixture, is at work, and keeps how long each took."""

    def __init__(self, measured: coverage.Coverage):
        self.measured, self.stack, self.tests = measured, [""], {}

    def _within(self, context: str):
        self.stack.append(context)
        self.measured.switch_context(context)
        result = yield
        self.stack.pop()
        self.measured.switch_context(self.stack[-1])
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        fixtures = [
            f"{d.baseid}@{d.argname}" for ds in item._fixtureinfo.name2fixturedefs.values() for d in ds
        ]
        self.tests[item.nodeid] = {"fixtures": fixtures, "seconds": 0.0, "passed": True}
        return (yield from self._within(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        return (yield from self._within(f"{fixturedef.baseid}@{fixturedef.argname}"))

    def pytest_runtest_logreport(self, report):
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        test["passed"] &= report.passed


def in_a_fork(work: Callable[[], int], output: Path, seconds: float) -> int | None:
    """What ``work`` returns, run in a process of its own with its output in a file; None after so long."""
    child = os.fork()
    if not child:
        os.setsid()
        out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        code = 70
        try:
            code = int(work())
        finally:
            sys.stdout.flush()
            os._exit(code)
    end = time.monotonic() + seconds
    status = None
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        status = None
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it has started, too
    if status is None:
        os.waitpid(child, 0)
    return None if status is None else os.waitstatus_to_exitcode(status)


def run_pytest(tree: Path, *arguments: str, plugins: tuple = ()) -> int:
    """Exit code of pytest in this tree; for a fork, since it changes where Python looks."""
    os.chdir(tree)
    os.environ["TMPDIR"] = tempfile.mkdtemp(dir=tree.parent)
    tempfile.tempdir = None
    fixed = ("-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0")
    return pytest.main(
        [*fixed, f"--basetemp={os.environ['TMPDIR']}/pytest", *arguments], plugins=list(plugins)
    )


def measure_reach(tree: Path, test_file: Path, folder: Path) -> None:
    """Which lines each test of a file reaches, and how long it takes: two files in ``folder``."""

    def work() -> int:
        measured = coverage.Coverage(
            data_file=str(folder / "lines"), source=[str(tree / LIBRARY)], config_file=False
        )
        contexts = Contexts(measured)
        measured.start()
        code = run_pytest(tree, "--maxfail=1000", str(test_file), plugins=(contexts,))
        measured.stop()
        measured.save()
        (folder / "tests.json").write_text(json.dumps(contexts.tests))
        return code

    folder.mkdir(parents=True)
    in_a_fork(work, folder / "output", 3600)
    if not (folder / "tests.json").exists():
        (folder / "tests.json").write_text("{}")


@dataclass
class Reach:
    """Which tests of a file reach which lines of the library, and the seconds that each takes."""

    seconds: dict[str, float]
    lines: dict[Path, dict[int, set[str]]]

    def of(self, path: Path, rows: range) -> list[str]:
        """The tests that reach some of these lines, the quickest first."""
        names = set().union(*(self.lines[path].get(row, ()) for row in rows))
        return sorted(names, key=lambda name: (self.seconds[name], name))


class Tests:
    """The tests of the packages; what those of a file reach is measured when first asked for, and kept."""

    def __init__(self, tree: Path, kept: Path):
        self.tree, self.kept = tree, kept
        self.known: dict[Path, Reach] = {}

    def files(self, path: Path) -> list[Path]:
        """Files of tests for a module: its own one, then those that name it, or all if hardly any does."""
        every = sorted((self.tree / "tests" / path.relative_to(LIBRARY).parts[0]).glob("test_*.py"))
        words = {
            file: len(re.findall(rf"\b{path.stem}\b", file.name[5:] + file.read_text())) for file in every
        }
        naming = [file for file in every if words[file]]
        order = sorted(
            naming if len(naming) > 1 else every, key=lambda f: (f.name != f"test_{path.stem}.py", -words[f])
        )
        return [file.relative_to(self.tree) for file in order]

    def reach(self, file: Path) -> Reach:
        if file not in self.known:
            folder = self.kept / f"{file.stem}-{digest(self.tree / file)}"
            if not (folder / "tests.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
                measure_reach(self.tree, file, folder)
            self.known[file] = read_reach(folder)
        return self.known[file]


def read_reach(folder: Path) -> Reach:
    tests = json.loads((folder / "tests.json").read_text())
    tests = {name: test for name, test in tests.items() if test["passed"]}
    of_context = defaultdict(set)
    for name, test in tests.items():
        for context in (name, *test["fixtures"]):
            of_context[context].add(name)
    lines: dict[Path, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    if tests:
        data = coverage.CoverageData(str(folder / "lines"))
        data.read()
        for file in data.measured_files():
            path = Path(file[file.index(str(LIBRARY)) :])
            for line, contexts in data.contexts_by_lineno(file).items():
                lines[path][line] = set().union(*(of_context[context] for context in contexts))
    return Reach({name: test["seconds"] for name, test in tests.items()}, lines)


def rows(text: str, line: int) -> range:
    """Lines whose tests may notice a fault at this one: those of its statement.

    All of the module for what runs when it is imported, and for what Numba compiles: coverage sees neither.
    """
    around = [
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt) and n.lineno <= line <= n.end_lineno
    ]
    functions = [n for n in around if isinstance(n, ast.FunctionDef) and n.body[0].lineno <= line]
    if not functions or any(_called(d) in {"njit", "_compiled"} for f in functions for d in f.decorator_list):
        return range(1, len(text.splitlines()) + 1)
    statement = min(around, key=lambda n: n.end_lineno - n.lineno)
    return range(statement.lineno, statement.end_lineno + 1)


def copy_of_the_repository(place: Path) -> Path:
    """Where modules are mutated: the files that git knows or would know, and links to what is installed."""
    tree = place / "tree"
    listed = subprocess.check_output(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=REPOSITORY, text=True
    )
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file() and not name.startswith(".deps"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, tree / name)
    for name in (".deps", ".venv"):
        if (REPOSITORY / name).exists():
            (tree / name).symlink_to(REPOSITORY / name)
    return tree


def warm_up(tree: Path) -> None:
    """Import what the library and its tests import of others, so that no fork has to; forget the library."""
    sys.path[:] = [str(tree / "src"), *(p for p in sys.path if not p.startswith(str(REPOSITORY / "src")))]
    os.environ["PYTHONPATH"] = str(tree / "src")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # a mutant may have its module's size and time
    sys.dont_write_bytecode = True
    importlib.import_module("e2e")  # before ONNX Runtime, whose telemetry it turns off
    folders = [tree / place / package for package in PACKAGES for place in (LIBRARY, "tests")]
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                # TensorFlow starts threads, and no fork has its parent's
                if module and module.split(".")[0] not in {
                    "e2e",
                    "keras",
                    "tensorflow",
                    "tf2onnx",
                    "tests",
                    "ROOT",
                }:
                    with contextlib.suppress(ImportError):
                        importlib.import_module(module)
    for name in [n for n in sys.modules if n.split(".")[0] == "e2e"]:
        del sys.modules[name]


def digest(*paths: Path) -> str:
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(path.name.encode() + path.read_bytes())
    return sha.hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", type=int, help="how many mutants")
    parser.add_argument("seed", type=int, help="which ones")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        tree = copy_of_the_repository(Path(place))
        os.chdir(tree)
        warm_up(tree)
        kept = KEPT / digest(*LIBRARY.rglob("*.py"))
        kept.mkdir(parents=True, exist_ok=True)
        with use_db(str(kept / "all.sqlite")) as every:
            if not every.num_work_items:
                init(
                    [path for package in PACKAGES for path in sorted((LIBRARY / package).rglob("*.py"))],
                    every,
                    {},
                )
            chosen = sample(asked.number, asked.seed, every.work_items)
        with use_db(str(kept / f"{asked.number}-{asked.seed}.sqlite")) as session:
            try_all(tree, session, chosen, Tests(tree, kept / "reach"))
            print(table(session))


def try_all(tree: Path, session: WorkDB, chosen: list[WorkItem], tests: Tests) -> None:
    known = {name for name, _ in session.results}
    for count, item in enumerate(chosen, 1):
        (mutation,) = item.mutations
        name = (
            f"{mutation.module_path}:{mutation.start_pos[0]}:{mutation.start_pos[1]} {mutation.operator_name}"
        )
        if name not in known:
            start = time.monotonic()
            result = trial(tree, item, tests)
            session.add_work_item(WorkItem(name, ()))
            session.set_result(name, result)
            took = time.monotonic() - start
            print(f"{count}/{len(chosen)} {result.test_outcome.value} {name} {took:.0f} s", flush=True)


def trial(tree: Path, item: WorkItem, tests: Tests) -> WorkResult:
    """Put the fault into the copy, and run the tests that reach it, file by file, until one fails."""
    (mutation,) = item.mutations
    path = mutation.module_path
    text, fault = path.read_text(), mutated(item)
    diff = "\n".join(
        difflib.unified_diff(text.splitlines(), fault.splitlines(), str(path), str(path), lineterm="", n=2)
    )
    # Numba knows a function by its file's time, and not by what it calls in others
    folder = f"numba-{time.monotonic_ns()}" if "numba" in text else "numba"
    os.environ["NUMBA_CACHE_DIR"] = str(tree.parent / folder)
    output, tried, spent = tree.parent / "output", 0, 0.0
    for file in tests.files(path):
        reach = tests.reach(file)
        names, limit = [], SECONDS - spent
        for name in reach.of(path, rows(text, mutation.start_pos[0])):
            if names and sum(reach.seconds[n] for n in (*names, name)) > limit:
                break
            names.append(name)
        if not names:
            continue
        seconds = sum(reach.seconds[name] for name in names)
        try:
            path.write_text(fault)
            code = in_a_fork(lambda names=names: run_pytest(tree, *names), output, 120 + 10 * seconds)
        finally:
            path.write_text(text)
            clean(tree)
        tried, spent = tried + len(names), spent + seconds
        if code != 0:
            said = output.read_text(errors="replace")[-4000:]
            ended = WorkerOutcome.ABNORMAL if code is None else WorkerOutcome.NORMAL
            return WorkResult(ended, f"{file}\n{said}", TestOutcome.KILLED, diff)
        if spent > SECONDS:
            break
    ended = WorkerOutcome.NORMAL if tried else WorkerOutcome.NO_TEST
    return WorkResult(ended, f"{tried} tests reach it", TestOutcome.SURVIVED, diff)


def clean(tree: Path) -> None:
    for left in tree.parent.glob("tmp*"):
        shutil.rmtree(left, ignore_errors=True)


def table(session) -> str:
    counts = {package: [0, 0] for package in PACKAGES}
    survivors = []
    for name, result in sorted(session.results, key=lambda pair: pair[0]):
        package = Path(name).relative_to(LIBRARY).parts[0]
        counts[package][result.is_killed] += 1
        if not result.is_killed:
            survivors.append(f"{name}  ({(result.output or '').splitlines()[0]})\n{result.diff}")
    rows = [f"{'':10} mutants  killed"]
    for package, (survived, killed) in [
        *counts.items(),
        ("all", [sum(c) for c in zip(*counts.values(), strict=True)]),
    ]:
        total = survived + killed
        rows.append(f"{package:10} {total:7}  {killed:6}  {100 * killed / max(total, 1):.0f} %")
    return "\n\n".join([*survivors, "\n".join(rows)])


if __name__ == "__main__":
    main()
