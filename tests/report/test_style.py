"""Figures: the same bytes each time, and only formats that can promise it."""

from pathlib import Path

import pytest

from e2e.errors import E2EError
from e2e.report import style


def draw(*paths: Path) -> None:
    figure, axes = style.figure(columns=2)
    axes[0].plot([0, 1], [1, 0])
    axes[0].set_xlabel(r"$|\eta|$")
    style.label(axes[0], style.events("e2e simulation"), "right")
    style.save(figure, *paths)


def test_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(E2EError, match=r"a.svg: figures are written as .png or .pdf"):
        draw(tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []


def test_simulation_and_data_are_told_apart() -> None:
    assert "imulation" in style.events("e2e simulation")
    assert "imulation" not in style.events("detector data")


def test_shares_are_of_all_values_and_have_uncertainties() -> None:
    """4 of 10 weights lie in the first bin, 2 in the second, and 4 beyond."""
    _, axes = style.figure()
    style.shares(axes, [0.5, 0.5, 1.5, 7.0], [0, 1, 2], [1.0, 3.0, 2.0, 4.0], "some")
    assert axes.get_legend_handles_labels()[1] == ["some (40.0 % beyond)"]
    drawn = [bars.lines[2][0].get_segments() for bars in axes.containers if bars.has_yerr]
    (segments,) = [found for found in drawn if len(found)]  # the legend's have none
    middles = [float(segment[:, 1].mean()) for segment in segments]
    lengths = [float(segment[:, 1].max() - segment[:, 1].min()) / 2 for segment in segments]
    assert middles == pytest.approx([0.4, 0.2])
    assert lengths == pytest.approx([10**0.5 / 10, 0.2])


def test_shares_of_nothing_are_nothing() -> None:
    _, axes = style.figure()
    style.shares(axes, [], [0, 1, 2], label="none")
    assert axes.get_legend_handles_labels()[1] == ["none"]


def test_a_p_value_at_the_smallest_that_its_replicas_can_give_is_a_bound():
    assert style.p_value({"p_value": 0.002, "least_p_value": 0.002}) == "<= 0.002"
    assert style.p_value({"p_value": 0.03, "least_p_value": 0.002}) == "= 0.03"
