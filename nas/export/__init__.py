"""Export networks of a front: picks, weights, a file that needs only PyTorch, ONNX, a model card."""

from __future__ import annotations
