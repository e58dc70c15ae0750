"""How well supernets rank the networks of a pool, over the CPU minutes of their training: a table and a figure.

    python experiments/weight_sharing/curve.py --pool resnets

Reads results/supernets_POOL.csv and the pool's recorded trainings; writes results/curve_POOL.csv and figures/curve_POOL.png. "Own" errors are the means of two
trainings with different seeds, on the same validation images.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
RESULTS = HERE / "results"
sys.path.insert(0, str(HERE.parent / "real_pool"))

import pools  # noqa: E402
import recorded  # noqa: E402
from noise_ceiling import beside_costs  # noqa: E402

from nas.core.records import FloatArray  # noqa: E402
from nas.sharing.agreement import partial_tau, tau  # noqa: E402

ARRAYS = ("networks", "inherited_error", "inherited_loss")
COSTS = ("madds", "params")
ROUNDS = 1000  # samples of the networks with replacement


@dataclass(frozen=True)
class Own:
    """Recorded trainings of the evaluated networks; arrays are (n, 2), a column for each seed."""

    error: FloatArray  # percent
    first: FloatArray  # after the first of three epochs
    second: FloatArray
    costs: FloatArray  # (n, 2): multiply-adds and parameters
    seconds: float  # CPU seconds of one training, mean


def own_of(name: str, indices: list[int]) -> Own:
    """The recorded trainings of networks of a pool, by their indices in its list."""
    path = pools.RESULTS / f"{name}.csv"
    data = recorded.read(path)
    places = {int(index): row for row, index in enumerate(data.table["index"])}
    rows = [places[i] for i in indices]
    raw = pd.read_csv(path)
    return Own(
        data.values["error"][rows],
        data.values["error, epoch 1"][rows],
        data.values["error, epoch 2"][rows],
        data.table.iloc[rows][list(COSTS)].to_numpy(dtype=np.float64),
        float(raw[raw["index"].isin(indices)]["cpu_seconds"].mean()),
    )


def with_interval(statistic: Callable[[np.ndarray], float], n: int) -> tuple[float, float, float]:
    """A statistic of rows (positions) of n networks, and its 90% interval from samples of the networks with replacement."""
    rng = np.random.default_rng(0)
    samples = [statistic(rows) for rows in rng.integers(0, n, (ROUNDS, n))]
    low, high = np.quantile(samples, [0.05, 0.95])
    return statistic(np.arange(n)), float(low), float(high)


def ranked(predictor: str, values: list[FloatArray], own: Own, **about: float) -> dict[str, object]:
    """How predictors (each (n,)) of one kind rank the mean own errors: the row of the table.

    Means over the predictors, with intervals over networks; `least` and `most` are the extremes of the predictors' partial taus.
    """
    target, n = own.error.mean(axis=1), len(own.error)

    def whole(rows: np.ndarray) -> float:
        return float(np.mean([tau(v[rows], target[rows]) for v in values]))

    def partial(rows: np.ndarray) -> float:
        return float(np.mean([partial_tau(v[rows], target[rows], own.costs[rows]) for v in values]))

    each = [partial_tau(v, target, own.costs) for v in values]
    names = ("tau", "tau_low", "tau_high", "partial", "partial_low", "partial_high")
    found = dict(zip(names, (*with_interval(whole, n), *with_interval(partial, n)), strict=True))
    return {
        "predictor": predictor,
        **about,
        "predictors": len(values),
        **found,
        "least": min(each),
        "most": max(each),
    }


def supernets(name: str, results: Path) -> pd.DataFrame:
    """The trained supernets of a pool, with arrays in place of JSON: of the networks that all of them cover."""
    table = pd.read_csv(results / f"supernets_{name}.csv")
    arrays = {c: np.array([json.loads(text) for text in table[c]]) for c in ARRAYS}
    covered = np.isfinite(arrays["inherited_loss"]).all(axis=0)
    return table.assign(**{c: list(values[:, covered]) for c, values in arrays.items()})


def curve(table: pd.DataFrame, own: Own) -> pd.DataFrame:
    """A row for each value of each budget, and for each value of own trainings."""
    target, rows = own.error.mean(axis=1), []
    for epochs, group in table.groupby("epochs"):
        bias = np.array([(errors - target).mean() for errors in group["inherited_error"]])
        about = {
            "epochs": epochs,
            "cpu_minutes": group["cpu_seconds"].mean() / 60,
            "seconds_a_network": group["seconds_an_evaluation"].mean(),
        }
        for value in ("inherited_error", "inherited_loss"):
            rows.append(ranked(value, group[value].tolist(), own, **about, bias=bias.mean()))
    table_of_costs = pd.DataFrame(own.costs, columns=list(COSTS))
    fitted = (own.error - beside_costs(own.error, table_of_costs))[:, 0]
    for name, values in (
        *zip(COSTS, -own.costs.T, strict=True),
        ("both costs, fitted to the other networks", fitted),
    ):
        row = ranked(name, [values], own)
        rows.append({k: math.nan if k.startswith("partial") else v for k, v in row.items()})
    for epoch, values in ((1, own.first), (2, own.second)):
        rows.append(
            ranked(
                f"own error after epoch {epoch} of 3",
                list(values.T),
                own,
                seconds_a_network=own.seconds * epoch / 3,
            )
        )
    return pd.DataFrame(rows)


def ceiling(own: Own) -> dict[str, float]:
    """Tau and partial tau between the two seeds, and the highest that a predictor can have with their mean.

    A predictor that knows the expected error correlates with the mean of two trainings by sqrt(2r / (1 + r)), where r is the
    correlation of two trainings; r follows from tau as for normal values, r = sin(pi tau / 2).
    """
    a, b = own.error.T
    taus = {"tau": tau(a, b), "partial": partial_tau(a, b, own.costs)}
    highest = {f"highest_{name}": most_with_mean(value) for name, value in taus.items()}
    return {**taus, **highest}


def most_with_mean(seeds: float) -> float:
    """The highest tau with the mean of two trainings whose tau with each other is `seeds`; see `ceiling`."""
    r = np.sin(np.pi / 2 * max(seeds, 0.0))
    return float(2 / np.pi * np.arcsin(np.sqrt(2 * r / (1 + r))))


def markdown(table: pd.DataFrame) -> list[str]:
    """The table as Markdown lines."""
    lines = [
        "| predictor | supernet, CPU minutes | s a network | tau | partial tau given the costs | supernets: least, most | bias |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in table.to_dict("records"):
        cells = [
            str(row["predictor"]).replace("_", " "),
            _text(row["cpu_minutes"], ".1f"),
            _text(row["seconds_a_network"], ".1f"),
            f"{row['tau']:.2f} ({row['tau_low']:.2f} to {row['tau_high']:.2f})",
            ""
            if math.isnan(row["partial"])
            else f"{row['partial']:.2f} ({row['partial_low']:.2f} to {row['partial_high']:.2f})",
            f"{row['least']:.2f}, {row['most']:.2f}" if row["predictors"] > 1 else "",
            _text(row["bias"], "+.1f"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _text(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def draw(table: pd.DataFrame, limits: dict[str, float], path: Path) -> None:
    """Tau and partial tau over the CPU minutes of a supernet, with the baselines as lines."""
    figure, panels = plt.subplots(1, 2, figsize=(8.4, 3.5), layout="constrained", sharex=True)
    inherited = table[table["predictor"].str.startswith("inherited")]
    for ax, name, title in zip(
        panels, ("tau", "partial"), ("tau with own errors", "partial tau given the costs"), strict=True
    ):
        for (predictor, rows), colour in zip(
            inherited.groupby("predictor"), ("#0072B2", "#D55E00"), strict=True
        ):
            ax.plot(
                rows["cpu_minutes"], rows[name], "o-", color=colour, label=str(predictor).replace("_", " ")
            )
            ax.fill_between(
                rows["cpu_minutes"], rows[f"{name}_low"], rows[f"{name}_high"], color=colour, alpha=0.15
            )
        for (_, row), style in zip(
            table[table["epochs"].isna()].iterrows(), (":", "--", "-.", "-", (0, (6, 2))), strict=True
        ):
            if not math.isnan(row[name]):
                ax.axhline(
                    row[name],
                    color=("#009E73" if "own" in row["predictor"] else "#777777"),
                    linestyle=style,
                    linewidth=1,
                    label=row["predictor"],
                )
        ax.axhline(limits[f"highest_{name}"], color="black", linewidth=1, label="highest possible")
        ax.set(xscale="log", xlabel="CPU minutes of the supernet's training", title=title)
        ticks = inherited["cpu_minutes"].unique()
        ax.set_xticks(ticks, [f"{minutes:.1f}" for minutes in ticks])
        ax.minorticks_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Print and write the table, and draw the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", choices=pools.POOLS, default="resnets")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    trained = supernets(args.pool, args.results)
    own = own_of(args.pool, trained["networks"].iloc[0].tolist())
    table, limits = curve(trained, own), ceiling(own)
    table.round(4).to_csv(args.results / f"curve_{args.pool}.csv", index=False, lineterminator="\n")
    draw(table, limits, args.results / f"curve_{args.pool}.png")
    print("\n".join(markdown(table)))
    print(
        f"\n{len(own.error)} networks, own errors {own.error.mean(axis=1).min():.1f} to {own.error.mean(axis=1).max():.1f}%"
    )
    print(", ".join(f"{name}: {value:.2f}" for name, value in limits.items()))


if __name__ == "__main__":
    main()
