"""Every wrong input ends in one sentence with the right exit code and without a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas.core.errors import AlgorithmError

FUNCTION = "objectives=[error, {name: latency, cheap: true, function: 'parts.py:%s'}]"
WRONG = [
    # arguments after `nas search search.yaml`, exit code, message
    (["--space", "nasbench11"], 2, r"space: unknown 'nasbench11' \(did you mean 'nasbench101'\?\); known: "),
    (["--space", "nofile.py:X"], 2, r"space: no file .*/nofile.py"),
    (["--space", "no.module:X"], 2, r"space: no module 'no' is installed"),
    (["--space", "parts.py:Spcae"], 2, r"has no 'Spcae' \(did you mean 'Space'\?\)"),
    (["--space", "parts.py:number"], 2, r"expected a SearchSpace, got int"),
    (["--space", "parts.py:Sampleless"], 1, r"AttributeError: .*'integer'.* \(/.*/parts.py, line 51, in sample\)"),
    (["--set", "space.scael=3"], 2, r"space parts.py:Space: no setting 'scael' \(did you mean 'scale'\?\)"),
    (["--algorithm", "moeadd"], 2, r"algorithm: unknown 'moeadd' \(did you mean 'moead'\?\)"),
    (["--algorithm", "parts.py:no_algorithm"], 2, r"algorithm no_algorithm: cannot be made from .problem, rng, settings"),
    (["--set", "algorithm.populaton=8"], 2, r"algorithm moead: no setting 'populaton' \(did you mean 'population'\?\)"),
    (["--set", "algorithm.population=many"], 2, r"population: expected .*, got 'many'"),
    (["--set", "objectives=[eror]"], 2, r"objective: unknown 'eror' \(did you mean 'error'\?\)"),
    (["--set", "objectives=[]"], 2, r"objectives: list should have at least 1 item"),
    (["--set", "objectives=params"], 2, r"objectives: should be a valid list, got 'params'"),
    (["--set", "objectives=[3]"], 2, r"objectives.0: should be a name, or a mapping .*, got 3"),
    (["--set", "objectives=[params, params]"], 2, r"objectives: each name may appear once, got params, params"),
    (["--set", FUNCTION.replace("function", "fnction") % "latency"], 2, r"unknown key 'objectives.1.fnction' \(did you mean 'function'"),
    (["--set", FUNCTION % "latncy"], 2, r"has no 'latncy' \(did you mean 'latency'\?\)"),
    (["--set", FUNCTION % "latency"], 2, r"objective 'latency': failed for architecture \d-.*'depht' \(/.*/parts.py, line 42, in latency\)"),
    (["--set", FUNCTION % "not_a_number"], 2, r"objective 'latency': expected a finite number for architecture \d-.*, got nan"),
    (["--set", "evaluator=trainig"], 2, r"evaluator: unknown 'trainig' \(did you mean 'training'\?\)"),
    (["--set", "evaluator=null"], 2, r"evaluate: needed to measure error, got None"),
    (["--set", "evaluator=parts.py:number"], 2, r"expected a function of a trial, got int"),
    (["--set", "evaluator=parts.py:Careless"], 2, r"NameError: .* \(/.*/parts.py, line 56, in __init__\)"),
    (["--set", "evaluator.slep=3"], 2, r"evaluator parts.py:Evaluator: no setting 'slep' \(did you mean 'sleep'\?\)"),
    (["--set", "evaluator=nasbench101-table"], 2, r"evaluator nasbench101-table: needs the setting 'path'"),
    (["--set", "evaluator={name: nasbench101-table, path: nowhere}"], 3, r"nowhere: not a NASBench-101 table"),
    (["--set", "evaluator=parts.py:broken"], 6, r"10 of the last 10 candidates failed .*'sqroot'.* \(/.*/parts.py, line 38\)"),
    (["--set", "limits=['params <= 9']"], 2, r"limits params <= 9: no architecture .* meets them; the nearest had params = 10"),
    (["--set", "limits=['params =< 9']"], 2, r"limit 'params =< 9': expected 'objective <= number'"),
    (["--set", "limits=['latency <= 9']"], 2, r"'latency' is not an objective of this search.*; objectives: error, params, madds"),
    (["--set", "limits=params <= 9"], 2, r"limits: should be a valid list"),
    (["--budget", "5"], 2, r"budget: 5 evaluations are fewer than the \d+ of the initial design of moead; raise the budget"),
    (["--budget", "0"], 2, r"budget.evaluations: should be greater than or equal to 1, got 0"),
    (["--budget", "many"], 2, r"Invalid value for '--budget'"),
    (["--set", "budget=many"], 2, r"budget: should be a whole number, or a mapping .*, got 'many'"),
    (["--set", "budget=true"], 2, r"budget: should be a whole number"),
    (["--set", "budget.evaluations=yes"], 2, r"budget.evaluations: should be a number, got True"),
    (["--set", "seed=on"], 2, r"seed: should be a number, got True"),
    (["--set", "fidelity=true"], 2, r"fidelity: should be a number, got True"),
    (["--set", "budget.evaluations=2.5"], 2, r"budget.evaluations: should be a valid integer"),
    (["--set", "budget.secnds=3"], 2, r"unknown key 'budget.secnds' \(did you mean 'seconds'\?\)"),
    (["--seed", "-1"], 2, r"seed: should be greater than or equal to 0, got -1"),
    (["--set", "concurrency=0"], 2, r"concurrency: should be greater than or equal to 1, got 0"),
    (["--set", "ordered=maybe"], 2, r"ordered: should be a valid boolean"),
    (["--set", "max_failures=3"], 2, r"max_failures: should be less than or equal to 1, got 3"),
    (["--set", "fidelity=0"], 2, r"fidelity: should be greater than 0, got 0"),
    (["--set", "sed=3"], 2, r"unknown key 'sed' \(did you mean 'seed'\?\)"),
    (["--set", "nonsense"], 2, r"--set 'nonsense': expected key=value"),
    (["--set", "=3"], 2, r"--set '=3': expected key=value"),
    (["--set", "seed.a=3"], 2, r"seed"),
    (["--set", "space.name=[1"], 2, r"the value is not YAML"),
    (["--set", "space={}"], 2, r"'space.name' is missing"),
    (["--set", "space=3"], 2, r"space: should be a name, or a mapping"),
    (["--executor", "rya"], 2, r"executor: unknown 'rya' \(did you mean 'ray'\?\)"),
    (["--workers", "2"], 2, r"--workers: the serial executor has no workers"),
    (["--executor", "ray", "--workers", "0"], 2, r"workers: expected a whole number of at least 1, got 0"),
    (["--executor", "ray", "--set", "executor.workrs=2"], 2, r"executor ray: no setting 'workrs' \(did you mean 'workers'\?\)"),
    (["--executor", "ray", "--address", "127.0.0.1:1", "--set", "executor.connect_timeout_s=0.5"], 5, r"no Ray cluster answers at 127.0.0.1:1"),
    (["--executor", "ray", "--address", "nowhere"], 5, r"address: expected host:port or auto, got 'nowhere'"),
    (["--out", "parts.py"], 2, r"out: \S*parts.py is a file"),
    (["--bugdet", "3"], 2, r"No such option: --bugdet"),
]  # fmt: skip


def one_sentence(said: str) -> bool:
    return "Traceback" not in said and said.count("Error: ") <= 2 and len(said) < 900


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_a_wrong_argument_is_explained(arguments, code, message, folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", *arguments)
    assert re.search(message, done.sentence), done.sentence
    assert done.code == code
    assert one_sentence(done.sentence)
    if code != 6:  # the one that computed something
        assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "wrong.yaml holds a list; expected a mapping"),
        ("", "wrong.yaml is empty; expected a mapping"),
        ("space: [a\nb: {", r"wrong.yaml is not YAML: .*\(line 2\)"),
        (
            "space: nasbench101\nobjectivs: [error]\n",
            r"unknown key 'objectivs' \(did you mean 'objectives'\?\)",
        ),
        ("objectives: [error]\n", "'space' is missing"),
        (
            "space: nasbench101\nseed: x\nbudgt: 3\n",
            r"seed: .*; unknown key 'budgt' \(did you mean 'budget'\?\)",
        ),
        ("space: !!python/object/apply:os.getcwd []\n", "is not YAML: could not determine a constructor"),
    ],
)
def test_a_wrong_config_file_is_explained(text: str, message: str, folder: Path, nas_command) -> None:
    (folder / "wrong.yaml").write_text(text)
    done = nas_command("search", "wrong.yaml")
    assert re.search(message, done.sentence), done.sentence
    assert done.code == 2
    assert one_sentence(done.sentence)


def test_a_config_file_of_bytes_is_explained(folder: Path, nas_command) -> None:
    (folder / "wrong.yaml").write_bytes(bytes(range(256)))
    done = nas_command("search", "wrong.yaml")
    assert done.code == 2
    assert "config: cannot read wrong.yaml" in done.sentence


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_a_missing_config_file_is_explained(name: str, folder: Path, nas_command) -> None:
    done = nas_command("search", name)
    assert done.code == 2
    assert re.search("config: (no file|cannot read)", done.sentence)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import numpy as np\n\nx = np.zeroes(3)\n",
            r"mine.py cannot be loaded: AttributeError: .*mine.py, line 3",
        ),
        ("def f(:\n", r"mine.py cannot be loaded: SyntaxError: .*mine.py, line 1\)"),
        ("import sys\nsys.exit(0)\n", r"mine.py cannot be loaded: SystemExit.*mine.py, line 2"),
        ("import no_such_package\n", r"No module named 'no_such_package' .*mine.py, line 1, in <module>\)$"),
        (
            "import beside\n",
            r"No module named 'beside' .*; beside lies beside it, .*: export PYTHONPATH=/\S+$",
        ),
    ],
)
def test_a_mistake_in_a_users_file_is_shown_with_its_line(
    text: str, message: str, folder: Path, nas_command
) -> None:
    (folder / "mine.py").write_text(text)
    (folder / "beside.py").write_text("")
    done = nas_command("search", "search.yaml", "--space", "mine.py:Space")
    assert re.search(message, done.sentence), done.sentence
    assert done.code == 2
    assert one_sentence(done.sentence)


def test_a_folder_that_holds_a_run_is_kept(finished_run: Path, folder: Path, nas_command) -> None:
    before = (folder / "run/front.csv").read_bytes()
    done = nas_command("search", "search.yaml", "--seed", "9")
    assert done.code == 4
    assert re.search(r"run already holds a run: continue it with --resume \S*run \(", done.sentence)
    assert (folder / "run/front.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seed", "3"], 4, r"seed: 0 then, 3 now"),
        (["--algorithm", "random"], 4, r"algorithm.name: 'moead' then, 'random' now"),
        (["--set", "space.scale=2"], 4, r"space.scale: its default then, 2 now"),
        (["--set", "evaluator.sleep=0.1"], 4, r"evaluator.sleep: its default then, 0.1 now"),
        (["--set", "limits=['params <= 30']"], 4, r"limits: \[\] then, \['params <= 30'\] now"),
        (["--set", "concurrency=3"], 4, r"concurrency: 8 then, 3 now"),
        (["--out", "other"], 2, r"--resume RUN uses the config .* remove CONFIG and --out"),
    ],
)
def test_resuming_as_another_search_is_refused(
    arguments, code, message, finished_run: Path, nas_command
) -> None:
    done = nas_command("search", "--resume", "run", *arguments)
    assert re.search(message, done.sentence), done.sentence
    assert done.code == code
    if arguments[0] == "--seed":  # one for all: the run is as it was
        assert nas_command("search", "--resume", "run").code == 0


@pytest.mark.parametrize("place", ["nothing", "parts.py", "."])
def test_resuming_without_a_run_is_refused(place: str, folder: Path, nas_command) -> None:
    done = nas_command("search", "--resume", place)
    assert done.code == 4
    assert "no run in" in done.sentence


def test_resuming_a_run_of_the_python_interface_is_refused(folder: Path, nas_command) -> None:
    import nas

    class Space(nas.SearchSpace):
        name = "small"
        cardinalities = (4, 4, 4)

    nas.search(Space(), ["error"], lambda trial: {"error": 1.0}, budget=30, out="run", algorithm="moead")
    done = nas_command("search", "--resume", "run")
    assert done.code == 4
    assert "resume it from Python" in done.sentence


def test_a_run_that_another_process_writes_is_refused(finished_run: Path, nas_command) -> None:
    from nas.runs.log_file import lock_folder

    handle = lock_folder(finished_run)
    done = nas_command("search", "--resume", "run", "--budget", "40")
    assert done.code == 4
    assert "another search is writing to this run; wait for it, or stop it" in done.sentence
    assert handle is not None


def test_too_many_failures_leave_files_and_a_run_that_continues_once_fixed(folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", "--set", "evaluator=parts.py:broken")
    assert done.code == 6
    assert {"front.csv", "history.parquet", "summary.json"} <= {p.name for p in (folder / "run").iterdir()}
    config = (folder / "parts.py").read_text()
    import sys

    (folder / "parts.py").write_text(config.replace("sqroot", "sqrt"))
    for name in [name for name in sys.modules if name.startswith("nas_user_")]:
        del sys.modules[name]  # a new process would load the file again
    done = nas_command("search", "--resume", "run")
    assert done.code == 0
    assert "20 evaluated, 10 failed" in done.out


def test_an_environment_variable_shows_the_traceback(folder: Path, nas_command, monkeypatch) -> None:
    monkeypatch.setenv("NAS_TRACEBACK", "1")
    with pytest.raises(AlgorithmError, match="integer"):
        nas_command("search", "search.yaml", "--space", "parts.py:Sampleless")
