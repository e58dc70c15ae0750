"""The deployed network: its ONNX file, quantisation to 8 bits, targets, and measurement on devices."""

import os

# onnxruntime 1.29 and later send facts about each network to its maker; it reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
