"""From a front to a product: picks, weights, a file that needs PyTorch alone, ONNX, a model card."""

from __future__ import annotations
