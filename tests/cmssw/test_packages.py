"""The packages of RecoE2E: what each knows of the others, and that BuildFiles name what is used."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

SRC = Path(__file__).parents[2] / "cmssw/src"
# The packages of RecoE2E that each one may know. Each comes after those that it knows: there is no circle.
KNOWN = {
    "DataFormats": [],
    "FrameTools": ["DataFormats"],
    "RHTree": ["DataFormats", "FrameTools"],
    "Taggers": ["DataFormats", "FrameTools"],
}
# What is linked though no header of it is included: the headers of other packages call it.
LINKED = {
    "RecoE2E/RHTree/plugins": {"FWCore/Catalog"},
    "RecoE2E/Taggers/plugins": {"PhysicsTools/ONNXRuntime"},
}
TOOLS = {r"nlohmann/": "json", r"T[A-Z]\w*\.h$": "root"}
BUILDFILES = sorted(path.relative_to(SRC).as_posix() for path in SRC.glob("RecoE2E/**/BuildFile.xml"))


def included(folder: Path) -> Iterator[str]:
    for path in sorted([*folder.glob("*.h"), *folder.glob("*.cc")]):
        yield from re.findall(r'^#include "([^"]+/[^"]+|T[A-Z]\w*\.h)"', path.read_text(), re.MULTILINE)


def owner(header: str) -> str:
    """The package or tool that a header belongs to."""
    tools = [tool for pattern, tool in TOOLS.items() if re.match(pattern, header)]
    return tools[0] if tools else header.partition("/interface/")[0]


def known(package: str) -> set[str]:
    """The packages of RecoE2E whose headers or Python modules a package names; its test/ may name any."""
    folder = SRC / "RecoE2E" / package
    files = [path for kind in ("h", "cc", "py") for path in folder.glob(f"[!t]*/*.{kind}")]
    text = "\n".join(path.read_text() for path in files)
    return set(re.findall(r"\bRecoE2E[/.](\w+)[/.]", text)) - {package}


def test_every_package_is_known_here_and_has_a_buildfile():
    assert {path.name for path in (SRC / "RecoE2E").iterdir()} == set(KNOWN)
    assert {f"RecoE2E/{package}/BuildFile.xml" for package in KNOWN} <= set(BUILDFILES)


@pytest.mark.parametrize("package", KNOWN)
def test_a_package_knows_only_those_below_it(package):
    order = list(KNOWN)
    assert all(order.index(other) < order.index(package) for other in KNOWN[package])
    assert known(package) <= set(KNOWN[package])


@pytest.mark.parametrize("buildfile", BUILDFILES)
def test_a_buildfile_names_what_is_included_and_nothing_else(buildfile):
    folder = (SRC / buildfile).parent
    package = folder.relative_to(SRC).as_posix()
    sources = [folder] if folder.name == "plugins" else [folder / "interface", folder / "src"]
    wanted = {owner(header) for source in sources for header in included(source)} - {package}
    text = (SRC / buildfile).read_text()
    used = [use.get("name") for use in ElementTree.fromstring(f"<all>{text}</all>").iter("use")]
    assert set(used) == wanted | LINKED.get(package, set())
    assert used == sorted(used)


def test_frame_tools_know_no_framework():
    folder = SRC / "RecoE2E/FrameTools"
    owners = {owner(header) for source in ("interface", "src") for header in included(folder / source)}
    assert owners == {"RecoE2E/DataFormats", "RecoE2E/FrameTools"}
    assert {path.name for path in folder.iterdir()} == {"BuildFile.xml", "interface", "src"}


def test_headers_are_guarded_by_their_place():
    for path in SRC.glob("RecoE2E/**/*.h"):
        if path.name != "classes.h":
            guard = re.sub(r"/interface/|[/.]", "_", path.relative_to(SRC).as_posix())
            assert path.read_text().startswith(f"#ifndef {guard}\n#define {guard}\n"), path
