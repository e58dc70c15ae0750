"""A stranger's run: no command executes its named code without the user's consent, or calls an object of the wrong type."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import nas_in

import nas
from nas.core.errors import ConfigError, NasError
from nas.core.trust import Trusted, named_code, state_folder
from nas.runs.history import FILE
from nas.testing.toy import ToySpace

pytestmark = pytest.mark.usefixtures("no_plots")

# Writes a mark when it is imported, and another when anything in it is called.
EVIL = """
import os
from subprocess import getoutput

import nas
from nas.executors import SerialExecutor
from nas.testing.toy import ToySpace

with open(os.environ["MARK"], "a") as file:
    file.write("imported\\n")


def called(*args, **kwargs):
    with open(os.environ["MARK"], "a") as file:
        file.write("called\\n")
    return 1.0


class Thing:
    def __init__(self, *args, **kwargs):
        called()


class Space(ToySpace):
    pass


def measure(trial):
    return {"error": float(sum(trial.architecture.genes))}


class Executor(SerialExecutor):
    pass


class Data:
    def load(self):
        called()

    check = load


def small(c, *, num_classes, in_channels):
    called()
"""

DECLARED = {"name": "mine", "parameters": {"a": [1, 2], "b": [1, 2, 3]}}

SAFE = {
    "space": {"name": "nasbench201"},
    "objectives": [{"name": "params"}, {"name": "madds"}],
    "evaluator": None,
    "algorithm": {"name": "random"},
    "executor": {"name": "serial"},
    "budget": {"evaluations": 6},
    "seed": 0,
}
# A stranger's possible entries, by part of the config.
PLANTED: dict[str, dict[str, Any]] = {
    "space": {"space": {"name": "{}:Space"}},
    "evaluator": {"evaluator": {"name": "{}:measure"}},
    "backbone": {
        "space": {
            "name": "segmentation",
            "backbone": {"name": "{}:Space"},
            "picture": [32, 32],
            "num_classes": 3,
        }
    },
    "short backbone": {
        "space": {"name": "segmentation", "backbone": "{}:Space", "picture": [32, 32], "num_classes": 3}
    },
    "objective": {"objectives": [{"name": "params"}, {"name": "{}:objective"}]},
    "function": {"objectives": [{"name": "params"}, {"name": "x", "function": "{}:called", "cheap": True}]},
    "algorithm": {"algorithm": {"name": "{}:called"}},
    "surrogate": {"algorithm": {"name": "sa-moead", "surrogate": "{}:Thing", "initial": 4}},
    "executor": {"executor": {"name": "{}:Executor"}},
    "callback": {"callbacks": [{"name": "{}:called"}]},
    "build": {"space": {**DECLARED, "build": "{}:small"}},
    "cost": {"space": {**DECLARED, "cost": "{}:called"}},
    "forbid": {"space": {**DECLARED, "forbid": "{}:called"}},
    "same": {"space": {**DECLARED, "same": ["{}:called"]}},
    "images": {"evaluator": {"name": "training", "data": {"name": "{}:Data"}}},
    "images by name alone": {"evaluator": {"name": "training", "data": "{}:Data"}},
    "masks": {"evaluator": {"name": "segmentation", "data": {"name": "{}:Data"}}},
    "task": {"evaluator": {"name": "training", "task": "{}:Thing"}},
}
EXPORTED = {
    "build",
    "cost",
    "forbid",
    "same",
    "images",
    "images by name alone",
    "masks",
    "task",
    "space",
    "evaluator",
    "backbone",
    "short backbone",
    "objective",
    "function",
}  # parts that an export makes
# The parts again, several in one config, for what only reads a run: together they are all.
TOGETHER = [
    ("space", "evaluator", "objective", "function", "algorithm", "executor", "callback"),
    ("build", "cost", "forbid", "same", "surrogate", "images", "task"),
    ("backbone", "masks"),
    ("short backbone", "images by name alone"),
]


def together(parts: tuple[str, ...]) -> dict[str, Any]:
    """A config with all of these parts."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in PLANTED[part].items():
            if key in found:
                value = found[key] | value if isinstance(value, dict) else [*found[key], *value[1:]]
            found[key] = value
    return found


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the planted code writes to."""
    path = tmp_path / "MARK"
    monkeypatch.setenv("MARK", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "evil.py").write_text(EVIL)
    return path


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of built-in names."""
    from nas.config.assemble import assemble
    from nas.config.schema import check_config
    from nas.engine.run import run

    out = tmp_path_factory.mktemp("ours") / "run"
    run(replace(assemble(check_config(SAFE)), out=out, plots=False))
    return out


@pytest.fixture
def plant(tmp_path: Path, ours: Path) -> Callable[..., Path]:
    """Copies a run of ours and writes a stranger's config into its log."""

    def planted(changes: dict[str, Any], place: str = "evil.py") -> Path:
        out = tmp_path / "run"
        shutil.copytree(ours, out)
        with closing(sqlite3.connect(out / FILE)) as db, db:
            meta = json.loads(db.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()[0])
            text = json.dumps({**meta["config"]["search"], **changes}).replace("{}", place)
            meta["config"] = {"search": json.loads(text), "base": str(tmp_path / "base")}
            db.execute("UPDATE meta SET value = ? WHERE key = 'config'", (json.dumps(meta),))
        (out / "config.json").write_text(json.dumps(meta))
        return out

    return planted


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs a command in this process; its exit code and output."""

    nas = nas_in(monkeypatch, capsys)
    return lambda *arguments: nas(*arguments).all


@pytest.mark.parametrize("part", PLANTED)
def test_no_command_executes_code_that_a_stranger_s_run_names(
    part: str, mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    run = plant(PLANTED[part])
    for arguments in (
        ("search", "--resume", str(run), "--budget", "8"),
        ("export", str(run), "--untrained", "--no-onnx"),
    ):
        code, said = command(*arguments)
        assert not mark.exists(), arguments
        if arguments[0] == "search" or part in EXPORTED:
            assert code == 2, said
            assert "evil.py" in said
            assert "--trust" in said


def test_the_configs_of_several_parts_have_every_part() -> None:
    assert sorted(part for parts in TOGETHER for part in parts) == sorted(PLANTED)
    for parts in TOGETHER:
        assert json.dumps(together(parts)).count("{}:") == len(parts)


@pytest.mark.parametrize("parts", TOGETHER, ids=" ".join)
def test_what_reads_a_stranger_s_run_executes_no_code_that_it_names(
    parts: tuple[str, ...], mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    run = plant(together(parts))
    for arguments in (("front", str(run)), ("watch", str(run), "--once"), ("report", str(run))):
        code, said = command(*arguments)
        assert not mark.exists(), arguments
        assert code == 0, said
    from nas.spaces.making import make_space

    new = run.with_name("new")
    space = make_space("nasbench201", {})
    nas.search(space, ["params", "madds"], algorithm="random", budget=5, out=new, warm_start=run)
    assert not mark.exists()


@pytest.mark.parametrize("part", PLANTED)
def test_python_executes_no_code_that_a_stranger_s_run_names(
    part: str, mark: Path, plant: Callable[..., Path]
) -> None:
    run = plant(PLANTED[part])
    calls: list[Callable[[], Any]] = [
        lambda: nas.export_run(run),
        lambda: nas.load_network(run, "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
    ]
    for call in calls:
        with pytest.raises(NasError):
            call()
        assert not mark.exists()


@pytest.mark.parametrize("place", ["evil.py", "../run/evil.py", "evil_module_xyz"])
def test_a_name_by_a_path_within_the_run_or_by_a_module_is_asked_for_too(
    place: str,
    mark: Path,
    plant: Callable[..., Path],
    command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = plant({"callbacks": [{"name": "{}:called"}]}, place)
    (run / "evil.py").write_text(EVIL)
    (tmp_path / "evil_module_xyz.py").write_text(EVIL)
    monkeypatch.syspath_prepend(str(tmp_path))
    code, said = command("search", "--resume", str(run))
    assert code == 2
    assert "--trust" in said
    assert not mark.exists()


def test_a_package_on_the_way_to_a_module_is_not_imported_before_the_question(
    mark: Path,
    plant: Callable[..., Path],
    command: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "evil_package_xyz").mkdir()
    (tmp_path / "evil_package_xyz" / "__init__.py").write_text(EVIL)
    (tmp_path / "evil_package_xyz" / "inner.py").write_text("x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert command("search", "--resume", str(plant(PLANTED["space"], "evil_package_xyz.inner")))[0] == 2
    assert not mark.exists()


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        *(
            (kind, "subprocess:getoutput")
            for kind in ("space", "algorithm", "callback", "surrogate", "images")
        ),
        *((kind, "os:mkdir") for kind in ("evaluator", "executor", "function", "build")),
    ],
)
def test_what_python_itself_brings_is_never_called_though_it_is_trusted(
    kind: str, place: str, mark: Path, plant: Callable[..., Path], command: Callable[..., Any], tmp_path: Path
) -> None:
    name = {"name": place, "cmd": f"touch {mark}", "path": str(mark), "args": ["touch", str(mark)]}
    changes: dict[str, Any] = {
        "callback": {"callbacks": [name]},
        "function": {"objectives": [{"name": "params"}, {"name": "x", "function": place}]},
        "surrogate": {"algorithm": {"name": "sa-moead", "surrogate": place, "initial": 4}},
        "build": {"space": {**DECLARED, "build": place}},
        "images": {"evaluator": {"name": "training", "data": name}},
    }.get(kind, {kind: name})
    run = plant(changes)
    for arguments in (
        ("search", "--resume", str(run), "--trust", "--budget", "8"),
        ("export", str(run), "--trust"),
    ):
        code, said = command(*arguments)
        assert not mark.exists(), said
        if arguments[0] == "search":
            assert code == 2, said
            assert "standard library" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": {"name": "evil.py:called"}}, "expected a SearchSpace"),
        ({"space": {"name": "evil.py:Thing"}}, "expected a SearchSpace, got the class Thing"),
        ({"space": {"name": "evil.py:getoutput", "cmd": "touch x"}}, "expected a SearchSpace"),
        ({"evaluator": {"name": "evil.py:Thing"}}, "the class Thing has no __call__"),
        ({"evaluator": {"name": "evil.py:getoutput"}}, "standard library"),
        ({"algorithm": {"name": "evil.py:Thing"}}, "expected a nas.Algorithm, got the class Thing"),
        ({"algorithm": {"name": "evil.py:getoutput"}}, "standard library"),
        ({"executor": {"name": "evil.py:Thing"}}, "has no submit, collect, close"),
        ({"callbacks": [{"name": "evil.py:Thing"}]}, "the class Thing has no __call__"),
        ({"objectives": [{"name": "params"}, {"name": "evil.py:Thing"}]}, "expected an Objective"),
        ({"objectives": [{"name": "params"}, {"name": "evil.py:getoutput"}]}, "standard library"),
        (
            {"objectives": [{"name": "params"}, {"name": "x", "function": "evil.py:Thing"}]},
            "got the class Thing",
        ),
        (
            {"algorithm": {"name": "sa-moead", "surrogate": "evil.py:Thing", "initial": 4}},
            "has no fit, predict",
        ),
        ({"space": {**DECLARED, "build": "evil.py:getoutput"}}, "standard library"),
        ({"space": {**DECLARED, "cost": "evil.py:getoutput"}}, "standard library"),
        ({"space": {**DECLARED, "cost": "evil.py:small"}}, "a function of the choices, got a function of"),
        ({"evaluator": {"name": "training", "data": "evil.py:called"}}, "a class with load and check"),
        ({"evaluator": {"name": "training", "data": "evil.py:Thing"}}, "has no load, check"),
        ({"evaluator": {"name": "segmentation", "data": {"name": "evil.py:Thing"}}}, "has no load, check"),
        ({"evaluator": {"name": "training", "task": "evil.py:Thing"}}, "has no prepare, loss, judge"),
    ],
)
def test_a_name_that_is_not_of_the_expected_type_is_not_called_though_it_is_trusted(
    changes: dict[str, Any],
    said: str,
    mark: Path,
    plant: Callable[..., Path],
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path / "base")  # a surrogate's file counts from here
    code, printed = command("search", "--resume", str(plant(changes)), "--trust", "--budget", "8")
    assert code == 2, printed
    assert said in printed
    assert "called" not in mark.read_text()


def test_settings_given_by_flags_do_not_allow_the_executor_that_they_are_of(
    mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    for number, part in enumerate(
        ({"name": "evil.py:Executor"}, {"name": "ray", "address": "evil.example:6379"})
    ):
        run = plant({"executor": part}).rename(mark.with_name(f"run{number}"))
        for flags in (("--workers", "2"), ("--set", "executor.workers=2")):
            code, said = command("search", "--resume", str(run), "--budget", "8", *flags)
            assert code == 2, said
            assert "--trust" in said
            assert not mark.exists()


def test_a_cluster_that_a_stranger_s_run_joins_is_asked_for(
    mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    run = plant({"executor": {"name": "ray", "address": "evil.example:6379"}})
    code, said = command("search", "--resume", str(run), "--budget", "8")
    assert code == 2
    assert "the Ray cluster at evil.example:6379" in said


def test_a_stranger_s_training_is_not_exported_without_a_word(
    mark: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "trained"
    folder.mkdir()
    from nas.export.trained import Trained

    class Said:
        task, resolution = "classification", None

    monkeypatch.setattr(Trained, "read", lambda folder: Said())
    for network in (
        {"network": "base/evil.py:Space:0-0", "space": {}},
        {
            "network": "segmentation:x",
            "space": {"backbone": "base/evil.py:Space", "picture": [8, 8], "num_classes": 2},
        },
    ):
        (folder / "network.json").write_text(json.dumps(network))
        code, said = command("export", str(folder))
        assert code == 2, said
        assert "evil.py:Space" in said
        assert "--trust" in said
        assert not mark.exists()


def test_what_you_started_yourself_needs_no_question_and_a_copy_with_other_settings_does(
    mark: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    (tmp_path / "base" / "my.yaml").write_text(
        "space: evil.py:Space\nevaluator: evil.py:measure\nexecutor: serial\nbudget: 8\nalgorithm: random\nout: mine\n"
        "callbacks: [{name: evil.py:Space}]\n".replace("callbacks: [{name: evil.py:Space}]\n", "")
    )
    code, said = command("search", "base/my.yaml")
    assert code == 0, said
    assert command("search", "--resume", "mine", "--budget", "9")[0] == 0
    with closing(sqlite3.connect(tmp_path / "mine" / FILE)) as db, db:
        meta = json.loads(db.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()[0])
        meta["config"]["search"]["space"]["other"] = 3
        db.execute("UPDATE meta SET value = ? WHERE key = 'config'", (json.dumps(meta),))
    code, said = command("search", "--resume", "mine", "--budget", "10")
    assert code == 2
    assert "--trust" in said


def test_code_named_in_settings_counts_from_the_current_folder_in_the_question_too(
    mark: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    config = tmp_path / "base" / "my.yaml"
    config.write_text(
        "space: {name: s, parameters: {a: [1, 2, 3]}, build: net.py:net}\nevaluator: {name: training, data: data.py:Mine, recipe: {epochs: 1, batch_size: 1024}}\n"
        "executor: serial\nbudget: 1\nalgorithm: random\nkeep_weights: false\nout: mine\n"
    )
    (tmp_path / "base" / "net.py").write_text(
        "from torch import nn\n\n\ndef net(c, *, num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))\n"
    )
    (tmp_path / "data.py").write_text(
        "from nas.training.data.digits import Digits\n\n\nclass Mine(Digits):\n    pass\n"
    )
    code, said = command("search", "base/my.yaml")
    assert code == 0, said
    code, said = command("search", "--resume", "mine", "--budget", "2")
    assert code == 0, said
    (tmp_path / "data.py").write_text(EVIL)
    code, said = command("search", "--resume", "mine", "--budget", "3")
    assert code == 4, said
    assert "data.py changed" in said
    assert not mark.exists()
    names = {
        part: named_code(config, tmp_path / "base")[0].file
        for part, config in (
            ("space", {"space": {"name": "segmentation", "backbone": "evil.py:Space"}}),
            ("task", {"evaluator": {"name": "training", "task": {"name": "evil.py:Task"}}}),
            ("surrogate", {"algorithm": {"name": "sa-moead", "surrogate": "evil.py:Thing"}}),
        )
    }
    assert set(names.values()) == {str(tmp_path / "evil.py")}
    (build,) = named_code({"space": {**DECLARED, "build": "evil.py:small"}}, tmp_path / "base")
    assert build.file == str(tmp_path / "base" / "evil.py")


def test_a_callback_named_on_the_command_line_is_your_word(
    mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    code, said = command(
        "search", "--resume", str(plant({})), "--budget", "8", "--callback", "base/evil.py:called"
    )
    assert code == 0, said
    assert "called" in mark.read_text()


def test_in_a_terminal_it_is_asked_and_a_yes_is_remembered(
    mark: Path, plant: Callable[..., Path], command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = plant(PLANTED["callback"]), []

    def answer(value: bool) -> None:
        def ask(what: str, lines: list[str]) -> bool:
            asked.append(lines)
            return value

        monkeypatch.setattr("nas.cli.searching.asking", lambda: ask)

    answer(False)
    assert command("search", "--resume", str(run), "--budget", "8")[0] == 2
    assert not mark.exists()
    answer(True)
    assert command("search", "--resume", str(run), "--budget", "8")[0] == 0
    assert len(asked) == 2
    assert "callbacks.0: evil.py:called, in " in asked[0][0]
    assert command("search", "--resume", str(run), "--budget", "9")[0] == 0
    assert len(asked) == 2


def test_a_run_of_built_in_names_is_resumed_and_exported_without_a_question(
    mark: Path, plant: Callable[..., Path], command: Callable[..., Any]
) -> None:
    run = plant({})
    code, said = command("search", "--resume", str(run), "--budget", "8")
    assert code == 0, said
    code, said = command("export", str(run), "--untrained", "--no-onnx")
    assert code == 0, said


def test_the_record_of_what_you_trust_is_private_and_one_that_others_may_write_is_not_believed(
    mark: Path,
) -> None:
    found = named_code({"space": {"name": "evil.py:Space"}}, mark.parent / "base")
    trusted = Trusted()
    trusted.remember(found)
    path = state_folder() / "trusted.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert trusted.knows(found[0])
    (mark.parent / "base" / "evil.py").write_text(EVIL + "\n# changed")
    assert not trusted.knows(found[0])
    assert trusted.changed(found[0])
    (mark.parent / "base" / "evil.py").write_text(EVIL)
    os.chmod(path, 0o666)
    assert not trusted.knows(found[0])
    path.write_text("{not json")
    assert not trusted.knows(found[0])


def test_the_framework_s_own_modules_need_no_question() -> None:
    assert named_code({"space": {"name": "nas.testing.toy:ToySpace"}}, None) == []


def test_a_space_by_a_function_needs_its_annotation(tmp_path: Path) -> None:
    from nas.spaces.making import make_space

    (tmp_path / "made.py").write_text(
        "from __future__ import annotations\nimport nas\nfrom nas.testing.toy import ToySpace\n\n\n"
        "def small() -> nas.SearchSpace:\n    return ToySpace()\n\n\ndef plain():\n    return ToySpace()\n"
    )
    assert isinstance(make_space("made.py:small", {}, tmp_path), ToySpace)
    with pytest.raises(ConfigError, match="annotated to return one"):
        make_space("made.py:plain", {}, tmp_path)


def test_the_device_of_a_target_counts_as_code_since_it_names_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "board.yaml"
    file.write_text("device: {python: /tmp/evil}\n")
    (named,) = named_code({"space": "muxnet-tiny", "target": "board.yaml"}, tmp_path)
    assert str(named) == 'target: device {"python": "/tmp/evil"}'
    keys = {"name": "board", "ram": None, "device": {"python": "/tmp/evil", "options": []}}
    assert named_code({"target": keys}, tmp_path) == [named]
    assert named_code({"target": "cpu-1-thread"}, tmp_path) == []
    assert named_code({"target": {"ram": 8, "device": {}}}, tmp_path) == []
    trusted = Trusted(tmp_path / "trusted.json")
    trusted.remember([named])
    assert trusted.knows(named)
    file.write_text("device: {python: /tmp/worse}\n")
    assert not trusted.knows(named_code({"target": "board.yaml"}, tmp_path)[0])
    file.write_text("ram: 512 KiB\n")
    assert named_code({"target": "board.yaml"}, tmp_path) == []
    relative = {"target": {"device": {"python": "env/bin/python"}}}
    trusted.remember(named_code(relative, None))
    assert trusted.knows(named_code(relative, None)[0])
    monkeypatch.chdir(tmp_path)
    assert not trusted.knows(named_code(relative, None)[0])
    file.write_text("device: {python: [")
    assert str(named_code({"target": "board.yaml"}, tmp_path)[0]).startswith("target: board.yaml, in ")


TARGET_SEARCH = (
    "{space: muxnet-tiny, objectives: [params, madds], evaluator: null, target: board.yaml, "
    "algorithm: random, budget: 3, executor: serial}"
)


def test_a_strangers_target_is_not_used_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board.yaml").write_text("device: {python: /tmp/evil}\n")
    (tmp_path / "search.yaml").write_text(TARGET_SEARCH)
    out = str(tmp_path / "run")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    run = nas_in(monkeypatch, capsys)
    assert run("search", str(tmp_path / "search.yaml"), "--out", out).code == 0
    assert run("search", "--resume", out, "--budget", "4").code == 0
    (tmp_path / "board.yaml").unlink()
    assert run("search", "--resume", out, "--budget", "4").code == 0  # by the record, and still known
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "yours"))
    refused = run("search", "--resume", out, "--budget", "5")
    assert refused.code != 0
    assert 'target: device {"python": "/tmp/evil"}' in refused.sentence
    assert run("search", "--resume", out, "--budget", "5", "--trust").code == 0


def test_a_target_without_a_device_needs_no_trust_and_its_file_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board.yaml").write_text("int8: {images: 200}\n")  # without limits, which trace each network
    (tmp_path / "search.yaml").write_text(TARGET_SEARCH)
    out = str(tmp_path / "run")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    run = nas_in(monkeypatch, capsys)
    assert run("search", str(tmp_path / "search.yaml"), "--out", out).code == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "yours"))
    assert run("search", "--resume", out, "--budget", "4").code == 0
    (tmp_path / "board.yaml").write_text("opset: 18\nint8: {images: 200}\n")
    changed = run("search", "--resume", out, "--budget", "5")
    assert changed.code != 0
    assert "(target.opset: 17 then, 18 now)" in changed.sentence
    (tmp_path / "board.yaml").unlink()
    assert run("search", "--resume", out, "--budget", "5").code == 0
