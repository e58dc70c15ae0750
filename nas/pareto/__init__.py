"""Fronts: dominance, indicators, directions, decomposition and preferences."""
