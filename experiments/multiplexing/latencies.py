"""Latency of the study's networks, untrained, on one thread of this machine's CPU.

Run: python experiments/multiplexing/latencies.py [--plan PLAN] [--out FOLDER]

All networks take turns, one image and 64 images at a time, float32, channels_last, by processor time. Writes latency.csv beside
the tables of the trainings, which report.py shows with the MAdds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import torch
from equal_cost import STUDIES, Setting, Variant
from study import HERE, PLANS

from nas.training.latency import Call, LatencySettings, enliven, forward_pass, time_in_turns

BATCHES = (1, 64)
SETTINGS = LatencySettings(rounds=20, extensions=1)


def ready(variant: Variant, batch: int) -> Call:
    """A forward pass on `batch` images; weights in the size of trained ones."""
    network = enliven(variant.build()).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side = variant.spec.resolution
    return forward_pass(network, (batch, 3, side, side))


def measure(setting: Setting, settings: LatencySettings = SETTINGS) -> pd.DataFrame:
    """`variant, batch, ms, ms_low, ms_high, steady, runs`: medians of a forward pass, bounds with 95% confidence."""
    variants = {v.name: v for study in STUDIES.values() for v in study(setting)}
    found = []
    for batch in BATCHES:
        timings = time_in_turns({name: ready(v, batch) for name, v in variants.items()}, settings)
        for name, timing in timings.items():
            low, high = (round(1e3 * bound, 4) for bound in timing.interval)
            steady = timing.unsteadiness <= settings.tolerance
            found.append((name, batch, round(timing.milliseconds, 4), low, high, steady, len(timing.seconds)))
    return pd.DataFrame(found, columns=["variant", "batch", "ms", "ms_low", "ms_high", "steady", "runs"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--plan", choices=PLANS, default="small", help="whose networks")
    parser.add_argument("--out", type=Path, help="default: the folder of the study's tables")
    given = parser.parse_args()
    plan = PLANS[given.plan]
    out = given.out or HERE / plan.folder
    out.mkdir(parents=True, exist_ok=True)
    table = measure(plan.setting)
    table.to_csv(out / "latency.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
