"""The list of stale results: what each committed CSV file depends on, and which rows a change makes stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

import stale  # noqa: E402

TABLE = """
groups: {search: [nas/loop.py, "nas/tools.py:used"]}
methods: {"moead*": [nas/moead.py], "*": []}
files:
  named.csv: {uses: [search]}
  listed.csv: {engine: ENGINE, uses: [nas/moead.py]}
  summary.csv: {from: [named.csv, listed.csv]}
  published.csv: {fixed: published figures}
"""
CODE = {
    "loop.py": "def loop() -> int:\n    return 1\n",
    "moead.py": "THETA = 1\n",
    "tools.py": "def used() -> int:\n    return 1\n\n\ndef other() -> int:\n    return 1\n",
}


def git(root: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Clone:
    """A repository with one commit of code and results that this commit made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        git(root, "init", "-q")
        self.write(**{f"nas/{name}": text for name, text in CODE.items()})
        self.first = self.commit()
        rows = {
            "method": ["moead:theta=2", "random", "random"],
            "engine": [self.first] * 3,
            "value": [1, 2, 3],
        }
        self.table(**{"named.csv": pd.DataFrame(rows), "listed.csv": pd.DataFrame({"value": [1, 2]})})
        self.table(**{name: pd.DataFrame({"value": [1]}) for name in ("summary.csv", "published.csv")})
        self.write(**{"experiments/dependencies.yaml": TABLE.replace("ENGINE", f'"{self.first}"')})
        self.commit()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")

    def table(self, **frames: pd.DataFrame) -> None:
        self.write(**{f"experiments/{name}": frame.to_csv(index=False) for name, frame in frames.items()})

    def commit(self) -> str:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", "change")
        return git(self.root, "rev-parse", "--short=8", "HEAD")

    @property
    def report(self) -> stale.Report:
        return stale.Report.of(self.root / "experiments")

    def states(self, file: str) -> dict[tuple[str, ...], str]:
        return {rows.methods: rows.status for rows in self.report.of_file(file)}


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_every_committed_result_names_the_commit_that_made_it_and_what_it_depends_on() -> None:
    report = stale.Report.of(EXPERIMENTS)
    assert report.faults() == []
    assert len(report.present) > 80
    used = {p for e in report.table.files.values() for p in report.table.paths(e.get("uses", ()))}
    used |= {p for uses in report.table.methods.values() for p in report.table.paths(uses)}
    for path in used:
        file, _, name = path.partition(":")
        assert (EXPERIMENTS.parent / file).exists(), path
        if name:
            text = (EXPERIMENTS.parent / file).read_text(encoding="utf-8")
            assert stale.code_alone(text, name) != stale.code_alone("")
    sources = {source for e in report.table.files.values() for source in e.get("from", ())}
    assert sources <= report.table.files.keys()


def test_rows_are_fresh_until_what_they_depend_on_changes(clone: Clone) -> None:
    assert clone.states("named.csv") == {("moead:theta=2", "random"): stale.FRESH}
    clone.write(**{"nas/moead.py": "THETA = 2\n"})
    assert clone.states("named.csv") == {("moead:theta=2", "random"): stale.FRESH}  # not committed
    clone.commit()
    assert clone.states("named.csv") == {("moead:theta=2",): stale.STALE, ("random",): stale.FRESH}
    assert [rows.changed for rows in clone.report.of_file("listed.csv")] == [("nas/moead.py",)]
    assert [rows.status for rows in clone.report.of_file("summary.csv")] == [stale.STALE]
    assert [rows.status for rows in clone.report.of_file("published.csv")] == [stale.FIXED]


def test_comments_docstrings_and_other_definitions_make_no_row_stale(clone: Clone) -> None:
    clone.write(
        **{
            "nas/loop.py": '"""A loop."""\n\n\ndef loop() -> int:\n    """One."""\n    return 1  # one\n',
            "nas/tools.py": CODE["tools.py"].replace("def other() -> int:\n    return 1", "OTHER = 2"),
        }
    )
    clone.commit()
    assert set(clone.states("named.csv").values()) == {stale.FRESH}
    clone.write(**{"nas/tools.py": CODE["tools.py"].replace("return 1", "return 2", 1)})
    clone.commit()
    assert set(clone.states("named.csv").values()) == {stale.STALE}


def test_a_commit_that_the_history_lacks_and_uncommitted_changes_are_unknown(clone: Clone) -> None:
    engines = ["0123456", clone.first + "+", clone.first + " torch 2.13.0"]
    clone.table(**{"named.csv": pd.DataFrame({"engine": engines, "value": [1, 2, 3]})})
    found = {rows.engine: rows.status for rows in clone.report.of_file("named.csv")}
    assert found == dict(zip(engines, (stale.UNKNOWN, stale.UNKNOWN, stale.FRESH), strict=True))


@pytest.mark.parametrize("engine", ["", "0.1.0", "unknown"])
def test_a_row_without_a_commit_is_a_fault(clone: Clone, engine: str) -> None:
    assert clone.report.faults() == []
    clone.table(**{"named.csv": pd.DataFrame({"engine": [clone.first, engine], "value": [1, 2]})})
    assert clone.report.faults() == [
        "named.csv: 1 rows name no commit of the engine; run them again with a column 'engine'"
    ]


def test_a_file_that_is_not_listed_or_not_there_is_a_fault(clone: Clone) -> None:
    clone.table(**{"new/results.csv": pd.DataFrame({"value": [1]})})
    (clone.root / "experiments" / "published.csv").unlink()
    clone.commit()
    assert [fault.partition(":")[0] for fault in clone.report.faults()] == [
        "new/results.csv",
        "published.csv",
    ]


def test_the_command_fails_with_check_alone(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stale, "HERE", clone.root / "experiments")
    assert stale.main(["--check"]) == 0
    clone.write(**{"nas/loop.py": "def loop() -> int:\n    return 2\n"})
    clone.table(**{"new.csv": pd.DataFrame({"value": [1]})})
    clone.commit()
    assert stale.main([]) == 0
    assert stale.main(["--check", "--stale", "--files"]) == 1
    shown = capsys.readouterr().out
    assert "named.csv: 3 rows" in shown
    assert "stale: 1 files changed\n    nas/loop.py" in shown
    assert "new.csv: not in dependencies.yaml" in shown


def test_an_entry_that_cannot_be_read_is_named(clone: Clone) -> None:
    text = TABLE.replace("{uses: [search]}", "{uses: [search], from: [listed.csv]}")
    clone.write(**{"experiments/dependencies.yaml": text})
    with pytest.raises(SystemExit, match=r"named\.csv: expected one of uses, from, fixed"):
        _ = clone.report


def test_versions_that_were_found_equal_make_no_row_stale(clone: Clone) -> None:
    before = git(clone.root, "rev-parse", "HEAD:nas/moead.py")
    clone.write(**{"nas/moead.py": "THETA = 1 + 0\n"})
    clone.commit()
    assert clone.states("listed.csv") == {(): stale.STALE}
    table = clone.root / "experiments" / "dependencies.yaml"
    after = git(clone.root, "rev-parse", "HEAD:nas/moead.py")
    table.write_text(table.read_text(encoding="utf-8") + f"equal: [[{before}, {after}]]\n", encoding="utf-8")
    assert clone.states("listed.csv") == {(): stale.FRESH}
