"""List the committed results: their rows, the commit of the engine that made them, and whether what they depend on has changed since.

`python experiments/stale.py` reads `dependencies.yaml` and every CSV file of `experiments/`. `--stale` leaves out fresh rows, `--files` names the
changed files, `--check` fails if a file is not listed or a row names no commit. A file of Python counts as changed if its code has,
apart from comments and docstrings. Needs git, with the history.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from nas.core.yaml_text import parse_yaml

HERE = Path(__file__).resolve().parent
COLUMN = "engine"
COMMIT = re.compile(
    r"([0-9a-f]{7,40})(\+?)( .*)?"
)  # + for changes that were not committed, then other versions
METHODS = ("method", "algorithm")  # columns that name the method of a row
NO_COMMIT, UNKNOWN, STALE, FRESH, FIXED = "names no commit", "unknown commit", "stale", "fresh", "fixed"
WORST = (NO_COMMIT, UNKNOWN, STALE, FRESH, FIXED)


@dataclass(frozen=True)
class Rows:
    """Rows of a file with one engine and status; `changed` are the files that differ from those at the commit."""

    file: str
    engine: str
    rows: int
    status: str
    methods: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass
class Repository:
    """A git repository, as far as its files at commits are concerned."""

    root: Path
    equal: Mapping[str, str] = field(default_factory=dict)  # a blob, and an earlier one with the same results
    _trees: dict[str, dict[str, str] | None] = field(default_factory=dict)
    _codes: dict[tuple[str, str], str] = field(default_factory=dict)

    def files(self, commit: str) -> dict[str, str] | None:
        """The blob of each file at a commit, by path; None if there is no such commit."""
        if commit not in self._trees:
            found = self._git("ls-tree", "-r", commit, "--")
            lines = (line.partition("\t") for line in found.splitlines())
            self._trees[commit] = {path: head.split()[2] for head, _, path in lines} or None
        return self._trees[commit]

    def changed(self, commit: str, paths: Sequence[str]) -> tuple[str, ...] | None:
        """The files in `paths` whose content or code differs now; None if there is no such commit.

        A path is a file, a folder, or `file.py:name`, a definition at the top of a module.
        """
        then, now = self.files(commit), self.files("HEAD")
        if then is None or now is None:
            return None
        known = sorted(then.keys() | now.keys())
        parts = [p for p in paths if ":" in p]
        inside = [f for f in known if any(f == p or f.startswith(f"{p}/") for p in paths)]
        return tuple(p for p in [*inside, *parts] if self._code(p, then) != self._code(p, now))

    def _code(self, path: str, files: Mapping[str, str]) -> str | None:
        """What to compare of `file` or `file:definition`: the blob, or of Python the code alone."""
        file, _, name = path.partition(":")
        blob = files.get(file)
        while blob in self.equal:
            blob = self.equal[blob]
        if blob is None or not file.endswith(".py"):
            return blob
        if (blob, name) not in self._codes:
            self._codes[blob, name] = code_alone(self._git("cat-file", "blob", blob), name)
        return self._codes[blob, name]

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, check=False)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def code_alone(text: str, name: str = "") -> str:
    """Python code, or that of one definition, without comments, docstrings and layout; the text itself if it cannot be parsed."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    if name:
        tree.body = [node for node in tree.body if name in _defined(node)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


@dataclass(frozen=True)
class Dependencies:
    """The content of `dependencies.yaml`."""

    groups: Mapping[str, Sequence[str]]
    methods: Mapping[str, Sequence[str]]
    files: Mapping[str, Mapping[str, Any]]
    equal: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> Dependencies:
        """Raises `SystemExit` for an entry that cannot be read."""
        values = parse_yaml(path.read_text(encoding="utf-8"))
        equal = {later: earlier for earlier, later in values.get("equal", ())}
        found = cls(values["groups"], values["methods"], values["files"], equal)
        for name, entry in found.files.items():
            kinds = [key for key in ("uses", "from", "fixed") if key in entry]
            if len(kinds) != 1 or entry.keys() - {*kinds, "engine", "committed"}:
                sys.exit(
                    f"{path}: {name}: expected one of uses, from, fixed, and with uses engine or committed; got {entry}"
                )
            for key in ("engine", "committed"):
                if not isinstance(entry.get(key, ""), str):
                    sys.exit(f"{path}: {name}: {key}: put the commit {entry[key]} in quotes")
        return found

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """Files and folders of groups and paths."""
        found: dict[str, None] = {}
        for name in names:
            found.update(dict.fromkeys(self.paths(self.groups[name]) if name in self.groups else [name]))
        return tuple(found)

    def of_method(self, method: str) -> Sequence[str]:
        """Groups and paths of the first pattern that fits."""
        name = method.lower().replace(" ", "-")
        return next((uses for pattern, uses in self.methods.items() if fnmatch(name, pattern)), ())


@dataclass(frozen=True)
class Report:
    """The state of all results of a folder, inside a repository."""

    folder: Path
    table: Dependencies
    repository: Repository

    @classmethod
    def of(cls, folder: Path) -> Report:
        """Of the folder with `dependencies.yaml`, whose parent is the repository's folder."""
        table = Dependencies.read(folder / "dependencies.yaml")
        return cls(folder, table, Repository(folder.parent, table.equal))

    @cached_property
    def present(self) -> set[str]:
        """The CSV files of the folder that git tracks, or with a repository without commits all."""
        tracked, prefix = self.repository.files("HEAD"), f"{self.folder.name}/"
        if tracked is not None:
            return {p.removeprefix(prefix) for p in tracked if p.startswith(prefix) and p.endswith(".csv")}
        return {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*.csv")}

    def faults(self) -> list[str]:
        """Files that are not listed or missing, and rows that name no commit."""
        found = [
            f"{f}: not in dependencies.yaml; add what its rows depend on"
            for f in sorted(self.present - self.table.files.keys())
        ]
        found += [
            f"{f}: in dependencies.yaml, but not committed"
            for f in sorted(self.table.files.keys() - self.present)
        ]
        for name, entry in self.table.files.items():
            if "uses" in entry and name in self.present:
                number = sum(COMMIT.fullmatch(engine) is None for engine in self._engines(name, entry))
                if number:
                    found.append(
                        f"{name}: {number} rows name no commit of the engine; run them again with a column {COLUMN!r}"
                    )
        return found

    def rows(self) -> list[Rows]:
        """All rows of the listed files, grouped."""
        return [rows for name in self.table.files if name in self.present for rows in self.of_file(name)]

    def of_file(self, name: str) -> list[Rows]:
        """The rows of one file by engine and status."""
        entry = self.table.files[name]
        frame = self._frame(name)
        if "fixed" in entry:
            return [Rows(name, str(entry["fixed"]), len(frame), FIXED)]
        if "from" in entry:
            sources = [rows for source in entry["from"] for rows in self.of_file(source)]
            status = min((rows.status for rows in sources), key=WORST.index, default=FRESH)
            changed = dict.fromkeys(f for rows in sources for f in rows.changed)
            return [Rows(name, f"from {', '.join(entry['from'])}", len(frame), status, (), tuple(changed))]
        return self._measured(name, entry, frame)

    def _frame(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.folder / name, dtype=str, comment="#", keep_default_na=False)

    def _engines(self, name: str, entry: Mapping[str, Any]) -> pd.Series:
        """The engine of each row."""
        frame, stated = self._frame(name), entry.get("engine", entry.get("committed", ""))
        return frame[COLUMN] if COLUMN in frame else pd.Series(stated, frame.index, dtype=str)

    def _measured(self, name: str, entry: Mapping[str, Any], frame: pd.DataFrame) -> list[Rows]:
        engines = self._engines(name, entry)
        column = next((c for c in METHODS if c in frame), None)
        methods = frame[column] if column else pd.Series("", frame.index, dtype=str)
        found: dict[tuple[str, str, tuple[str, ...]], dict[str, int]] = {}
        pairs = pd.DataFrame({"engine": engines, "method": methods})
        for (engine, method), number in pairs.value_counts(sort=False).items():
            own = self.table.of_method(method) if column else ()
            status, changed = self._state(engine, self.table.paths([*entry["uses"], *own]))
            found.setdefault((engine, status, changed), {})[method] = int(number)
        before = "" if COLUMN in frame or "engine" in entry else "at or before "
        return [
            Rows(name, before + engine, sum(of.values()), status, tuple(filter(None, of)), changed)
            for (engine, status, changed), of in found.items()
        ]

    def _state(self, engine: str, paths: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        stated = COMMIT.fullmatch(engine)
        if stated is None:
            return NO_COMMIT, ()
        changed = None if stated[2] else self.repository.changed(stated[1], paths)
        if changed is None:  # not in the history, or with changes that were never committed
            return UNKNOWN, ()
        return (STALE if changed else FRESH), changed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="parts of file names; without them every file")
    parser.add_argument("--stale", action="store_true", help="leave out fresh rows and fixed files")
    parser.add_argument("--files", action="store_true", help="name the changed files")
    parser.add_argument("--check", action="store_true", help="fail if a file or a row names no commit")
    args = parser.parse_args(arguments)
    report = Report.of(HERE)
    if report.repository.files("HEAD") is None:
        sys.exit(f"{HERE.parent}: no git repository with commits; run this in a clone")
    counts = dict.fromkeys(WORST, 0)
    for rows in report.rows():
        if args.names and not any(name in rows.file for name in args.names):
            continue
        counts[rows.status] += rows.rows
        if not (args.stale and rows.status in (FRESH, FIXED)):
            of = f" ({', '.join(rows.methods)})" if rows.methods else ""
            number = f": {len(rows.changed)} files changed" if rows.changed else ""
            print(f"{rows.file}: {rows.rows} rows, {rows.engine}{of}: {rows.status}{number}")
            for file in rows.changed if args.files else ():
                print(f"    {file}")
    print(", ".join(f"{status}: {number} rows" for status, number in counts.items()))
    faults = report.faults()
    print(*faults, sep="\n", end="\n" if faults else "")
    return int(args.check and bool(faults))


if __name__ == "__main__":
    sys.exit(main())
