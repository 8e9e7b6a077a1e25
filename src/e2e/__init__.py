"""CMS End-to-End deep learning: from detector hits to inference inside CMSSW."""

import os

from e2e import caches
from e2e.version import RELEASE as __version__  # noqa: F401

# Else ONNX Runtime looks up a host of its maker in every process, and keeps a number of the device in HOME.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
caches.choose()
