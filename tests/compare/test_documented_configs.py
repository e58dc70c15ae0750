"""The configs in the guides of `nas compare` are valid, and report values that their table has."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from nas.compare.config import check_comparison
from nas.core.records import Trial
from search_spaces.nasbench201.space import NASBench201
from search_spaces.nasbench201.table import REPORTED, SEARCHED, NASBench201Evaluator, NASBench201Table

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["compare.md", "nasbench101-data.md"])
def test_the_config_of_nasbench201_reports_what_the_table_has(page: str) -> None:
    blocks = re.findall(r"```yaml\n(problems:.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    space = NASBench201()
    cell = space.sample(np.random.default_rng(0))
    columns = {m.column: np.array([90.0]) for m in (SEARCHED, REPORTED)}
    evaluate = NASBench201Evaluator(NASBench201Table(Path(), {space.format(cell): 0}, columns))
    reported = evaluate(Trial(0, cell, 0))
    for block in blocks:
        (problem,) = check_comparison(yaml.safe_load(block)).problems
        assert problem.evaluator is not None
        assert problem.evaluator.name == "nasbench201-table"
        assert {*problem.report.values(), *([problem.time] if problem.time else [])} <= reported.keys()
