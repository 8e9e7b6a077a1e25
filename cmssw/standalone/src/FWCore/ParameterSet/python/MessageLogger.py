"""The message logger that every process has, with CMSSW's defaults as far as this host knows them."""

from .Modules import Service
from .Types import optional, untracked

_category = optional.untracked.PSetTemplate(
    reportEvery=untracked.int32(1), limit=optional.untracked.int32, timespan=optional.untracked.int32
)


def _destination(enable, **categories):
    return untracked.PSet(
        enable=untracked.bool(enable),
        threshold=untracked.string("INFO"),
        noTimeStamps=untracked.bool(False),
        noLineBreaks=optional.untracked.bool,
        lineLength=optional.untracked.int32,
        statisticsThreshold=optional.untracked.string,
        enableStatistics=untracked.bool(False),
        resetStatistics=untracked.bool(False),
        allowAnyLabel_=_category,
        **categories,
    )


def _limited(limit):
    return untracked.PSet(reportEvery=untracked.int32(1), limit=untracked.int32(limit))


MessageLogger = Service(
    "MessageLogger",
    suppressWarning=untracked.vstring(),
    suppressFwkInfo=untracked.vstring(),
    suppressInfo=untracked.vstring(),
    suppressDebug=untracked.vstring(),
    debugModules=untracked.vstring(),
    cout=_destination(False),
    cerr=_destination(
        True,
        INFO=_limited(0),
        default=_limited(10000000),
        FwkReport=_limited(10000000),
        FwkSummary=_limited(10000000),
    ),
    default=untracked.PSet(allowAnyLabel_=_category),
    files=untracked.PSet(allowAnyLabel_=_category),
    allowAnyLabel_=_category,
)
