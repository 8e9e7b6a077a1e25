"""What `e2e` says of its commands."""

import re
import shlex

import pytest

from e2e.cli import _parser, main


@pytest.mark.parametrize("command", ["convert", "inspect", "simulate", "predict", "cmssw build", "cmssw run"])
def test_help_says_what_a_command_does_with_an_example_that_can_be_typed(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    usage, description, *_ = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(f"usage: e2e {command}")
    assert re.match(r"[A-Z]\w+s \S+", description)  # what it does

    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    example = " ".join(capsys.readouterr().out.split("Example: ")[1].split())
    assert example.startswith(f"e2e {command} ")
    assert callable(_parser().parse_args(shlex.split(example)[1:]).run)
