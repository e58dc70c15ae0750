"""The documentation's commands, flags, keys and files must exist, and its code must run."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import io
import json
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer

import nas
from nas.algorithms import ALGORITHMS
from nas.algorithms.peers import PEERS
from nas.cli import main
from nas.cli.app import app
from nas.compare.config import CompareConfig, ProblemPart, ReferencePart, check_comparison
from nas.config.schema import Budget, HalvingPart, ObjectivePart, SearchConfig, check_config, read_config
from nas.core import errors
from nas.core.records import Status
from nas.deployment.target import Target
from nas.executors import SETTINGS
from nas.training.from_config import training

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
OWN_SPACE = ROOT / "docs" / "examples" / "own_space.py"
OWN_CONFIG = OWN_SPACE.with_suffix(".yaml")
BUDGET = 24  # the algorithm's own proposals are among them

FENCE = re.compile(r"^(<!-- runnable -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def every_page(test: Any) -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=page_name)(test)


def blocks(page: Path, *languages: str) -> list[tuple[bool, str]]:
    """Fenced blocks in one of the languages: whether they are marked runnable, and their text."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(bool(mark), text) for mark, language, text in found if language in languages]


def shown_commands(page: Path, program: str) -> Iterator[list[str]]:
    """Every command line of a program that the page shows, split into words, without the program."""
    text = page.read_text(encoding="utf-8")
    prose = FENCE.sub("", text)
    lines = [line for _, block in blocks(page, "sh", "bash") for line in block.splitlines()]
    for line in [*lines, *INDENTED.findall(prose), *INLINE.findall(prose)]:
        first, _, rest = line.strip().partition(" ")
        if first in (program, f".venv/bin/{program}") and rest:
            yield shlex.split(rest, comments=True)


def test_every_test_that_a_promise_names_is_there() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    promises = [row for row in table_rows("reliability.md") if row[0] not in ("promise", "---")]
    assert all("the same" in row[1] or re.search(r"`\w+/test_\w+\.py`", row[1]) for row in promises)
    named = set(re.findall(r"`(\w+/test_\w+\.py)`", text))
    assert named
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []


def table_rows(page: str) -> list[list[str]]:
    """The cells of every row of every table of a page."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def first_table(page: str) -> list[list[str]]:
    """The rows of a page's first table, and of others as wide."""
    rows = table_rows(page)
    return [row for row in rows if len(row) == len(rows[0])]


def in_code(text: str) -> set[str]:
    return set(INLINE.findall(text))


def mentioned(page: str) -> set[str]:
    """Everything that a page of docs/ sets in code."""
    return in_code((ROOT / "docs" / page).read_text(encoding="utf-8"))


def section(page: str, title: str) -> list[list[str]]:
    """The rows of the tables under one heading, without their header."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    body = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [
        [c.strip() for c in line.strip("|").split("|")] for line in body.splitlines() if line.startswith("|")
    ]
    return rows[2:]


@pytest.fixture(scope="module")
def own_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the example as a script, with fewer evaluations."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out):
        patched.chdir(tmp_path_factory.mktemp("script"))
        search = nas.search
        patched.setattr(nas, "search", lambda *given, **more: search(*given, **{**more, "budget": BUDGET}))
        runpy.run_path(str(OWN_SPACE), run_name="__main__")
    return out.getvalue()


@pytest.fixture(scope="module")
def own_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that the example's config leaves behind, with as few."""
    folder = tmp_path_factory.mktemp("config")
    arguments = ["search", str(OWN_CONFIG), "--executor", "serial", "--budget", str(BUDGET), "--out", "run"]
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr("sys.argv", ["nas", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return folder / "run"


def test_the_example_is_shorter_than_sixty_lines() -> None:
    assert len(OWN_SPACE.read_text(encoding="utf-8").splitlines()) < 60


def test_the_example_prints_a_front_within_its_limit(own_output: str) -> None:
    header, *rows = [line.split() for line in own_output.splitlines()]
    assert header == ["architecture", "error", "weights"]
    assert len(rows) >= 3
    assert all(float(weights) <= 6000 for _, _, weights in rows)
    assert float(rows[0][1]) < 10  # it learned: guessing has an error of 90%


@pytest.mark.slow
def test_the_config_of_the_example_gives_the_front_that_the_script_gives(
    own_output: str, own_run: Path
) -> None:
    by_script = [line.split()[0] for line in own_output.splitlines()[1:]]
    assert pd.read_csv(own_run / "front.csv")["architecture"].tolist() == by_script


def test_the_parts_of_the_example_keep_their_contracts() -> None:
    from nas.testing import check_evaluator, check_objective, check_space

    spec = importlib.util.spec_from_file_location("own_space", OWN_SPACE)
    assert spec is not None
    assert spec.loader is not None
    own = importlib.util.module_from_spec(spec)
    sys.modules["own_space"] = own
    try:
        spec.loader.exec_module(own)
        space = own.SmallNetworks()
        check_space(space)
        check_objective(nas.Objective("weights", cheap=True, function=own.weights), space)
        check_evaluator(own.train, space, required=["error"], budget=2)
    finally:
        del sys.modules["own_space"]


@every_page
def test_python_in_a_page_compiles(page: Path) -> None:
    for _, code in blocks(page, "python"):
        compile(code, page_name(page), "exec")


RUNNABLE = [
    pytest.param(code, id=f"{page_name(page)}-{i}")
    for page in PAGES
    if page.name != "README.md"  # test_readme.py runs its search
    for i, (marked, code) in enumerate(blocks(page, "python"))
    if marked
]


@pytest.mark.parametrize("code", RUNNABLE)
@pytest.mark.usefixtures("no_plots")
def test_python_that_is_marked_runnable_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shown.py"
    file.write_text(code, encoding="utf-8")
    runpy.run_path(str(file), run_name="__main__")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(text, id=f"{page_name(page)}-{i}")
        for page in PAGES
        for i, (_, text) in enumerate(blocks(page, "yaml"))
    ],
)
def test_yaml_in_a_page_has_only_keys_that_exist(block: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(block, encoding="utf-8")
    values = read_config(tmp_path / "shown.yaml")
    if "problems" in values:
        check_comparison(values)
        return
    if values.keys() <= inspect.signature(Target).parameters.keys():
        Target(**values)
        return
    if values.keys() <= inspect.signature(training).parameters.keys():  # settings of an evaluator, alone
        values = {"evaluator": {"name": "training", **values}}
    check_config({"space": "nasbench101", **values})


@cache
def whole_command() -> Any:
    """The command line with all its commands; making it takes longer than a page."""
    return typer.main.get_command(app)


@every_page
def test_nas_commands_in_a_page_exist_with_their_flags(page: Path) -> None:
    for words in shown_commands(page, "nas"):
        command: Any = whole_command()
        left = list(words)
        while left and hasattr(command, "commands") and not left[0].startswith("-"):
            if left[0].isupper():  # a placeholder
                break
            assert left[0] in command.commands, f"nas {shlex.join(words)}: no command {left[0]!r}"
            command = command.commands[left.pop(0)]
        known = {"--help", *(flag for parameter in command.params for flag in parameter.opts)}
        flags = {word.partition("=")[0] for word in left if word.startswith("--")}
        assert flags <= known, f"nas {shlex.join(words)}: no flag {', '.join(sorted(flags - known))}"


def test_the_command_line_page_shows_every_command() -> None:
    shown = {tuple(words[:2]) for words in shown_commands(ROOT / "docs" / "command-line.md", "nas")}
    top: Any = whole_command()
    for name, command in top.commands.items():
        for inner in getattr(command, "commands", [None]):
            assert any(words[0] == name and inner in (None, *words[1:]) for words in shown), (name, inner)


@every_page
def test_make_targets_in_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for words in shown_commands(page, "make"):
        asked = {word for word in words if "=" not in word}
        assert asked <= targets, f"make {shlex.join(words)}"


@every_page
def test_links_to_files_in_a_page_resolve(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"\w+:", target):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page_name(page)} links to {target}"


def test_the_map_leads_to_every_page() -> None:
    linked = set(LINK.findall((ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert {p.name for p in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked


def test_the_config_page_has_a_row_for_every_key_and_no_other() -> None:
    keys = [cells[0].strip("`") for cells in table_rows("config.md")]
    assert keys[2 : 2 + len(SearchConfig.model_fields)] == list(SearchConfig.model_fields)
    assert {row[0].strip("`") for row in section("config.md", "`budget`")} == set(Budget.model_fields)
    assert {row[0].strip("`") for row in section("config.md", "`halving`")} == set(HalvingPart.model_fields)
    assert {row[0].strip("`") for row in section("config.md", "`objectives`")} == set(
        ObjectivePart.model_fields
    )


def test_the_config_page_states_the_defaults() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in table_rows("config.md") if len(row) == 3}
    for name, field in [
        *SearchConfig.model_fields.items(),
        *Budget.model_fields.items(),
        *HalvingPart.model_fields.items(),
    ]:
        if isinstance(field.default, (bool, int, float, str)):
            assert shown[name] == str(field.default).lower(), name


def test_the_config_page_has_every_setting_of_the_executors_with_its_default() -> None:
    rows = {row[1].strip("`"): row[2].strip("`") for row in section("config.md", "`executor`")}
    for settings in SETTINGS.values():
        for field in dataclasses.fields(settings):
            wanted = "null" if field.default is None else str(field.default).lower().removesuffix(".0")
            assert rows[field.name] == wanted, field.name


def test_the_comparison_page_has_every_key_and_the_defaults() -> None:
    rows = table_rows("compare.md")
    keys = {name for row in rows for name in in_code(row[0])}
    missing = (
        set(CompareConfig.model_fields) | set(ReferencePart.model_fields) | set(ProblemPart.model_fields)
    )
    assert missing - keys <= mentioned("compare.md")
    assert set(CompareConfig.model_fields) <= keys
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows if len(row) == 3}
    for name, field in CompareConfig.model_fields.items():
        if isinstance(field.default, (bool, int, float, str)):
            assert shown[name] == str(field.default).lower(), name


def test_the_comparison_page_has_every_peer() -> None:
    assert set(PEERS) <= mentioned("compare.md")


def test_the_algorithms_page_has_every_algorithm_with_its_settings_and_defaults() -> None:
    text = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8").split("\n## Settings\n")
    assert {row[0].strip("`") for row in table_rows("algorithms.md")} >= set(ALGORITHMS)
    assert set(ALGORITHMS) <= in_code(text[0])
    documented: dict[str, dict[str, str]] = {}
    name = ""
    for first, settings, default, _ in section("algorithms.md", "Settings"):
        name = first.strip("`") or name
        documented.setdefault(name, {}).update({s: default for s in in_code(settings)})
    for name, algorithm in ALGORITHMS.items():
        fields = {field.name: field.default for field in dataclasses.fields(algorithm.Settings)}
        assert set(documented.get(name, {})) == set(fields), name
        for setting, shown in documented.get(name, {}).items():
            if re.fullmatch(r"[\d.]+|`.*`", shown):
                assert shown.strip("`") in (str(fields[setting]), f"{fields[setting]}.0"), (name, setting)


def test_the_errors_page_has_every_status_and_every_error_with_its_code() -> None:
    codes = {row[1]: row[0] for row in first_table("errors.md")}
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.NasError):
            row = next((names for names in codes if f"`{error.__name__}`" in names), None)
            assert row is not None, error.__name__
            assert codes[row] == str(error.exit_code), error.__name__
    explained = {row[0].strip("`") for row in section("errors.md", "Candidates that fail")}
    assert explained == {status.value for status in Status} - {"ok"}


def test_the_run_folder_page_has_every_file_of_a_run(own_run: Path) -> None:
    known = mentioned("run-folder.md")
    for file in own_run.iterdir():
        assert {file.name, f"{file.name}/*.png"} & known, file.name
    for image in (own_run / "plots").iterdir():
        assert image.name in known or image.name.startswith("front_"), image.name


def test_the_run_folder_page_has_every_column_key_and_status(own_run: Path) -> None:
    known = mentioned("run-folder.md")
    columns = set(pd.read_parquet(own_run / "history.parquet").columns) - {"error", "weights"}
    assert columns <= known
    assert set(json.loads((own_run / "summary.json").read_text(encoding="utf-8"))) <= known
    assert {status.value for status in Status} <= known


def test_the_path_of_a_candidate_in_contributing_is_that_of_the_code() -> None:
    import runpy

    script = runpy.run_path(str(ROOT / "docs" / "figures" / "candidate_path.py"))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert script["with_diagram"](text) == text, "run: python docs/figures/candidate_path.py --write"
