"""Compare algorithms: problems x algorithms x seeds as ordinary searches, and their joint evaluation.
`nas compare` on the command line; docs/compare.md describes the config and the files.
"""
