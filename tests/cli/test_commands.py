"""Output of successful commands; help; imports of the help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from nas.algorithms import ALGORITHMS
from nas.runs.history import read_history

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ("search",), ("front",), ("list",), ("cost",), ("data", "enumerate"), ("data", "import"), ("data", "check"),
    ("show",), ("train",), ("evaluate",), ("weights", "convert"), ("compare",), ("watch",), ("dashboard",), ("report",),
    ("export",), ("doctor",), ("targets",), ("check",), ("space", "check"), ("space", "profile"), ("supernet", "train"),
    ("supernet", "evaluate"), ("shrink",), ("baseline",), ("export-optuna",),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_has_an_example(command: tuple[str, ...], nas_command) -> None:
    done = nas_command(*command, "--help")
    assert done.code == 0
    assert "Example" in done.out
    assert f"nas {' '.join(command)}" in done.out


def test_every_command_is_among_those_tested(nas_command) -> None:
    from nas.cli.app import app

    top: Any = typer.main.get_command(app)
    names = set()
    for name, command in top.commands.items():
        names |= {(name, of) for of in getattr(command, "commands", ())} or {(name,)}
    assert names == set(COMMANDS)


def test_help_without_a_command_explains_how_to_start(nas_command) -> None:
    done = nas_command("--help")
    assert "First try: nas search, then nas front runs/first" in " ".join(done.out.split())


def test_help_loads_neither_torch_nor_ray_nor_pandas() -> None:
    code = (
        "import sys\n"
        "from nas.cli import main\n"
        "for command in ([], ['search'], ['front'], ['data'], ['train']):\n"
        "    sys.argv = ['nas', *command, '--help']\n"
        "    try: main()\n"
        "    except SystemExit as ended: assert not ended.code, command\n"
        "    loaded = [m for m in ('torch', 'ray', 'pandas', 'matplotlib', 'pymoo') if m in sys.modules]\n"
        "    assert not loaded, (command, loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("spaces", {"nasbench101"}),
        ("algorithms", set(ALGORITHMS)),
        ("evaluators", {"training", "nasbench101-table"}),
        ("executors", {"serial", "ray", "simulated"}),
        ("objectives", {"error", "accuracy", "params", "madds"}),
        ("surrogates", set()),
    ],
)
def test_list_prints_one_line_per_component(kind: str, names: set[str], nas_command) -> None:
    done = nas_command("list", kind)
    assert done.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    assert names <= rows.keys()
    assert all(rows[name] for name in names)


def test_list_of_something_else_names_the_kinds(nas_command) -> None:
    done = nas_command("list", "space")
    assert done.code == 2
    assert "kind: unknown 'space' (did you mean 'spaces'?)" in done.sentence


def test_cost_as_json_gives_params_and_madds(nas_command) -> None:
    done = nas_command("cost", "nasbench101", "1-", "--json")
    values = json.loads(done.out)
    assert values["params"] > 0
    assert values["madds"] > values["params"]


def test_cost_takes_settings_of_the_space(nas_command) -> None:
    wide = json.loads(nas_command("cost", "nasbench101", "1-", "--json").out)
    thin = json.loads(nas_command("cost", "nasbench101", "1-", "--set", "stem_channels=16", "--json").out)
    assert thin["params"] < wide["params"]


def test_cost_for_people_has_separators(nas_command) -> None:
    assert re.search(r"params +[\d,]+,\d{3}", nas_command("cost", "nasbench101", "1-").out)


def test_cost_of_a_users_space(folder: Path, nas_command) -> None:
    done = nas_command("cost", "parts.py:Space", "1-2-3-4-5-5", "--json", "--set", "scale=2")
    assert json.loads(done.out) == {"params": 60.0, "madds": 2.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nasbench11", "1-"], r"space: unknown 'nasbench11' \(did you mean 'nasbench101'\?\)"),
        (["nasbench101", "xyz"], r"architecture 'xyz': expected"),
        (
            ["nasbench101", "1-", "--set", "stem_chanels=3"],
            r"no setting 'stem_chanels' \(did you mean 'stem_channels'\?\)",
        ),
        (["nasbench101", "1-", "--set", "stem"], r"--set 'stem': expected key=value"),
    ],
)
def test_a_wrong_cost_command_is_explained(arguments: list[str], message: str, nas_command) -> None:
    done = nas_command("cost", *arguments)
    assert done.code == 2
    assert re.search(message, done.sentence), done.sentence


def test_front_as_json_has_the_exact_numbers_of_the_log(
    finished_run: Path, folder: Path, nas_command
) -> None:
    rows = json.loads(nas_command("front", "run", "--json").out)
    logged = read_history(folder / "run")[0].set_index("architecture")
    assert rows
    for row in rows:
        assert set(row) == {"architecture", "error", "params", "madds"}
        assert row["error"] == logged.loc[row["architecture"], "error"]


def test_front_prints_a_table(finished_run: Path, nas_command) -> None:
    done = nas_command("front", "run")
    assert re.search(r"Pareto front: \d+ architectures", done.out)
    assert "madds (multiply-adds)" in done.out


def test_front_of_nothing_is_explained(folder: Path, nas_command) -> None:
    done = nas_command("front", "nothing", "--json")
    assert done.code == 4
    assert "no run in nothing" in done.sentence
    assert done.out == ""


def test_a_search_ends_with_its_front_and_where_to_look(folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml")
    assert done.code == 0
    assert "Finished: 20 evaluated, 0 failed" in done.out
    assert "Pareto front" in done.out
    for place in (
        "run/plots/",
        "run/front.csv",
        "run/history.parquet",
        "nas search --resume run --budget 40",
    ):
        assert place in done.out


def test_the_advice_at_the_end_of_a_search_works(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml")
    done = nas_command("search", "--resume", "run", "--budget", "40")
    assert "Finished: 40 evaluated" in done.out


def test_a_time_limit_is_named_and_can_be_raised(folder: Path, nas_command) -> None:
    slow = ["--set", "evaluator.sleep=0.02", "--set", "concurrency=1", "--budget", "30"]
    done = nas_command("search", "search.yaml", *slow, "--set", "budget.seconds=0.1")
    assert "Finished at the time limit" in done.out
    assert "--resume run --set budget.seconds=0.2" in done.out
    done = nas_command("search", "--resume", "run", "--set", "budget.seconds=1000")
    assert "Finished: 30 evaluated" in done.out


def test_resuming_with_a_larger_budget_keeps_the_defaults_of_the_first(folder: Path, nas_command) -> None:
    """Defaults such as the population follow the budget; those of the start hold."""
    text = (folder / "search.yaml").read_text()
    (folder / "search.yaml").write_text(
        text.replace("algorithm: {name: moead, population: 6}", "algorithm: moead")
    )
    nas_command("search", "search.yaml")
    done = nas_command("search", "--resume", "run", "--budget", "300")
    assert done.code == 0
    assert re.search(
        r"Found [1-9]\d* results in the log; the counter restarts while they are replayed", done.out
    )


def test_paths_in_a_config_count_from_its_folder_and_on_the_command_line_from_here(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert nas_command("search", "../search.yaml").code == 0
    text = (folder / "parts.py").read_text()
    (elsewhere / "other.py").write_text(text.replace('name = "mine"', 'name = "other"'))
    done = nas_command("search", "../search.yaml", "--space", "other.py:Space", "--out", "second")
    assert done.code == 0
    monkeypatch.chdir(folder)
    assert nas_command("search", "--resume", "elsewhere/second", "--budget", "30").code == 0


def test_a_rest_of_a_config_may_be_set(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--set", "limits=['params <= 1e3']", "--set", "seed=1e1")
    config = json.loads((folder / "run/config.json").read_text())
    assert config["limits"] == ["params <= 1000"]
    assert config["seed"] == 10


_NO_CLUSTER = "--executor ray --workers 99 --address 127.0.0.1:1 --set executor.connect_timeout_s=0.5".split()


def test_more_workers_than_concurrency_are_noted_by_the_command(folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", *_NO_CLUSTER, "--set", "concurrency=8")
    assert "concurrency 8 keeps at most 8 of 99 workers busy" in " ".join(done.out.split())


def test_concurrency_follows_the_workers_and_the_command_prints_the_utilisation(
    folder: Path, nas_command
) -> None:
    eight = ["--set", "executor={name: simulated, workers: 8}"]
    done = nas_command("search", "search.yaml", *eight, "--budget", "70")
    printed = " ".join(done.out.split())
    assert "concurrency 16 on 8 workers: expected utilisation 8" in printed
    assert "slowest training takes 10 times as long as the fastest (log-uniform)" in printed
    fewer = ["--set", "executor.workers=2", "--budget", "80"]
    done = nas_command("search", "--resume", "run", *fewer)
    assert "concurrency 16 on 2 workers" in " ".join(done.out.split())
    assert json.loads((folder / "run/config.json").read_text())["concurrency"] == 16


def test_data_check_reports_the_contents_of_a_data_set(nas_command) -> None:
    done = nas_command("data", "check", "digits")
    assert done.code == 0
    assert "10 classes" in done.out
    assert "nothing is damaged" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import", "nasbench102", "x", "--out", "y"], 2, r"benchmark: unknown 'nasbench102' \(did you mean 'nasbench101'"),
        (["import", "nasbench101", "none.tfrecord", "--out", "y"], 3, r"none.tfrecord: cannot be read"),
        (["import", "nasbench101", "search.yaml", "--out", "y"], 3, r"search.yaml"),
        (["enumerate", "nasbench11", "--out", "y"], 2, r"space: unknown 'nasbench11'"),
        (["check", "folders"], 2, r"data: 'folders' is unknown \(did you mean 'folder'\?\): expected one of .* or the path"),
        (["check", "folder"], 2, r"requires a path: nas data check folder PATH"),
    ],
)  # fmt: skip
def test_a_wrong_data_command_is_explained(arguments, code, message, folder: Path, nas_command) -> None:
    done = nas_command("data", *arguments)
    assert re.search(message, done.sentence), done.sentence
    assert done.code == code
    assert not (folder / "y").exists()


def test_data_check_of_a_missing_folder_explains_how_to_make_it(folder: Path, nas_command) -> None:
    done = nas_command("data", "check", "folder", "pictures")
    assert done.code == 3
    assert "not found" in done.out


def test_the_console_script_runs_with_a_closed_pipe_without_a_traceback(folder: Path) -> None:
    script = "import sys; from nas.cli import main; sys.argv = ['nas', '--help']; main()"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "space", "out"),
    [((), "muxnet-tiny", "runs/first"), (("--space", "nasbench101"), "nasbench101", "runs/nasbench101")],
    ids=["default", "nasbench101"],
)
def test_a_search_without_a_config_trains_on_the_digits_and_has_a_folder(
    arguments: tuple[str, ...], space: str, out: str, folder: Path, nas_command
) -> None:
    quick = "evaluator.recipe={epochs: 1, max_pictures: 64}"
    done = nas_command("search", *arguments, "--executor", "serial", "--budget", "2", "--set", quick)
    assert "Finished: 2 evaluated, 0 failed" in done.out, done.err
    config = json.loads((folder / out / "config.json").read_text())["config"]["search"]
    assert config["space"]["name"] == space
    assert [objective["name"] for objective in config["objectives"]] == ["error", "params", "madds"]
    assert config["evaluator"]["name"] == "training"
