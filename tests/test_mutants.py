"""Which faults `make mutants` leaves out, and by which lines it finds the tests of one."""

import ast
import importlib.util
import sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("mutants", Path(__file__).with_name("mutants.py"))
mutants = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = mutants  # where dataclasses look it up
spec.loader.exec_module(mutants)

MODULE = """\
import numba

BATCH_CELLS = 64 * 64
LIMIT = 64 * 65


@cache
def area(side: int | None, height: int = 3) -> float | None:
    if side < 0:
        raise E2EError(f"{side - 1} is no length" + "!")
    print(side + 1)
    return (
        side
        * height
    )


@numba.njit(nogil=True)
def twice(x):
    return 2 * x
"""


def test_types_words_and_speed_are_left_out():
    left_out = [ast.unparse(node) for node in mutants.uninteresting(ast.parse(MODULE))]
    assert sorted(left_out) == sorted(
        [
            "BATCH_CELLS = 64 * 64",
            "cache",
            "int | None",
            "int",
            "float | None",
            "raise E2EError(f'{side - 1} is no length' + '!')",
            "E2EError(f'{side - 1} is no length' + '!')",
            "f'{side - 1} is no length'",
            "print(side + 1)",
            "numba.njit(nogil=True)",
            "numba.njit(nogil=True)",
            "nogil=True",
        ]
    )


def test_tests_of_a_fault_are_those_of_its_statement():
    lines = MODULE.splitlines()
    first, last = lines.index("    return ("), lines.index("    )")
    assert mutants.rows(MODULE, lines.index("        * height") + 1) == range(first + 1, last + 2)


def test_what_runs_at_import_or_is_compiled_belongs_to_the_module():
    lines = MODULE.splitlines()
    for line in ("LIMIT = 64 * 65", "    return 2 * x"):
        assert mutants.rows(MODULE, lines.index(line) + 1) == range(1, len(lines) + 1)
