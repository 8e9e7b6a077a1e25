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
    for hook, command in zip(local["hooks"], commands, strict=True):
        words, all_files, _ = command.partition(" $$(find")  # a hook is given those that change
        assert hook["entry"] == f".venv/bin/{words}"
        assert hook["language"] == "system"
        assert hook.get("pass_filenames", True) == bool(all_files)
