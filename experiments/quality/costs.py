"""How much of the lead of sa-moead is knowledge of costs: known to it alone, to nobody, or to everybody.

`python experiments/quality/costs.py --runs runs/quality-costs runs/quality-costs-shared --engine COMMIT` adds the runs of `costs.yaml` and
`costs_shared.yaml` that this commit made to `results/costs.csv` and writes `results/costs.md`. Without `--runs` it reports on the committed rows.
Costs known to everybody: a method without a model counts with the better of its two forms, with and without the skipping of proposals.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import rows

from nas.compare.statistics import Pair, against

HERE = Path(__file__).resolve().parent
OURS = "sa-moead"
CHECKPOINTS = (100, 200, 300)
AT = [f"at_{n}" for n in CHECKPOINTS]
KEY = ["table", "costs", "method", "seed"]
FORMS = {
    "known": "Costs known to sa-moead alone",
    "unknown": "Costs known to nobody",
    "shared": "Costs known to everybody",
}
ALPHA = 0.05
Values = Mapping[str, Mapping[int, float]]


def of_runs(out: Path, engine: str) -> pd.DataFrame:
    """The rows of a comparison: a share of the true front's hypervolume for each number of evaluations."""
    found = rows.of_comparison(out)
    for n, column in zip(CHECKPOINTS, AT, strict=True):
        if column not in found:
            found[column] = float("nan")  # a shorter budget
        assert (found[column].isna() | (found["budget"] >= n)).all()
    named = found["table"].str.rpartition(" ")
    return found.assign(table=named[0], costs=named[2], engine=engine)[[*KEY, *AT, "engine"]]


def values(frame: pd.DataFrame, table: str, form: str, column: str) -> dict[str, dict[int, float]]:
    """A share by method and seed of one form of a table; of `shared` see the module docstring."""
    of = frame[(frame["table"] == table) & frame[column].notna()]
    by_form = {
        costs: {
            str(m): dict(zip(runs["seed"], runs[column], strict=True)) for m, runs in part.groupby("method")
        }
        for costs, part in of.groupby("costs")
    }
    found = dict(by_form.get(form, {}))
    if form == "shared" and found:
        for method, known in by_form.get("known", {}).items():
            own = found.get(method)
            if (own is None and method == OURS) or (own is not None and mean(known, own) > mean(own, known)):
                found[method] = known
    return found


def mean(values: Mapping[int, float], other: Mapping[int, float]) -> float:
    """The mean over the seeds that both have."""
    both = [values[seed] for seed in values if seed in other]
    return sum(both) / len(both) if both else float("-inf")


def tests(frame: pd.DataFrame, table: str, form: str, column: str) -> dict[str, Pair]:
    """Each method against sa-moead, corrected by Holm over the methods."""
    found = values(frame, table, form, column)
    return against(found, OURS, ALPHA) if len(found) > 1 and OURS in found else {}


def report(frame: pd.DataFrame) -> str:
    """A table for each form and table, and whether sa-moead is ahead of all."""
    lines = ["# Costs known to one, to nobody, to everybody", "", "Written by `costs.py`. " + HEAD]
    for form, title in FORMS.items():
        lines += ["", f"## {title}"]
        for table in frame["table"].unique():
            lines += _table(frame, table, form)
    return "\n".join(lines) + "\n"


HEAD = (
    "Median share of the true front's hypervolume after each number of evaluations; `*`: not shown to be worse than sa-moead "
    "(two-sided Wilcoxon signed-rank test over the seeds, Holm over the methods, p < .05)."
)


def _table(frame: pd.DataFrame, table: str, form: str) -> list[str]:
    shares = {column: values(frame, table, form, column) for column in AT}
    methods = [m for m in frame["method"].unique() if m in shares[AT[0]]]
    if not methods:
        return ["", f"{table}: no runs."]
    found = {column: tests(frame, table, form, column) for column in AT}
    lines = [
        "",
        f"{table}:",
        "",
        f"| method | seeds | {' | '.join(map(str, CHECKPOINTS))} |",
        "|---|--:" + "|--:" * len(AT) + "|",
    ]
    for method in methods:
        cells = [_cell(shares[column].get(method), found[column].get(method)) for column in AT]
        lines.append(f"| {method} | {len(shares[AT[0]][method])} | {' | '.join(cells)} |")
    pairs = [pair for column in AT for pair in found[column].values()]
    ahead = sum(pair.verdict(ALPHA) == "worse" for pair in pairs)
    return [*lines, "", f"sa-moead is ahead in {ahead} of {len(pairs)} comparisons."]


def _cell(of: Mapping[int, float] | None, pair: Pair | None) -> str:
    if not of:
        return "-"
    mark = "*" if pair is not None and pair.verdict(ALPHA) != "worse" else ""
    return f"{pd.Series(of).median():.3f}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="folders of `nas compare`")
    parser.add_argument("--engine", help="the commit that made these runs")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "costs.csv")
    args = parser.parse_args()
    if args.runs and not args.engine:
        parser.error("--runs needs --engine, the commit that made them")
    found = [pd.read_csv(args.out, dtype={"engine": str})] if args.out.exists() else []
    frame = (
        pd.concat([*found, *(of_runs(out, args.engine) for out in args.runs)]) if found or args.runs else None
    )
    if frame is None:
        parser.error(f"{args.out} does not exist yet; give --runs")
    frame = frame.drop_duplicates(KEY, keep="last")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(args.out, index=False, float_format="%.5g", lineterminator="\n")
    args.out.with_suffix(".md").write_text(report(frame), encoding="utf-8")


if __name__ == "__main__":
    main()
