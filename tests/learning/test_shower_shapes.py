import numpy as np
import pytest

from e2e.data.shower_shapes import shower_shapes
from e2e.tasks.electron_photon import TASK


def frame(*hits):
    """Frame [1, 2, 32, 32] of hits (rows from the seed, columns from the seed, GeV, ns)."""
    image = np.zeros((1, 2, 32, 32), np.float32)
    for row, column, energy, time in hits:
        image[0, :, 15 + row, 15 + column] = energy, time
    return image


def shapes(*hits):
    return {name: value[0] for name, value in shower_shapes(frame(*hits), TASK.crop).items()}


def test_energies_of_known_hits():
    found = shapes((0, 0, 20, 0), (0, 1, 8, 0), (1, 0, 4, 0), (-2, -2, 2, 0), (0, 5, 6, 0), (10, 0, 0.5, 0))
    assert found["E [GeV]"] == pytest.approx(40.5)
    assert found["E25 [GeV]"] == pytest.approx(34)
    assert found["E1/E25"] == pytest.approx(20 / 34)
    assert found["E2nd/E25"] == pytest.approx(8 / 34)
    assert found["E9/E25"] == pytest.approx(32 / 34)
    assert found["S4"] == pytest.approx(32 / 34)
    assert found["R9"] == pytest.approx(32 / 40.5)
    assert found["asymmetry_phi"] == pytest.approx((8 - 2) / 34)
    assert found["asymmetry_eta"] == pytest.approx((4 - 2) / 34)
    assert found["hits>0.0GeV"] == 6
    assert found["hits>1.0GeV"] == 5
    assert found["phi4-6_larger/E"] == pytest.approx(6 / 40.5)
    assert found["phi4-6_smaller/E"] == 0
    assert found["outside_road/E"] == pytest.approx(0.5 / 40.5)


def test_widths_of_known_hits():
    """Three equal crystals along phi: logarithmic and linear weights agree, variance 2/3."""
    found = shapes((0, -1, 10, 0), (0, 0, 10.001, 0), (0, 1, 10, 0))
    assert found["sigma_iphi_iphi"] == pytest.approx(np.sqrt(2 / 3), rel=1e-3)
    assert found["sigma_ieta_ieta"] == pytest.approx(0, abs=1e-6)
    assert found["phi_width"] == pytest.approx(np.sqrt(2 / 3), rel=1e-3)
    assert found["major"] == pytest.approx(np.sqrt(2 / 3), rel=1e-3)


def test_logarithmic_weights_are_those_of_cmssw():
    """w = max(0, 4.7 + ln(E / E25)): by hand for two crystals along eta, one of them below the cut."""
    found = shapes((0, 0, 45, 0), (1, 0, 4.9, 0), (-1, 0, 0.1, 0))
    first, second = 4.7 + np.log(0.9), 4.7 + np.log(4.9 / 50)
    assert 4.7 + np.log(0.1 / 50) < 0
    p = second / (first + second)
    assert found["sigma_ieta_ieta"] == pytest.approx(np.sqrt(p * (1 - p)), rel=1e-5)


def test_second_maximum():
    found = shapes((0, 0, 30, 0), (0, 1, 8, 0), (1, -6, 5, 0), (1, -7, 1, 0), (-3, 9, 2, 0), (9, 9, 0.3, 0))
    assert found["maxima"] == 2
    assert found["second_maximum/E"] == pytest.approx(5 / 46.3)
    assert (found["second_maximum_|eta|"], found["second_maximum_|phi|"]) == (1, 6)
    assert (found["third_maximum_|eta|"], found["third_maximum_|phi|"]) == (3, 9)
    assert found["maxima_on_both_sides"] == 1
    assert np.isnan(shapes((0, 0, 30, 0))["second_maximum_|phi|"])


def test_times_of_known_hits():
    found = shapes((0, 0, 30, 0.1), (0, 1, 10, 0.3), (0, 5, 1, 1.5), (2, 2, 1, -0.7))
    assert found["t_seed [ns]"] == pytest.approx(0.1)
    assert found["t_second [ns]"] == pytest.approx(0.3)
    assert found["t_core [ns]"] == pytest.approx(0.2)
    assert found["t_around [ns]"] == pytest.approx(-0.7)
    assert found["t_wings [ns]"] == pytest.approx(1.5)
    assert found["t_strong_wing - t_core [ns]"] == pytest.approx(1.3)
    weights, times = np.array([4, 4, 1, 1]), np.array([0.1, 0.3, 1.5, -0.7])
    mean = np.average(times, weights=weights)
    assert found["t_mean [ns]"] == pytest.approx(mean)
    assert found["t_spread [ns]"] == pytest.approx(np.sqrt(np.average((times - mean) ** 2, weights=weights)))
    assert found["late_share"] == pytest.approx(1 / 42)


@pytest.mark.parametrize(("eta", "phi"), [(-1, 1), (1, -1), (-1, -1)])
def test_reflections_change_nothing(toy_frames, eta, phi):
    """Within the 31 x 31 cells around the seed, only signed shapes know the signs of eta and phi."""
    frames = toy_frames("electron", 20, 3)
    frames[:, :, 31], frames[:, :, :, 31] = 0, 0
    mirrored = frames.copy()
    mirrored[:, :, :31, :31] = frames[:, :, :31, :31][:, :, ::eta, ::phi]
    plain, turned = shower_shapes(frames, TASK.crop), shower_shapes(mirrored, TASK.crop)
    signs = {"signed_asymmetry_eta": eta, "signed_sigma_ieta_iphi": eta * phi}
    for name in plain:
        sign = signs.get(name, phi) if name.startswith("signed_") else 1
        np.testing.assert_allclose(turned[name], sign * plain[name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_signed_shapes_tell_the_sides_apart():
    found = shapes((0, 0, 6, 0), (1, 0, 3, 0), (0, -1, 1, 0))
    assert found["signed_asymmetry_eta"] == pytest.approx(0.3)
    assert found["signed_asymmetry_phi"] == pytest.approx(-0.1)
    assert found["signed_road_phi_mean"] == pytest.approx(-0.1)
    assert found["signed_sigma_ieta_iphi"] > 0  # outwards and along phi go together here
    assert found["asymmetry_phi"] == pytest.approx(0.1)


def test_empty_frame_has_no_shapes_and_no_warning(recwarn):
    found = shapes()
    assert found["E [GeV]"] == 0
    assert np.isnan(found["R9"])
    assert not recwarn.list
