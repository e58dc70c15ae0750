"""Imports between rooms, read from the code, and the modules that a first import loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The one table of allowed imports. Each room of `nas` may import the rooms above it in this list, and no other: an entry
# that moves is a decision. The root of `nas` (`__init__`, `api`) may import every room, and no room imports `nas.api`.
ROOMS = (
    "core",  # values, contracts, errors, checks, names, files, text
    "pruning",  # what of a network can be cut, and the cut network
    "spaces",  # declared spaces: parameters, conditions, costs by tracing
    "pareto",  # dominance, archive, indicators, directions, decomposition, preference, decision
    "executors",  # serial, Ray, simulated
    "training",  # data, recipes, the training loop, tasks, latency
    "sharing",  # weight sharing: shared tensors, networks that inherit them
    "deployment",  # the deployed network: ONNX file, int8, targets, measurement on devices
    "algorithms",  # one algorithm a file, what they share, other packages' optimisers
    "runs",  # everything on disk: log, tables, files, notes, failures
    "report",  # figures, tables and the page of a run
    "engine",  # the loop, its state, plan, rungs, replay, warm start, kept weights, callbacks
    "testing",  # contract checks for users
    "monitor",  # live status, trackers
    "dashboard",  # the page of all runs in a folder, served on loopback
    "config",  # the YAML schema, and assembling
    "export",  # products of a run
    "shrinking",  # smaller networks within a trained one: its description, fine-tuning with distillation
    "baselines",  # networks that a user would have picked, trained like the candidates of a run
    "compare",  # algorithms x problems x seeds
    "cli",  # commands: parse, call, print
)
PACKAGES = ("nas", "search_spaces", "surrogates", "experiments")
# Where `nas` imports spaces or surrogates late: `nas data` (its benchmark), `nas show`, `nas shrink` and `nas baseline` (networks that have names), the
# surrogates of a search that predicts. Components are looked up by name in `nas.core.plugins` alone.
KNOWS = {
    "nas.cli.benchmarks",
    "nas.cli.networks",
    "nas.cli.named_networks",
    "nas.algorithms.prediction",
    "nas.shrinking.models",
    "nas.baselines.networks",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path, *, late: bool = True) -> frozenset[str]:
    """Names of the modules that a file imports; without `late` only where importing the file imports them."""
    return frozenset(_walk(tree(path), path, late))


@cache
def every_import(path: Path) -> frozenset[str]:
    """As `imports`, with those for type checkers."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_targets(node, path))
        elif _is_import_module(node):
            found.add(node.args[0].value)  # type: ignore[attr-defined]
    return frozenset(found)


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


# The nodes that the tests read; all nodes of all files take seconds to walk, several times.
KINDS = (ast.Import, ast.ImportFrom, ast.Call, ast.Attribute, ast.ClassDef)


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The nodes of a file of those kinds."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, KINDS)]


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


ALL_MODULES = {
    name_of(path)
    for package in ("nas", "search_spaces", "surrogates")
    for path in (ROOT / package).rglob("*.py")
}


def users(package: str, *, late: bool = True) -> set[str]:
    """Modules of ours (outside the tests) that import a third-party package."""
    return {
        name_of(path)
        for ours in PACKAGES[:3]
        for path in modules(ours)
        if any(target.split(".")[0] == package for target in imports(path, late=late))
    }


def test_the_walk_sees_every_way_to_import() -> None:
    text = (
        "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\n"
        "def f():\n    import g\n    importlib.import_module('h')\nclass K:\n    import i\ntry:\n    import j\nexcept: pass"
    )
    path = ROOT / "nas" / "loop.py"
    assert list(_walk(ast.parse(text), path, True)) == ["a.b", "c", "g", "h", "i", "j"]
    assert list(_walk(ast.parse(text), path, False)) == ["a.b", "c", "i", "j"]
    path = ROOT / "nas" / "engine" / "loop.py"
    relative = "from . import replay\nfrom ..algorithms import x\nfrom nas.engine import loop"
    found = list(_walk(ast.parse(relative), path, True))
    assert found == ["nas.engine", "nas.engine.replay", "nas.algorithms", "nas.engine", "nas.engine.loop"]


def test_every_room_is_in_the_table_and_the_root_holds_the_entry_alone() -> None:
    rooms = {path.name for path in (ROOT / "nas").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(ROOMS)
    assert {path.name for path in (ROOT / "nas").glob("*.py")} == {"__init__.py", "api.py"}


def test_a_room_imports_only_the_rooms_above_it() -> None:
    """Late imports and those for type checkers count."""
    wrong = {}
    for place, room in enumerate(ROOMS):
        below = {*ROOMS[place + 1 :], "api"}
        for path in modules(f"nas/{room}"):
            targets = {t.split(".")[1] for t in every_import(path) if t.startswith("nas.")}
            wrong[name_of(path)] = targets & below
    assert len(wrong) > 300
    assert offenders(wrong) == {}


def offenders(wrong: dict[str, set[str]]) -> dict[str, set[str]]:
    """The modules with a wrong import."""
    return {name: targets for name, targets in wrong.items() if targets}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports and those for type checkers count."""
    known = {name_of(path): path for package in PACKAGES[:3] for path in modules(package)}
    edges = {
        name: {t for t in every_import(path) if t in known and t != name} for name, path in known.items()
    }
    # a package whose submodule is imported by name is a parent, not a part of the circle
    for name, path in known.items():
        if path.name == "__init__.py":
            continue
        edges[name] = {t for t in edges[name] if known[t].name != "__init__.py" or _names_from(path, t)}
    left = dict(edges)
    while True:
        ends = {name for name, targets in left.items() if not targets & left.keys()}
        if not ends:
            break
        left = {name: targets for name, targets in left.items() if name not in ends}
    starts = {name for name in left if not any(name in left[other] for other in left)}
    while starts:
        left = {name: targets for name, targets in left.items() if name not in starts}
        starts = {name for name in left if not any(name in left[other] for other in left)}
    assert {name: sorted(targets & left.keys()) for name, targets in left.items()} == {}


def _names_from(path: Path, package: str) -> bool:
    """Whether a file takes names of a package itself, rather than one of its modules."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            if any(f"{package}.{alias.name}" not in ALL_MODULES for alias in node.names):
                return True
        elif isinstance(node, ast.Import) and any(alias.name == package for alias in node.names):
            return True
    return False


def test_nas_knows_spaces_and_surrogates_only_where_a_run_is_assembled() -> None:
    wrong = {}
    for path in modules("nas"):
        name = name_of(path)
        targets = {t.split(".")[0] for t in imports(path, late=name not in KNOWS)}
        wrong[name] = targets & {"search_spaces", "surrogates", "experiments"}
    assert wrong.keys() >= KNOWS
    assert offenders(wrong) == {}


@pytest.mark.parametrize(
    ("package", "other"), [("search_spaces", "surrogates"), ("surrogates", "search_spaces")]
)
def test_spaces_and_surrogates_know_the_core_and_declared_spaces_alone(package: str, other: str) -> None:
    wrong = {}
    for path in modules(package):
        targets = every_import(path)
        outside = {t for t in targets if t.split(".")[0] in (other, "experiments")}
        deep = {t for t in targets if t.startswith("nas.") and not t.startswith(("nas.core", "nas.spaces"))}
        wrong[name_of(path)] = outside | deep
    assert wrong
    assert offenders(wrong) == {}


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
def test_optional_packages_are_loaded_only_on_use(package: str) -> None:
    assert users(package, late=False) == set()


def test_moocore_enters_in_the_indicators_alone() -> None:
    assert users("moocore") == {"nas.pareto.indicators"}


def test_the_command_line_libraries_enter_in_the_command_line_alone() -> None:
    for package in ("typer", "rich"):
        assert users(package)
        assert all(name.startswith("nas.cli") for name in users(package))


def test_torch_stays_out_of_the_engine() -> None:
    trainers = ("nas.pruning", "nas.training", "nas.sharing", "nas.deployment", "nas.export", "nas.shrinking")
    engine = {n for n in users("torch") if n.startswith("nas.") and not n.startswith(trainers)}
    assert engine <= {
        "nas.spaces.cut_networks",
        "nas.spaces.from_network",
        "nas.spaces.modules",
        "nas.spaces.tracing",
        "nas.spaces.layers",
        "nas.spaces.shape_rules",
        "nas.testing.spaces",
        "nas.training.latency",
        "nas.monitor.trackers.tensorboard",
        "nas.cli.doctor",
    }


def test_a_first_import_loads_neither_torch_nor_ray() -> None:
    entries = (
        "nas",
        "nas.api",
        "nas.cli",
        "nas.config.assemble",
        "nas.testing",
        "search_spaces",
        "surrogates",
    )
    code = f"""
import importlib, sys
for name in {entries}:
    importlib.import_module(name)
    print(name, [heavy for heavy in ("torch", "ray", "matplotlib") if heavy in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == [f"{name} []" for name in entries], done.stdout + done.stderr


def test_every_public_name_of_nas_can_be_had() -> None:
    import nas

    assert all(getattr(nas, name) is not None for name in nas.__all__)
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        nas.serach  # noqa: B018


def test_no_module_reads_a_pickle() -> None:
    """The content of a stranger's file is never run."""
    readers = {"load", "loads", "Unpickler"}
    used = {
        f"{name_of(path)}: {ast.unparse(node)}"
        for package in PACKAGES[:3]
        for path in modules(package)
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in readers
        if ast.unparse(node.value) in ("pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve")
    }
    assert used == {  # messages between the search and its own workers
        "nas.executors.ray_worker: cloudpickle.loads",
        "nas.executors.ray_worker: pickle.loads",
    }


def test_no_base_class_asks_for_more_than_five_methods() -> None:
    asked = {
        f"{name_of(path)}.{node.name}": sum(
            any("abstractmethod" in ast.unparse(d) for d in method.decorator_list)
            for method in node.body
            if isinstance(method, ast.FunctionDef)
        )
        for package in PACKAGES[:3]
        for path in modules(package)
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
    }
    assert {name: n for name, n in asked.items() if n > 5} == {}
