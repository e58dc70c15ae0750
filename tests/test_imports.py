"""Who imports whom, read from the code itself, and what a first import loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = {
    "records",
    "interfaces",
    "checks",
    "errors",
}  # all that spaces and surrogates may know of nas, beside nas.core
PACKAGES = ("nas", "search_spaces", "surrogates", "experiments")
# Where nas fetches the others late: to assemble a run, for `nas data` (its one benchmark, by name) and `nas show`
# (networks that have names), and for the surrogates of a search that predicts.
KNOWS = {"nas.config.assemble", "nas.cli.benchmarks", "nas.cli.networks", "nas.algorithms.prediction"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, late: bool = True) -> Iterator[str]:
    """Names of the modules that a file imports; without `late` only where importing the file imports them."""
    yield from _walk(tree(path), path, late)


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def _walk(node: ast.AST, path: Path, late: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not late:
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            for other in child.orelse:
                yield from _walk(other, path, late)
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from _targets(child, path)
        elif late and _is_import_module(child):
            yield child.args[0].value  # type: ignore[attr-defined]
        yield from _walk(child, path, late)


def _targets(node: ast.ImportFrom, path: Path) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        package = name_of(path).split(".")
        if path.name != "__init__.py":
            package = package[:-1]
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, *([base] if base else [])])
    yield base
    for alias in node.names:  # `from nas import loop` imports nas.engine.loop
        if (ROOT / base.replace(".", "/") / f"{alias.name}.py").exists():
            yield f"{base}.{alias.name}"


def _is_import_module(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called == "import_module"


def users(package: str, *, late: bool = True) -> set[str]:
    """Modules of ours (outside the tests) that import a third-party package."""
    return {
        name_of(path)
        for ours in PACKAGES[:3]
        for path in modules(ours)
        if any(target.split(".")[0] == package for target in imports(path, late=late))
    }


def parametrized(package: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", modules(package), ids=name_of)


def test_the_walk_sees_every_way_to_import() -> None:
    text = (
        "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\n"
        "def f():\n    import g\n    importlib.import_module('h')\nclass K:\n    import i\ntry:\n    import j\nexcept: pass"
    )
    path = ROOT / "nas" / "loop.py"
    assert list(_walk(ast.parse(text), path, True)) == ["a.b", "c", "g", "h", "i", "j"]
    assert list(_walk(ast.parse(text), path, False)) == ["a.b", "c", "i", "j"]
    relative = "from . import history\nfrom .algorithms import x\nfrom nas import loop"
    assert list(_walk(ast.parse(relative), path, True)) == [
        "nas",
        "nas.runs.history",
        "nas.algorithms",
        "nas",
        "nas.engine.loop",
    ]


@parametrized("nas")
def test_nas_knows_spaces_and_surrogates_only_where_a_run_is_assembled(path: Path) -> None:
    early = {t.split(".")[0] for t in imports(path, late=False)}
    assert not early & {"search_spaces", "surrogates", "experiments"}
    if name_of(path) not in KNOWS:
        late = {t.split(".")[0] for t in imports(path)}
        assert not late & {"search_spaces", "surrogates", "experiments"}


@parametrized("search_spaces")
def test_spaces_know_only_the_records_interfaces_checks_and_errors_of_nas(path: Path) -> None:
    check_seams(path, other="surrogates")


@parametrized("surrogates")
def test_surrogates_know_only_the_records_interfaces_checks_and_errors_of_nas(path: Path) -> None:
    check_seams(path, other="search_spaces")


def check_seams(path: Path, other: str) -> None:
    targets = set(imports(path))
    assert not {t for t in targets if t.split(".")[0] in (other, "experiments")}
    ours = {t for t in targets if t.split(".")[0] == "nas" and not t.startswith("nas.core")}
    assert ours <= {f"nas.{name}" for name in SHARED} | {"nas"}


@parametrized("nas/algorithms")
def test_algorithms_know_nothing_of_executors_history_or_the_loop(path: Path) -> None:
    known = {t.split(".")[1] for t in imports(path) if t.startswith("nas.")}
    assert not known & {"executors", "history", "loop", "api", "cli", "run_folder", "assemble", "training"}


@parametrized("nas/executors")
def test_executors_know_nothing_of_algorithms_history_or_the_loop(path: Path) -> None:
    known = {t.split(".")[1] for t in imports(path) if t.startswith("nas.")}
    assert known <= {"core", "executors", *SHARED}


def test_the_loop_knows_no_algorithm_and_no_executor_by_name() -> None:
    targets = set(imports(ROOT / "nas" / "loop.py"))
    assert not {t for t in targets if t.startswith(("nas.algorithms", "nas.executors"))}


def test_ray_enters_in_its_executor_alone() -> None:
    assert users("ray")
    assert all(name.startswith("nas.executors.ray") for name in users("ray"))


def test_pymoo_enters_in_the_reference_directions_the_baselines_and_as_a_peer_alone() -> None:
    assert users("pymoo") == {
        "nas.pareto.directions",
        "nas.algorithms._pymoo_survival",
        "nas.algorithms.peers.pymoo_search",
    }


@pytest.mark.parametrize("package", ["optuna", "syne_tune"])
def test_packages_that_are_no_requirement_are_only_loaded_when_they_are_used(package: str) -> None:
    assert users(package, late=False) == set()


def test_moocore_enters_in_the_indicators_alone() -> None:
    assert users("moocore") == {"nas.pareto.indicators"}


def test_the_command_line_libraries_enter_in_the_command_line_alone() -> None:
    for package in ("typer", "rich"):
        assert users(package)
        assert all(name.startswith("nas.cli") for name in users(package))


def test_torch_stays_out_of_the_engine() -> None:
    trainers = ("nas.training", "nas.training.tasks", "nas.export")
    engine = {n for n in users("torch") if n.startswith("nas.") and not n.startswith(trainers)}
    assert engine <= {
        "nas.testing.spaces",
        "nas.training.latency",
        "nas.monitor.trackers.tensorboard",
        "nas.cli.doctor",
    }


@pytest.mark.parametrize(
    "module",
    ["nas", "nas.api", "nas.cli", "nas.config.assemble", "nas.testing", "search_spaces", "surrogates"],
)
def test_a_first_import_loads_neither_torch_nor_ray(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'ray', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_public_name_of_nas_can_be_had() -> None:
    import nas

    assert all(getattr(nas, name) is not None for name in nas.__all__)
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        nas.serach  # noqa: B018


def test_no_module_reads_a_pickle() -> None:
    """What a stranger's file holds is never run."""
    readers = {"load", "loads", "Unpickler"}
    used = {
        f"{name_of(path)}: {ast.unparse(node)}"
        for package in PACKAGES[:3]
        for path in modules(package)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in readers
        if ast.unparse(node.value) in ("pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve")
    }
    assert used == {  # what the search and its own workers sent each other
        "nas.executors.ray_worker: cloudpickle.loads",
        "nas.executors.ray_worker: pickle.loads",
    }
