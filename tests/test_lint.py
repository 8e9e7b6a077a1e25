"""One set of checks: `make lint`, and the hooks before a commit."""

import re
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]


def test_hooks_before_a_commit_are_the_checks_of_make_lint():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)[1]
    commands = [command for line in recipe.splitlines() for command in line.strip("\t@").split(" && ")]
    (local,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"].removeprefix(".venv/bin/") for hook in local["hooks"]] == commands
    for hook in local["hooks"]:
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
