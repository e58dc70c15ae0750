"""The published table of ADE20K beside our counts, for the README.

Run: python experiments/segmentation/table.py [--write]

Reads published.csv (figures of others, with their source), counts.csv and counts_by_convention.csv (see counts.py). Nothing
is measured: mIoU and pixel accuracy are published ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

from experiments.readme_tables import command, markdown, ratio, rows, two_ratios

HERE = Path(__file__).resolve().parent
README, BLOCK = HERE / "README.md", "ade20k"
CLASSIFIER = "classifier of 1000 classes, no head, 224x224"  # the convention of the published figures
HEADER = (
    *("network", "params *p*", "classifier", "network", "MAdds *p*", "classifier", "network"),
    *("MAdds to MUXNet-m *p*", "counted", "mIoU *p*", "pixel accuracy *p*", "state"),
)
STATE = "costs counted; mIoU, pixel accuracy published"


def table() -> str:
    """Every published row: costs in millions and billions, published, of the classifier, of the whole network."""
    published = {row["network"]: row for row in rows(HERE / "published.csv")}
    whole = {row["network"]: row for row in rows(HERE / "counts.csv")}
    conventions = rows(HERE / "counts_by_convention.csv")
    classifier = {row["network"]: row for row in conventions if row["convention"] == CLASSIFIER}
    cells = []
    for name, row in published.items():
        muxnet = row["compared_with"]
        ratios = two_ratios(
            ratio(float(row["madds_b"]), float(published[muxnet]["madds_b"])),
            ratio(float(whole[name]["madds"]), float(whole[muxnet]["madds"])),
        )
        params, madds = (
            [f"{int(counted[name][key]) / unit:.2f}" for counted in (classifier, whole)]
            for key, unit in (("params", 1e6), ("madds", 1e9))
        )
        costs = (row["params_m"], *params, row["madds_b"], *madds)
        cells.append((name, *costs, *ratios, row["miou"], row["pixel_acc"], STATE))
    return markdown(HEADER, cells)


if __name__ == "__main__":
    command((__doc__ or "").split("\n")[0], README, BLOCK, table)
