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
