"""Semantic segmentation: a class for every pixel. Importing this loads no torch."""
