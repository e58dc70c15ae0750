"""Comparing algorithms: problems x algorithms x seeds as ordinary searches, and what they say together.

`nas compare` on the command line; docs/compare.md describes the config and the files.
"""
