"""The deployed network: its ONNX file, quantisation to 8 bits, targets, and measurement on devices."""
