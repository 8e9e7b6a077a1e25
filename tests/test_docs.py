"""Every command that a page gives works as it stands: it is understood, and a workflow's is planned."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cli import _parser

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
# Of networks and tasks that a reader has yet to write: tests/learning and tests/cmssw/test_my_own_task.py
# follow these pages with what they write.
OWN = re.compile(r"/(mlp|particlenet_tuned)/|flavour\.yaml")


def commands(tool, inline=True):
    """The commands of ``tool`` in the blocks of all pages and, ``inline``, in their sentences."""
    found = {}
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        lines = [
            line.strip()
            for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()
        ]
        if inline:
            lines += re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))
        for line in lines:
            command = line.partition("  #")[0].strip()
            placeholder = re.search(r"[<>]|\.\.\.|\b[A-Z]{4,}\b(?!\.|=)", command)
            if command.startswith(f"{tool} ") and not placeholder and not OWN.search(command):
                found[f"{page.name}: {command}"] = shlex.split(command)
    assert found
    return [pytest.param(words, id=name) for name, words in found.items()]


def anchors(page):
    """Of the headings of a page, as the sites that show it make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_merge_is_half_done(page):
    assert not re.findall(r"^(?:<{7}|>{7}) .*", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("words", commands("e2e", inline=False))
def test_commands_of_e2e_are_understood(words):
    _parser().parse_args(words[1:])


@pytest.mark.parametrize("words", commands("make"))
def test_goals_of_make_are_there(words):
    goals = [word for word in words[1:] if "=" not in word]
    known = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert set(goals) <= set(known)
    for word in words[1:]:
        name = word.removeprefix("CONFIG=")
        if name not in (word, "mine.yaml"):  # which is the reader's own
            assert (REPOSITORY / name).exists()


@pytest.mark.slow
@pytest.mark.parametrize("words", commands("snakemake"))
def test_commands_of_snakemake_are_planned(words, tmp_path):
    words = [str(REPOSITORY / word) if word.startswith(("config", "profiles")) else word for word in words]
    command = [Path(sys.executable).parent / "snakemake", *words[1:], "--dry-run", "--quiet"]
    command += ["--snakefile", REPOSITORY / "Snakefile", "--directory", tmp_path]
    process = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert process.returncode == 0, process.stdout


@pytest.mark.slow
def test_targets_of_the_page_about_single_targets_are_planned(tmp_path):
    page = (REPOSITORY / "docs/how-to/single-target.md").read_text()
    targets = re.findall(r"^\|[^|]+\| `(results/[^`]+)`", page, re.MULTILINE)
    assert len(targets) > 10
    words = ["snakemake", *targets, "--config", "repeats=3"]
    test_commands_of_snakemake_are_planned(words, tmp_path)
