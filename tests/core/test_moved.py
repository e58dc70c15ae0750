"""Documented modules of version 0.1 can still be imported under the paths that they had."""

from __future__ import annotations

import importlib
import sys

import pytest

NAMES = {
    "nas.interfaces.HasWeights": "nas.core.evaluator.HasWeights",
    "nas.interfaces.SearchSpace": "nas.core.space.SearchSpace",
    "nas.records.Block": "nas.core.records.Block",
    "nas.candidates.Candidates": "nas.algorithms.candidates.Candidates",
    "nas.front.ParetoArchive": "nas.pareto.archive.ParetoArchive",
    "nas.measure.latency.LatencySettings": "nas.training.latency.LatencySettings",
    "nas.tasks.detection.settings.HeadSettings": "nas.training.tasks.detection.settings.HeadSettings",
    "nas.tasks.detection.task.Detection": "nas.training.tasks.detection.task.Detection",
    "nas.plots_front.front_figure": "nas.report.plots_front.front_figure",
}


def test_a_documented_name_is_the_same_object_under_its_old_path() -> None:
    for old, new in NAMES.items():
        (old_module, name), (new_module, _) = (path.rsplit(".", 1) for path in (old, new))
        sys.modules.pop(old_module, None)
        with pytest.warns(DeprecationWarning, match="has moved"):
            before = getattr(importlib.import_module(old_module), name)
        assert before is getattr(importlib.import_module(new_module), name)


def test_an_old_path_warns_where_the_module_is_now_and_others_do_not_exist() -> None:
    sys.modules.pop("nas.front", None)
    with pytest.warns(DeprecationWarning, match=r"nas\.front has moved to nas\.pareto\.archive"):
        importlib.import_module("nas.front")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nas.nothing_of_the_kind")
