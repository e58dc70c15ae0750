"""A supernet learns, resumes to identical weights, and is stored with what it belongs to."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import nas
from nas.core.errors import ConfigError, DataError, TrainingDiverged
from nas.core.records import Architecture
from nas.core.space import SearchSpace
from nas.sharing import Supernet, SupernetSettings, inherited_score, load_supernet, train_supernet
from nas.sharing.distillation import Distillation, EvenDraw
from nas.sharing.identity import folder_name, identity
from nas.sharing.supernet import make_supernet, size_of
from nas.training import Recipe
from nas.training.counts import check_outputs
from nas.training.data import Digits
from nas.training.feed import prepare
from nas.training.from_config import data_source
from search_spaces.nasbench201 import NASBench201
from tests.shared.sharing_parts import DIGITS, built, declared, linear
from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks")
RECIPE = Recipe(batch_size=64, max_pictures=256, ema_decay=0.9, lr=0.1, augment=("crop",))


def train(
    folder: Path,
    epochs: int = 3,
    recipe: Recipe = RECIPE,
    space: SearchSpace | None = None,
    seed: int = 0,
    **more: Any,
) -> Any:
    settings = SupernetSettings(epochs=epochs, seed=seed)
    return train_supernet(space or declared(), Digits(), recipe, folder, settings=settings, **more)


@pytest.fixture(scope="module")
def trained(few_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished supernet."""
    folder = tmp_path_factory.mktemp("supernets") / "whole"
    train(folder)
    return folder


def test_a_killed_training_continues_to_identical_weights(tmp_path: Path, trained: Path) -> None:
    def kill(row: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "s", on_epoch=kill)
    seen: list[float] = []
    again = train(tmp_path / "s", on_epoch=lambda row: seen.append(row["epoch"]))
    assert seen == [2, 3]
    assert _same_weights(again, load_supernet(trained, declared()))
    assert _errors(tmp_path / "s") == _errors(trained)


def _same_weights(one: Supernet, other: Supernet) -> bool:
    return all(map(torch.equal, one.shared.tensors, other.shared.tensors))


def _errors(folder: Path) -> list[str]:
    header, *rows = (folder / "log.csv").read_text().splitlines()
    timed = [i for i, name in enumerate(header.split(",")) if name.endswith("seconds")]
    return [",".join(c for i, c in enumerate(row.split(",")) if i not in timed) for row in rows]


def test_the_log_shows_the_errors_of_the_largest_smallest_and_random_networks(trained: Path) -> None:
    header, *rows = (trained / "log.csv").read_text().splitlines()
    names = header.split(",")
    assert {"epoch", "lr", "train_loss", "largest_error", "smallest_error", "random_error"} <= set(names)
    values = [dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows]
    assert [v["epoch"] for v in values] == [1, 2, 3]
    assert all(0 <= v["random_error"] <= 100 for v in values)


def test_a_supernet_learns_networks_of_its_space(tmp_path: Path) -> None:
    space, recipe = linear(), Recipe(batch_size=32, lr=0.1, max_pictures=256)
    supernet = train(tmp_path / "s", recipe=recipe, space=space)
    prepared = prepare(Digits(), recipe, torch.device("cpu"), None)
    errors = [
        inherited_score(supernet, space.architecture({"width": width}), prepared, recipe).error
        for width in (4, 8, 16)
    ]
    assert max(errors) < 50  # guessing has 90


def test_a_finished_supernet_is_read_and_gives_the_same_scores(trained: Path) -> None:
    supernet = load_supernet(trained, declared(), task=DIGITS, data=Digits())
    recipe = Recipe()
    prepared = prepare(Digits(), recipe, torch.device("cpu"), None)
    rows = (trained / "log.csv").read_text().splitlines()
    last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    capped = prepare(Digits(), RECIPE, torch.device("cpu"), None)
    score = inherited_score(supernet, supernet.extremes.largest, capped, RECIPE)
    assert score.error == pytest.approx(float(last["largest_error"]))
    assert inherited_score(supernet, supernet.extremes.smallest, prepared, recipe).loss > 0


def test_a_supernet_of_something_else_is_refused(trained: Path) -> None:
    with pytest.raises(ConfigError, match="another space: 'shared-stages' there"):
        load_supernet(trained, nas.Space("other", width=nas.Choice(1, 2)))
    with pytest.raises(ConfigError, match=r"other data: .*split_seed=1"):
        load_supernet(trained, declared(), data=Digits(split_seed=1))
    with pytest.raises(ConfigError, match="num_classes 10 there, 100 here"):
        load_supernet(trained, declared(), task=replace(DIGITS, num_classes=100))
    with pytest.raises(ConfigError, match="not the folder of a supernet"):
        load_supernet(trained.parent, declared())


def test_a_space_whose_networks_changed_is_refused(trained: Path) -> None:
    space = declared()
    build = space._networks.build

    @space.build
    def wider(c: Any, *, num_classes: int, in_channels: int) -> Any:
        network = build(c, num_classes=num_classes, in_channels=in_channels)
        network.extra = torch.nn.Linear(1, 1)
        return network

    with pytest.raises(ConfigError, match="another version of space"):
        load_supernet(trained, space)


def test_a_folder_keeps_the_supernet_that_it_has(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"another recipe: lr 0.3 there, 0.6 here"):
        train(trained, recipe=replace(RECIPE, lr=0.2))
    with pytest.raises(ConfigError, match="another seed"):
        train(trained, seed=1)


def test_an_unfinished_supernet_is_not_read(tmp_path: Path) -> None:
    def kill(row: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, on_epoch=kill)
    with pytest.raises(ConfigError, match="not finished"):
        load_supernet(tmp_path, declared())


def test_damaged_files_are_refused(tmp_path: Path, trained: Path) -> None:
    for name in ("supernet.json", "supernet.pt"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    (tmp_path / "supernet.pt").write_bytes(b"damaged")
    with pytest.raises(
        DataError,
        match=r"cannot be read.*delete the file and repeat the training.*continues from checkpoint\.pt",
    ):
        load_supernet(tmp_path, declared())
    state = torch.load(trained / "supernet.pt", weights_only=True)
    for change in ({"sizes": 5}, {"sizes": [1, 2]}, {"largest": ["a"]}, {"weights": {}}):
        torch.save(state | change, tmp_path / "supernet.pt")
        with pytest.raises(DataError, match="damaged") as told:
            load_supernet(tmp_path, declared())
        assert "\n" not in str(told.value)
    name, tensor = next(iter(state["weights"].items()))
    torch.save(state | {"weights": state["weights"] | {name: tensor * math.nan}}, tmp_path / "supernet.pt")
    with pytest.raises(DataError, match="not finite numbers"):
        load_supernet(tmp_path, declared())
    about = json.loads((tmp_path / "supernet.json").read_text())
    for task in ("x", None, {**about["task"], "num_classes": 0}):
        (tmp_path / "supernet.json").write_text(json.dumps({**about, "task": task}))
        with pytest.raises(DataError, match=r"supernet\.json: 'task' is damaged"):
            load_supernet(tmp_path, declared())
    (tmp_path / "supernet.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="nested too deeply"):
        load_supernet(tmp_path, declared())
    (tmp_path / "supernet.json").write_text("[]")
    with pytest.raises(DataError, match="expected an object"):
        load_supernet(tmp_path, declared())


@pytest.mark.parametrize("lost", ["supernet.pt", "checkpoint.pt"])
def test_a_finished_supernet_needs_one_of_its_files_alone(lost: str, tmp_path: Path, trained: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "s"))
    (folder / lost).unlink()
    seen: list[float] = []
    again = train(folder, on_epoch=lambda row: seen.append(row["epoch"]))
    assert not seen
    assert _same_weights(again, load_supernet(trained, declared()))
    with pytest.raises(ConfigError, match=r"holds a supernet of .*choose another folder"):
        train(folder, recipe=replace(RECIPE, batch_size=128))
    assert _same_weights(load_supernet(folder, declared()), load_supernet(trained, declared()))


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(tmp_path: Path) -> None:
    closed, file = tmp_path / "closed", tmp_path / "file.yaml"
    closed.mkdir()
    closed.chmod(0o555)
    file.write_text("mine")
    for folder in (closed, closed / "inner" / "s", file, file / "s"):
        with pytest.raises(ConfigError, match=f"supernet: {folder} cannot be written .*another folder"):
            train(folder)
    assert not any(closed.iterdir())
    assert file.read_text() == "mine"


def test_a_missing_gpu_is_named(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match="'cuda' is not available: PyTorch finds no GPU"):
        train(tmp_path, device="cuda")


def test_a_refused_supernet_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    settings = SupernetSettings(epochs=1, limits=("params <= 10",))
    with pytest.raises(
        ConfigError,
        match=r"no network .* within params <= 10 was found; the nearest, 'depth=1/width=4.*', has params \d+; loosen",
    ):
        train_supernet(declared(), Digits(), RECIPE, folder, settings=settings)
    odd = built(
        lambda c: nn.Sequential(nn.Conv2d(1, 4, c.k), nn.Flatten(), nn.LazyLinear(10)), k=nas.Choice(2, 3)
    )
    with pytest.raises(ConfigError, match="no common centre"):
        train(folder, space=odd)
    assert not folder.exists()


def test_data_of_one_class_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "cats").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(20):
        image = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        image.save(tmp_path / "data" / "cats" / f"{number}.png")
    with pytest.raises(DataError, match="all images have one class"):
        train_supernet(declared(), data_source(tmp_path / "data"), RECIPE, tmp_path / "s")
    with pytest.raises(DataError, match="all images have one class"):
        check_outputs(declared(), nas.TaskSpec(1, 1, (8, 8)))
    assert not (tmp_path / "s").exists()


def test_rates_and_epochs_of_another_recipe_are_named_as_those_of_the_supernet(trained: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"lr 0\.3 there, 0\.6 here \(of the supernet's training, lr: supernet: \{lr: \.\.\.\}, or three times",
    ):
        train(trained, recipe=replace(RECIPE, lr=0.2))


def test_divergence_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingDiverged,
        match=r"supernet diverges: the training loss became nan.*rate, 3e\+30, is three times the recipe's.*supernet: \{lr",
    ):
        train(tmp_path, recipe=replace(RECIPE, lr=1e30, warmup_epochs=0.0, clip=1e30))


def test_a_finite_loss_far_above_that_of_guessing_is_divergence_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"loss in epoch 1 was .*guessing.*3e\+05.*supernet: \{lr"):
        train(tmp_path, recipe=replace(RECIPE, lr=1e5, warmup_epochs=0.0))
    assert not (tmp_path / "checkpoint.pt").exists()


def test_random_networks_are_spread_over_the_costs() -> None:
    space = NASBench201.digits()
    supernet = make_supernet(space, DIGITS, seed=0, networks=8)
    draw, rng = EvenDraw(supernet, 0), np.random.default_rng(0)

    def spread(found: list[Architecture]) -> float:
        return float(np.std(np.log([size_of(supernet.space, DIGITS, a)[-1] for a in found])))

    assert spread([draw(rng) for _ in range(200)]) > 1.1 * spread([space.sample(rng) for _ in range(200)])


def test_random_networks_shrink_from_the_most_expensive_ones() -> None:
    space = NASBench201.digits()
    supernet = make_supernet(space, DIGITS, seed=0, networks=8)
    draw, rng = EvenDraw(supernet, 0), np.random.default_rng(0)
    means = [
        np.mean([np.log(size_of(supernet.space, DIGITS, draw(rng, share))[-1]) for _ in range(60)])
        for share in (0.0, 0.5, 1.0)
    ]
    assert means[0] > means[1] > means[2]


def test_a_supernet_with_other_settings_of_a_step_resumes_too(tmp_path: Path) -> None:
    def kill(row: dict[str, float]) -> None:
        raise KeyboardInterrupt

    settings = SupernetSettings(epochs=3, shrink=0.7, smallest=True)
    same: Any = {"space": declared(), "data": Digits(), "recipe": RECIPE, "settings": settings}
    whole = train_supernet(folder=tmp_path / "whole", **same)
    with pytest.raises(KeyboardInterrupt):
        train_supernet(folder=tmp_path / "s", on_epoch=kill, **same)
    with pytest.raises(ConfigError, match=r"another shrink: 0.0 here|another shrink: 0.7 there, 0.0 here"):
        train(tmp_path / "s")
    again = train_supernet(folder=tmp_path / "s", **same)
    assert all(torch.equal(a, b) for a, b in zip(again.shared.tensors, whole.shared.tensors, strict=True))


def test_the_gradient_is_the_mean_over_the_networks() -> None:
    supernet = make_supernet(declared(), DIGITS, seed=0, networks=16)
    x, y = torch.randn(8, 1, 8, 8), torch.arange(8)
    draw = EvenDraw(supernet, 0)

    def loss(step: int, share: float = 1.0, **settings: Any) -> torch.Tensor:
        own = SupernetSettings(random=2, **settings)
        parts = Distillation(supernet, draw, own, 0.0, lambda: step, lambda: share)(supernet.shared, x, y)
        return sum(parts, torch.zeros(()))

    one, again, other = loss(5), loss(5), loss(6)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, loss(5, 0.1))
    assert not torch.equal(one, loss(5, smallest=True))
    assert torch.equal(loss(5, 0.1), loss(5, 0.1, smallest=True))  # not yet
    assert 1.0 < one.item() < 6.0  # a mean of cross-entropies, not a sum


def test_folders_are_keyed_by_space_data_and_recipe() -> None:
    about = identity(declared(), Digits(), RECIPE, DIGITS, SupernetSettings())
    names = {
        folder_name(about),
        folder_name(identity(declared(), Digits(split_seed=1), RECIPE, DIGITS, SupernetSettings())),
        folder_name(identity(declared(), Digits(), replace(RECIPE, lr=0.2), DIGITS, SupernetSettings())),
    }
    assert len(names) == 3
    assert all(name.startswith("shared-stages-") for name in names)
    assert json.loads(json.dumps(about)) == about


@pytest.mark.parametrize(
    "settings",
    [{"epochs": 0}, {"epochs": 1.5}, {"random": 0}, {"seed": -1}, {"lr": 0}, {"shrink": 2}, {"smallest": 1}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"supernet: {next(iter(settings))}"):
        SupernetSettings(**settings)


def test_a_supernet_can_have_a_learning_rate_of_its_own() -> None:
    recipe = Recipe(epochs=3, lr=0.05)
    assert SupernetSettings(lr=0.15).recipe(recipe) == replace(recipe, epochs=30, lr=0.15, clip=1.0)
    assert SupernetSettings(epochs=2).recipe(recipe) == replace(recipe, epochs=2, lr=0.15, clip=1.0)
