"""How well supernets rank the networks of a pool, over the CPU minutes of their training: a table and a figure.

    python experiments/weight_sharing/curve.py --pool resnets [--epochs 9]

Reads results/supernets_POOL.csv and the pool's recorded trainings, or with `--epochs` those of results/longer_POOL.csv (longer.py) with so many epochs. Writes
results/curve_POOL.csv and curve_POOL.png (with `--epochs` curve_POOL_EPOCHS). "Own" errors are the means of trainings with different seeds, on the same validation images.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from noise_ceiling import beside_costs  # noqa: E402

from nas.core.records import FloatArray  # noqa: E402
from nas.sharing.agreement import partial_tau, tau  # noqa: E402

ARRAYS = ("networks", "inherited_error", "inherited_loss")
COSTS = ("madds", "params")
ROUNDS = 1000  # samples of the networks with replacement


@dataclass(frozen=True)
class Own:
    """Own trainings of n evaluated networks, with s seeds each."""

    curves: FloatArray  # (n, s, epochs): the error after each epoch, percent
    costs: FloatArray  # (n, 2): multiply-adds and parameters
    seconds: float  # CPU seconds of one training, mean
    short: FloatArray | None = None  # (n, 2): errors of the pool's trainings, where these are longer
    short_name: str = ""
    short_seconds: float = math.nan

    @property
    def error(self) -> FloatArray:
        """Errors at the end (n, s)."""
        return self.curves[:, :, -1]


def own_of(rows: pd.DataFrame, indices: list[int]) -> Own:
    """The trainings in `rows`, a table of experiments/real_pool, of the networks with these indices; all have the same seeds."""
    found = rows.set_index(["index", "seed"]).sort_index()
    seeds = sorted(rows["seed"].unique())
    curves = [[json.loads(found.loc[(i, seed), "curve_error"]) for seed in seeds] for i in indices]
    costs = found.loc[[(i, seeds[0]) for i in indices], list(COSTS)].to_numpy(dtype=np.float64)
    return Own(np.array(curves), costs, float(rows[rows["index"].isin(indices)]["cpu_seconds"].mean()))


def longer_of(rows: pd.DataFrame, longer: pd.DataFrame, indices: list[int]) -> tuple[Own, list[int]]:
    """The trainings in `longer` of those of the networks that have all its seeds, beside the shorter ones in `rows`; and their places in `indices`."""
    seeds = longer["seed"].nunique()
    whole = {int(i) for i, group in longer.groupby("index") if len(group) == seeds}
    places = [place for place, i in enumerate(indices) if i in whole]
    kept = [indices[place] for place in places]
    short = own_of(rows, kept)
    name = f"own error of a training of {short.curves.shape[2]} epochs"
    found = replace(own_of(longer, kept), short=short.error, short_name=name, short_seconds=short.seconds)
    return found, places


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
    epochs = own.curves.shape[2]
    for epoch in sorted({1, round(epochs / 3), round(2 * epochs / 3)}):
        errors = list(own.curves[:, :, epoch - 1].T)
        seconds = own.seconds * epoch / epochs
        rows.append(
            ranked(f"own error after epoch {epoch} of {epochs}", errors, own, seconds_a_network=seconds)
        )
    if own.short is not None:
        rows.append(ranked(own.short_name, list(own.short.T), own, seconds_a_network=own.short_seconds))
    return pd.DataFrame(rows)


def ceiling(own: Own) -> dict[str, float]:
    """Tau and partial tau between the two seeds, and the highest that a predictor can have with their mean; nothing with one seed.

    A predictor that knows the expected error correlates with the mean of two trainings by sqrt(2r / (1 + r)), where r is the
    correlation of two trainings; r follows from tau as for normal values, r = sin(pi tau / 2).
    """
    if own.error.shape[1] != 2:
        return {}
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
            table[table["epochs"].isna()].iterrows(),
            (":", "--", "-.", "-", (0, (6, 2)), (0, (1, 3)), (0, (3, 3))),
            strict=False,
        ):
            if not math.isnan(row[name]):
                ax.axhline(
                    row[name],
                    color=("#009E73" if "own" in row["predictor"] else "#777777"),
                    linestyle=style,
                    linewidth=1,
                    label=row["predictor"],
                )
        if limits:
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
    parser.add_argument("--epochs", type=int, help="of the own trainings; default: those of the pool")
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    trained = supernets(args.pool, args.results)
    rows, indices = pd.read_csv(pools.RESULTS / f"{args.pool}.csv"), trained["networks"].iloc[0].tolist()
    name = f"curve_{args.pool}"
    if args.epochs:
        longer = pd.read_csv(args.results / f"longer_{args.pool}.csv")
        own, places = longer_of(rows, longer[longer["epochs"] == args.epochs], indices)
        trained = trained.assign(**{c: [values[places] for values in trained[c]] for c in ARRAYS})
        name += f"_{args.epochs}"
    else:
        own = own_of(rows, indices)
    table, limits = curve(trained, own), ceiling(own)
    table.round(4).to_csv(args.results / f"{name}.csv", index=False, lineterminator="\n")
    draw(table, limits, args.results / f"{name}.png")
    print("\n".join(markdown(table)))
    print(
        f"\n{len(own.error)} networks, own errors {own.error.mean(axis=1).min():.1f} to {own.error.mean(axis=1).max():.1f}%"
    )
    print(", ".join(f"{name}: {value:.2f}" for name, value in limits.items()))


if __name__ == "__main__":
    main()
