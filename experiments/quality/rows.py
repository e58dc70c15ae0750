"""The committed runs, one row each, and those of a comparison in the same form."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

KEY = ["table", "method", "seed"]
CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300, 400, 600, 1000)
TARGETS = (90, 95, 98, 99)  # percent of the true front's hypervolume
AT = [f"at_{n}" for n in CHECKPOINTS]
TO = [f"to_{percent}" for percent in TARGETS]


def of_comparison(out: Path) -> pd.DataFrame:
    """A row for each run in the results of `nas compare`.

    With several objectives `at_N` is the share of the reference front's hypervolume after N evaluations, `to_P` the evaluations
    to P percent of it (missing: never); with one `seen_N` and `test_N` are the searched and the reported error.
    A problem `TABLE@8` gives the table and methods `NAME@8`.
    """
    quality, runs = (pd.read_csv(out / "results" / f"{name}.csv") for name in ("quality", "runs"))
    run = ["problem", "algorithm", "seed"]
    found = runs.set_index(run)[["seconds", "architectures"]].rename(columns={"architectures": "unique"})
    found["budget"] = quality.groupby(run)["evaluations"].max()
    if (quality["measure"] == "best").any():
        for kind, prefix in (("searched", "seen"), ("searched", "test"), ("reported", "test")):
            at = quality[quality["values"] == kind].pivot(index=run, columns="evaluations", values="value")
            found = at.add_prefix(f"{prefix}_").combine_first(found)
    else:
        reference = pd.read_csv(out / "results" / "reference.csv").drop_duplicates("problem")
        best = quality["problem"].map(reference.set_index("problem")["front_hypervolume"])
        shares = quality.assign(value=quality["value"] / best)[quality["measure"] == "hypervolume"]
        at = shares.pivot(index=run, columns="evaluations", values="value").add_prefix("at_").round(5)
        reached = pd.read_csv(out / "results" / "reached.csv")
        reached["target"] = (100 * reached["target"]).round().astype(int)
        to = reached.pivot(index=run, columns="target", values="evaluations").add_prefix("to_")
        found = found.join(at).join(to)
    found = found.reset_index()
    at_once = found["problem"].str.extract("(@.*)")[0].fillna("")
    named = {"table": found["problem"].str.partition("@")[0], "method": found["algorithm"] + at_once}
    return pd.DataFrame({**named, **found.drop(columns=["problem", "algorithm"])})


def merged(old: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """The old rows, replaced by new ones of the same table, method and seed; columns as in the old."""
    known = [c for c in old.columns if c in fresh]
    frame = pd.concat([old, fresh[known]]).drop_duplicates(KEY, keep="last")
    place = {m: i for i, m in enumerate(frame["method"].unique())}
    whole = {c: "Int64" for c in ("seed", "budget", "unique", *TO) if c in frame}
    return frame.sort_values(KEY, key=lambda c: c.map(place) if c.name == "method" else c).astype(whole)
