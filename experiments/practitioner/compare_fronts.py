"""Compare searches of equal time and MobileNets by test errors: hypervolume, lowest error at each size, MobileNets that are dominated; a figure.

python experiments/practitioner/compare_fronts.py
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from nas.core.records import FloatArray
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import Box, attainment_surfaces, hypervolume

RESULTS = Path(__file__).resolve().parent / "results"
SEARCHED = RESULTS.parents[1] / "weight_sharing" / "results"
NONE = "none"
NAMES = {
    "full": "sa-moead, full trainings",
    "halving": "sa-moead, successive halving",
    "shared": "sa-moead, weight sharing",
    "tuned": "sa-moead, weight sharing with tuned weights",
    "delivered": "the same, weights as the search leaves them",
    "evolution": "regularized evolution",
    "tpe": "Optuna's TPE",
    "random": "random search",
    NONE: "MobileNets, no search",
}
COLOURS = dict(
    zip(
        NAMES,
        ("#0072B2", "#56B4E9", "#009E73", "#8C564B", "#E69F00", "#D55E00", "#CC79A7", "#999999", "#000000"),
        strict=True,
    )
)
ERRORS = (30.0, 75.0)  # the box of the hypervolume, percent


@dataclass(frozen=True)
class Size:
    """What networks cost: the column, its name and unit, the range of the hypervolume, and the sizes of the table."""

    column: str
    title: str
    unit: str
    scale: float
    box: tuple[float, float]
    at: Sequence[float]


SIZES = (
    Size("madds", "multiply-adds", "M", 1e6, (0.1, 50.0), (0.25, 0.5, 1, 2, 4)),
    Size("latency_ms", "latency", "ms", 1.0, (0.02, 5.0), (0.05, 0.1, 0.2, 0.4)),
)


def points(
    searches: pd.DataFrame, finalists: pd.DataFrame, mobilenets: pd.DataFrame, delivered: pd.DataFrame
) -> pd.DataFrame:
    """A row for each tested network of each search, with its `method` and `seed`; the MobileNets count once.

    Those of `delivered` have the test errors of the weights that the search left, and the costs of `finalists`.
    """
    tested = finalists.set_index("network")
    found = [
        tested.loc[json.loads(str(row.networks))].reset_index().assign(method=row.method, seed=row.seed)
        for row in searches.itertuples()
    ]
    left = delivered[["network", "seed", "test_error"]].assign(method="delivered")
    left = left.join(tested[["madds", "latency_ms"]], on="network")
    return pd.concat([*found, left, mobilenets.assign(method=NONE, seed=0)], ignore_index=True)


def volume(rows: pd.DataFrame, size: Size) -> float:
    """The hypervolume of these networks, in the share of the box; the size counts by its logarithm."""
    low, high = np.log10(np.array(size.box) * size.scale)
    found: FloatArray = np.column_stack([rows["test_error"], np.log10(rows[size.column])])
    found = np.minimum(found, [ERRORS[1], high])
    box = Box(ideal=np.array([ERRORS[0], low]), reference=np.array([ERRORS[1], high]))
    return float(hypervolume(found[non_dominated(found)], box))


def lowest(rows: pd.DataFrame, size: Size, limit: float) -> float:
    """The lowest test error of these networks that are not larger than `limit` (in the size's unit); NaN without one."""
    return float(rows.loc[rows[size.column] <= limit * size.scale, "test_error"].min())


def table(rows: pd.DataFrame, size: Size) -> list[str]:
    """Markdown: for each method its hypervolume and the lowest error at each size; medians of the seeds, least and most."""
    head = ["method", "seeds", "hypervolume", *(f"{at:g} {size.unit}" for at in size.at)]
    lines = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
    for method, name in NAMES.items():
        groups = [group for _, group in rows[rows["method"] == method].groupby("seed")]
        if groups:
            volumes = [volume(group, size) for group in groups]
            errors = [[lowest(group, size, at) for group in groups] for at in size.at]
            cells = [_spread(volumes, 3), *(_spread(one, 1) for one in errors)]
            lines.append(f"| {name} | {len(groups)} | {' | '.join(cells)} |")
    return lines


def _spread(values: Sequence[float], digits: int) -> str:
    if np.isnan(values).all():
        return "-"
    low, middle, high = np.nanmin(values), np.nanmedian(values), np.nanmax(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def dominated(rows: pd.DataFrame, size: Size) -> pd.DataFrame:
    """For each MobileNet and method: how many of its searches found a network that is not worse in error and size, and better in one."""
    found = []
    for other in rows[rows["method"] == NONE].to_dict("records"):
        for method in NAMES:
            groups = [g for _, g in rows[(rows["method"] == method) & (method != NONE)].groupby("seed")]
            verdicts = [
                _dominates(group, float(other["test_error"]), float(other[size.column]), size)
                for group in groups
            ]
            if verdicts:
                found.append((other["network"], other[size.column], method, sum(verdicts), len(verdicts)))
    return pd.DataFrame(found, columns=["network", "size", "method", "dominated", "seeds"])


def _dominates(group: pd.DataFrame, error: float, cost: float, size: Size) -> bool:
    not_worse = (group["test_error"] <= error) & (group[size.column] <= cost)
    better = (group["test_error"] < error) | (group[size.column] < cost)
    return bool((not_worse & better).any())


def draw(rows: pd.DataFrame, path: Path) -> None:
    """The fronts that half of the seeds attain, by multiply-adds and by latency."""
    figure, panels = plt.subplots(1, len(SIZES), figsize=(10, 4.2), layout="constrained", sharey=True)
    for ax, size in zip(panels, SIZES, strict=True):
        for method, name in NAMES.items():
            groups = [group for _, group in rows[rows["method"] == method].groupby("seed")]
            if not groups:
                continue
            fronts = [group[[size.column, "test_error"]].to_numpy(dtype=np.float64) for group in groups]
            corners = attainment_surfaces(fronts, [50.0])[50.0]
            style = {"linestyle": "--", "marker": "o", "markersize": 3} if method == NONE else {}
            ax.step(
                corners[:, 0] / size.scale,
                corners[:, 1],
                where="post",
                color=COLOURS[method],
                label=name,
                **style,
            )
        ax.set(xscale="log", xlabel=f"{size.title} [{size.unit}]")
        ax.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("test error [%]")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--searched", type=Path, default=SEARCHED, help="folder of the searches' tables")
    args = parser.parse_args()
    searches = pd.read_csv(args.searched / "equal_compute.csv")
    delivered = pd.read_csv(args.searched / "delivered.csv", dtype={"network": str})
    rows = points(
        searches[searches["minutes"] == args.minutes],
        pd.read_csv(args.searched / "finalists.csv", dtype={"network": str}),
        pd.read_csv(args.results / "mobilenets.csv", dtype={"network": str}),
        delivered[delivered["minutes"] == args.minutes],
    )
    for size in SIZES:
        print("\n".join(table(rows, size)), end="\n\n")
        verdicts = dominated(rows, size)
        wide = verdicts.assign(text=verdicts["dominated"].astype(str) + "/" + verdicts["seeds"].astype(str))
        print(wide.pivot(index=["size", "network"], columns="method", values="text").to_string(), end="\n\n")
    draw(rows, args.results / "fronts.png")


if __name__ == "__main__":
    main()
