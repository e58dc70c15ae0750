"""Runs record the hashes of the user's code: after a change, a run continues only if you accept it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.core.code_files import changed, code_of, static_code
from nas.core.errors import HistoryError
from nas.engine.changed_code import RunCode
from nas.runs.history import read_history
from nas.testing.toy import ToySpace

MEASURE = """
from helper import scale


def measure(trial):
    return {"error": scale * float(sum(trial.architecture.genes))}
"""
pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config whose evaluator imports a local module."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "helper", raising=False)
    (folder / "helper.py").write_text("scale = 100\n")
    (folder / "measure.py").write_text(MEASURE)
    config = (folder / "search.yaml").read_text()
    (folder / "search.yaml").write_text(config.replace("parts.py:Evaluator", "measure.py:measure"))
    return folder


@pytest.fixture(autouse=True)
def _forget() -> Any:
    yield
    sys.modules.pop("helper", None)


def test_the_files_that_a_run_names_and_the_local_modules_they_import_are_on_record(
    own: Path, nas_command: Any
) -> None:
    assert nas_command("search", "search.yaml").code == 0
    _, meta = read_history(own / "run")
    files = RunCode.from_meta(meta["code"]).files
    assert set(files) == {"helper.py", "measure.py", "parts.py"}
    assert all(len(text) == 64 for text in files.values())
    assert json.loads((own / "run" / "config.json").read_text())["code"]["files"] == files


@pytest.mark.parametrize("file", ["measure.py", "helper.py"])
def test_resuming_after_a_change_names_the_file_and_needs_the_flag(
    file: str, own: Path, nas_command: Any
) -> None:
    assert nas_command("search", "search.yaml").code == 0
    before = (own / "run" / "front.csv").read_bytes()
    (own / file).write_text((own / file).read_text() + "\nchanged = True\n")
    sys.modules.pop("helper", None)
    done = nas_command("search", "--resume", "run", "--budget", "24")
    assert done.code == 4
    assert f"Error: {file} changed since this run was started" in done.sentence
    assert "--accept-changed-code" in done.sentence
    assert (own / "run" / "front.csv").read_bytes() == before
    done = nas_command("search", "--resume", "run", "--budget", "24", "--accept-changed-code")
    assert done.code == 0, done.err
    summary = json.loads((own / "run" / "summary.json").read_text())
    assert [change["files"] for change in summary["code_changed"]] == [[file]]
    again = nas_command("search", "--resume", "run", "--budget", "26")
    assert again.code == 0, again.err


def test_nothing_of_a_changed_file_runs_before_the_change_is_accepted(own: Path, nas_command: Any) -> None:
    assert nas_command("search", "search.yaml").code == 0
    (own / "measure.py").write_text("open('ran', 'w').close()\n" + MEASURE)
    assert nas_command("search", "--resume", "run").code == 4
    assert not (own / "ran").exists()


def test_a_run_whose_code_is_as_it_was_is_resumed_without_a_question(own: Path, nas_command: Any) -> None:
    assert nas_command("search", "search.yaml").code == 0
    (own / "measure.py").write_bytes(
        MEASURE.replace("\n", "\r\n").encode()
    )  # a checkout with other line ends
    assert nas_command("search", "--resume", "run", "--budget", "24").code == 0


def test_a_run_of_an_earlier_version_has_no_hashes_and_is_resumed_as_before(
    own: Path, nas_command: Any
) -> None:
    import sqlite3

    assert nas_command("search", "search.yaml").code == 0
    with sqlite3.connect(own / "run" / "history.sqlite") as db:
        db.execute("DELETE FROM meta WHERE key = 'code'")
    db.close()
    (own / "parts.py").write_text((own / "parts.py").read_text() + "\nx = 1\n")
    done = nas_command("search", "--resume", "run", "--budget", "24", "--trust")
    assert done.code == 0, done.err
    assert "code" in read_history(own / "run")[1]


def test_a_file_of_a_surrogate_an_objective_a_callback_and_an_executor_counts(
    folder: Path, nas_command: Any
) -> None:
    (folder / "model.py").write_text(
        "import numpy as np\n\nclass Model:\n    def fit(self, X, y):\n        self.y = float(np.mean(y))\n        return self\n\n"
        "    def predict(self, X):\n        return np.full(len(X), self.y), np.ones(len(X))\n"
    )
    (folder / "cost.py").write_text("def cost(architecture):\n    return float(sum(architecture.genes))\n")
    (folder / "told.py").write_text("def told(state):\n    pass\n")
    (folder / "where.py").write_text(
        "from nas.executors import SerialExecutor\n\nclass Mine(SerialExecutor):\n    pass\n"
    )
    done = nas_command(
        "search", "search.yaml", "--callback", "told.py:told", "--executor", "where.py:Mine",
        "--set", "algorithm={name: sa-moead, surrogate: 'model.py:Model', initial: 8}",
        "--set", "objectives=[error, {name: cost, function: 'cost.py:cost', cheap: true}]",
    )  # fmt: skip
    assert done.code == 0, done.err
    files = read_history(folder / "run")[1]["code"]["files"]
    assert set(files) == {"cost.py", "model.py", "parts.py", "told.py", "where.py"}


def loaded(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def evaluator(path: Path, factor: int) -> Callable[..., Any]:
    path.write_text(
        f"def measured(trial):\n    return {{'error': {factor} * float(sum(trial.architecture.genes))}}\n"
    )
    return loaded(path, "not_in_sys_modules").measured


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def run(factor: int, out: str = "run", **changes: Any) -> Any:
        measured = evaluator(tmp_path / "evals.py", factor)
        settings = {"algorithm": "random", "budget": 6, "out": out, **changes}
        return nas.search(ToySpace(), ["error", "params"], measured, **{"algorithm": "moead", **settings})

    return run


def test_a_function_passed_from_python_is_checked_when_its_run_is_resumed(search: Callable[..., Any]) -> None:
    search(100)
    with pytest.raises(
        HistoryError, match=r"^evals\.py changed since this run was started.*accept_changed_code=True"
    ):
        search(1, resume=True, budget=8)
    found = search(1, resume=True, budget=8, accept_changed_code=True)
    assert found.summary["code_changed"][0]["files"] == ["evals.py"]
    assert search(1, resume=True, budget=9).summary["evaluations"] == 9


def test_a_warm_start_from_a_run_whose_evaluator_changed_needs_the_flag(search: Callable[..., Any]) -> None:
    search(100)
    with pytest.raises(HistoryError, match=r"^evals\.py changed since run was measured"):
        search(1, out="new", warm_start="run")
    assert search(1, out="new", warm_start="run", accept_changed_code=True).state == "finished"
    assert search(1, out="other", warm_start="new").state == "finished"


def test_objects_partials_closures_and_methods_lead_to_their_files(tmp_path: Path) -> None:
    from functools import partial

    (tmp_path / "inner.py").write_text(
        "class Base:\n    def __call__(self, trial):\n        return {}\n\n\ndef f(a, b):\n    return a\n\n\n"
        "def closed(f):\n    def g(trial):\n        return f(trial)\n    return g\n"
    )
    (tmp_path / "outer.py").write_text(
        "class Wrap:\n    def __init__(self, inner):\n        self.inner = inner\n\n    def run(self, t):\n        return 1\n"
    )
    inner, outer = loaded(tmp_path / "inner.py", "inner_x"), loaded(tmp_path / "outer.py", "outer_x")
    assert set(code_of([inner.Base()], tmp_path)) == {"inner.py"}
    assert set(code_of([partial(inner.f, 1)], tmp_path)) == {"inner.py"}
    assert set(code_of([outer.Wrap(inner.Base()).run], tmp_path)) == {"inner.py", "outer.py"}
    assert set(code_of([inner.closed(len)], tmp_path)) == {"inner.py"}
    assert code_of([len, ToySpace(), 3, nas.Objective("x")], tmp_path) == {}


def test_imports_are_followed_without_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "pack_xyz"
    (package / "sub").mkdir(parents=True)
    for name, text in {
        "__init__.py": "raise SystemExit", "a.py": "from . import b\nfrom .sub import c\nimport numpy, json, nas",
        "b.py": "def f():\n    import pack_xyz.d", "d.py": "x = 1", "sub/__init__.py": "", "sub/c.py": "from ..e import y", "e.py": "y = 2",
        "unused.py": "",
    }.items():  # fmt: skip
        (package / name).write_text(text)
    (tmp_path / "main.py").write_text("import pack_xyz.a")
    found = {Path(p).relative_to(tmp_path).as_posix() for p in static_code(tmp_path / "main.py")}
    inside = {"__init__.py", "a.py", "b.py", "d.py", "e.py", "sub/__init__.py", "sub/c.py"}
    assert found == {"main.py", *(f"pack_xyz/{name}" for name in inside)}
    assert "pack_xyz" not in sys.modules


def test_what_a_script_defines_is_known_by_its_own_text_so_that_other_lines_may_change(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"

    def hashes(extra: str, factor: int) -> dict[str, str]:
        script.write_text(
            f"def inner(x):\n    return {factor} * x\n\n\ndef train(trial):\n    return inner(trial)\n\n\n{extra}\n"
        )
        import linecache

        linecache.checkcache()
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(script.read_text(), str(script), "exec"), scope)
        return code_of([scope["train"]], tmp_path)

    first = hashes("budget = 5", 1)
    assert set(first) == {"__main__:train", "__main__:inner"}
    assert hashes("budget = 500", 1) == first
    assert changed(first, hashes("budget = 5", 2)) == ["__main__:inner"]


def test_the_values_and_modules_that_functions_of_a_script_use_are_known_with_them(tmp_path: Path) -> None:
    (tmp_path / "late_xyz.py").write_text("def bonus():\n    return 0.0\n")
    script = tmp_path / "script.py"

    def hashes(factor: int, size: int) -> dict[str, str]:
        script.write_text(
            f"FACTOR = {factor}\nsize = {size}\n\n\nclass Ev:\n    def __call__(self, trial):\n        import late_xyz\n\n"
            "        return FACTOR * trial.size + late_xyz.bonus()\n"
        )
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(script.read_text(), str(script), "exec"), scope)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("inspect.getsource", lambda owner: script.read_text().split("\n\n\n")[1])
            return code_of([scope["Ev"]()], tmp_path)

    first = hashes(100, 3)
    assert set(first) == {"__main__:Ev", "__main__:FACTOR", "late_xyz.py"}
    assert changed(first, hashes(1, 4)) == ["__main__:FACTOR"]


def test_a_project_that_moved_is_compared_by_the_names_of_its_files() -> None:
    assert changed({"/old/evals.py": "1"}, {"evals.py": "1"}) == []
    assert changed({"/old/evals.py": "1"}, {"evals.py": "2"}) == ["evals.py"]
    assert changed({"callback.py": "1"}, {}) == []


def test_a_comparison_whose_code_changed_names_the_file_and_needs_the_flag(tmp_path: Path) -> None:
    from nas.compare.config import check_comparison
    from nas.compare.folder import recorded, remember
    from nas.compare.runs import Comparison

    (tmp_path / "evals.py").write_text("def measured(trial):\n    return {'error': 1.0}\n")
    (tmp_path / "mine.py").write_text("from nas.algorithms import NSGA2\n\n\nclass Mine(NSGA2):\n    pass\n")
    problem = {
        "name": "p",
        "space": "nas.testing.toy:ToySpace",
        "objectives": ["error", "params"],
        "evaluator": "evals.py:measured",
    }
    config = {"problems": [problem], "algorithms": ["random", "mine.py:Mine"], "budget": 120, "seeds": 2}
    found = Comparison(check_comparison(config), tmp_path, tmp_path / "out")
    code = found.check()
    assert set(code) == {"evals.py", "mine.py"}
    remember(found, code)
    remember(found, code)
    other = {**code, "evals.py": "0"}
    with pytest.raises(HistoryError, match=r"^evals\.py changed since this comparison was begun"):
        remember(found, other)
    remember(found, other, accept_changed_code=True)
    assert recorded(found.out)["code"]["accepted"][0]["files"] == ["evals.py"]
    remember(found, {**other, "new.py": "1"})


def test_a_study_whose_objective_changed_names_the_file_and_needs_the_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def study(factor: int, **changes: Any) -> Any:
        path = tmp_path / "costs.py"
        path.write_text(f"def cost(architecture):\n    return {factor} * float(sum(architecture.genes))\n")
        cost = nas.Objective("cost", cheap=True, function=loaded(path, "costs_x").cost)
        return nas.Study(ToySpace(), ["error", cost], out="study", algorithm="random", **changes)

    with study(1) as first:
        first.tell(first.ask(), {"error": 1.0})
    with pytest.raises(HistoryError, match=r"^costs\.py changed since this run was started"):
        study(2, resume=True)


def test_a_run_in_which_every_candidate_failed_continues_once_its_cause_is_fixed(
    own: Path, nas_command: Any
) -> None:
    (own / "measure.py").write_text(MEASURE.replace("scale *", "no_such_name *"))
    assert nas_command("search", "search.yaml").code == 6
    (own / "measure.py").write_text(MEASURE)
    done = nas_command("search", "--resume", "run")
    assert done.code == 0, done.err
    summary = json.loads((own / "run" / "summary.json").read_text())
    assert summary["code_changed"][0]["files"] == ["measure.py"]


def test_a_module_that_became_a_package_is_named(own: Path, nas_command: Any) -> None:
    assert nas_command("search", "search.yaml").code == 0
    sys.modules.pop("helper", None)
    (own / "helper.py").unlink()
    (own / "helper").mkdir()
    (own / "helper" / "__init__.py").write_text("scale = 1\n")
    importlib.invalidate_caches()
    done = nas_command("search", "--resume", "run", "--budget", "24", "--trust")
    assert done.code == 4
    assert "helper/__init__.py changed" in done.err
    assert "--accept-changed-code" in done.err
