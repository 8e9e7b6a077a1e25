"""The measurement of energy and time against its formulas."""

import math

import numpy as np
import pytest

from e2e.simulation import ecal


def test_noise() -> None:
    rng = np.random.default_rng(1)
    energy, time = np.zeros(61200), np.zeros(61200)
    ecal.measure(rng, energy, time)
    assert energy.mean() == pytest.approx(0.0, abs=4 * 0.042 / math.sqrt(61200))
    assert energy.std() == pytest.approx(0.042, rel=0.02)
    assert not time.any()


@pytest.mark.parametrize("true", [1.0, 40.0])
def test_energy_resolution(true: float) -> None:
    rng = np.random.default_rng(1)
    energy, time = np.full(20_000, true), np.full(20_000, 0.3 * true)
    ecal.measure(rng, energy, time)
    expected = math.sqrt(0.021**2 * true + (0.005 * true) ** 2 + 0.042**2)
    assert energy.mean() == pytest.approx(true, abs=4 * expected / math.sqrt(20_000))
    assert energy.std() == pytest.approx(expected, rel=0.03)
    np.testing.assert_allclose(time, 0.3)


@pytest.mark.parametrize("energy", [0.5, 2.0, 10.0, 50.0])
def test_time_resolution(energy: float) -> None:
    expected = math.sqrt((35.1 * 0.042 / energy) ** 2 + 0.19**2)
    assert ecal.time_resolution(energy) == pytest.approx(expected)
    rng = np.random.default_rng(1)
    times = np.array([ecal.measure_time(rng, energy, 0.7) for _ in range(10_000)])
    assert times.mean() == pytest.approx(0.7, abs=4 * expected / 100)
    assert times.std() == pytest.approx(expected, rel=0.03)


def test_times_lie_in_the_readout_window() -> None:
    rng = np.random.default_rng(1)
    times = np.array([ecal.measure_time(rng, 0.001, 0.0) for _ in range(2000)])
    assert abs(times).max() <= ecal.TIME_WINDOW
    # Noise alone: as likely early as late, and not heaped at the ends.
    assert np.histogram(times, 10, (-125.0, 125.0))[0] == pytest.approx(np.full(10, 200), abs=70)
