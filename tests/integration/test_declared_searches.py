"""Searches of declared spaces: every algorithm, surrogates, Ray workers, halving, warm starts, comparisons, export."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import log_of
from space_zoo import ZOO, forbidding, nested, resnets, three_deep

import nas
from nas.core.plugins import registry
from nas.engine.loop import LoopSettings
from nas.executors import RaySettings
from nas.training.halving import Halving

pytestmark = pytest.mark.usefixtures("no_plots")
OWN = ("moead", "sa-moead", "nsga2", "nsga3", "local-search", "regularized-evolution", "random")


def error(c: nas.Choices) -> float:
    return 0.01 + sum(zlib.crc32(f"{name}={value}".encode()) % 97 / 97 for name, value in c.items())


def length(c: nas.Choices) -> float:
    return float(sum(len(str(value)) for value in c.values()))


OBJECTIVES = [error, nas.Objective("length", cheap=True, function=length)]


def evaluate(trial: nas.Trial) -> Mapping[str, float]:
    assert trial.choices is not None
    noise = np.random.default_rng(trial.seed).normal(scale=0.01) / (trial.budget or 1.0)
    return {"error": 0.01 + len(trial.choices) + noise}


@pytest.mark.parametrize("algorithm", OWN)
def test_every_algorithm_searches_declared_spaces(algorithm: str) -> None:
    assert set(OWN) <= set(registry("algorithm"))
    for make in (nested, forbidding):
        found = nas.search(make(), OBJECTIVES, budget=14, algorithm=algorithm)
        assert len(found.front) > 0
        assert found.history["architecture"].nunique() == 14


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", OWN)
def test_every_algorithm_searches_every_declared_space(algorithm: str) -> None:
    for name, make in ZOO.items():
        space = make()
        found = nas.search(space, OBJECTIVES, budget=25, algorithm=algorithm)
        assert len(found.history) == min(25, space.size or 25), name


@pytest.mark.parametrize("surrogate", registry("surrogate"))
def test_every_surrogate_learns_a_declared_space(surrogate: str) -> None:
    if surrogate == "lightgbm":
        pytest.importorskip("lightgbm")
    found = nas.search(
        three_deep(), OBJECTIVES, budget=10, algorithm_settings={"surrogate": surrogate, "initial": 5}
    )
    assert len(found.history) == 10


@pytest.mark.slow
def test_workers_get_the_choices_of_a_space_with_rules(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    space = forbidding()
    serial = nas.search(space, ["error"], evaluate, budget=12, out=tmp_path / "serial")
    on_ray = nas.search(
        space,
        ["error"],
        evaluate,
        budget=12,
        executor="ray",
        executor_settings=RaySettings(workers=2),
        out=tmp_path / "ray",
    )
    assert serial.front.equals(on_ray.front)
    assert log_of(tmp_path / "serial") == log_of(tmp_path / "ray")


def test_a_run_continues_and_teaches_another(tmp_path: Path) -> None:
    whole = nas.search(resnets(), OBJECTIVES, budget=16, out=tmp_path / "whole")
    nas.search(resnets(), OBJECTIVES, budget=10, out=tmp_path / "part")
    more = nas.search(resnets(), OBJECTIVES, budget=16, out=tmp_path / "part", resume=True)
    assert len(more.history) == len(whole.history) == 16
    taught = nas.search(resnets(), OBJECTIVES, budget=5, warm_start=tmp_path / "whole")
    assert (
        set(taught.history["architecture"]).isdisjoint(whole.history["architecture"])
        or len(taught.history) > 5
    )


def test_halving_continues_declared_architectures() -> None:
    loop = LoopSettings(12, halving=Halving(1, 2, 2.0))
    found = nas.search(resnets(), ["error"], evaluate, algorithm="moead", loop=loop)
    assert set(found.history["budget"]) == {1.0, 2.0}


CONFIG = """
problems:
  - name: declared
    space: {name: small, parameters: {a: {integer: [0, 5]}, b: [x, y, z], c: {choice: [1, 2], when: {b: x}}}}
    objectives: [{name: error, function: "parts.py:error"}, {name: length, function: "parts.py:length", cheap: true}]
    evaluator: null
algorithms: [moead, sa-moead]
budget: 12
seeds: 2
initial: 5
executor: serial
out: out
"""
PARTS = """
def error(c):
    return 1.0 + (c.a - 3) ** 2 + len(c.b) + c.get("c", 0)

def length(c):
    return float(len(c.items()))
"""


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    from nas.cli import main

    monkeypatch.setattr(sys, "argv", ["nas", *arguments])
    try:
        main()
    except SystemExit as ended:
        return ended.code or 0
    return 0


def test_a_comparison_of_algorithms_on_a_declared_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from compare_parts import write_tiny_figures

    monkeypatch.setattr("nas.compare.report.write_figures", write_tiny_figures)
    monkeypatch.chdir(tmp_path)
    Path("parts.py").write_text(PARTS)
    Path("compare.yaml").write_text(CONFIG)
    assert run_command(monkeypatch, "compare", "compare.yaml") == 0, capsys.readouterr().err
    assert (tmp_path / "out" / "index.html").is_file()


SEARCH = """
space:
  name: tiny
  parameters: {width: [4, 8], depth: {integer: [1, 2]}, blocks: {repeat: depth, kernel: [1, 3]}}
  build: networks.py:build
evaluator: {name: training, data: digits, recipe: {epochs: 1}}
limits: ["params <= 2000"]
algorithm: random
budget: 3
executor: serial
out: out
"""
NETWORKS = """
from torch import nn

def build(c, *, num_classes, in_channels):
    layers, width = [nn.Conv2d(in_channels, c.width, 3, 2)], c.width
    for block in c.blocks:
        layers += [nn.Conv2d(width, width, block.kernel, padding=block.kernel // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))
"""


def test_a_declared_space_in_a_config_is_trained_reported_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("networks.py").write_text(NETWORKS)
    Path("search.yaml").write_text(SEARCH)
    assert run_command(monkeypatch, "search", "search.yaml") == 0, capsys.readouterr().err
    front: Any = pd.read_csv("out/front.csv")
    network = nas.load_network("out", front["architecture"][0])
    assert sum(p.numel() for p in network.parameters()) == front["params"][0] <= 2000
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    assert run_command(monkeypatch, "report", "out") == 0
    assert run_command(monkeypatch, "export", "out", "--no-onnx", "--out", "exported") == 0, (
        capsys.readouterr().err
    )
    assert list(Path("exported").glob("*/README.md"))
    assert run_command(monkeypatch, "search", "--resume", "out", "--budget", "4", "--trust") == 0, (
        capsys.readouterr().err
    )


def test_the_command_trains_the_networks_of_a_space_without_a_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    declared = (
        'space = nas.Space("tiny", width=nas.Choice(4, 8), depth=1, blocks=nas.Repeat("depth", kernel=3))\n'
    )
    Path("networks.py").write_text(
        f"import nas\n{NETWORKS}\n{declared}space.build(build)\nspare = nas.Space('spare', a=1)\n"
    )
    done = run_command(monkeypatch, "search", "--space", "networks.py:space", "--executor", "serial", "--budget", "2",
                       "--set", "evaluator.recipe={epochs: 1}", "--out", "out")  # fmt: skip
    assert done == 0, capsys.readouterr().err
    assert len(pd.read_csv("out/front.csv")) >= 1
    assert run_command(monkeypatch, "search", "--space", "networks.py:spare") == 2
    assert "write a config that names an evaluator" in " ".join(capsys.readouterr().err.split())
