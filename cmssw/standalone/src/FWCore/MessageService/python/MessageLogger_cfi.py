"""For configurations that load the message logger, which every process has by itself."""

from FWCore.ParameterSet.MessageLogger import MessageLogger  # noqa: F401
