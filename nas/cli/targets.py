"""`nas targets` and `nas check`: the devices that networks are meant for, and whether networks fit them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from nas.cli.console import output, print_json
from nas.cli.named_networks import Sizes, is_muxnet, network_of
from nas.cli.networks import SpaceNetwork
from nas.core.errors import ConfigError
from nas.deployment.fitting import faults, in_bytes
from nas.deployment.graph import GraphFacts
from nas.deployment.onnx_file import NotExportable, check_packages, deployed_model
from nas.deployment.target import Target, built_in_targets, read_target
from nas.export.picks import choose
from nas.runs.empty_front import why_empty
from nas.runs.history import FILE


def list_targets(as_json: bool) -> None:
    """Print the built-in targets."""
    targets = [read_target(name) for name in built_in_targets()]
    if as_json:
        print_json([{**t.as_json(), "description": t.description} for t in targets])
        return
    table = Table(header_style="bold")
    for name in ("target", "threads", "precision", "RAM", "flash", "operators", "description"):
        table.add_column(name, justify="right" if name in ("threads", "RAM", "flash") else "left")
    for t in targets:
        known = "all" if t.operators is None else f"{len(t.operators)} types"
        table.add_row(
            t.name, str(t.threads), t.precision, in_bytes(t.ram), in_bytes(t.flash), known, t.description
        )
    output().print(table)
    output().print(
        "A target without the key device measures latencies on this machine, whatever its name. "
        "Copy one to change it: a config names its file with the key target; docs/deployment.md describes the keys."
    )


@dataclass(frozen=True)
class Checked:
    """A network on a target; `faults` are the reasons why it does not fit (none: it fits)."""

    network: str
    facts: GraphFacts | None
    faults: tuple[str, ...]

    def as_json(self, target: Target) -> dict[str, Any]:
        """Plain values; sizes in bytes."""
        known: Mapping[str, Any] = {}
        if self.facts is not None:
            known = {
                "peak_memory": self.facts.peak_memory(target.precision),
                "model_size": self.facts.model_size(target.precision),
                "file_size": self.facts.file_size,
                "operators": dict(sorted(self.facts.operators.items())),
            }
        return {"network": self.network, "feasible": not self.faults, "reasons": list(self.faults), **known}


def run_check(
    target_name: str, what: str, architecture: str | None, settings: Sequence[str], trust: bool, as_json: bool
) -> None:
    """Print whether the front of a run, or one network, fits a target; exit with 1 if none does. Raises `ConfigError`."""
    target = read_target(target_name)
    check_packages("nas check")
    of_run = Path(what).is_dir() and (architecture is None or (Path(what) / FILE).is_file())
    if of_run and settings:
        raise ConfigError("--set: the run has the settings of its space; remove --set")
    if (
        architecture is None
        and "/" in what
        and not Path(what).is_dir()
        and not is_muxnet(what)
        and ":" not in what
    ):
        raise ConfigError(f"no folder {what}: expected that of a search, or a network (nas list models)")
    found = list(
        _of_run(Path(what), architecture, target, trust)
        if of_run
        else _of_network(what, architecture, settings, target)
    )
    if as_json:
        print_json({"target": target.as_json(), "networks": [one.as_json(target) for one in found]})
    else:
        _print(found, target)
    if all(one.faults for one in found):
        raise typer.Exit(1)


def _of_run(folder: Path, pick: str | None, target: Target, trust: bool) -> Iterator[Checked]:
    """The networks of a run's front, or the one that `pick` selects."""
    from nas.cli.trusting import read_run
    from nas.deployment.untrained import architecture_facts

    run = read_run(folder, trust, "nas check")
    if len(run.table.front) == 0:
        raise ConfigError(f"{folder}: {why_empty(run.table)}")
    texts = run.table.front["architecture"]
    for text in texts if pick is None else [choose(run.table, [pick])[0].architecture]:
        try:
            facts = architecture_facts(run.space, run.space.parse(text), target, run.task)
            yield Checked(text, facts, faults(facts, target))
        except NotExportable as error:
            yield Checked(text, None, (str(error),))


def _of_network(first: str, second: str | None, settings: Sequence[str], target: Target) -> Iterator[Checked]:
    from nas.deployment.untrained import architecture_facts, network_facts
    from nas.training.latency import enliven

    network: Any = network_of(
        first, second, settings, Sizes(target.input_size) if second is None else Sizes()
    )
    try:
        if isinstance(network, SpaceNetwork):
            facts = architecture_facts(network.space, network.architecture, target)
        else:
            side = target.input_size or network.spec.resolution
            built = network.builder(0.0, 0.0, side)(num_classes=network.classes, in_channels=network.channels)
            model = deployed_model(enliven(built), (network.channels, side, side), target.opset)
            facts = network_facts(built, model, target)
    except NotExportable as error:
        yield Checked(network.label, None, (str(error),))
        return
    yield Checked(network.label, facts, faults(facts, target))


def _print(found: Sequence[Checked], target: Target) -> None:
    table = Table(
        header_style="bold", title=f"Target {target.name} ({target.precision})", title_justify="left"
    )
    table.add_column("network", overflow="fold")
    for name in ("activations", "weights", "ONNX file"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("fits")
    for one in found:
        sizes = ["", "", ""]
        if one.facts is not None:
            facts = one.facts
            sizes = [
                in_bytes(n)
                for n in (
                    facts.peak_memory(target.precision),
                    facts.model_size(target.precision),
                    facts.file_size,
                )
            ]
        table.add_row(one.network, *sizes, "yes" if not one.faults else "no: " + "; ".join(one.faults))
    output().print(table)
    fitting = sum(not one.faults for one in found)
    if len(found) > 1:
        output().print(f"{fitting} of {len(found)} networks fit.")
