"""Pages of the reference that are made from the code: the command line, and the Python API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import nas
import nas.testing
import nas.training
from nas.cli.app import app

# what most readers look for
FIRST = "search SearchResult Space Choice Integer Float Repeat Choices load_run load_network".split()

# Page: its title, what stands at its top, and the names that it documents.
API: Mapping[str, tuple[str, str, list[str]]] = {
    "nas": (
        "nas",
        "The names of `import nas`. Each is loaded when first used.",
        [f"nas.{name}" for name in (*FIRST, *(name for name in nas.__all__ if name not in FIRST))],
    ),
    "interfaces": (
        "Contracts",
        "The contracts of spaces, algorithms, evaluators, executors and surrogates.",
        [f"nas.core.{part}" for part in ("space", "algorithm", "evaluator", "executor", "surrogate")],
    ),
    "building-blocks": (
        "Building blocks",
        "Parts for custom algorithms, callbacks and evaluators.",
        [
            "nas.algorithms.candidates.Candidates",
            "nas.pareto.archive.ParetoArchive",
            "nas.pareto.decomposition.pbi",
            "nas.pareto.directions",
            "nas.pareto.indicators",
            "nas.algorithms.acquisition",
            "nas.engine.search_state.trial_seed",
            "nas.executors.settings",
            "nas.runs.history.read_history",
            "nas.core.errors",
        ],
    ),
    "training": (
        "nas.training",
        "Training of candidates, and of one network fully. The rest of the package loads torch when it is used.",
        [
            *(f"nas.training.{name}" for name in nas.training.__all__ if name not in ("DATASETS", "RECIPES")),
            "nas.training.data.base",
            "nas.training.robustness.Robustness",
            "nas.training.proxies.WithProxies",
        ],
    ),
    "latency": ("nas.training.latency", "How long networks take.", ["nas.training.latency"]),
    "cut-networks": (
        "nas.spaces.from_module",
        "The space of the networks that remain when a trained network is cut, and its parts.",
        [
            "nas.spaces.from_network.from_module",
            "nas.spaces.cut_networks.ModuleSpace",
            "nas.pruning.analysis.analyse",
            "nas.pruning.structure",
            "nas.pruning.cutting.cut",
            "nas.pruning.ranking",
            "nas.shrinking.evaluator.TuningEvaluator",
        ],
    ),
    "testing": (
        "nas.testing",
        "Checks for custom components: each returns None, or raises `AssertionError` that names the broken rule.",
        [f"nas.testing.{name}" for name in nas.testing.__all__],
    ),
    "search-spaces": (
        "search_spaces",
        "The spaces that come with the framework.",
        [
            "search_spaces.muxnet.MUXNetSpace",
            "search_spaces.nasbench101.NASBench101",
            "search_spaces.nasbench201.space.NASBench201",
            "search_spaces.networks",
        ],
    ),
    "surrogates": (
        "surrogates",
        "Predictors of expensive objectives, their accuracy, and the choice between them.",
        [
            "surrogates.gaussian_process.GaussianProcess",
            "surrogates.rbf.RBF",
            "surrogates.support_vector.SupportVector",
            "surrogates.pairwise_ridge.PairwiseRidge",
            "surrogates.random_forest.RandomForest",
            "surrogates.extra_trees.ExtraTrees",
            "surrogates.gradient_boosting.GradientBoosting",
            "surrogates.light_gbm.LightGBM",
            "surrogates.mlp_ensemble.MLPEnsemble",
            "surrogates.graph_network.GraphNetwork",
            "surrogates.constant.Constant",
            "surrogates.quality",
            "surrogates.selector",
        ],
    ),
}


def api_pages() -> dict[str, str]:
    """The text of every page of the Python API, by its place among the site's sources."""
    return {
        f"reference/api/{page}.md": "\n\n".join([f"# {title}", text, *(f"::: {name}" for name in names)])
        for page, (title, text, names) in API.items()
    }


def command_page() -> str:
    """The command line: every command with its arguments, options and examples."""
    import typer

    top: Any = typer.main.get_command(app)
    parts = ["# Command line", f"{top.help}", "Every command also takes `--help`."]
    for name, command in _leaves(top, "nas"):
        parts += [f"## {name}", _prose(command.help), f"```text\n{_usage(name, command)}\n```"]
        rows = [_row(parameter) for parameter in command.params if not parameter.hidden]
        if rows:
            parts.append("\n".join(["| argument or option | default | meaning |", "|---|---|---|", *rows]))
        if command.epilog:
            parts.append(command.epilog)
    return "\n\n".join(parts) + "\n"


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, child in inner.items():
        yield from _leaves(child, f"{name} {word}")


def _prose(text: str | None) -> str:
    return (text or "").strip()


def _usage(name: str, command: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    words = [_argument(p) if p.required else f"[{_argument(p)}]" for p in arguments]
    return " ".join([name, *words, "[OPTIONS]" if len(arguments) < len(command.params) else ""]).strip()


def _argument(parameter: Any) -> str:
    name: str = parameter.metavar or parameter.name.upper()
    return f"{name}..." if parameter.nargs == -1 else name


def _row(parameter: Any) -> str:
    option = parameter.opts[0].startswith("-")
    shown = ", ".join(parameter.opts) if option else _argument(parameter)
    value = " VALUE" if option and not parameter.is_flag else ""
    default = "(needed)" if parameter.required else _default(parameter.default)
    meaning = (parameter.help or "").replace("|", "\\|")
    return f"| `{shown}{value if option else ''}` | {default} | {meaning} |"


def _default(value: Any) -> str:
    return "" if value is None or value is False or value == [] else f"`{value}`"
