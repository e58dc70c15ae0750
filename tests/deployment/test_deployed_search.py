"""Searches over values of the deployed network, for a target."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from torch import nn

pytest.importorskip("onnxruntime")

import nas
from nas.core.errors import ConfigError, HistoryError, InfeasibleError
from nas.deployment import untrained
from nas.deployment.onnx_file import NotExportable, deployed_model
from nas.deployment.target import Int8, Target
from nas.deployment.wiring import MEASURED, with_deployment
from nas.runs.repeated import FILE

pytestmark = pytest.mark.usefixtures("no_plots")

QUICK = {"rounds": 6, "warm_up": 1, "least_seconds": 0, "extensions": 0, "tolerance": 1e9}


def boards() -> Any:
    """Networks of a convolution with 4 to 64 channels, its activation, and a layer that may stay in floating point."""
    from nas import Space

    made = Space(
        "boards",
        width=nas.Choice(4, 8, 12, 16, 64),
        activation=nas.Choice("relu", "gelu"),
        float_head=nas.Choice(False, True),
    )

    @made.build
    def build(c: Any, *, num_classes: int, in_channels: int) -> nn.Module:
        activation = nn.ReLU() if c.activation == "relu" else nn.GELU()
        network = nn.Sequential(
            nn.Conv2d(in_channels, c.width, 3, stride=2), activation, nn.Flatten(), nn.LazyLinear(num_classes)
        )
        network.float_layers = ["3"] if c.float_head else []
        return network

    return made


def training(**changes: Any) -> dict[str, Any]:
    return {"data": "digits", "training": {"recipe": {"epochs": 1}}, "seed": 0, **changes}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search over all values that are measured after training."""
    out = tmp_path_factory.mktemp("deployed") / "run"
    target = Target("board", timing=QUICK, ram=1200, operators=("Conv", "Relu", "Reshape", "Flatten", "Gemm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        nas.search(
            boards(),
            ["error", *MEASURED, "peak_memory", "file_size"],
            algorithm="random",
            budget=4,
            target=target,
            out=out,
            **training(),
        )
    return out


def test_every_value_is_measured_and_exact_ones_agree(run: Path) -> None:
    table = pd.read_parquet(run / "history.parquet")
    found = table[table["status"] == "ok"]
    assert len(found) == 4
    for name in (*MEASURED, "peak_memory", "file_size"):
        assert (found[name] > 0).all() or name == "int8_error", name
    assert (found["peak_memory"] <= 1200).all()
    assert (found["int8_size"] < found["file_size"] + 8000).all()
    assert (found["int8_error"] - found["error"]).abs().max() < 30


def test_networks_beyond_the_target_are_not_trained_and_the_reasons_are_counted(run: Path) -> None:
    table = pd.read_parquet(run / "history.parquet")
    assert set(table.loc[table["status"] == "ok", "activation"]) == {"relu"}
    excluded = json.loads((run / "summary.json").read_text())["excluded"]
    assert excluded.pop("checked") > 4
    assert "the operator Erf" in excluded
    assert "peak_memory <= 1200" in excluded


@pytest.mark.parametrize("limited", [True, False], ids=["target", "no target"])
def test_networks_that_cannot_be_exported_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: bool
) -> None:
    def export(network: nn.Module, *given: Any) -> bytes:
        if isinstance(network[1], nn.GELU):  # type: ignore[index]
            raise NotExportable("ONNX: torch cannot write this network")
        return deployed_model(network, *given)

    monkeypatch.setattr(untrained, "deployed_model", export)
    given = {"target": Target("board", ram=1 << 20)} if limited else {}
    out = tmp_path / "run"
    nas.search(
        boards(), ["error", "peak_memory"], algorithm="random", budget=3, out=out, **given, **training()
    )
    excluded = json.loads((out / "summary.json").read_text())["excluded"]
    checked = excluded.pop("checked")
    assert set(excluded) == {"cannot be exported"}
    assert checked >= 3 + excluded["cannot be exported"]


def test_a_target_that_nothing_fits_is_named_with_its_keys_and_the_counts() -> None:
    target = Target("tiny", ram=1, operators=("Conv",))
    with pytest.raises(InfeasibleError) as caught:
        nas.search(boards(), ["error"], algorithm="random", budget=2, target=target, **training())
    message = str(caught.value)
    assert "peak_memory <= 1 (ram of target 'tiny')" in message
    assert message.endswith(" Change ram of target 'tiny', operators of target 'tiny'.")
    counts = message.partition("checked architectures: ")[2]
    assert re.search(r"\d did not meet peak_memory <= 1,", counts)
    assert re.search(r"\d the operator Gemm", counts)


def test_the_front_is_measured_again(run: Path) -> None:
    rows = list(csv.DictReader((run / FILE).open()))
    front = pd.read_csv(run / "front.csv")
    assert {row["architecture"] for row in rows} == set(front["architecture"])
    assert {row["objective"] for row in rows} == {"ort_latency", "int8_latency"}
    for row in rows:
        assert row["measurements"] == "3"
        assert float(row["least"]) <= float(row["median"]) <= float(row["largest"])


@pytest.mark.parametrize("own", [False, True], ids=["trained", "untrained"])
def test_an_unknown_float_layer_is_refused_before_the_search(own: bool) -> None:
    target = Target("board", timing=QUICK, int8=Int8(float_layers=("3", "haed")))
    given: dict[str, Any] = {"evaluate": lambda a: {"error": 1.0}} if own else training()
    with pytest.raises(
        ConfigError,
        match=r"target board: int8: float_layers: no network of space 'boards' has a layer 'haed'.* 0, 1, 2, 3",
    ):
        nas.search(boards(), ["error", "int8_size"], algorithm="random", budget=1, target=target, **given)


def test_inherited_networks_are_measured_too(tmp_path: Path) -> None:
    from nas.sharing import SharedEvaluator, SupernetSettings
    from nas.training.recipe import Recipe

    space = boards().fix(activation="relu")
    evaluate = SharedEvaluator(
        space, recipe=Recipe(epochs=1, max_pictures=256), supernet=SupernetSettings(epochs=1), final=None
    )
    found = nas.search(
        space,
        ["error", "ort_latency", "int8_size", "int8_error"],
        evaluate=evaluate,
        algorithm="random",
        budget=2,
        target=Target("board", timing=QUICK),
        out=tmp_path / "run",
    )
    assert (found.history["status"] == "ok").all(), found.history["failure"]
    assert (found.history[["ort_latency", "int8_size"]] > 0).all(axis=None)


def test_an_old_operator_set_is_refused_before_the_search() -> None:
    with pytest.raises(ConfigError, match="opset 11: networks in 8 bits need operator set 13"):
        nas.search(
            boards(),
            ["error", "int8_size"],
            algorithm="random",
            budget=1,
            target=Target("old", opset=11),
            **training(),
        )


def test_a_run_is_not_continued_for_another_target(run: Path) -> None:
    with pytest.raises(HistoryError, match="target"):
        nas.search(
            boards(),
            ["error", *MEASURED, "peak_memory", "file_size"],
            algorithm="random",
            budget=8,
            target=Target("board", threads=2, timing=QUICK, ram=1200),
            out=run,
            resume=True,
            **training(),
        )


def error(trial: nas.Trial) -> Mapping[str, float]:
    return {"error": float(sum(trial.architecture.genes))}


def test_with_your_evaluator_latency_and_size_are_those_of_untrained_networks() -> None:
    result = nas.search(
        boards(),
        ["error", "ort_latency", "int8_size"],
        error,
        algorithm="random",
        budget=3,
        target=Target(timing=QUICK, input_size=8),
    )
    assert (result.history["ort_latency"] > 0).all()
    assert (result.history["int8_size"] > 1000).all()


def own_values(trial: nas.Trial) -> Mapping[str, float]:
    return {"error": 1.0, "ort_latency": 123.0 + sum(trial.architecture.genes), "int8_error": 7.0}


def test_values_that_your_evaluator_declares_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["error", "ort_latency", "int8_error"]
    monkeypatch.setattr(own_values, "reports", names, raising=False)
    result = nas.search(boards(), names, own_values, algorithm="random", budget=3)
    assert (result.history["ort_latency"] >= 123).all()
    assert (result.history["int8_error"] == 7).all()


def test_a_value_that_is_not_used_is_kept_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    target = Target(timing=QUICK, input_size=8)
    result = nas.search(
        boards(), ["error", "ort_latency"], own_values, algorithm="random", budget=3, target=target
    )
    assert (result.history["ort_latency"] < 123).all()
    assert (result.history["ort_latency_returned"] >= 123).all()
    (told,) = [r.getMessage() for r in caplog.records if "is not used" in r.getMessage()]
    assert "returns ort_latency = 1" in told
    assert "evaluate.reports = ['ort_latency', ...]" in told


def test_an_error_in_8_bits_needs_trained_networks() -> None:
    with pytest.raises(ConfigError, match="'int8_error': needs trained networks"):
        nas.search(boards(), ["error", "int8_error"], error, budget=3)


def test_a_space_without_networks_is_refused() -> None:
    class Bare(nas.SearchSpace):
        name = "bare"
        cardinalities = (3, 3)

    for name in ("file_size", "ort_latency"):
        with pytest.raises(ConfigError, match=f"objective '{name}': space 'bare' builds no networks"):
            nas.search(Bare(), ["error", name], error, budget=3)


def test_a_limit_needs_no_objective_where_the_value_is_known_before_training() -> None:
    result = nas.search(
        boards(), ["error"], error, algorithm="random", budget=4, limits=["file_size <= 9000"],
        target=Target(input_size=8),
    )  # fmt: skip
    assert (result.history["file_size"] <= 9000).all()
    assert result.summary["requirements"] == ["file_size <= 9000"]


def test_a_device_that_cannot_be_used_stops_the_search_before_it_begins(tmp_path: Path) -> None:
    target = Target(device={"python": str(tmp_path / "no-python")})
    with pytest.raises(nas.core.errors.NasError, match=r"cannot run .*no-python"):
        nas.search(
            boards(), ["error", "ort_latency"], target=target, budget=3, out=tmp_path / "run", **training()
        )
    assert not (tmp_path / "run").exists()


def test_without_a_target_nothing_changes() -> None:
    parts = with_deployment(boards(), [nas.Objective("error")], error, ["error <= 5"], None)
    assert parts.evaluate is error
    assert parts.quantities == []
    assert parts.deployment is None


def test_a_target_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="target: expected the path of a YAML file"):
        nas.search(boards(), ["error"], error, budget=3, target=5)  # type: ignore[arg-type]


def test_a_declared_space_gives_the_size_of_its_images_to_your_evaluator() -> None:
    result = nas.search(
        boards(), ["error", "peak_memory"], error, algorithm="random", budget=3, target="cpu-1-thread"
    )
    assert (result.history["peak_memory"] > 0).all()


def test_operators_that_exclude_everything_are_named() -> None:
    with pytest.raises(ConfigError, match=r"violates: .*the operator Conv; .*the operator Gemm"):
        nas.search(
            boards(), ["error"], error, algorithm="random", budget=3, target=Target(operators=("Relu",))
        )


def test_a_network_for_images_of_another_size_is_refused_with_the_remedy_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    with pytest.raises(
        NotExportable,
        match=r"fails for an image of 32 x 32 pixels with 3 channels \(RuntimeError: mat1 .*give the target an input_size",
    ):
        deployed_model(network, (3, 32, 32))
    assert capfd.readouterr() == ("", "")  # no messages of torch's exporters
    assert deployed_model(network, (3, 16, 16))
