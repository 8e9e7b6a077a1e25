"""ONNX export, agreement between frameworks, and the CMSSW area."""
