"""Shrink a trained network: a search over the smaller networks within it, which inherit its weights and are fine-tuned."""
