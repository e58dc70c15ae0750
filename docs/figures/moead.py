"""The figures of docs/moead.md, drawn from the code that searches: `python docs/figures/moead.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from style import BLUE, FAINT, GREEN, INK, SKY, VERMILLION, caption, panels, save

import nas
from nas.algorithms.moead import MOEAD, MOEADSettings, neighbourhoods
from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.decomposition import pbi
from nas.pareto.directions import das_dennis, riesz
from nas.pareto.indicators import Box, hypervolume

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from made_up import MadeUp, evaluate

SPACE = MadeUp()


class Unscaled(MOEAD):
    """MOEA/D on the objectives as they are."""

    def _normalise(self, points: FloatArray) -> None:
        """Keep the ideal at 0 and every scale at 1."""


def draw_pbi() -> None:
    """What PBI measures, and which points are as good as one another."""
    direction = np.array([0.8, 0.6])
    grid = np.linspace(0, 1.25, 241)
    xs, ys = np.meshgrid(grid, grid)
    points = np.column_stack([xs.ravel(), ys.ravel()])
    figure, axes = panels(3)
    for ax, theta in zip(axes, (0.1, 1.0, 5.0), strict=True):
        values = pbi(points, np.tile(direction, (len(points), 1)), theta).reshape(xs.shape)
        ax.contour(xs, ys, values, levels=np.arange(0.25, 6, 0.25), colors=SKY, linewidths=0.9)
        ax.plot(*zip((0, 0), 1.5 * direction, strict=True), color=INK, lw=1.6)
        ax.set(xlim=(0, 1.25), ylim=(0, 1.25), aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        a, b = np.array([0.95, 0.2]), np.array([0.72, 0.72])
        for point, name, colour in ((a, "A", VERMILLION), (b, "B", GREEN)):
            ax.plot(*point, "o", color=colour, ms=6, zorder=5)
            value = float(pbi(point, direction, theta))
            ax.annotate(f"{name}: {value:.2f}", point, (6, 5), textcoords="offset points", fontsize=9, color=colour,
                        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85})  # fmt: skip
        caption(ax, f"θ = {theta:g}", "objective 1 (normalised)", "objective 2 (normalised)")
    ax, foot = axes[1], direction * (a @ direction)
    ax.plot(*zip(a, foot, strict=True), color=VERMILLION, lw=1.2, ls=(0, (3, 2)))
    ax.plot(*zip((0, 0), foot, strict=True), color=VERMILLION, lw=2.4, alpha=0.75)
    for text, place in (("d1", (0.28, 0.29)), ("d2", (0.88, 0.39))):
        ax.text(*place, text, color=VERMILLION, fontsize=9, weight="bold")
    for ax, title in zip(
        axes, ("θ = 0.1: the default", "θ = 1: between", "θ = 5: near the direction"), strict=True
    ):
        ax.set_title(title, loc="left", fontsize=9.5, color=INK)
    save(figure, "moead_pbi")


def flat(weights: FloatArray) -> FloatArray:
    """Points of the unit simplex, (n, 3), in a triangle, (n, 2)."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    return weights @ corners


def draw_directions() -> None:
    """Reference directions in two and three objectives, with a neighbourhood."""
    figure, axes = panels(3)
    two = das_dennis(2, 12)
    near = neighbourhoods(two, 5)
    home = 4
    for i, weight in enumerate(two):
        unit = weight / np.linalg.norm(weight)
        colour = VERMILLION if i == home else BLUE if i in near[home] else "#BBBBBB"
        axes[0].plot(*zip((0, 0), unit, strict=True), color=colour, lw=2.0 if i in near[home] else 1.2)
    axes[0].set(xlim=(0, 1.05), ylim=(0, 1.05), aspect="equal", xticks=(0, 1), yticks=(0, 1))
    caption(axes[0], "two objectives: 12 directions", "objective 1", "objective 2")
    for ax, weights, title in (
        (axes[1], das_dennis(3, 66), "three: a grid (Das–Dennis), 66"),
        (axes[2], riesz(3, 50), "three: any number (Riesz), here 50"),
    ):
        places = flat(weights)
        near = neighbourhoods(weights, 10)
        home = int(np.argmin(np.linalg.norm(weights - np.array([0.5, 0.3, 0.2]), axis=1)))
        ax.plot(*flat(np.eye(3))[[0, 1, 2, 0]].T, color="#BBBBBB", lw=1)
        ax.scatter(*places.T, s=16, color="#BBBBBB")
        ax.scatter(*places[near[home]].T, s=24, color=BLUE)
        ax.scatter(*places[home], s=40, color=VERMILLION, zorder=4)
        for corner, name, shift in zip(
            flat(np.eye(3)), ("error", "params", "MAdds"), ((0, -12), (0, -12), (0, 5)), strict=True
        ):
            ax.annotate(name, corner, shift, textcoords="offset points", ha="center", fontsize=8.5, color=INK)
        ax.set_axis_off()
        ax.set(aspect="equal", ylim=(-0.1, 0.97))
        caption(ax, title)
    save(figure, "moead_directions")


def started(settings: MOEADSettings, seed: int) -> tuple[Any, nas.Problem]:
    """An algorithm after its first population."""
    problem = nas.Problem(SPACE, ["error", "madds"], evaluate)
    algorithm = MOEAD(problem, np.random.default_rng(seed), settings)
    for number in range(algorithm.initial):
        (architecture,) = algorithm.ask(1)
        algorithm.tell([seen(problem, architecture, number)])
    return algorithm, problem


def seen(problem: nas.Problem, architecture: nas.Architecture, number: int) -> nas.Observation:
    """The observation that evaluating an architecture gives."""
    trial = nas.Trial(number, architecture, seed=number)
    values = {**evaluate(trial), **problem.cheap_values(architecture)}
    return problem.observe(nas.Result(trial, nas.Status.OK, values))


def draw_replacement() -> None:
    """One newcomer settles in its neighbourhood: members before and after, in the algorithm's own scale."""
    settings = MOEADSettings(population=9, neighbours=4, mate_nearby=1.0, theta=1.0)
    for seed in range(100):
        algorithm, problem = started(settings, seed)
        for number in range(100, 200):
            before, ideal, scale = algorithm._points.copy(), algorithm._ideal, algorithm._scale
            (child,) = algorithm.ask(1)
            scope = algorithm._scopes[child]
            newcomer = seen(problem, child, number)
            algorithm.tell([newcomer])
            changed = np.flatnonzero((algorithm._points != before).any(axis=1))
            steady = (algorithm._ideal == ideal).all() and (algorithm._scale == scale).all()
            varied = len(np.unique(before, axis=0)) >= 8
            if len(changed) == 2 and steady and varied and not {0, 8} & set(scope):
                draw_members(algorithm, before, newcomer, scope, changed)
                return


def draw_members(
    algorithm: Any, before: FloatArray, newcomer: nas.Observation, scope: Any, changed: Any
) -> None:
    """Two panels: the members that a newcomer meets, and those that are left."""

    def scaled(points: FloatArray) -> FloatArray:
        return np.asarray((points - algorithm._ideal) * algorithm._scale)

    figure, axes = panels(2, width=3.9, height=3.7)
    for ax, members, title in zip(axes, (before, algorithm._points), ("before", "after"), strict=True):
        places = scaled(members)
        for i, direction in enumerate(algorithm._directions):
            colour = BLUE if i in scope else "#B5B5B5"
            foot = direction * (places[i] @ direction)
            ax.plot(*zip((0, 0), 1.6 * direction, strict=True), color=colour, lw=1.1, zorder=1)
            ax.plot(*zip(places[i], foot, strict=True), color=colour, lw=1.0, ls=(0, (2, 2)), zorder=2)
            ax.scatter(*places[i], s=30, color=colour, zorder=3)
        ax.scatter(*scaled(newcomer.objectives), s=100, marker="*", color=VERMILLION, zorder=5)
        ax.set(xlim=(-0.03, 1.1), ylim=(-0.03, 1.1), aspect="equal", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        caption(ax, title, "error (normalised)", "MAdds (normalised)")
    axes[0].scatter(
        *scaled(before[changed]).T, s=120, facecolors="none", edgecolors=VERMILLION, linewidths=1.4, zorder=4
    )
    save(figure, "moead_replacement")


def archive_of(algorithm: type[MOEAD], seed: int) -> FloatArray:
    """The front that a search of 200 evaluations finds, minimised, (k, 2)."""
    found = nas.search(SPACE, ["error", "madds"], evaluate, algorithm=algorithm, budget=200, seed=seed)
    return found.front[["error", "madds"]].to_numpy()


def true_front() -> FloatArray:
    """The front of all architectures of the made-up space, minimised, (k, 2)."""
    every = (
        nas.Architecture(SPACE.name, tuple(map(int, genes))) for genes in np.ndindex(*SPACE.cardinalities)
    )
    points = np.array([[evaluate(nas.Trial(0, a, 0))["test_error"], SPACE.cost(a)["madds"]] for a in every])
    front = points[non_dominated(points)]
    return front[np.argsort(front[:, 0])]


def draw_normalisation() -> None:
    """Fronts found with and without normalisation, and their hypervolume over seeds."""
    figure, (left, right) = panels(2, width=4.2, height=3.3)
    true = true_front()
    low, high = true.min(axis=0), true.max(axis=0)
    box = Box(low, high + 0.1 * (high - low))
    left.step(true[:, 0], true[:, 1] / 1e6, where="post", color=FAINT, lw=1.2, label="true front")
    for place, (name, algorithm, colour, mark) in enumerate(
        [("normalised", MOEAD, BLUE, "o"), ("as they are", Unscaled, VERMILLION, "s")]
    ):
        fronts = [archive_of(algorithm, seed) for seed in range(20)]
        found = [hypervolume(front, box) / hypervolume(true, box) for front in fronts]
        left.scatter(
            fronts[0][:, 0], fronts[0][:, 1] / 1e6, s=24, marker=mark, color=colour, label=name, zorder=3
        )
        right.scatter(found, place + np.linspace(-0.2, 0.2, len(found)), s=22, marker=mark, color=colour)
        right.plot([np.median(found)] * 2, [place - 0.3, place + 0.3], color=INK, lw=1.6)
        right.text(
            np.median(found), place + 0.33, f"{np.median(found):.3f}", ha="center", fontsize=8, color=INK
        )
    left.set_yscale("log")
    left.legend(fontsize=8, frameon=False)
    caption(left, "the front of one seed, after 200 evaluations", "error (%)", "MAdds (millions)")
    right.set_yticks((0, 1), ["normalised", "as they are"])
    right.set(ylim=(-0.6, 1.7))
    caption(right, "20 seeds; a line is the median", "hypervolume, as a part of the true front's")
    save(figure, "moead_normalisation")


if __name__ == "__main__":
    draw_pbi()
    draw_directions()
    draw_replacement()
    draw_normalisation()
