"""The table of the paper: costs, speed and accuracy of MUXNet and the mobile networks that it is compared with.

Run: python experiments/imagenet/table.py [--device cpu|cuda [options of speed.py]]

Without --device it combines the files in results/ to table.csv, results/table.md and the figures. With it, it measures
speed first (see speed.py). Parameters and MAdds are computed here; `*_published` columns are numbers of others
(published.csv), never our measurement; `top1` and `top5` are measured by accuracy.py, and empty if it has not
run. Rows without a network are published only. The README has the ratios to the MUXNets.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs as a script

from imagenet_rows import HERE, RESULTS, published, read, write

from experiments.readme_tables import markdown as table_of
from experiments.readme_tables import number, ratio, two_ratios, with_block
from search_spaces.networks import network_named, rows_of

README, BLOCK = HERE / "README.md", "ratios"

NOTES = """# ImageNet: costs, speed, accuracy

Written by `table.py`; the [README](../README.md) defines each column and its hardware. Columns
marked *p* are published by others; the rest is computed or measured here. A dash: not known, or not measured.
"""
SPEED = {  # column -> (file, batch, form, figure)
    "cpu_ms_batch1": ("speed_cpu_batch1.csv", "1", "plain", "ms"),
    "cpu_ms_batch1_fused": ("speed_cpu_batch1.csv", "1", "fused", "ms"),
    "cpu_ms_batch64": ("speed_cpu_batch64.csv", "64", "plain", "ms"),
    "cpu_ms_batch64_fused": ("speed_cpu_batch64.csv", "64", "fused", "ms"),
    "cpu_pictures_per_second": ("speed_cpu_batch64.csv", "64", "fused", "pictures_per_second"),
    "cpu_peak_mb_batch64": ("speed_cpu_batch64_malloc.csv", "64", "plain", "peak_memory_mb"),
    "gpu_ms_batch1": ("speed_cuda.csv", "1", "plain", "ms"),
    "gpu_ms_batch64": ("speed_cuda.csv", "64", "plain", "ms"),
    "gpu_ms_batch64_bfloat16": ("speed_cuda.csv", "64", "bfloat16", "ms"),
    "gpu_pictures_per_second": ("speed_cuda.csv", "64", "bfloat16", "pictures_per_second"),
    "gpu_peak_mb_batch64": ("speed_cuda.csv", "64", "plain", "peak_memory_mb"),
}
SHOWN = {  # column of table.csv -> heading in table.md
    "model": "model",
    "type": "type *p*",
    "searched_for": "searched for *p*",
    "params_m": "params (M)",
    "params_published_m": "params *p*",
    "params_ratio": "ratio",
    "madds_m": "MAdds (M)",
    "madds_published_m": "MAdds *p*",
    "madds_ratio": "ratio",
    "cpu_ms_batch1": "CPU ms, batch 1",
    "cpu_ms_batch1_fused": "fused",
    "cpu_ms_published": "CPU ms *p*",
    "cpu_ms_batch64": "CPU ms, batch 64",
    "cpu_ms_batch64_fused": "fused",
    "cpu_pictures_per_second": "CPU images/s",
    "cpu_peak_mb_batch64": "CPU MB",
    "gpu_ms_batch64": "GPU ms, batch 64",
    "gpu_ms_batch64_bfloat16": "bf16",
    "gpu_ms_published": "GPU ms *p*",
    "gpu_pictures_per_second": "GPU images/s",
    "gpu_peak_mb_batch64": "GPU MB",
    "top1_published": "top-1 *p*",
    "top5_published": "top-5 *p*",
    "top1": "top-1",
    "top5": "top-5",
    "state": "state",
}


def table() -> list[dict[str, object]]:
    """Every row of the published table with our computed and measured values."""
    speed = {
        column: {
            row["network"]: row[figure] for row in read(RESULTS / file) if (row["batch"], row["form"]) == key
        }
        for column, (file, *key_, figure) in SPEED.items()
        for key in [tuple(key_)]
    }
    measured = {row["network"]: row for row in read(RESULTS / "accuracy.csv") if row["set"] == "v1"}
    rows = [_row(row, speed, measured.get(row["network"], {})) for row in published()]
    muxnets = {row["model"]: row for row in rows}
    for row in rows:
        for name in ("params", "madds"):
            for kind in ("", "_published_m"):
                pair = [number(str(one[f"{name}{kind}"])) for one in (row, muxnets[row["compared_with"]])]
                found = ratio(*pair)
                row[f"{name}{kind.removesuffix('_m')}_to_muxnet"] = "" if found is None else round(found, 4)
        row["state"] = state(row)
    return rows


def state(row: dict[str, object]) -> str:
    """What is counted, measured and published in a row."""
    if not row["network"]:
        return "published"
    measured = {"CPU times": "cpu_ms_batch1", "GPU times": "gpu_ms_batch1", "accuracy": "top1"}
    here = [name for name, column in measured.items() if row[column] != ""]
    others = [name for name in measured if name not in here]
    return "; ".join(
        f"{', '.join(names)} {word}"
        for names, word in ((["costs"], "counted"), (here, "measured"), (others, "published"))
        if names
    )


def _row(
    row: dict[str, str], speed: dict[str, dict[str, str]], accuracy: dict[str, str]
) -> dict[str, object]:
    network = row["network"]
    found: dict[str, object] = {name: row[name] for name in ("model", "network", "type", "searched_for")}
    found |= {"params": "", "madds": ""}
    found |= {"params_m": "", "madds_m": "", "params_ratio": "", "madds_ratio": ""}
    if network:
        blocks = rows_of(network_named(network))
        for name in ("params", "madds"):
            total = sum(getattr(block, name) for block in blocks)
            said = row[f"{name}_m"]
            found[name] = total
            found[f"{name}_m"] = round(total / 1e6, 2 if name == "params" else 1)
            found[f"{name}_ratio"] = round(total / 1e6 / float(said), 3) if said else ""
    found |= {column: values.get(network, "") for column, values in speed.items()}
    for name in ("params_m", "madds_m"):
        found[name.replace("_m", "_published_m")] = row[name]
    for name in ("cpu_ms", "gpu_ms", "top1", "top5"):
        found[f"{name}_published"] = row[name]
    found |= {"top1": accuracy.get("top1", ""), "top5": accuracy.get("top5", "")}
    return found | {"compared_with": row["compared_with"]}


def markdown(rows: list[dict[str, object]]) -> str:
    """The table as Markdown, without empty columns."""
    columns = [c for c in SHOWN if any(row[c] != "" for row in rows)]
    cells = [[str(row[c]) for c in columns] for row in rows]
    return f"{NOTES}\n{table_of([SHOWN[c] for c in columns], cells, texts=3)}\n"


def ratios(rows: list[dict[str, object]]) -> str:
    """Parameters and MAdds relative to the MUXNet of a row's group, published and counted, for the README."""
    cells = []
    for row in rows:
        line = [str(row[name]) for name in ("model", "type", "compared_with")]
        for name in ("params", "madds"):
            pair = (number(str(row[f"{name}{kind}_to_muxnet"])) for kind in ("_published", ""))
            line += two_ratios(*pair)
        cells.append([*line, str(row["top1_published"]), str(row["state"])])
    header = (
        "model",
        "type *p*",
        "compared with",
        "params *p*",
        "counted",
        "MAdds *p*",
        "counted",
        "top-1 *p*",
    )
    return table_of((*header, "state"), cells, texts=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], help="measure speed there first")
    parser.add_argument("--measure-only", action="store_true", help="leave table and figures as they are")
    asked, others = parser.parse_known_args()
    if asked.device is not None:
        import speed

        speed.main(["--device", asked.device, *others])
    elif others:
        parser.error(f"unknown: {' '.join(others)} (options of speed.py need --device)")
    if asked.measure_only:
        return
    rows = table()
    write(HERE / "table.csv", rows)
    (RESULTS / "table.md").write_text(markdown(rows), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(with_block(text, BLOCK, ratios(rows)), encoding="utf-8")
    import imagenet_figures

    imagenet_figures.draw(rows, Path(RESULTS))


if __name__ == "__main__":
    sys.exit(main())
