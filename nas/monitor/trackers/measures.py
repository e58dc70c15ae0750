"""The numbers that experiment trackers log after each result."""

from __future__ import annotations

import math
from importlib.util import find_spec

from nas.core.errors import ConfigError
from nas.core.records import Result, Status
from nas.engine.search_state import SearchState
from nas.monitor.live import LiveStatus


def check_installed(callback: str, package: str, *modules: str) -> None:
    """Raise `ConfigError` with the command that installs missing packages; load nothing."""
    if not all(map(_is_installed, modules)):
        raise ConfigError(
            f"callback {callback}: needs {package}, which is not installed: pip install 'multiobjective-nas[{callback}]'"
        )


def _is_installed(module: str) -> bool:
    """Whether a package is there; a folder of that name in the working folder, such as wandb's own, is not one."""
    found = find_spec(module)
    return found is not None and found.origin is not None


class Measures:
    """The numbers to log after each result of one search."""

    def __init__(self) -> None:
        self._live = LiveStatus()

    def begin(self, state: SearchState) -> int:
        """Read the earlier results; return their number of evaluations."""
        self._live.begin(state)
        return state.evaluated

    def told(self, state: SearchState, result: Result) -> dict[str, float]:
        """Finite numbers by name, in their units; none for a trial that was never sent to a worker.

        ``objective/NAME`` is the result's, ``best/NAME`` the front's; ``evaluations`` counts from 1, the step of the rest.
        """
        self._live.told(state, result)
        standing = None if result.status is Status.INVALID else self._live.now()
        if standing is None:
            return {}
        found: dict[str, float] = {"evaluations": standing.evaluated}
        if result.ok:
            found |= {f"objective/{o.name}": result.values[o.name] for o in state.problem.objectives}
        found |= {f"best/{best.objective}": best.value for best in standing.best}
        found |= {
            "front/hypervolume": standing.hypervolume,
            "front/size": standing.front_size,
            "failures/all": standing.failed,
        }
        found |= {
            f"failures/{status.value}": state.counts[status]
            for status in Status
            if status not in (Status.OK, Status.INVALID) and state.counts[status]
        }
        found |= {f"surrogate/tau_{j.objective}": j.tau for j in standing.surrogates}
        if standing.sharing is not None:
            quality = standing.sharing
            found |= {"sharing/tau": quality.tau.value, "sharing/partial_tau": quality.partial.value}
        if standing.rate is not None:
            found["pace/evaluations_per_minute"] = standing.rate
        return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def run_parameters(state: SearchState) -> dict[str, str]:
    """The parameters of the run, as texts by name."""
    problem, settings = state.problem, state.settings
    return {
        "space": problem.space.name,
        "objectives": ", ".join(f"{'max' if o.maximize else 'min'} {o.name}" for o in problem.objectives),
        "limits": "; ".join(map(str, problem.limits)) or "none",
        "evaluations": str(settings.evaluations),
        "seed": str(settings.seed),
        "concurrency": str(settings.in_flight),
    }


def front_rows(state: SearchState) -> list[tuple[str, ...]]:
    """The front as texts: a header with units, then a row per architecture, sorted by the first objective.

    Noisy objectives have their expected values, and the measured ones in the last columns.
    """
    objectives = state.problem.objectives
    noisy = [] if state.expected is None else state.expected.noisy

    def titled(name: str, unit: str) -> str:
        return f"{name} ({unit})" if unit else name

    titles = [
        titled(f"{o.name} expected" if j in noisy else o.name, o.unit) for j, o in enumerate(objectives)
    ]
    titles += [titled(f"{objectives[j].name} measured", objectives[j].unit) for j in noisy]
    header = ("architecture", *titles)
    items = sorted(zip(state.front.points.tolist(), state.front.items, strict=True), key=lambda item: item[0])
    rows = [
        (
            state.problem.space.format(result.trial.architecture),
            *(f"{o.sign * v:.6g}" for o, v in zip(objectives, point, strict=True)),
            *(f"{result.values[objectives[j].name]:.6g}" for j in noisy),
        )
        for point, result in items
    ]
    return [header, *rows]
