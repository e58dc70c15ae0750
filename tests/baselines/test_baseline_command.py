"""`nas baseline` and `nas.baseline`: networks trained like the candidates of a run, beside its front."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

import nas
from nas.core.errors import ConfigError, DataError, HistoryError
from nas.core.records import Trial
from nas.runs.baselines import FILE, read_baselines
from nas.runs.history import read_history
from nas.training import TrainingEvaluator
from tests.shared.commands import Done, interruptible
from tests.shared.shrink_parts import Plain

Run = Callable[..., Done]
TINY = "r8/stem8s1/ds8/ir16:k3s2e2/head16"
TWO = ("--network", "my_net.py:make_model", "--network", TINY)


def test_networks_are_trained_and_compared_and_the_run_stays_as_it_is(
    command: Run, folder: Path, drawn: None
) -> None:
    before, meta = read_history(folder)
    done = command("baseline", "runs/a", *TWO)
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "Training 2 networks for 1 epoch each" in said
    assert "1 of 2: my_net.py:make_model: error " in said
    assert "of 2 baselines." in said
    assert "Each baseline was trained once, so small differences are chance" in said
    after, later = read_history(folder)
    pd.testing.assert_frame_equal(before, after)
    assert meta == later
    frame = pd.read_csv(folder / FILE)
    assert frame["network"].tolist() == ["my_net.py:make_model", TINY]
    assert frame["params"][0] == 770
    assert (folder / "baselines" / frame["weights"][0]).is_file()
    assert (folder / "plots" / "baselines.png").stat().st_size > 10_000
    assert "my_net.py:make_model" in (folder / "report.html").read_text()


def test_a_further_call_trains_only_missing_networks(command: Run, folder: Path) -> None:
    assert command("baseline", "runs/a", "--network", TINY).code == 0
    first = read_baselines(folder)
    done = command("baseline", "runs/a", "--network", TINY)
    assert "Training" not in done.out
    assert read_baselines(folder) == first
    done = command("baseline", "runs/a", *TWO)
    assert "Training 1 network for 1 epoch; 1 is trained already" in done.out
    assert [row for row in read_baselines(folder) if row.network == TINY] == first


def test_ctrl_c_keeps_the_results_so_far(command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = TrainingEvaluator.__call__
    calls: list[Trial] = []

    def second_interrupted(self: TrainingEvaluator, trial: Trial) -> Mapping[str, float]:
        calls.append(trial)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return trained(self, trial)

    monkeypatch.setattr(TrainingEvaluator, "__call__", second_interrupted)
    with interruptible():
        done = command("baseline", "runs/a", *TWO)
    assert done.code == 130
    assert "Continue with: nas baseline runs/a" in done.out
    assert [row.network for row in read_baselines(folder)] == ["my_net.py:make_model"]
    done = command("baseline", "runs/a", *TWO)
    assert done.code == 0, done.err
    assert [trial.architecture.genes for trial in calls] == [(0,), (1,), (1,)]
    assert len(read_baselines(folder)) == 2


def test_a_network_is_trained_exactly_like_a_candidate(folder: Path) -> None:
    """With the seed of its trial, the network of a candidate has the candidate's values."""
    from nas.baselines.from_run import given_run, terms_of
    from nas.baselines.training import prepare

    frame, _ = read_history(folder)
    candidate = frame.iloc[0]
    given = given_run(folder)
    text = str(candidate["architecture"])
    ready = prepare(given, terms_of(given), [(text, text)])
    assert ready.problem is not None
    assert ready.problem.evaluate is not None
    space: Any = ready.problem.space
    trial = Trial(0, space.of(text), int(candidate["seed"]), float(ready.terms.epochs))
    values = ready.problem.evaluate(trial)
    assert values["error"] == candidate["error"]
    assert values["train_loss"] == pytest.approx(candidate["train_loss"])
    assert space.cost(space.of(text)) == {"params": candidate["params"], "madds": candidate["madds"]}


def test_other_epochs_and_recipes_are_marked_and_kept_beside(command: Run, folder: Path) -> None:
    assert command("baseline", "runs/a", "--network", TINY).code == 0
    done = command("baseline", "runs/a", "--network", TINY, "--epochs", "2", "--set", "recipe.lr=0.1")
    assert "Changed from the run: epochs=2, lr=0.1" in done.out
    assert "(epochs=2, lr=0.1)" in done.out
    rows = read_baselines(folder)
    assert sorted((row.changed, row.epochs) for row in rows) == [("", 1), ("epochs=2, lr=0.1", 2)]
    assert len({row.values["train_loss"] for row in rows}) == 2
    done = command("baseline", "runs/a", "--network", TINY, "--epochs", "1")  # as in the run
    assert "Changed" not in done.out


def test_a_changed_network_of_yours_is_trained_again(command: Run, folder: Path) -> None:
    own = ("--network", "my_net.py:make_model")
    assert command("baseline", "runs/a", *own).code == 0
    Path("my_net.py").write_text(
        "from tests.shared.shrink_parts import Plain\ndef make_model(num_classes):\n    return Plain(num_classes, first=4)\n"
    )
    done = command("baseline", "runs/a", *own)
    assert "Training 1 network" in done.out
    assert [row.values["params"] for row in read_baselines(folder)] == [438.0]


def test_a_listed_network_that_is_unfit_for_the_data_is_listed_with_the_reason(
    command: Run, folder: Path
) -> None:
    done = command("baseline", "runs/a", "--network", "vgg16", "--network", TINY, "--epochs", "1")
    said = " ".join(done.out.split())
    assert "vgg16: does not fit the data: VGG: resolution: expected at least 32, got 8" in said
    assert {row.network: row.status for row in read_baselines(folder)}["vgg16"] == "invalid"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my_net.py:of_thousand", "its output for an image has"),
        ("my_net.py:number", "expected a torch.nn.Module, got int"),
        ("my_net.py:wants", "wants() missing 1 required positional argument: 'width'"),
        ("nasbench101:xx", "xx"),
    ],
)
def test_code_that_gives_no_network_is_an_error_before_any_training(
    command: Run, folder: Path, name: str, said: str
) -> None:
    done = command("baseline", "runs/a", "--network", TINY, "--network", name, "--epochs", "1")
    assert done.code == 2
    assert f"network {name}" in done.sentence or f"network {name.rpartition(':')[2]}" in done.sentence
    assert said in done.sentence
    assert "nas/core" not in done.sentence
    assert read_baselines(folder) == []


def test_a_limit_of_the_run_applies_and_narrower_networks_stand_for_the_default_ones(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.baselines.from_run import Given, terms_of
    from nas.baselines.networks import DEFAULT, names_of
    from nas.baselines.training import prepare
    from nas.config.schema import check_config
    from tests.shared.report_parts import some_source

    monkeypatch.setattr("nas.baselines.training._check_files", lambda folder: None)
    config = check_config(
        {"space": "muxnet-tiny", "limits": ["madds <= 600000", "error <= 50"], "executor": "serial"}
    )
    given = Given(tmp_path, some_source().table, config, None, None)
    ready = prepare(given, terms_of(given), names_of(None))
    assert list(ready.networks) == ["mobilenet_v3_large@0.05", "mobilenet_v3_small@0.2"]
    assert [row.network for row in ready.excluded] == list(DEFAULT)
    assert ready.excluded[0].reason == "madds <= 600000 (it has 1768576)"
    named = prepare(given, terms_of(given), names_of(["mobilenet_v2"]))
    assert (dict(named.networks), len(named.excluded)) == ({}, 1)  # only what was asked for
    assert named.fitting == []  # no width of the family is small enough
    small = prepare(
        given, terms_of(given), names_of(["mobilenet_v3_small", "mobilenet_v3_large@0.5", "mobilenet_v2"])
    )
    assert small.fitting == ["mobilenet_v3_large@0.05", "mobilenet_v3_small@0.2"]
    assert ready.fitting == []  # they are trained already


def test_where_no_network_is_within_the_limits_the_command_names_one_that_is(
    command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from nas.cli import baselines
    from nas.config.schema import SearchConfig

    def limited(*given: Any) -> Any:
        terms = terms_of(*given)
        config = SearchConfig(**{**terms.config.model_dump(), "limits": ["madds <= 600000"]})
        return replace(terms, config=config)

    from nas.baselines.from_run import terms_of

    monkeypatch.setattr(baselines, "terms_of", limited)
    done = command("baseline", "runs/a", "--network", "mobilenet_v3_small")
    said = " ".join(done.out.split())
    assert "No network was trained: each violates a limit of the run" in said
    assert "Name smaller ones" in said
    assert (
        "Within the limits: mobilenet_v3_small@0.2. Train with: nas baseline runs/a --network mobilenet_v3_small@0.2"
        in said
    )


def test_an_objective_of_the_space_alone_is_left_out_with_a_word(command: Run, folder: Path) -> None:
    Path("cost.py").write_text("def joules(architecture):\n    return sum(architecture.genes) + 1.0\n")
    done = command(
        "search", "--space", "muxnet-tiny", "--algorithm", "random", "--budget", "1", "--executor", "serial", "--out", "runs/b",
        "--set", "evaluator.recipe={epochs: 1, max_pictures: 64}", "--set", "limits=[]",
        "--set", "objectives=[error, params, {name: joules, function: 'cost.py:joules', cheap: true}]",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = command("baseline", "runs/b", "--network", TINY)
    assert done.code == 0, done.err
    assert "Objective joules is left out: a function of the architectures of the run's space" in done.out
    assert "joules" not in pd.read_csv("runs/b/baselines.csv").columns


def test_json_is_an_object_with_the_answer(command: Run, folder: Path) -> None:
    done = command("baseline", "runs/a", "--network", TINY, "--json")
    found = json.loads(done.out)
    assert found["baselines"][0]["network"] == TINY
    assert found["baselines"][0]["dominated_by"] >= 0
    assert "baseline." in found["answer"]
    assert "Training 1 network" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runs/none",), "no run in"),
        (("runs/a", "--network", "mobilenet_v9"), "--network: unknown 'mobilenet_v9' (did you mean"),
        (("runs/a", "--network", "mobilenet_v2@wide"), "expected a width from 0.05 to 4"),
        (("runs/a", "--network", "r8/stem8"), "expected head and its width"),
        (("runs/a", "--network", "my_net.py:missing"), "has no 'missing'"),
        (("runs/a", "--network", "none.py:make"), "none.py"),
        (
            ("runs/a", "--network", TINY, "--epochs", "0"),
            "epochs: expected a whole number of at least 1, got 0",
        ),
        (("runs/a", "--network", TINY, "--set", "data.name=cifar10"), "expected recipe.KEY=VALUE"),
        (("runs/a", "--network", TINY, "--set", "recipe.rate=1"), "setting 'rate' is unknown"),
        (("runs/a", "--network", TINY, "--workers", "2"), "the executor serial has no workers"),
    ],
)
def test_wrong_input_is_refused_before_any_work(
    command: Run, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = command("baseline", *arguments)
    assert done.code != 0
    assert message in done.sentence
    assert not (folder / FILE).exists()


def test_a_file_of_yours_is_never_replaced(command: Run, folder: Path) -> None:
    (folder / FILE).write_text("mine")
    done = command("baseline", "runs/a", "--network", TINY)
    assert done.code != 0
    assert "baselines.csv was not written by this run and was left unchanged" in done.sentence
    assert (folder / FILE).read_text() == "mine"


def test_a_damaged_log_is_refused(command: Run, folder: Path) -> None:
    (folder / "history.sqlite").write_bytes(b"SQLite format 3\0" + b"\1" * 500)
    done = command("baseline", "runs/a", "--network", TINY)
    assert done.code != 0
    assert "history.sqlite" in done.sentence
    assert not (folder / FILE).exists()


def test_from_python_with_functions(folder: Path) -> None:
    def small(num_classes: int) -> nn.Module:
        return Plain(num_classes, first=4)

    found = nas.baseline("runs/a", [small, TINY], trust=True)
    assert found["network"].tolist() == ["small", TINY]
    assert found["params"][0] == 438
    assert (found["dominated_by"] >= 0).all()
    assert found.attrs["answer"].startswith("The front dominates")
    again = nas.baseline("runs/a", [small])
    assert again["seconds"].tolist() == found["seconds"].tolist()
    with pytest.raises(ConfigError, match=r"has weights already: pass lambda: MyNet\(\)"):
        nas.baseline("runs/a", [Plain()])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="names its own data"):
        nas.baseline("runs/a", [small], data="digits")
    with pytest.raises(HistoryError, match="no run"):
        nas.baseline("elsewhere", [small])


def test_a_run_from_python_needs_its_data(tmp_path: Path) -> None:
    from search_spaces import SEARCH_SPACES

    training = {"recipe": {"epochs": 1, "max_pictures": 128}}
    space = SEARCH_SPACES["muxnet-tiny"]()
    nas.search(
        space,
        ["error", "madds"],
        data="digits",
        training=training,
        algorithm="random",
        budget=1,
        seed=3,
        out=tmp_path / "run",
    )
    with pytest.raises(ConfigError, match="was started from Python and does not name its data"):
        nas.baseline(tmp_path / "run", [TINY])
    found = nas.baseline(tmp_path / "run", [TINY], data="digits", training=training)
    assert found["epochs"].tolist() == [1]
    assert found["changed"].tolist() == [""]


def test_weights_are_kept_and_can_be_loaded(command: Run, folder: Path) -> None:
    assert command("baseline", "runs/a", "--network", "my_net.py:make_model").code == 0
    row = read_baselines(folder)[0]
    state = torch.load(folder / "baselines" / row.weights, weights_only=True)
    assert state["done"] == 1
    assert state["num_classes"] == 10


def test_data_that_changed_since_the_run_are_refused(folder: Path) -> None:
    from dataclasses import replace

    from nas.baselines.from_run import given_run, terms_of
    from nas.baselines.training import prepare
    from nas.core.task_spec import TaskSpec

    given = replace(given_run(folder), task=TaskSpec(3, 100, (8, 8)))
    with pytest.raises(DataError, match="1 channel, 10 classes"):
        prepare(given, terms_of(given), [(TINY, TINY)])
