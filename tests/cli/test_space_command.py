"""`nas space check` and `nas space profile` on spaces with networks, without, and with faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch_space import SOURCE

BROKEN = SOURCE.replace("channels = c.width", "channels = c.width + (c.depth == 3)")
NO_NETWORKS = """
import nas

space = nas.Space("models", trees=nas.Integer(10, 100, step=10), depth=nas.Choice(2, 4, 8), kind=nas.Choice("a", "b"))
"""
COSTED = (
    NO_NETWORKS
    + """
@space.cost
def cost(c):
    return {"params": c.trees * 2 ** c.depth, "madds": c.trees * c.depth}
"""
)
CONFIG = """
space: my.py:space
objectives: [error, params]
limits: ["params <= 2000", "error <= 20"]
evaluator: {name: training, data: digits, recipe: {epochs: 3, batch_size: 100}}
executor: serial
budget: 50
"""


def written(folder: Path, source: str = SOURCE) -> None:
    (folder / "my.py").write_text(source)


def test_networks_that_work_pass(folder: Path, nas_command) -> None:
    written(folder)
    done = nas_command(
        "space", "check", "my.py:space", "--networks", "4", "--image-size", "8x9", "--in-channels", "1"
    )
    assert done.code == 0, done.err
    assert "4 random networks keep all rules" in done.out
    assert "1 channel, 10 classes, images of 8x9 pixels" in " ".join(done.out.split())
    assert "parameters equal" in done.out


def test_the_first_combination_that_fails_is_named(folder: Path, nas_command) -> None:
    written(folder, BROKEN)
    done = nas_command("space", "check", "my.py:space", "--image-size", "8", "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["choices"]["depth"] == 3
    assert "stages.2.kernel" in found["choices"]
    assert "expected input" in found["reason"]
    shown = nas_command("space", "check", "my.py:space", "--image-size", "8")
    assert shown.code == 1
    assert f"(seed {found['seed']})" in shown.out
    assert str(found["choices"]) in " ".join(shown.out.split())
    assert "space.forbid" in shown.out
    profiled = nas_command("space", "profile", "my.py:space")
    assert profiled.code == 2
    assert "'depth': 3" in " ".join(profiled.err.split())
    assert "space.forbid" in profiled.err
    again = nas_command(
        "space", "check", "my.py:space", "--image-size", "8", "--seed", str(found["seed"]), "--networks", "1"
    )
    assert again.code == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "nn.Linear(channels, num_classes)",
            "nn.Linear(channels, 7)",
            "shape (2, 7) for 2 images; expected (2, 10)",
        ),
        ("nn.Flatten()", "nn.Flatten(0)", "If it takes other images, set --data"),
        ("return nn.Sequential", "return [nn.Sequential", "torch.nn.Module"),
        ("c.depth", "c.width.missing", "build"),
    ],
    ids=["classes", "input", "no module", "attribute"],
)
def test_faults_have_reasons(old: str, new: str, reason: str, folder: Path, nas_command) -> None:
    source = SOURCE.replace(old, new)
    if new.startswith("return ["):
        source = source.rstrip() + "]\n"
    if new == "c.width.missing":
        source = source.replace("for stage in c.stages:", "for stage in c.width.missing:")
    written(folder, source)
    done = nas_command("space", "check", "my.py:space", "--image-size", "8")
    assert done.code == 1
    assert reason in " ".join(done.out.split())
    assert "depth" in done.out


def test_a_cost_that_differs_from_the_network_is_found(folder: Path, nas_command) -> None:
    written(
        folder, SOURCE + '\n\n@space.cost\ndef cost(c):\n    return {"params": 10 * c.width, "madds": 1}\n'
    )
    done = nas_command("space", "check", "my.py:space", "--image-size", "8")
    assert done.code == 1
    assert "the built network has" in " ".join(done.out.split())


def test_a_parameter_without_a_gradient_is_a_remark(folder: Path, nas_command) -> None:
    source = SOURCE.replace("return nn.Sequential(", "return Spare(") + (
        "\n\nclass Spare(nn.Sequential):\n    def __init__(self, *layers):\n        super().__init__(*layers)\n"
        "        self.scale = nn.Parameter(nn.init.ones_(nn.Linear(1, 1).weight))\n\n"
        "    def forward(self, x):\n        for layer in self:\n            x = layer(x)\n        return x\n"
    )
    written(folder, source)
    done = nas_command("space", "check", "my.py:space", "--image-size", "8", "--networks", "2")
    assert done.code == 0, done.out
    assert "2 of 2 networks have parameters without a gradient, such as scale of {'depth': " in " ".join(
        done.out.split()
    )


def test_a_space_without_networks_checks_the_rest(folder: Path, nas_command) -> None:
    written(folder, NO_NETWORKS)
    done = nas_command("space", "check", "my.py:space")
    assert done.code == 0
    assert "the space has no build" in done.out
    written(folder, NO_NETWORKS + "\n\n@space.forbid\ndef rule(c):\n    return c.treees > 3\n")
    done = nas_command("space", "check", "my.py:space")
    assert done.code == 1
    assert "treees" in done.out


def test_built_in_spaces_pass(folder: Path, nas_command) -> None:
    done = nas_command("space", "check", "muxnet-tiny", "--networks", "2")
    assert done.code == 0, done.out
    assert "1 channel, 10 classes, images of 16x16 pixels" in " ".join(done.out.split())


def test_networks_on_other_input_skip_the_passes(folder: Path, nas_command) -> None:
    source = SOURCE + '\n\n@space.cost\ndef cost(c):\n    return {"params": 10 * c.width, "madds": 1}\n'
    written(folder, source.replace("nn.Flatten()", "nn.Unflatten(7, (3, 3))"))
    assert nas_command("space", "check", "my.py:space").code == 1
    done = nas_command("space", "check", "my.py:space", "--no-passes")
    assert done.code == 0, done.out
    assert "not built (--no-passes)" in done.out


def test_the_space_of_a_config_is_checked_on_its_data(folder: Path, nas_command) -> None:
    written(folder)
    (folder / "my.yaml").write_text(CONFIG)
    done = nas_command("space", "check", "--config", "my.yaml", "--networks", "2", "--set", "seed=3")
    assert done.code == 0, done.err
    assert "1 channel, 10 classes, images of 8x8 pixels" in " ".join(done.out.split())


def test_a_space_declared_in_a_config_is_checked(folder: Path, nas_command) -> None:
    written(folder)
    (folder / "declared.yaml").write_text(
        "space: {name: plain, parameters: {depth: {integer: [1, 2]}, width: [4, 8], stages: {repeat: depth, kernel: [3, 5]}, dropout: 0.0}, "
        "build: 'my.py:build'}\nbudget: 10\n"
    )
    done = nas_command("space", "check", "--config", "declared.yaml", "--networks", "2")
    assert done.code == 0, done.err
    assert "'plain'" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name a space"),
        (("my.py:space", "--config", "my.yaml"), "name a space"),
        (("my.py:space", "--path", "x"), "--path requires --data"),
        (("my.py:space", "--image-size", "big"), "--image-size: expected a number of pixels"),
        (("my.py:space", "--data", "digits", "--classes", "3"), "--classes: the data define it"),
        (("my.py:spice",), "spice"),
    ],
)
def test_wrong_arguments_are_explained(
    arguments: tuple[str, ...], sentence: str, folder: Path, nas_command
) -> None:
    written(folder)
    (folder / "my.yaml").write_text(CONFIG)
    done = nas_command("space", "check", *arguments)
    assert done.code == 2
    assert sentence in done.sentence


def test_a_profile_shows_the_space_its_costs_and_the_time(folder: Path, nas_command) -> None:
    written(folder)
    (folder / "my.yaml").write_text(CONFIG)
    done = nas_command("space", "profile", "--config", "my.yaml", "--samples", "20")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert "56 different networks, 6 parameters" in said
    for text in (
        "depth = 2 or 3",
        "params",
        "madds",
        "activations",
        "ms per training step, batch 100",
        "Smallest by params",
    ):
        assert text in said
    assert "Within params <= 2000" in said
    assert "95% interval" in said
    assert "error <= 20 is measured in training" in said
    assert "A search of 50 networks trains for about" in said
    assert "11 steps an epoch x 3 epochs" in said


def test_a_profile_as_json(folder: Path, nas_command) -> None:
    written(folder)
    done = nas_command(
        "space",
        "profile",
        "my.py:space",
        "--image-size",
        "8",
        "--in-channels",
        "1",
        "--limit",
        "madds<=50000",
        "--json",
    )
    found = json.loads(done.out)
    assert found["size"] == found["networks"] == 56
    assert found["whole_space"]
    assert found["costs"]["params"]["min"] == 90
    assert found["share"] == found["share_interval"][0]
    assert 0 < found["share"] < 1
    assert found["feasible"]
    assert found["step_seconds"]["median"] > 0
    assert found["search_seconds"] is None
    assert [row["name"] for row in found["parameters"]][:2] == ["depth", "width"]


def test_a_limit_that_no_network_meets_is_named(folder: Path, nas_command) -> None:
    written(folder, COSTED)
    for more in ((), ("--json",)):
        done = nas_command(
            "space", "profile", "my.py:space", "--samples", "20", "--limit", "params <= 10", *more
        )
        assert done.code == 2
        assert (
            "no architecture of space 'models' was found that meets them; the nearest had params = "
            in done.sentence
        )
    assert json.loads(done.out)["feasible"] is False


def test_rare_networks_within_a_limit_are_found(folder: Path, nas_command) -> None:
    source = """
import nas

space = nas.Space("rare", {f"p{i}": nas.Integer(0, 9) for i in range(12)})


@space.cost
def cost(c):
    return {"params": sum(c.values()), "madds": 1}
"""
    written(folder, source)
    done = nas_command("space", "profile", "my.py:space", "--samples", "30", "--limit", "params <= 3")
    assert done.code == 0
    said = " ".join(done.out.split())
    assert "1,000,000,000,000 different networks" in said
    assert "0.0% of random networks (0.0% to 11.4%, 95% interval)" in said
    assert "A descent to the limits finds p0=" in said


def test_the_network_within_the_limits_is_timed_where_no_random_one_is(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import nas
from torch import nn

space = nas.Space("rare", {f"p{i}": nas.Integer(0, 9) for i in range(12)})


@space.build
def build(c, *, num_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


@space.cost
def cost(c):
    return {"params": sum(c.values()), "madds": 1}
"""
    written(folder, source)
    timed = []

    def step_seconds(space, architecture, *given):
        timed.append(sum(architecture.genes))
        return 0.25

    monkeypatch.setattr("nas.training.passes.step_seconds", step_seconds)
    done = nas_command("space", "profile", "my.py:space", "--samples", "30", "--limit", "params <= 3")
    assert done.code == 0, done.all
    assert len(timed) == 1
    assert timed[0] <= 3
    said = " ".join(done.out.split())
    assert "A training step of this network takes 250 ms (batch" in said
    assert "ms per training step" not in said


def test_a_space_without_networks_or_costs_has_a_profile(folder: Path, nas_command) -> None:
    written(folder, NO_NETWORKS)
    done = nas_command("space", "profile", "my.py:space")
    assert done.code == 0
    assert "60 different networks, 3 parameters" in done.out
    assert "Time of a training step not measured: the space builds no networks" in done.out
    written(folder, COSTED)
    done = nas_command("space", "profile", "my.py:space", "--limit", "parms <= 3")
    assert done.code == 2
    assert "has no 'parms' (did you mean 'params'?)" in done.sentence


TRAINED = """

def evaluate(trial):
    open("trained", "w").close()
    return {"error": 1.0}
"""


def ends_before_training(folder: Path, nas_command, algorithm: str) -> None:
    (folder / "my.yaml").write_text(
        "space: my.py:space\nobjectives: [error, params]\nlimits: [params <= 10]\nevaluator: my.py:evaluate\n"
        f"algorithm: {algorithm}\nexecutor: serial\nbudget: 30\nout: {algorithm}\n"
    )
    done = nas_command("search", "my.yaml")
    assert done.code == 2, (algorithm, done.out)
    assert "limits params <= 10: no architecture of space" in done.sentence
    assert "the nearest had params = " in done.sentence
    assert not (folder / "trained").exists()


@pytest.mark.parametrize("algorithm", ["random", "moead", "sa-moead", "regularized-evolution"])
def test_a_search_ends_before_training_when_no_network_meets_its_limits(
    algorithm: str, folder: Path, nas_command
) -> None:
    written(folder, COSTED + TRAINED)
    ends_before_training(folder, nas_command, algorithm)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["random", "sa-moead"])
def test_so_does_a_search_with_traced_costs(algorithm: str, folder: Path, nas_command) -> None:
    written(folder, SOURCE + TRAINED)
    ends_before_training(folder, nas_command, algorithm)
