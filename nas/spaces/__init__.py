"""Declared search spaces: parameters, conditions, networks and exact costs, text forms, encodings, variation."""
