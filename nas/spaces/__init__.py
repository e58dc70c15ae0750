"""Declared search spaces: parameters by name, and what follows from their declaration."""
