"""What `e2e` says of its commands."""

import re
import shlex

import pytest

from e2e.cli import _parser, main
from e2e.simulation.detector import NOMINAL, Detector


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


def test_without_options_a_detector_is_the_nominal_one():
    said = _parser().parse_args(shlex.split("simulate --task tau --sample tau --objects 9 --seed 1 a.root"))
    assert Detector(said.material, said.pileup_mean) == NOMINAL


def test_a_momentum_or_a_spectrum():
    words = shlex.split("simulate --task electron_photon --sample photon --objects 9 --seed 1 a.root --pt")
    for said, momenta in (("50", (50.0,)), ("20-100", (20.0, 100.0))):
        assert _parser().parse_args([*words, said]).pt == momenta


def test_a_momentum_that_is_none_is_said(capsys):
    words = shlex.split("simulate --task tau --sample tau --objects 9 --seed 1 --pt a-b x.root")
    with pytest.raises(SystemExit):
        _parser().parse_args(words)
    assert "'a-b' is no momentum: give one as 50, a spectrum as 20-100" in capsys.readouterr().err
