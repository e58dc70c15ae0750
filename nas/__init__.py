"""Multi-objective neural architecture search."""
