"""The path of a candidate from the YAML file to the front, as a Mermaid diagram read from the code.

    python docs/figures/candidate_path.py            # prints the diagram
    python docs/figures/candidate_path.py --write    # puts it into CONTRIBUTING.md

Each step is a function or class in one file; an arrow is drawn only where the code of one step uses the next one's name,
and the text of a step is the first line of its docstring. A test compares CONTRIBUTING.md with the output.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- candidate path: begin -->", "<!-- candidate path: end -->"
STEPS = {
    "check_config": "nas/config/schema.py",
    "SearchConfig": "nas/config/schema.py",
    "assemble": "nas/config/assemble.py",
    "SearchSpec": "nas/engine/run.py",
    "run": "nas/engine/run.py",
    "_run_checked": "nas/engine/run.py",
    "prepare": "nas/engine/run.py",
    "Plan.make": "nas/engine/plan.py",
    "_search": "nas/engine/run.py",
    "Search.run": "nas/engine/loop.py",
    "run_trial": "nas/executors/worker.py",
    "conclude": "nas/engine/record.py",
    "run_table": "nas/runs/run_folder.py",
}
ARROWS = [
    ("check_config", "SearchConfig"),
    ("assemble", "SearchConfig"),
    ("assemble", "SearchSpec"),
    ("run", "SearchSpec"),
    ("run", "_run_checked"),
    ("_run_checked", "prepare"),
    ("prepare", "Plan.make"),
    ("_run_checked", "_search"),
    ("_search", "Search.run"),
    ("_search", "conclude"),
    ("conclude", "run_table"),
]
# the loop hands trials to an executor, any of which ends in the same function on a worker
HANDED = ("Search.run", "run_trial", "submit and collect, through any executor")


def diagram() -> str:
    """The diagram. Raises `AssertionError` where the code has no such step, or does not use it as drawn."""
    found = {name: _definition(file, name) for name, file in STEPS.items()}
    lines = ["```mermaid", "flowchart TD", '    yaml(["search.yaml"]) --> n_check_config']
    for name, node in found.items():
        summary = (ast.get_docstring(node) or "").split("\n")[0].split(". ")[0].rstrip(".").replace('"', "'")
        lines.append(f'    {_id(name)}["{STEPS[name]}<br/><b>{name}</b><br/>{summary}"]')
    for first, second in ARROWS:
        used = {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(found[first])}
        assert second.split(".")[0] in used, f"{first} does not use {second}"
        lines.append(f"    {_id(first)} --> {_id(second)}")
    lines.append(f'    {_id(HANDED[0])} -. "{HANDED[2]}" .-> {_id(HANDED[1])}')
    lines.append(f'    {_id("run_table")} --> front(["front.csv"])')
    number = len(set(STEPS.values()))
    assert number <= 8, f"the path visits {number} files"
    return "\n".join([*lines, "```"])


def _definition(file: str, name: str) -> ast.FunctionDef | ast.ClassDef:
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    node: ast.FunctionDef | ast.ClassDef | None = None
    for part in name.split("."):
        node = next(
            (n for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == part), None
        )
        assert node is not None, f"{file} has no {name}"
        body = node.body
    assert node is not None
    return node


def _id(name: str) -> str:
    return f"n_{name.replace('.', '_')}"


def with_diagram(text: str) -> str:
    """CONTRIBUTING.md with the diagram of today's code."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{diagram()}\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        TARGET.write_text(with_diagram(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(diagram())
