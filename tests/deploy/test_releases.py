from pathlib import Path

import pytest

from e2e.deploy.releases import RELEASES, check, oldest
from e2e.errors import E2EError

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("opset", "ir_version", "release"),
    [
        (15, 8, "CMSSW_12_4"),
        (16, 8, "CMSSW_13_1"),
        (17, 8, "CMSSW_13_1"),
        (17, 9, "CMSSW_14_1"),
        (19, 8, "CMSSW_14_1"),
        (20, 10, "CMSSW_15_0"),
    ],
)
def test_oldest_release_that_takes_a_graph(opset, ir_version, release):
    assert oldest(opset, ir_version).name == release


def test_no_release_is_known_for_what_is_too_new():
    assert oldest(30, 8) is None


@pytest.mark.parametrize(
    "cmssw", ["CMSSW_13_1_0", "CMSSW_14_0_22", "CMSSW_14_0_22_patch1", "CMSSW_16_0_0_pre1"]
)
def test_graph_that_a_release_takes(cmssw):
    check(17, 8, cmssw)


def test_releases_of_which_nothing_is_known():
    check(20, 10, "CMSSW_10_6_30")
    check(30, 13, "CMSSW_17_0_0")


@pytest.mark.parametrize(
    ("opset", "ir_version", "cmssw", "message"),
    [
        (
            17,
            8,
            "CMSSW_13_0_20",
            r"CMSSW_13_0_20 has ONNX Runtime 1\.10\.0, .* 15 .* 8; .* take CMSSW_13_1 or later",
        ),
        (19, 8, "CMSSW_14_0_22", r"has ONNX Runtime 1\.14\.1, .* up to 18 .* take CMSSW_14_1 or later"),
        (17, 9, "CMSSW_14_0_22", "IR versions up to 8; lower them, or take CMSSW_14_1"),
        (30, 8, "CMSSW_15_0_1", "lower them$"),
    ],
)
def test_graph_that_is_too_new_for_a_release(opset, ir_version, cmssw, message):
    with pytest.raises(E2EError, match=message):
        check(opset, ir_version, cmssw)


def test_page_shows_the_same_table():
    page = (REPOSITORY / "docs" / "model-contract.md").read_text()
    for release in RELEASES:
        numbers = f"{release.onnxruntime} | {release.opset} | {release.ir_version}"
        assert f"| {release.name} | {numbers} |" in page
