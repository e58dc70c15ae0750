"""The published table of PASCAL VOC 2007 beside our counts, for the README.

Run: python experiments/detection/table.py [--write]

Reads published.csv (figures of others, with their source) and counts.csv (see counts.py). Nothing is measured: the mAP is the
published one.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

from experiments.readme_tables import command, markdown, ratio, rows, two_ratios

HERE = Path(__file__).resolve().parent
README, BLOCK = HERE / "README.md", "voc2007"
HEADER = (
    *("network", "compared with", "params *p*", "counted", "ratio *p*", "counted", "MAdds *p*", "counted"),
    *("ratio *p*", "counted", "mAP *p*", "state"),
)
STATE = "costs counted; mAP published"


def table() -> str:
    """Every published row: costs in millions and billions, and relative to the MUXNet with the same head."""
    published = {row["network"]: row for row in rows(HERE / "published.csv")}
    counted = {row["network"]: row for row in rows(HERE / "counts.csv")}
    cells = []
    for name, row in published.items():
        muxnet = row["compared_with"]
        line = [name, muxnet]
        for key, said, unit in (("params", "params_m", 1e6), ("madds", "madds_b", 1e9)):
            ratios = two_ratios(
                ratio(float(row[said]), float(published[muxnet][said])),
                ratio(float(counted[name][key]), float(counted[muxnet][key])),
            )
            line += [row[said], f"{int(counted[name][key]) / unit:.2f}", *ratios]
        cells.append((*line, row["map"], STATE))
    return markdown(HEADER, cells, texts=2)


if __name__ == "__main__":
    command((__doc__ or "").split("\n")[0], README, BLOCK, table)
