"""Writes trees as analyzers do, broken ones too: any branch, of true ``std::vector``s or of numbers.

    rhtree.write(path, {"runId": np.array([1, 1], np.uint32), "SC_ieta": [[60.0], []], "SC_energy": [[[1.0,
    2.0]], []]})

An array is a branch of one number an entry; a list, one of vectors of float32 (or of the type of its first
array); a list of lists of lists, one of vectors of vectors of float32.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from e2e.data.ntuple_writer import _root

METHODS = {"ZLIB": 101, "LZMA": 201, "LZ4": 404, "ZSTD": 501}
LEAVES = {"u4": "i", "u8": "l", "i4": "I", "i8": "L", "f4": "F", "f8": "D", "u2": "s", "i2": "S"}
TYPES = {"f4": "float", "f8": "double", "i4": "int", "u4": "unsigned int", "i8": "Long64_t"}


@cache
def _filler():
    root = _root()
    root.gInterpreter.Declare(
        """
        namespace rhtree {
          template <typename T>
          void assign(std::vector<T>& to, const T* from, std::size_t n) { to.assign(from, from + n); }
        }
        """
    )
    return root


def write(
    path: str | Path,
    branches: dict,
    tree: str = "fevt/RHTree",
    marker: str | None = None,
    compression: int = 501,
    per_basket: int | None = None,
) -> Path:
    """A file with a tree of ``branches``.

    ``marker`` is what the marker of `e2e simulate` says, ``compression`` 100 x ROOT's number of the method +
    level.
    """
    root = _filler()
    folder, name = tree.split("/")
    file = root.TFile.Open(str(path), "RECREATE", "", compression)
    directory = file.mkdir(folder)
    directory.cd()
    if marker is not None:
        root.TNamed("e2e", marker).Write()
    written = root.TTree(name, "")
    entries = {len(values) for values in branches.values()}
    assert len(entries) <= 1, "every branch has as many entries"
    fill = [_branch(root, written, branch, values) for branch, values in branches.items()]
    for entry in range(max(entries, default=0)):
        for one in fill:
            one(entry)
        written.Fill()
        if per_basket and (entry + 1) % per_basket == 0:
            written.FlushBaskets()
    file.Write()
    file.Close()
    return Path(path)


def _branch(root, tree, name: str, values):
    """Make a branch; what fills it with an entry."""
    if isinstance(values, np.ndarray):
        buffer = np.zeros(1, values.dtype)
        tree.Branch(name, buffer, f"{name}/{LEAVES[values.dtype.str[1:]]}")
        return lambda entry: buffer.__setitem__(0, values[entry])
    if any(len(entry) and isinstance(entry[0], list) for entry in values):
        nested = root.std.vector("std::vector<float>")()
        tree.Branch(name, nested)

        def fill_nested(entry):
            nested.clear()
            for numbers in values[entry]:
                nested.push_back(root.std.vector("float")([float(number) for number in numbers]))

        return fill_nested
    first = next((entry for entry in values if isinstance(entry, np.ndarray)), np.empty(0, np.float32))
    kind = first.dtype if first.dtype.str[1:] in TYPES else np.dtype(np.float32)
    vector = root.std.vector(TYPES[kind.str[1:]])()
    tree.Branch(name, vector)

    def fill(entry):
        numbers = np.ascontiguousarray(values[entry], kind).ravel()
        root.rhtree.assign[TYPES[kind.str[1:]]](
            vector, numbers if len(numbers) else np.zeros(1, kind), len(numbers)
        )

    return fill
