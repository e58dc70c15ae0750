"""The task of a search comes from its data, once, before anything is trained; contradictions are refused."""

from __future__ import annotations

import inspect
import json
import pickle
import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from task_parts import Fixed, Own, write_images
from torch import nn
from typer.testing import CliRunner

import nas
from nas.core.errors import ConfigError, DataError, HistoryError
from nas.core.problem import Problem
from nas.core.records import Architecture, Trial
from nas.core.space import for_task
from nas.core.task_spec import TaskSpec, Unset
from nas.engine.settle import settled, task_sources
from nas.runs.history import read_history
from nas.spaces.making import make_space
from nas.spaces.modules import parameters
from nas.testing import check_space
from nas.training import Recipe, TrainingEvaluator
from nas.training.counts import check_counts, multiply_adds
from nas.training.data import Folder
from nas.training.latency import ArchitectureLatency
from nas.training.proxies import WithProxies
from nas.training.tasks.segmentation.settings import HeadSettings
from nas.training.tasks.segmentation.space import SegmentationSpace
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.usefixtures("no_plots")
TASK = TaskSpec(3, 100, (16, 16))
SPACES = {
    "muxnet": MUXNetSpace("tiny"),
    "nasbench101": NASBench101(stem_channels=4, stacks=2, cells_per_stack=1),
    "nasbench101-digits": NASBench101.digits(),
    "nasbench201": NASBench201(channels=4, cells_per_stage=1),
    "segmentation": SegmentationSpace(MUXNetSpace("tiny"), HeadSettings("c1", 16, 8)),
    "custom": Own(),
}
FOLLOWING = pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))
RECIPE = Recipe(epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    place = write_images(tmp_path_factory.mktemp("images") / "four", 4, (12, 12))
    return Folder(str(place), resolution=8, validation=0.25, test=0.25)


def search(space: nas.SearchSpace, evaluate: Any, **more: Any) -> nas.SearchResult:
    options: dict[str, Any] = {"algorithm": "random", "budget": 2, "seed": 1, **more}
    return nas.search(space, ["error", "params", "madds"], evaluate, **{"algorithm": "moead", **options})


@FOLLOWING
@pytest.mark.parametrize(
    "task", [TASK, TaskSpec(1, 2, (8, 8)), TaskSpec(3, 7, (9, 14))], ids=["square", "grey", "oblong"]
)
def test_a_space_counts_its_networks_for_any_task(space: nas.SearchSpace, task: TaskSpec) -> None:
    followed: Any = space.for_task(task)
    for seed in range(3):
        architecture = space.canonical(space.sample(np.random.default_rng(seed)))
        network = followed.build(architecture, num_classes=task.num_classes, in_channels=task.in_channels)
        assert task.image_size is not None
        built = {
            "params": parameters(network),
            "madds": multiply_adds(network, (task.in_channels, *task.image_size)),
        }
        assert dict(followed.cost(architecture)) == built
        assert space.format(architecture) == followed.format(architecture)


@FOLLOWING
def test_following_a_task_changes_neither_the_space_nor_its_architectures(space: Any) -> None:
    before = pickle.dumps(space)
    followed = space.for_task(TASK)
    assert pickle.dumps(space) == before
    assert (followed.name, followed.cardinalities) == (space.name, space.cardinalities)
    assert pickle.loads(pickle.dumps(followed)).for_task(TaskSpec(1, 5, (8, 8))) is not None  # noqa: S301


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: MUXNetSpace("tiny", num_classes=10), "num_classes: got 10, but the data have 100 classes"),
        (lambda: MUXNetSpace("tiny", in_channels=1), "in_channels: got 1, but the data have 3 channels"),
        (lambda: NASBench101(num_classes=10), "num_classes: got 10"),
        (lambda: NASBench101(image_size=32), "image_size: got 32x32, but the data have images of 16x16"),
        (lambda: NASBench201(in_channels=1), "in_channels: got 1"),
        (lambda: NASBench201(image_size=15), "image_size: got 15x15"),
        (
            lambda: SegmentationSpace(MUXNetSpace("tiny"), HeadSettings(), [16, 17]),
            "picture: got 16x17, but the data have images of 16x16",
        ),
        (
            lambda: SegmentationSpace(MUXNetSpace("tiny"), HeadSettings(), num_classes=99),
            "num_classes: got 99",
        ),
    ],
)
def test_a_setting_that_contradicts_the_data_is_refused(made: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        made().for_task(TASK)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_classes": 10}, "num_classes: got 10, but the data have 100 classes"),
        ({"in_channels": 1}, "in_channels: got 1, but the data have 3 channels"),
    ],
)
def test_a_setting_of_a_custom_space_in_a_config_that_contradicts_the_data_is_refused(
    settings: dict[str, int], said: str
) -> None:
    space = make_space(f"{inspect.getfile(Own)}:Own", settings)
    with pytest.raises(ConfigError, match=said):
        for_task(space, TASK)


def test_a_given_setting_that_agrees_with_the_data_is_kept() -> None:
    space = NASBench101(image_size=16, num_classes=100, in_channels=3)
    assert space.for_task(TASK) == space
    with pytest.raises(ConfigError):
        space.for_task(TASK).for_task(TaskSpec(3, 99, (16, 16)))


def test_a_default_is_a_number_like_any_other() -> None:
    assert (MUXNetSpace("tiny").num_classes, MUXNetSpace("tiny").in_channels) == (10, 1)
    assert isinstance(MUXNetSpace("tiny").num_classes, Unset)
    assert json.dumps(NASBench101().image_size) == "32"
    assert hash(NASBench101()) == hash(NASBench101(image_size=32, num_classes=10, in_channels=3))


def test_python_and_the_command_line_count_alike(images: Folder) -> None:
    found = search(MUXNetSpace("tiny"), TrainingEvaluator(MUXNetSpace("tiny"), images, RECIPE))
    counted = MUXNetSpace("tiny", num_classes=4, in_channels=3)
    for _, row in found.history.iterrows():
        assert row["params"] == counted.cost(counted.parse(row["architecture"]))["params"]


def test_a_hard_limit_is_on_the_network_that_is_trained(images: Folder) -> None:
    wide = write_images(Path(images.path).parent / "hundred", 100)
    data = Folder(str(wide), resolution=8, validation=0.25, test=0.25)
    space = MUXNetSpace("tiny")
    counted = MUXNetSpace("tiny", num_classes=100, in_channels=3)
    problem = settled(
        Problem(space, ["error", "params"], TrainingEvaluator(space, data), ["params <= 20000"])
    )
    for seed in range(30):
        architecture = space.sample(np.random.default_rng(seed))
        breaks = counted.cost(architecture)["params"] > 20000
        assert (problem.cheap_violation(architecture) > 0) == breaks


class Untrained(TrainingEvaluator):
    """Fails the test when anything is trained."""

    def _train(self, *args: Any) -> Any:
        raise AssertionError("trained")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (MUXNetSpace("tiny", num_classes=10), "num_classes: got 10, but the data have 4 classes"),
        (NASBench101(stem_channels=4, image_size=32), "image_size: got 32x32"),
        (Fixed(), "cost\\(\\) gives .* parameters .* but its network for the data .* has"),
        (Fixed(num_classes=4, in_channels=1), "cost\\(\\) gives"),
        (
            Fixed(num_classes=4, side=32),
            "multiply-adds .* right for images of 32x32 pixels, but the data have 8x8",
        ),
    ],
    ids=["classes", "size", "custom classes", "custom channels", "custom size"],
)
def test_a_contradiction_is_refused_before_any_training(
    space: nas.SearchSpace, said: str, images: Folder, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        search(space, Untrained(space, images, RECIPE), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_space_that_follows_no_data_is_searched_where_it_agrees_with_them(images: Folder) -> None:
    space = Fixed(num_classes=4)
    assert len(search(space, TrainingEvaluator(space, images, RECIPE)).history) == 2


@pytest.mark.parametrize("proxies", [False, True])
@pytest.mark.parametrize("classes", [3, 200])
def test_networks_with_another_number_of_outputs_than_classes_are_refused_before_any_training(
    classes: int, proxies: bool, images: Folder
) -> None:
    space = nas.Space("outputs", width=nas.Choice(4, 8))

    @space.build
    def build(c: Any, *, in_channels: int) -> nn.Module:
        first = nn.Conv2d(in_channels, c.width, 3)
        return nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(classes))

    evaluate: Any = Untrained(space, images, RECIPE)
    with pytest.raises(
        ConfigError, match=rf"returns {classes} numbers for an image, but the data have 4 classes"
    ):
        search(space, WithProxies(evaluate, ("params",)) if proxies else evaluate)


class WithoutBias(Fixed):
    """Counts multiply-adds by another convention."""

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        return {**super().cost(architecture), "madds": 0.37 * super().cost(architecture)["madds"] + 5}


def test_a_convention_of_counting_is_not_another_size() -> None:
    check_counts(WithoutBias(num_classes=100, side=16), TASK)


class Broken(Own):
    def for_task(self, task: TaskSpec) -> Any:
        found = super().for_task(task)
        found.name = "other"
        return found


def test_a_space_that_changes_its_architectures_with_the_task_is_refused(images: Folder) -> None:
    with pytest.raises(ConfigError, match="must keep the name and the cardinalities"):
        search(Broken(), TrainingEvaluator(Broken(), images, RECIPE))


class Holds:
    """A custom evaluator around ours."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, trial: Trial) -> Mapping[str, float]:
        return dict(self.inner(trial))


def through(inner: Any, trial: Trial) -> Mapping[str, float]:
    return dict(inner(trial))


WRAPPED = {
    "proxies": lambda inner: WithProxies(inner, ("synflow",)),
    "object": Holds,
    "partial": lambda inner: partial(through, inner),
    "closure": lambda inner: lambda trial: inner(trial),
    "method": lambda inner: Holds(inner).__call__,
    "object in an object": lambda inner: Holds(Holds(inner)),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=list(WRAPPED))
def test_the_data_are_found_within_a_custom_evaluator(wrap: Any, images: Folder) -> None:
    space = MUXNetSpace("tiny")
    problem = settled(Problem(space, ["error", "params"], wrap(TrainingEvaluator(space, images, RECIPE))))
    assert problem.task == TaskSpec(3, 4, (8, 8))
    assert problem.space.num_classes == 4  # type: ignore[attr-defined]


def test_an_undeclared_training_fails_before_it_begins(
    images: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = MUXNetSpace("tiny")
    monkeypatch.setattr("nas.training.evaluator.Training", None)  # for every evaluator that trains

    def evaluate(trial: Trial) -> Mapping[str, float]:
        return TrainingEvaluator(space, images, RECIPE)(trial)

    assert task_sources(evaluate) == []
    with pytest.raises(nas.NasError, match=r"every candidate failed.*cost\(\) gives"):
        search(space, evaluate)


class Declares(Holds):
    """A custom evaluator that trains by itself and declares its task."""

    def task_spec(self) -> TaskSpec:
        return TASK


def test_a_custom_evaluator_declares_its_task() -> None:
    space = NASBench201(channels=4, cells_per_stage=1)
    found = search(space, Declares(lambda trial: {"error": 1.0}))
    row = found.history.iloc[0]
    assert row["params"] == space.for_task(TASK).cost(space.parse(str(row["architecture"])))["params"]


def test_nothing_is_checked_outside_a_search(images: Folder) -> None:
    space = MUXNetSpace("tiny")
    architecture = space.canonical(space.sample(np.random.default_rng(0)))
    evaluator = TrainingEvaluator(space, images, RECIPE)
    assert evaluator.build(Trial(0, architecture, 1), evaluator.prepare()) is not None


def test_latency_is_that_of_the_network_that_is_trained(images: Folder) -> None:
    space = MUXNetSpace("tiny")
    problem = settled(Problem(space, ["error", "latency"], TrainingEvaluator(space, images, RECIPE)))
    timed = problem.objectives[1].function
    assert isinstance(timed, ArchitectureLatency)
    assert timed.space is problem.space
    assert timed.task == TaskSpec(3, 4, (8, 8))


def test_workers_with_other_data_are_refused(images: Folder) -> None:
    space = MUXNetSpace("tiny")
    problem = settled(Problem(space, ["error", "params"], TrainingEvaluator(space, images, RECIPE)))
    evaluate: Any = problem.evaluate
    other = write_images(Path(images.path).parent / "other", 5)
    elsewhere = evaluate.__class__(
        evaluate.space, Folder(str(other), resolution=8), RECIPE, expected=evaluate.expected
    )
    architecture = space.canonical(space.sample(np.random.default_rng(0)))
    with pytest.raises(DataError, match=r"5 classes.* here, but .*4 classes"):
        elsewhere(Trial(0, architecture, 1))


def test_data_on_the_workers_alone_are_checked_there(images: Folder) -> None:
    away = Folder("/nowhere/at/all")
    space = MUXNetSpace("tiny")
    problem = Problem(space, ["error", "params"], TrainingEvaluator(space, away, RECIPE))
    with pytest.raises(DataError):
        settled(problem)
    assert settled(problem, optional=True).task is None
    assert settled(problem, recorded=TASK, optional=True).task == TASK
    here: Any = TrainingEvaluator(space, images, RECIPE)
    measure = Problem(space, ["error", "params"], here).measure()
    architecture = space.canonical(space.sample(np.random.default_rng(0)))
    with pytest.raises(ConfigError, match="cost\\(\\) gives"):
        measure(Trial(0, architecture, 1))


def test_a_run_records_its_task_and_continues_for_that_task_alone(images: Folder, tmp_path: Path) -> None:
    space = MUXNetSpace("tiny")
    run = tmp_path / "run"
    search(space, TrainingEvaluator(space, images, RECIPE), out=run)
    expected = {"in_channels": 3, "num_classes": 4, "image_size": [8, 8]}
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["task"] == expected
    assert read_history(run)[1]["identity"]["task"] == expected
    more = search(space, TrainingEvaluator(space, images, RECIPE), out=run, resume=True, budget=3)
    assert len(more.history) == 3
    larger = Folder(images.path, resolution=16, validation=0.25, test=0.25)
    with pytest.raises(HistoryError, match=r"task\.image_size: \[8, 8\] then, \[16, 16\] now"):
        search(space, TrainingEvaluator(space, larger, RECIPE), out=run, resume=True, budget=4)


def test_a_finished_run_is_opened_again_without_its_data(images: Folder, tmp_path: Path) -> None:
    space = MUXNetSpace("tiny")
    run = tmp_path / "run"
    first = search(space, TrainingEvaluator(space, images, RECIPE), out=run)
    gone = TrainingEvaluator(space, Folder("/nowhere/at/all", resolution=8), RECIPE)
    again = search(space, gone, out=run, resume=True)
    assert again.front.equals(first.front)


def test_a_run_from_before_tasks_were_recorded_continues_if_its_numbers_agree(
    images: Folder, tmp_path: Path
) -> None:
    space = MUXNetSpace("tiny", num_classes=4, in_channels=3)
    run = tmp_path / "run"
    search(space, TrainingEvaluator(space, images, RECIPE), out=run)
    db = sqlite3.connect(run / "history.sqlite")
    identity = json.loads(db.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()[0])
    del identity["task"]
    db.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (json.dumps(identity),))
    db.commit()
    assert (
        len(search(space, TrainingEvaluator(space, images, RECIPE), out=run, resume=True, budget=3).history)
        == 3
    )
    row = db.execute('SELECT trial, "values" FROM results').fetchone()
    wrong = {**json.loads(row[1]), "params": 4108}  # counted for another network, as before
    db.execute('UPDATE results SET "values" = ? WHERE trial = ?', (json.dumps(wrong), row[0]))
    db.commit()
    db.close()
    with pytest.raises(HistoryError, match=r"params = 4108 .* costs of the space's default task"):
        search(space, TrainingEvaluator(space, images, RECIPE), out=run, resume=True, budget=4)


def test_the_card_of_a_run_that_counted_another_network_has_one_count(images: Folder, tmp_path: Path) -> None:
    space, run = MUXNetSpace("tiny"), tmp_path / "run"
    train = TrainingEvaluator(space, images, RECIPE)
    text = str(search(space, train, out=run, budget=1).front["architecture"].iloc[0])
    db = sqlite3.connect(run / "history.sqlite")
    identity = json.loads(db.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()[0])
    del identity["task"]  # as a version before this one left it
    db.execute("UPDATE meta SET value = ? WHERE key = 'identity'", (json.dumps(identity),))
    values = json.loads(db.execute('SELECT "values" FROM results').fetchone()[0])
    counted = {**values, **space.cost(space.parse(text))}
    assert counted["params"] != values["params"]
    db.execute('UPDATE results SET "values" = ?', (json.dumps(counted),))
    db.commit()
    db.close()
    (exported,) = nas.export_run(run, [text], space=space, evaluate=train, onnx=False)
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert f"| parameters | {values['params']:,.0f} |" in card
    assert f"{counted['params']:,.0f}" not in card
    assert "The search counted params and madds for another task" in card


def test_an_untrained_network_is_exported_for_the_data_of_its_run(images: Folder, tmp_path: Path) -> None:
    from nas.export.making import Run, untrained
    from nas.export.picks import choose

    space, run = MUXNetSpace("tiny"), tmp_path / "run"
    train = TrainingEvaluator(space, images, RECIPE)
    search(space, train, out=run, budget=1)
    whole = Run.read(run, space, train)
    made = untrained(whole, choose(whole.table, ["params"])[0], 0, None)
    assert (made.images.shape, len(made.images.class_names)) == ((3, 8, 8), 4)
    assert parameters(made.network) == whole.table.front["params"].min()


def test_a_comparison_counts_the_networks_that_its_runs_train(images: Folder) -> None:
    from nas.compare.config import check_comparison
    from nas.compare.runs import Comparison

    data = {"name": "folder", "path": images.path, "resolution": 8, "validation": 0.25, "test": 0.25}
    config = check_comparison(
        {
            "problems": [
                {
                    "name": "p",
                    "space": "nasbench201",
                    "objectives": ["error", "params"],
                    "evaluator": {"name": "training", "data": data},
                }
            ],
            "algorithms": ["random", "nsga2"],
        }
    )
    problem = Comparison(config, Path.cwd(), Path("nowhere")).problem_of(config.problems[0])
    assert problem.task == TaskSpec(3, 4, (8, 8))
    assert problem.space.num_classes == 4  # type: ignore[attr-defined]


def test_a_size_that_nobody_could_see_beforehand_is_refused_where_it_is_trained(images: Folder) -> None:
    space = NASBench201(channels=4, cells_per_stage=1, num_classes=4, in_channels=3)
    measure = Problem(space, ["error", "madds"], TrainingEvaluator(space, images, RECIPE)).measure()
    with pytest.raises(ConfigError, match=r"the search counts .*madds.*images of 8x8 pixels"):
        measure(Trial(0, space.canonical(space.sample(np.random.default_rng(0))), 1))


def test_published_tables_keep_the_published_task() -> None:
    from search_spaces.nasbench101.table_evaluator import PUBLISHED as CIFAR10
    from search_spaces.nasbench201.table import PUBLISHED

    assert NASBench101().for_task(CIFAR10) == NASBench101()
    assert NASBench201().for_task(PUBLISHED["cifar10"]) == NASBench201()
    assert NASBench201().for_task(PUBLISHED["cifar100"]).num_classes == 100
    with pytest.raises(ConfigError, match="num_classes: got 10"):
        NASBench201(num_classes=10).for_task(PUBLISHED["cifar100"])


@FOLLOWING
def test_spaces_that_follow_the_data_keep_the_contract(space: nas.SearchSpace) -> None:
    if not isinstance(space, SegmentationSpace):  # which has no cost before it has data
        check_space(space, range(3), same_cost=False)
    check_space(space.for_task(TASK), range(3), same_cost=False)  # type: ignore[attr-defined]


def test_results_of_another_task_are_not_a_warm_start(images: Folder, tmp_path: Path) -> None:
    space = Own()
    search(space, TrainingEvaluator(space, images, RECIPE), out=tmp_path / "run")
    others = write_images(tmp_path / "others", 5)
    data = Folder(str(others), resolution=8, validation=0.25, test=0.25)
    with pytest.raises(ConfigError, match=r"another task .*4 classes.*; here .*5 classes"):
        nas.search(
            space,
            ["error"],
            TrainingEvaluator(space, data, RECIPE),
            algorithm="random",
            budget=2,
            warm_start=tmp_path / "run",
        )


def test_settings_of_a_space_that_contradict_the_data_of_nas_train_are_refused_before_it(
    images: Folder, tmp_path: Path
) -> None:
    common = [
        "--data",
        images.path,
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "t"),
        "--set",
        "data.resolution=8",
    ]
    for setting, said in (
        ("num_classes=10", "num_classes: got 10"),
        ("image_size=32", "image_size: got 32x32"),
    ):
        done = CliRunner().invoke(
            nas_app(), ["train", "nasbench101:1-", *common, "--set", f"space.{setting}"]
        )
        assert isinstance(done.exception, ConfigError)
        assert said in str(done.exception)
        assert not (tmp_path / "t").exists()


def nas_app() -> Any:
    from nas.cli.app import app

    return app


class Named(nn.Module):
    """A custom network with a part used only in training."""

    training_only = ("second",)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(3, 5)


def test_what_serves_in_training_alone_is_not_counted() -> None:
    assert parameters(Named()) == 3 * 4 + 4
