"""A supernet serves the space, images and limits that it was trained for, and no others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from commands import Done, nas_in
from torch import nn

import nas
from nas.core.errors import ConfigError, DataError
from nas.core.records import Trial
from nas.core.space import SearchSpace
from nas.sharing import SharedEvaluator, SupernetSettings, identity, load_supernet, train_supernet
from nas.sharing.identity import folder_name, images_digest
from nas.sharing.limited import beyond
from nas.sharing.supernet import make_supernet
from nas.sharing.training import evaluate_inherited
from nas.spaces.making import make_space
from nas.training import Recipe
from nas.training.data import Digits, MemoryPictures, Splits
from tests.shared.sharing_parts import DIGITS, built, declared, small_muxnet, write_user_files
from tests.shared.sharing_parts import few_networks as few_networks

pytestmark = pytest.mark.usefixtures("few_networks", "no_plots")
RECIPE = Recipe(batch_size=64, max_pictures=128)
ONE = SupernetSettings(epochs=1)


def key(space: SearchSpace, settings: SupernetSettings = ONE) -> str:
    return folder_name(identity.identity(space, Digits(), RECIPE, DIGITS, settings))


def train(folder: Path, space: SearchSpace | None = None, settings: SupernetSettings = ONE) -> Path:
    train_supernet(space or declared(), Digits(), RECIPE, folder, settings=settings)
    return folder


@pytest.fixture(scope="module")
def trained(few_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a supernet of the whole space."""
    return train(tmp_path_factory.mktemp("supernets") / "whole")


@pytest.fixture(scope="module")
def part(few_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the networks of one stage."""
    return train(tmp_path_factory.mktemp("supernets") / "part", declared().fix(depth=1))


@pytest.fixture(scope="module")
def limited(few_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of small networks."""
    settings = replace(ONE, limits=("params <= 600",))
    return train(tmp_path_factory.mktemp("supernets") / "limited", settings=settings)


def changed(folder: Path, to: Path, **values: Any) -> Path:
    """A copy of a supernet whose record has other values; None removes one."""
    shutil.copytree(folder, to)
    about = json.loads((to / "supernet.json").read_text()) | values
    (to / "supernet.json").write_text(json.dumps({k: v for k, v in about.items() if v is not None}))
    return to


def convolution(layer: Callable[[], nn.Module] = nn.ReLU, width: int = 8) -> nas.Space:
    return built(
        lambda c: nn.Sequential(
            nn.Conv2d(1, c.width, 3), layer(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c.width, 10)
        ),
        width=nas.Choice(4, width),
    )


# -- the space


def test_the_key_covers_fixed_parameters_and_layers() -> None:
    first = key(convolution())
    assert key(convolution()) == first
    others = [convolution(nn.Tanh), convolution(lambda: nn.Dropout(0.1)), convolution(width=12)]
    names = {first, *map(key, others), key(convolution().fix(width=4)), key(convolution().fix(width=8))}
    assert len(names) == 6


FILE = """
import nas
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, width, 3), nn.Linear(width, 10)

    def forward(self, x):
        return self.head(F.relu(self.stem(x)).mean((2, 3)))


space = nas.Space("mine", width=nas.Choice(4, 8))
space.build(lambda c: Net(c.width))
"""


def test_edited_code_is_another_key_and_a_warning_where_the_folder_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "one.py").write_text(FILE)
    (tmp_path / "other.py").write_text(FILE)
    (tmp_path / "edited.py").write_text(FILE.replace("relu", "tanh"))
    one, other, edited = (make_space(f"{n}.py:space", {}, tmp_path) for n in ("one", "other", "edited"))
    assert key(one) == key(other) != key(edited)
    folder = train(tmp_path / "s", one)
    load_supernet(folder, other)
    assert not caplog.messages
    load_supernet(folder, edited, data=Digits())
    assert "the code of the space has changed since this supernet was trained" in caplog.text


def test_the_key_is_that_of_a_new_process(tmp_path: Path) -> None:
    script = (
        "from tests.sharing.test_supernet_identity import key\n"
        "from tests.shared.sharing_parts import declared, small_muxnet\n"
        "print(key(declared()), key(small_muxnet()))"
    )
    path = os.pathsep.join(["tests", *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "5"},
    )
    assert done.stdout.split() == [key(declared()), key(small_muxnet())]


def test_a_worker_has_the_folder_of_the_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its files and the code of a script may be elsewhere, and each trial asks for the folder."""
    evaluator = SharedEvaluator(declared(), recipe=RECIPE, supernet=ONE)
    evaluator.identity()
    sent = cloudpickle.dumps(evaluator)
    made = []
    monkeypatch.setattr("nas.sharing.evaluator.identity", lambda *_: made.append(1) or {"space": "x"})
    assert cloudpickle.loads(sent).folder == evaluator.folder
    assert not made
    copy = replace(evaluator, recipe=replace(RECIPE, lr=0.2))
    assert copy.folder.name.startswith("x-")
    _ = copy.folder, copy.folder
    assert made == [1]


def test_a_supernet_of_a_part_of_the_space_is_not_that_of_the_whole(trained: Path, part: Path) -> None:
    space = declared()
    with pytest.raises(ConfigError, match="its fixed parameters are depth=1, those here: none; fix the same"):
        load_supernet(part, space)
    with pytest.raises(ConfigError, match="its fixed parameters are depth=1, those here: depth=2"):
        load_supernet(part, space.fix(depth=2))
    load_supernet(part, space.fix(depth=1, width=4), data=Digits())
    served = load_supernet(trained, space.fix(depth=1), data=Digits())
    served.network(space.parse("depth=1/width=8/stages.0.kernel=3/stages.0.operation=conv"))
    with pytest.raises(ConfigError, match="its fixed parameters are none, those here: depth=1"):
        train(trained, space.fix(depth=1))  # the training is another one


def test_other_layers_of_the_same_shapes_are_another_version(tmp_path: Path) -> None:
    folder = train(tmp_path / "s", convolution())
    for use in (load_supernet, train):
        args: Any = (folder, convolution(nn.Tanh))
        with pytest.raises(ConfigError, match=r"another version of space 'built'.*delete this one to train"):
            use(*args)


def test_a_record_of_an_earlier_version_is_compared_by_what_it_has(tmp_path: Path, trained: Path) -> None:
    earlier = changed(trained, tmp_path / "s", networks=None, images=None, code=None)
    load_supernet(earlier, declared(), data=Digits(), task=DIGITS)
    train(earlier)
    with pytest.raises(ConfigError, match=r"other data: .*split_seed=1"):
        load_supernet(earlier, declared(), data=Digits(split_seed=1))
    evaluator = SharedEvaluator(declared(), recipe=RECIPE, supernet=earlier)
    assert evaluator.identity()["supernet"] != key(declared())


def test_a_muxnet_supernet_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """It shared other channels."""
    about = identity.identity(small_muxnet(), Digits(), RECIPE, DIGITS, ONE)
    identity.check_serves(tmp_path, about, about, small_muxnet())
    earlier = {k: v for k, v in about.items() if k != "networks"}
    with pytest.raises(ConfigError, match="shared other entries"):
        identity.check_serves(tmp_path, earlier, about, small_muxnet())


def test_a_checkpoint_that_does_not_fit_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    folder = train(tmp_path / "s", convolution())
    (folder / "supernet.pt").unlink()
    earlier = changed(folder, tmp_path / "e", networks=None)
    with pytest.raises(DataError, match=r"checkpoint.pt: damaged, or of another version.*delete") as told:
        train(earlier, convolution(width=12))
    assert "state_dict" not in str(told.value)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    torch.save({k: v for k, v in state.items() if k != "log"}, folder / "checkpoint.pt")
    with pytest.raises(DataError, match=r"checkpoint.pt: damaged, or of another version"):
        train(folder, convolution())


# -- images


def some_images(count: int, seed: int = 0) -> MemoryPictures:
    rng = np.random.default_rng(seed)
    return MemoryPictures(
        rng.integers(0, 255, (count, 1, 4, 4)).astype(np.uint8), rng.integers(0, 2, count).astype(np.int64)
    )


class Decoded:
    """Images that are decoded on demand, of two sizes."""

    def __init__(self, brighter: int = 0) -> None:
        self.labels, self.images = np.arange(40) % 2, None
        self.brighter, self.read = brighter, 0

    def __len__(self) -> int:
        return 40

    def take(self, indices: Any, resolution: Any, seed: Any) -> Any:
        self.read += len(indices)
        side = {4 + int(i) % 2 for i in indices}.pop()
        return np.full((len(indices), 1, side, side), self.brighter, np.uint8)


def test_the_digest_of_images_follows_classes_labels_and_pixels() -> None:
    def splits(train: Any, validation: Any, names: tuple[str, ...] = ("a", "b")) -> str:
        return images_digest(Splits(train, validation, some_images(4), names, (0.0,), (1.0,)))

    first = some_images(30)
    assert splits(first, some_images(9)) == splits(some_images(30), some_images(9))
    pixel, label = first.images.copy(), first.labels.copy()
    pixel[7, 0, 1, 1] ^= 1
    label[7] = 1 - label[7]
    found = [
        splits(first, some_images(9)),
        splits(some_images(29), some_images(9)),
        splits(first, some_images(9, seed=1)),
        splits(MemoryPictures(pixel, first.labels), some_images(9)),
        splits(MemoryPictures(first.images, label), some_images(9)),
        splits(first, some_images(9), ("b", "a")),
        splits(Decoded(), some_images(9)),
        splits(Decoded(brighter=1), some_images(9)),
    ]
    assert len(set(found)) == len(found)
    many = Decoded()
    splits(many, some_images(9))
    assert many.read == identity.SAMPLED


def test_other_images_under_the_same_path_are_refused(tmp_path: Path, trained: Path) -> None:
    other = changed(trained, tmp_path / "s", images="0" * 12)
    for use in (lambda: load_supernet(other, declared(), data=Digits()), lambda: train(other)):
        with pytest.raises(ConfigError, match="supernet of other images: their content differs"):
            use()
    load_supernet(other, declared())  # whatever the images


def test_the_same_images_are_accepted_under_another_description(tmp_path: Path, trained: Path) -> None:
    assert load_supernet(changed(trained, tmp_path / "s", data="at another path"), declared(), data=Digits())
    before = changed(trained, tmp_path / "earlier", data="at another path", images=None)
    with pytest.raises(ConfigError, match="supernet of other data: 'at another path' there"):
        load_supernet(before, declared(), data=Digits())


# -- limits


def test_limits_of_a_search_imply_those_of_a_supernet() -> None:
    own = ("params <= 600", "madds >= 10")
    assert beyond(own, ("params <= 600", "madds >= 10")) == []
    assert beyond(own, ("params <= 500", "madds >= 11", "madds <= 99")) == []
    assert beyond(own, ("params <= 601", "madds >= 11")) == ["params <= 600"]
    assert beyond(own, ("params >= 600",)) == ["params <= 600", "madds >= 10"]
    assert beyond((), ()) == []


@pytest.mark.parametrize("named", [True, False])
def test_a_search_beyond_the_limits_of_its_supernet_is_refused(
    limited: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    own: Any = limited if named else replace(ONE, limits=("params <= 600",))
    evaluator = SharedEvaluator(declared(), recipe=RECIPE, supernet=own, final=None)
    same: dict[str, Any] = {"algorithm": "random", "budget": 2, "seed": 0}
    for limits in ([], ["params <= 700"], ["madds <= 600"]):
        with pytest.raises(
            ConfigError, match=r"within params <= 600 only; add limits: \[params <= 600\] to the search"
        ):
            nas.search(declared(), ["error", "params"], evaluate=evaluator, limits=limits, **same)
    assert not (tmp_path / "runs").exists()  # nothing was trained
    found = nas.search(declared(), ["error", "params"], evaluate=evaluator, limits=["params <= 500"], **same)
    assert len(found.history) == 2


def test_a_network_outside_the_limits_has_a_warning(limited: Path, caplog: pytest.LogCaptureFixture) -> None:
    evaluator = SharedEvaluator(declared(), recipe=RECIPE, supernet=limited)
    space = declared()
    small, large = (
        space.parse(f"depth=1/width={w}/stages.0.kernel={k}/stages.0.operation=conv")
        for w, k in ((4, 3), (8, 5))
    )
    costs = evaluator.loaded(torch.device("cpu")).space.cost(large)["params"]  # type: ignore[attr-defined]
    assert costs > 250
    supernet = replace(evaluator.loaded(torch.device("cpu")), limits=("params <= 250",))
    evaluate_inherited(supernet, small, Digits(), RECIPE)
    assert not caplog.messages
    evaluate_inherited(supernet, large, Digits(), RECIPE)
    assert f"params <= 250 (it has {costs})" in caplog.text
    assert load_supernet(limited, space).limits == ("params <= 600",)
    assert set(evaluator(Trial(0, small, 0, None))) >= {"inherited_error"}


# -- resuming


def test_a_run_resumed_in_another_folder_keeps_its_supernet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_user_files(tmp_path)
    run: Callable[..., Done] = nas_in(monkeypatch, capsys)
    for out in ("runs/near", "far/away"):
        assert run("search", "my.yaml", "--out", out, "--budget", "2").code == 0
    (folder,) = (tmp_path / "runs" / "supernets").iterdir()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    near, far = (
        ["search", "--resume", str(tmp_path / n), "--budget", "3"] for n in ("runs/near", "far/away")
    )
    done = run(*near)
    assert (done.code, "Training the supernet" in done.out + done.err) == (0, False), done.err
    done = run(*far)
    assert done.code == 2
    assert "the supernet of this run is not in" in done.sentence
    assert "or name it with evaluator: {supernet: FOLDER}" in done.sentence
    assert not (tmp_path / "sub" / "runs").exists()
    shutil.copytree(folder, tmp_path / "moved")
    other = changed(folder, tmp_path / "other", seed=1)
    done = run(*far, "--set", f"evaluator.supernet={other}")
    assert (done.code, "evaluator.supernet:" in done.sentence) == (4, True)
    done = run(*far, "--set", f"evaluator.supernet={tmp_path / 'moved'}")
    assert done.code == 0, done.err
    assert "Training the supernet" not in done.out + done.err
    assert "0 failed" in done.out + done.err


# -- networks that cannot share


class Net(nn.Module):
    def __init__(self, width: int, middle: nn.Module, twice: bool) -> None:
        super().__init__()
        self.stem, self.middle, self.head = nn.Conv2d(1, width, 3), middle, nn.Linear(width, 10)
        self.twice = twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.middle(self.stem(x))
        return self.head((self.middle(x) if self.twice else x).mean((2, 3)))  # type: ignore[no-any-return]


def test_a_state_and_a_second_run_in_small_networks_alone_are_found() -> None:
    def stateful(c: Any) -> nn.Module:
        state = nn.InstanceNorm2d(c.width, track_running_stats=True)
        return Net(c.width, state if c.kind == 1 and c.width < 12 else nn.Identity(), False)

    def twice(c: Any) -> nn.Module:
        return Net(c.width, nn.Conv2d(c.width, c.width, 1), c.kind == 1)

    for make, said in ((stateful, "layer with a state, 'middle'"), (twice, "runs its module 'middle'")):
        space = built(make, width=nas.Choice(4, 8, 12), kind=nas.Choice(1, 2, 3))
        with pytest.raises(ConfigError, match=said):
            make_supernet(space, DIGITS, seed=0)


def test_the_checks_do_not_change_the_initial_values(monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_supernet(declared(), DIGITS, seed=0)
    monkeypatch.setattr("nas.sharing.supernet._RUN", 0)
    second = make_supernet(declared(), DIGITS, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(first.shared.tensors, second.shared.tensors, strict=True))
