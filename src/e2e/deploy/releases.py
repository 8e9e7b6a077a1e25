"""Which exported graphs which CMSSW release can read: the ONNX Runtime in each, and what it takes.

Versions of ONNX Runtime are those of onnxruntime.spec in cms-sw/cmsdist: at the tags REL/CMSSW_12_4_0 and
13_0_0 (1.10.0; 12_3_0 has 1.7.2), 13_1_0 to 14_0_18 (1.14.1), 14_1_0 and 14_1_4 (1.17.1); for 15_0 at pull
request 9625 of January 2025 (1.20.1), not at a tag. What 1.17.3 and 1.20.1 take was found by loading
graphs; for 1.10 and 1.14 it is that of the ONNX release they implement (1.10 and 1.13;
onnxruntime.ai/docs/reference/compatibility.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from e2e.errors import E2EError


@dataclass(frozen=True)
class Release:
    """The first CMSSW release cycle with an ONNX Runtime, and the newest opset and IR that this takes."""

    cmssw: tuple[int, int]
    onnxruntime: str
    opset: int
    ir_version: int

    @property
    def name(self) -> str:
        return "CMSSW_{}_{}".format(*self.cmssw)

    def takes(self, opset: int, ir_version: int) -> bool:
        return opset <= self.opset and ir_version <= self.ir_version


# From 12_4 on, the oldest release that the RecoE2E packages are written for.
RELEASES = (
    Release((12, 4), "1.10.0", 15, 8),
    Release((13, 1), "1.14.1", 18, 8),
    Release((14, 1), "1.17.1", 20, 9),
    Release((15, 0), "1.20.1", 21, 10),
)


def oldest(opset: int, ir_version: int) -> Release | None:
    """The first release that takes a graph, if any known one does."""
    return next((release for release in RELEASES if release.takes(opset, ir_version)), None)


def check(opset: int, ir_version: int, cmssw: str) -> None:
    """Raise E2EError if the CMSSW release (``CMSSW_14_0_22``) is known not to take such a graph."""
    cycle = tuple(int(number) for number in re.findall(r"\d+", cmssw)[:2])
    having = [release for release in RELEASES if release.cmssw <= cycle]
    if not having or having[-1].takes(opset, ir_version) or cycle > RELEASES[-1].cmssw:
        return
    found, wanted = having[-1], oldest(opset, ir_version)
    newer = f", or take {wanted.name} or later" if wanted else ""
    raise E2EError(
        f"export.opset = {opset}, export.ir_version = {ir_version}: {cmssw} has ONNX Runtime "
        f"{found.onnxruntime}, which takes opsets up to {found.opset} and IR versions up to "
        f"{found.ir_version}; lower them{newer}"
    )
