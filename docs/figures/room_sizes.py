"""Files and lines of every room before the code moved into rooms and now, as a Markdown table.

    python docs/figures/room_sizes.py            # prints the table
    python docs/figures/room_sizes.py --write    # puts it into CONTRIBUTING.md

Counts the Python files that git tracks; the earlier state needs the history of the repository.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- room sizes: begin -->", "<!-- room sizes: end -->"
BEFORE = "b749d97"
ROOMS = (
    "core spaces pareto executors training sharing algorithms runs report engine testing monitor config export compare cli"
).split()
PRODUCT = ("nas", "search_spaces", "surrogates")
# the rooms of the modules and packages that stood elsewhere at `BEFORE`
EARLIER = {
    "core": "blame checks errors every interfaces objectives plugins problem records versions",
    "pareto": "decomposition directions front indicators picking preference_text preferences",
    "training": "measure tasks",
    "algorithms": "acquisition candidates initial_design noise peers prediction",
    "runs": "failures history history_table log_file notes run_folder",
    "report": "plots plots_axes plots_front plots_progress plots_surrogate",
    "engine": "fidelity kept_weights loop plan replay search_state warm_start",
    "monitor": "callbacks standing",
    "config": "assemble",
    "cli": "installation",
}
HOMES = {name: room for room, names in EARLIER.items() for name in names.split()}


def room_of(path: str) -> str:
    """The row of a file."""
    package, _, rest = path.partition("/")
    name = rest.split("/")[0].removesuffix(".py")
    if package != "nas":
        return f"`{package}/`"
    return f"`{HOMES.get(name, name)}/`" if HOMES.get(name, name) in ROOMS else "root of `nas/`"


def sizes(revision: str | None) -> tuple[Counter[str], Counter[str]]:
    """Files and lines by room at a revision; None: in the working tree."""
    tree = [] if revision is None else [revision]
    command = ["git", "grep", "--count", "", *tree, "--", *(f"{part}/*.py" for part in (*PRODUCT, "tests"))]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files, lines = Counter[str](), Counter[str]()
    for line in found.splitlines():
        path, _, count = line.removeprefix(f"{revision}:").rpartition(":")
        files[room_of(path)] += 1
        lines[room_of(path)] += int(count)
    return files, lines


def table() -> str:
    """The table, with the sum of the product and the tests below it."""
    before, now = sizes(BEFORE), sizes(None)
    product = [*(f"`{room}/`" for room in ROOMS), "root of `nas/`", "`search_spaces/`", "`surrogates/`"]
    rows = [(room, *(count[room] for state in (before, now) for count in state)) for room in product]
    rows.append(("**product**", *(sum(row[i] for row in rows) for i in range(1, 5))))
    rows.append(("`tests/`", *(count["`tests/`"] for state in (before, now) for count in state)))
    head = f"| room | files at {BEFORE} | lines | files now | lines |\n|---|--:|--:|--:|--:|"
    return "\n".join([head, *(f"| {row[0]} | {' | '.join(f'{n:,}' for n in row[1:])} |" for row in rows)])


if __name__ == "__main__":
    if "--write" in sys.argv:
        text = TARGET.read_text(encoding="utf-8")
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        TARGET.write_text(f"{text[:start]}\n{table()}\n{text[end:]}", encoding="utf-8")
    else:
        print(table())
