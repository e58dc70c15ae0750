"""A search evaluates its candidates with the weights of a supernet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from commands import Done, nas_in

import nas
import nas.training
from nas.core.errors import ConfigError, HistoryError
from nas.core.records import Trial
from nas.executors.settings import RaySettings
from nas.sharing import FinalSettings, SharedEvaluator, SupernetSettings
from nas.sharing.from_config import shared
from nas.training import Recipe
from search_spaces.nasbench201 import NASBench201
from tests.shared.sharing_parts import declared, linear, write_user_files
from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks", "no_plots")
RECIPE = Recipe(batch_size=64, max_pictures=128)
NETWORK = "depth=1/width=8/stages.0.kernel=3/stages.0.operation=conv"
STOP = """
from pathlib import Path

def stop(state):
    if len(state.results) == 10 and not Path("stopped").exists():
        Path("stopped").touch()
        raise KeyboardInterrupt
"""


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)
    write_user_files(tmp_path)
    return nas_in(monkeypatch, capsys)


def test_a_front_without_an_own_training_says_that_its_errors_are_inherited(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "stop.py").write_text(STOP)
    stopped = ["--set", "evaluator.final={epochs: 1}", "--callback", "stop.py:stop"]
    done = run("search", "my.yaml", "--budget", "16", *stopped)
    assert done.code == 130, done.err
    for text in (done.out, run("front", "runs/mine").out, run("front", "runs/mine", "--knee").out):
        assert "These are inherited errors: no network was trained itself." in " ".join(text.split())
        assert "90%" not in text
    table, _ = nas.load_run(tmp_path / "runs" / "mine")
    assert table.inherited
    assert list(table.front.columns[:3]) == ["architecture", "error", "params"]
    assert "error_low" not in table.front
    done = run("search", "--resume", "runs/mine")
    assert done.code == 0, done.err
    assert "inherited errors: no network" not in " ".join(done.out.split())


def test_a_search_trains_its_supernet_and_a_later_one_reuses_it(
    run: Callable[..., Done], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    done = run("search", "my.yaml", "--csv")
    assert done.code == 0, done.err
    assert "Training the supernet: 1 epoch," in done.out + done.err
    first = pd.read_csv(tmp_path / "runs" / "mine" / "history.csv")
    assert len(first) == 4
    assert (first["inherited_error"] == first["error"]).all()
    assert first["inherited_loss"].between(0, 100).all()
    again = run("search", "my.yaml", "--csv", "--out", "runs/again")
    assert "Training the supernet" not in again.out + again.err
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    assert "final: false: no candidate is trained, so the front has inherited errors" in " ".join(
        caplog.messages
    )
    assert run("supernet", "evaluate", str(folder), NETWORK, "--config", "my.yaml").code == 0
    named = run(
        *("search", "my.yaml", "--csv", "--out", "runs/named", "--set"),
        f"evaluator.supernet={folder.relative_to(tmp_path)}",
    )
    assert named.code == 0, named.err
    for name in ("again", "named"):
        later = pd.read_csv(tmp_path / "runs" / name / "history.csv")
        assert (later[["architecture", "inherited_error", "inherited_loss"]] == first[["architecture", "inherited_error", "inherited_loss"]]).all(axis=None)  # fmt: skip


def test_a_folder_without_a_supernet_ends_the_search_before_its_first_trial(
    run: Callable[..., Done], tmp_path: Path
) -> None:
    done = run("search", "my.yaml", "--set", "evaluator.supernet=nothing")
    assert done.code == 2
    assert "not the folder of a supernet" in done.sentence


def test_values_do_not_depend_on_the_seed_or_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    space = declared()
    evaluator = nas.training.SharedEvaluator(space, recipe=RECIPE, supernet=SupernetSettings(epochs=1))
    evaluator.prepare()
    trials = [Trial(i, space.parse(NETWORK), seed=i, budget=None) for i in range(2)]
    fresh = SharedEvaluator(space, recipe=RECIPE, supernet=evaluator.folder)
    assert evaluator(trials[0]) == evaluator(trials[1]) == fresh(trials[0])
    assert evaluator.companions == ("loss", "soft_error")
    assert SharedEvaluator(space, final=None).companions == ()


def test_a_space_without_networks_is_refused() -> None:
    with pytest.raises(ConfigError, match="builds no networks"):
        SharedEvaluator(nas.Space("none", width=nas.Choice(1, 2)))
    assert SharedEvaluator(declared()).classifies


@pytest.mark.parametrize("name", ["final", "trust", "supernet"])
def test_settings_of_another_kind_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"SharedEvaluator: {name}: expected .*Settings"):
        SharedEvaluator(NASBench201(), **{name: {"epochs": 2}})  # type: ignore[arg-type]


def test_data_have_a_name_or_a_source_and_the_recipe_is_a_recipe() -> None:
    wrong: Any = {"epochs": 1}
    assert SharedEvaluator(declared(), "digits").data == SharedEvaluator(declared()).data
    with pytest.raises(ConfigError, match="data: expected"):
        SharedEvaluator(declared(), 5)
    with pytest.raises(ConfigError, match="recipe: expected a Recipe"):
        SharedEvaluator(declared(), recipe=wrong)


def test_a_call_before_the_training_names_prepare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"not trained .*call prepare\(\)"):
        SharedEvaluator(declared(), recipe=RECIPE)(Trial(0, declared().parse(NETWORK), 0, None))


def test_settings_beside_the_folder_of_a_supernet_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the folder 'runs/s' of a trained supernet takes no settings"):
        shared(space=declared(), supernet={"name": "runs/s", "epochs": 0})


def test_a_missing_gpu_is_named_as_by_a_training() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="'cuda' is not available: PyTorch finds no GPU"):
        shared(space=declared(), device="cuda").task_spec()  # type: ignore[attr-defined]


def test_an_unknown_setting_of_the_supernet_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match="evaluator shared: supernet: no setting 'epoch'"):
        shared(space=NASBench201(), supernet={"epoch": 3})
    with pytest.raises(ConfigError, match=r"supernet: expected a folder or a mapping.*got 5"):
        shared(space=NASBench201(), supernet=5)
    with pytest.raises(ConfigError, match="threads: expected at most 4096"):
        shared(space=NASBench201(), threads=2**31)


def test_candidates_are_trained_too_and_keep_their_weights(
    run: Callable[..., Done], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    trained = ["--set", "evaluator.final={epochs: 1}", "--set", "evaluator.trust={threshold: -1}"]
    done = run("search", "my.yaml", "--csv", "--budget", "32", *trained)
    assert done.code == 0, done.err
    assert "inherited errors of 8 networks against own trainings of 1 epoch:" in " ".join(caplog.messages)
    rows = pd.read_csv(tmp_path / "runs" / "mine" / "history.csv", dtype={"architecture": str})
    own = rows[rows["budget"] == 1]
    assert len(own) == 16
    assert (own["epochs"] == 1).all()
    assert own["inherited_error"].notna().all()
    before = rows[rows["budget"] == 0].set_index("architecture")["inherited_error"]
    assert (before[own["architecture"]].to_numpy() == own["inherited_error"].to_numpy()).all()
    front = pd.read_csv(tmp_path / "runs" / "mine" / "front.csv", dtype={"architecture": str})
    assert set(front["architecture"]) <= set(own["architecture"])
    index = json.loads((tmp_path / "runs" / "mine" / "weights" / "index.json").read_text())
    assert set(index) == set(front["architecture"])
    assert all((tmp_path / "runs" / "mine" / "weights" / entry["file"]).is_file() for entry in index.values())
    assert run("export", "runs/mine").code == 0


def test_an_own_training_can_start_with_inherited_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    space = linear()
    recipe = Recipe(batch_size=64, max_pictures=256)
    inheriting = SharedEvaluator(
        space,
        recipe=recipe,
        supernet=SupernetSettings(epochs=3),
        final=FinalSettings(epochs=1, start="inherited"),
    )
    inheriting.prepare()
    scratch = replace(inheriting, final=FinalSettings(epochs=1))
    trial = Trial(0, space.parse("width=8"), seed=1, budget=1.0)
    first, other = inheriting(trial), scratch(trial)
    assert first["train_loss"] < other["train_loss"]
    assert first["inherited_error"] == other["inherited_error"]
    alone = nas.training.TrainingEvaluator(space, recipe=recipe)(trial)
    assert alone["error"] == other["error"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"final": {"start": "new"}}, "final: start: unknown 'new'; known: scratch, inherited"),
        ({"final": {"epochs": 0}}, "final: epochs"),
        ({"final": 5}, "final: expected a mapping or false, got 5"),
        ({"final": 0}, "final: expected a mapping or false, got 0"),
        ({"supernet": ""}, "supernet: expected a folder or a mapping"),
        ({"device": "foo"}, "device: 'foo' is unknown; expected cpu, cuda or cuda:NUMBER"),
        ({"trust": {"networks": 6}}, "trust: networks: expected a whole number of at least 8"),
        ({"trust": {"threshold": 2}}, "trust: threshold: expected a number from -1"),
        ({"trust": {"network": 2}}, "evaluator shared: trust: no setting 'network' .did you mean 'networks'"),
    ],
)
def test_wrong_settings_of_own_trainings_are_named(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shared(space=NASBench201(), **setting).prepare()  # type: ignore[attr-defined]


class Counted:
    """The shared evaluator, which also reports its process and how often this process has read a supernet."""

    def __init__(self, evaluator: SharedEvaluator) -> None:
        self.inner = evaluator

    def __call__(self, trial: Trial) -> dict[str, float]:
        import nas.sharing.evaluator as module

        if not hasattr(module, "reads"):
            module.reads, read = [0], module.restored  # type: ignore[attr-defined]

            def counting(*args: Any, **named: Any) -> Any:
                module.reads[0] += 1  # type: ignore[attr-defined]
                return read(*args, **named)

            module.restored = counting  # type: ignore[assignment]
        values = self.inner(trial)
        return {**values, "process": os.getpid(), "reads": module.reads[0]}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_each_worker_of_a_cluster_reads_the_supernet_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    space = NASBench201(channels=4, cells_per_stage=1)
    evaluator = SharedEvaluator(space, recipe=RECIPE, supernet=SupernetSettings(epochs=1), final=None)
    evaluator.prepare()
    same = {"algorithm": "random", "budget": 16, "seed": 0}
    workers = RaySettings(workers=2)
    found = nas.search(
        space,
        ["error", "params"],
        evaluate=Counted(evaluator),
        executor="ray",
        executor_settings=workers,
        **same,
    )
    alone = nas.search(space, ["error", "params"], evaluate=evaluator, **same)
    assert (found.history["reads"] == 1).all()
    assert found.history["process"].nunique() == 2
    assert list(found.history["inherited_error"]) == list(alone.history["inherited_error"])


def test_a_resumed_search_refuses_another_supernet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    space = declared()

    def search(supernet: Any, **more: Any) -> nas.SearchResult:
        evaluator = SharedEvaluator(space, recipe=RECIPE, supernet=supernet, final=None)
        return nas.search(
            space, ["error", "params"], evaluate=evaluator, algorithm="random", out="run", seed=0, **more
        )

    search(SupernetSettings(epochs=1), budget=2)
    with pytest.raises(HistoryError, match=r"evaluator\.supernet: 'shared-stages-"):
        search(SupernetSettings(epochs=1, seed=1), budget=4, resume=True)
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    assert len(search(folder, budget=4, resume=True).history) == 4  # the same one


def test_an_objective_that_it_does_not_report_is_refused_before_the_supernets_training(
    tmp_path: Path,
) -> None:
    space = NASBench201()
    with pytest.raises(
        ConfigError, match=r"'eror': the evaluator does not report it \(did you mean 'error'\?\)"
    ):
        nas.search(space, [nas.Objective("eror"), "params"], SharedEvaluator(space), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
