"""Every command that writes, in folders with files of others, links and read-only files: all of it is as before.

A snapshot has every name with its kind, bytes, time of change and mode, and where a link points.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import nas
from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.core.tables import read_csv
from nas.export.picks import choose
from nas.runs.files import run_files
from nas.testing.toy import ToySpace, toy_error

pytestmark = pytest.mark.usefixtures("no_plots")
OBJECTIVES = ["error", "params"]
COMPARE = """
problems: [{name: toy, space: parts.py:Space, objectives: [error, params], evaluator: parts.py:Evaluator}]
algorithms: [random, {name: moead, population: 6}]
budget: 8
initial: 4
seeds: 1
executor: serial
out: out
"""
RECIPE = ("--set", "recipe.max_pictures=100", "--epochs", "1")
TRAIN = (
    "train",
    "muxnet-tiny:r8/stem8s1/ds8/ir16:s2e2/head32",
    "--data",
    "digits",
    "--recipe",
    "digits",
    *RECIPE,
)

Snapshot = dict[str, tuple[object, ...]]


def snapshot(folder: Path) -> Snapshot:
    """Everything below a folder, links not followed."""
    found: Snapshot = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        state = os.lstat(path)
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (stat.filemode(state.st_mode), state.st_mtime_ns, content)
    return found


def foreign_project(folder: Path) -> None:
    """A foreign project with the file names of a run."""
    for name in ("weights/resnet.pt", "report.html", "front.csv", "config.json", "weights.pt", "index.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"precious " + name.encode())


def with_links(folder: Path) -> None:
    """Links to a file and a folder elsewhere, and to nothing, under names that a run would use."""
    other = folder.parent / "elsewhere"
    (other / "weights").mkdir(parents=True)
    (other / "weights/resnet.pt").write_bytes(b"precious")
    (other / "page.html").write_bytes(b"precious")
    folder.mkdir()
    (folder / "weights").symlink_to(other / "weights")
    (folder / "plots").symlink_to(other / "nothing")
    for name in (
        "report.html",
        ".report.html.part",
        "history.sqlite",
        "export.json",
        ".lock",
        "compare.json",
    ):
        (folder / name).symlink_to(other / "page.html")


def only_a_config(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}")


def an_empty_subfolder(folder: Path) -> None:
    (folder / "weights").mkdir(parents=True)


def a_foreign_lock(folder: Path) -> None:
    folder.mkdir()
    (folder / ".lock").write_text("mine")


def no_log_of_ours(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "history.sqlite")) as db:
        db.execute("CREATE TABLE visits (url TEXT)")
        db.commit()


def an_empty_log(folder: Path) -> None:
    folder.mkdir()
    (folder / "history.sqlite").touch()


def read_only(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o555)


REFUSED = [
    (foreign_project, "config.json"),
    (with_links, ".lock"),
    (only_a_config, "config.json"),
    (an_empty_subfolder, "weights/"),
    (a_foreign_lock, ".lock"),
    (no_log_of_ours, "history.sqlite"),
    (an_empty_log, "history.sqlite"),
]
COMMANDS = {
    "search": ("search", "search.yaml", "--out", "out"),
    "search with a config error": (
        "search",
        "search.yaml",
        "--out",
        "out",
        "--set",
        "algorithm.population=50",
    ),
    "compare": ("compare", "compare.yaml"),
    "train": (*TRAIN, "--out", "out"),
}


@pytest.fixture(autouse=True)
def _configs(folder: Path) -> None:
    (folder / "compare.yaml").write_text(COMPARE)


@pytest.mark.parametrize("make", [make for make, _ in REFUSED], ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_with_files_of_others_is_refused_and_unchanged(
    command: str, make: Callable[[Path], None], folder: Path, nas_command
) -> None:
    make(folder / "out")
    before = snapshot(folder)
    done = nas_command(*COMMANDS[command])
    assert done.code == 4, done.err
    assert snapshot(folder) == before
    assert dict(REFUSED)[make] in done.sentence or "is a symbolic link" in done.sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_folder_is_refused_with_its_name_and_unchanged(
    command: str, folder: Path, nas_command
) -> None:
    read_only(folder / "out")
    before = snapshot(folder)
    done = nas_command(*COMMANDS[command])
    assert done.code in (2, 4), done.err
    assert "out" in done.sentence
    assert "read-only" in done.sentence
    assert snapshot(folder) == before


@pytest.mark.parametrize("place", ["out", "a/b/out"])
def test_a_search_that_ends_in_a_config_error_leaves_no_folder(place: str, folder: Path, nas_command) -> None:
    before = snapshot(folder)
    for error in ("algorithm.population=50", 'limits=["parms <= 3"]', "seed=x"):
        assert nas_command("search", "search.yaml", "--out", place, "--set", error).code == 2
    assert snapshot(folder) == before
    (folder / "empty").mkdir()
    before = snapshot(folder)
    assert (
        nas_command("search", "search.yaml", "--out", "empty", "--set", "algorithm.population=50").code == 2
    )
    assert snapshot(folder) == before


def test_a_search_that_fails_before_its_first_result_leaves_the_folder_as_it_was(folder: Path) -> None:
    def fails(*_: object) -> None:
        raise ConfigError("no workers")

    (folder / "empty").mkdir()
    (folder / "empty/.gitkeep").touch()
    before = {name for name in snapshot(folder)}
    for out in ("new/run", "empty"):
        with pytest.raises(ConfigError, match="no workers"):
            nas.search(
                ToySpace(), OBJECTIVES, toy_error, budget=20, out=out, executor=fails, algorithm="moead"
            )
    assert set(snapshot(folder)) == before


def test_files_that_keep_an_empty_folder_in_git_do_not_hinder_a_run_and_stay(
    folder: Path, nas_command
) -> None:
    (folder / "out").mkdir()
    kept = [".gitkeep", ".gitignore", ".DS_Store"]
    for name in kept:
        (folder / "out" / name).write_text("mine")
    before = snapshot(folder)
    assert nas_command("search", "search.yaml", "--out", "out", "--budget", "8").code == 0
    after = snapshot(folder)
    assert [after[f"out/{name}"] for name in kept] == [before[f"out/{name}"] for name in kept]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs a finished run puts it."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def run(made: Path, folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run of eight evaluations, in the working directory."""
    if not (made / "run").exists():
        for name in ("search.yaml", "parts.py"):
            shutil.copy(folder / name, made)
        monkeypatch.chdir(made)
        done = nas_command("search", "search.yaml", "--budget", "8")
        assert done.code == 0, done.err
        monkeypatch.chdir(folder)
    shutil.copytree(made / "run", folder / "run")
    return folder / "run"


RESUME = ("search", "--resume", "run", "--budget", "12")


def test_files_placed_in_a_finished_run_are_left_alone_by_resume_report_and_export(
    run: Path, nas_command
) -> None:
    names = ("notes.txt", "plots/mine.png", "weights/resnet.pt", "export/mine.txt", "tables/front.csv")
    for name in names:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
    before = snapshot(run)
    assert nas_command(*RESUME).code == 0
    assert nas_command("report", "run").code == 0
    assert nas_command("front", "run", "--csv").code == 0
    after = snapshot(run)
    assert [after[name] for name in names] == [before[name] for name in names]


@pytest.mark.parametrize("name", ["report.html", "weights/index.json", "live.json"])
@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "folder"])
def test_what_takes_the_name_of_a_file_of_the_run_is_refused_before_work_and_named(
    name: str, kind: str, run: Path, nas_command
) -> None:
    place, other = run / name, run.parent / "other"
    place.parent.mkdir(exist_ok=True)
    if kind == "file":
        place.write_text("mine")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(other)
        if kind == "link":
            other.write_text("precious")
    before = snapshot(run.parent)
    done = nas_command(*RESUME)
    assert done.code == 4, done.out
    assert name in done.sentence
    assert snapshot(run.parent) == before


@pytest.mark.parametrize("name", ["weights", "plots"])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_folder_of_the_run_that_is_a_link_is_refused_and_nothing_behind_it_changes(
    name: str, dangling: bool, run: Path, nas_command
) -> None:
    other = run.parent / "other"
    if not dangling:
        other.mkdir()
        (other / "resnet.pt").write_text("precious")
    (run / name).symlink_to(other)
    before = snapshot(run.parent)
    done = nas_command(*RESUME)
    assert done.code == 4
    assert f"{name} is a symbolic link" in done.sentence
    assert snapshot(run.parent) == before


@pytest.mark.parametrize("name", ["history.sqlite", "history.sqlite-wal", ".lock"])
def test_a_log_or_lock_that_is_a_link_is_refused(name: str, run: Path, nas_command) -> None:
    other = run.parent / "other"
    if (run / name).exists():
        (run / name).rename(other)
    else:
        other.write_text("precious")
    (run / name).symlink_to(other)
    before = snapshot(run.parent)
    done = nas_command(*RESUME)
    assert done.code == 4
    assert f"{name} is a symbolic link" in done.sentence
    assert snapshot(run.parent) == before


@pytest.mark.parametrize("name", ["front.csv", "history.sqlite", "config.json", "."])
def test_a_read_only_file_of_a_run_is_refused_before_work_and_named(
    name: str, run: Path, nas_command
) -> None:
    (run / name).chmod(0o555 if name == "." else 0o444)
    before = snapshot(run.parent)
    done = nas_command(*RESUME)
    assert done.code == 4
    assert "read-only" in done.sentence
    assert (name if name != "." else "run") in done.sentence
    assert snapshot(run.parent) == before
    (run / name).chmod(0o755)


def test_a_report_replaces_its_own_page_and_no_other(run: Path, nas_command) -> None:
    mine = run.parent / "mine.html"
    mine.write_text("<!DOCTYPE html><p>mine")
    (run / "comparison.html").symlink_to(mine)
    before = snapshot(run.parent)
    done = nas_command("report", "run", "--out", "mine.html")
    assert (done.code, "mine.html exists and nas report did not write it" in done.sentence) == (4, True)
    (run.parent / "link.html").symlink_to(mine)
    assert nas_command("report", "run", "--out", "link.html").code == 4
    (run.parent / "link.html").unlink()
    assert snapshot(run.parent)["mine.html"] == before["mine.html"]
    for _ in range(2):
        assert nas_command("report", "run").code == 0
        assert nas_command("report", "run", "--out", "new.html").code == 0
    assert run_files(run).owns("report.html")
    assert mine.read_text() == "<!DOCTYPE html><p>mine"


@pytest.mark.parametrize("name", ["history.sqlite", "front.csv", "history.sqlite-wal", "new.csv"])
def test_a_report_never_takes_the_name_of_another_file_of_the_run(name: str, run: Path, nas_command) -> None:
    before = snapshot(run)
    assert nas_command("report", "run", "--out", f"run/{name}").code in (2, 4)
    assert snapshot(run) == before
    assert nas_command("report", "run", "--out", "run/mine.html").code == 0


def test_reading_a_run_leaves_nothing_beside_the_target_of_a_link(run: Path, nas_command) -> None:
    place = run.parent / "elsewhere"
    place.mkdir()
    (run / "history.sqlite").rename(place / "history.sqlite")
    (run / "history.sqlite").symlink_to(place / "history.sqlite")
    before = snapshot(place)
    assert nas_command("front", "run").code == 0
    assert nas_command("watch", "run", "--once").code == 0
    assert snapshot(place) == before


def test_a_report_page_that_the_run_never_wrote_is_refused(run: Path, nas_command) -> None:
    (run / "report.html").write_text("mine")
    before = snapshot(run)
    done = nas_command("report", "run")
    assert (done.code, "report.html" in done.sentence) == (4, True)
    assert snapshot(run) == before


def test_links_under_the_old_temporary_names_are_not_followed(run: Path, nas_command) -> None:
    other = run.parent / "other"
    other.write_text("precious")
    names = ("report.html", "front.csv", "summary.json", "config.json", "live.json", "history.parquet")
    for name in names:
        (run / f".{name}.part").symlink_to(other)
        (run / f".{name}.{os.getpid()}").symlink_to(other)
    assert nas_command(*RESUME).code == 0
    assert nas_command("report", "run").code == 0
    assert other.read_text() == "precious"
    assert all((run / f".{name}.part").is_symlink() for name in names)


def test_a_log_names_every_file_before_it_is_written(run: Path, nas_command) -> None:
    assert nas_command("report", "run").code == 0
    written = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert all(run_files(run).owns(name) for name in written)


def test_a_run_of_an_earlier_version_continues_with_its_files_and_keeps_others(
    run: Path, nas_command
) -> None:
    with closing(sqlite3.connect(run / "history.sqlite")) as db:
        db.execute("DROP TABLE files")
    for name in ("notes.txt", "weights/resnet.pt"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
    (run / "report.html").write_text("the page of that version")
    assert nas_command(*RESUME).code == 0
    assert nas_command("report", "run").code == 0
    assert (run / "notes.txt").read_text() == (run / "weights/resnet.pt").read_text() == "mine"
    assert "the page of that version" not in (run / "report.html").read_text()


def test_a_start_that_was_killed_before_the_first_ask_can_be_started_again(folder: Path) -> None:
    from nas.runs.history import History

    log = History(folder / "out", ToySpace(), create=True)
    run_files(folder / "out").write_text("config.json", "{}")
    run_files(folder / "out").claim("live.json", "tensorboard/")
    (folder / "out/tensorboard").mkdir()
    (folder / "out/tensorboard/events").touch()
    log.close()
    nas.search(ToySpace(), OBJECTIVES, toy_error, budget=8, out="out", algorithm="random")
    assert run_files(folder / "out").owns("tensorboard/events")
    nas.search(ToySpace(), OBJECTIVES, toy_error, budget=12, out="out", algorithm="random", resume=True)


def test_a_comparison_continues_only_with_its_own_files(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.compare.report.write_figures", lambda folder, drawn: None)
    monkeypatch.setattr("nas.compare.report._page", lambda *_: "page")
    assert nas_command("compare", "compare.yaml").code == 0
    (folder / "out/notes.txt").write_text("mine")
    assert nas_command("compare", "compare.yaml", "--seeds", "2").code == 0
    assert (folder / "out/notes.txt").read_text() == "mine"
    for name in ("index.html", "results/tables.md", "compare.json"):
        (folder / "out" / name).rename(folder / "moved")
        (folder / "out" / name).symlink_to(folder / "moved")
        before = snapshot(folder)
        for more in (["--seeds", "3"], *([] if name == "compare.json" else [["--report"]])):
            done = nas_command("compare", "compare.yaml", *more)
            assert (done.code, f"{name} is a symbolic link" in done.sentence) == (4, True)
            assert snapshot(folder) == before
        (folder / "moved").replace(folder / "out" / name)


def test_a_training_continues_only_with_its_own_files(folder: Path, nas_command) -> None:
    assert nas_command(*TRAIN, "--out", "out").code == 0
    (folder / "out/notes.txt").write_text("mine")
    (folder / "out/result.json").unlink()
    assert nas_command(*TRAIN, "--out", "out").code == 0
    assert (folder / "out/result.json").is_file()
    (folder / "out/log.csv").rename(folder / "moved")
    (folder / "out/log.csv").symlink_to(folder / "moved")
    before = snapshot(folder)
    done = nas_command(*TRAIN, "--out", "out")
    assert (done.code, "log.csv is a symbolic link" in done.sentence) == (4, True)
    assert snapshot(folder) == before
    export = nas_command("export", "out", "--no-onnx")
    assert export.code == 0
    before = snapshot(folder / "out/export")
    (folder / "out/export/network.svg").unlink(missing_ok=True)
    (folder / "out/export/README.md").rename(folder / "readme")
    (folder / "out/export/README.md").symlink_to(folder / "readme")
    done = nas_command("export", "out", "--no-onnx", "--force")
    assert (done.code, "README.md is a symbolic link" in done.sentence) == (4, True)
    assert snapshot(folder / "out/export")["weights.pt"] == before["weights.pt"]


@pytest.mark.parametrize(
    ("make", "force"), [(foreign_project, ["--force"]), (only_a_config, []), (a_foreign_lock, ["--force"])]
)
def test_an_export_into_a_folder_with_files_of_others_is_refused(
    make: Callable[[Path], None], force: list[str], run: Path, nas_command
) -> None:
    picked = json.loads(nas_command("front", "run", "--json").out)[0]["architecture"]
    name = choose(nas.load_run(run)[0], [picked])[0].name
    for place in ("out", "run/export"):
        (run.parent / place).mkdir()
        make(run.parent / place / name)
    (run.parent / "links").mkdir()
    (run.parent / "links" / name).symlink_to(run.parent / "nothing")
    before = snapshot(run.parent)
    for out in (["--out", "out"], ["--out", "links"], []):
        done = nas_command("export", "run", "--pick", picked, "--untrained", *out, *force)
        assert done.code == 4, done.err
        assert snapshot(run.parent) == before
    (run / "export").rename(run.parent / "elsewhere-too")
    (run / "export").symlink_to(run.parent / "elsewhere-too")
    before = snapshot(run.parent)
    done = nas_command("export", "run", "--pick", picked, "--untrained", *force)
    assert done.code == 4, done.err
    assert snapshot(run.parent) == before


def test_files_named_on_the_command_line_are_not_replaced_unless_they_are_ours(
    folder: Path, nas_command
) -> None:
    (folder / "mine.svg").write_text("<svg/>")
    (folder / "mine.pt").write_bytes(b"precious")
    (folder / "link.svg").symlink_to("nothing")
    (folder / "theirs.pth").write_bytes(b"x")
    before = snapshot(folder)
    show = ("show", "muxnet_s", "--resolution", "32", "--svg")
    for command in (
        (*show, "mine.svg"),
        (*show, "link.svg"),
        ("weights", "convert", "theirs.pth", "--model", "muxnet_m", "--out", "mine.pt"),
        ("data", "enumerate", "nasbench101", "--out", "mine.pt"),
    ):
        assert nas_command(*command).code == 4, command
        assert snapshot(folder) == before
    for _ in range(2):
        assert nas_command(*show, "ours.svg").code == 0


# -- one path, made absolute once ------------------------------------------------------------------------------


def test_an_evaluator_may_change_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        os.chdir(elsewhere)
        return dict(toy_error(trial))

    for resume in (False, True):
        monkeypatch.chdir(folder)
        budget = 12 if resume else 8
        result = nas.search(
            ToySpace(), OBJECTIVES, evaluate, budget=budget, out="runs/x", algorithm="random", resume=resume
        )
        assert result.out == folder / "runs/x"
        assert (folder / "runs/x/front.csv").is_file()
    assert list(elsewhere.iterdir()) == []


def test_the_command_line_writes_where_it_was_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, nas_command
) -> None:
    parts = (folder / "parts.py").read_text()
    moving = parts.replace("time.sleep(self.sleep)", "os.makedirs('/tmp', exist_ok=True); os.chdir('/')")
    (folder / "parts.py").write_text(moving)
    done = nas_command("search", "search.yaml", "--budget", "8", "--out", "deep/run", "--csv")
    monkeypatch.chdir(folder)
    assert done.code == 0, done.err
    assert (folder / "deep/run/front.csv").is_file()
    assert "deep/run/history.csv" in done.out


# -- history.csv -----------------------------------------------------------------------------------------------


def test_csv_writes_every_trial_to_a_table_that_spreadsheets_open(run: Path, nas_command) -> None:
    assert not (run / "history.csv").exists()
    done = nas_command("front", "run", "--csv", "--json")
    assert json.loads(done.out)
    assert "history.csv" in done.err
    table, history = read_csv(run / "history.csv"), pd.read_parquet(run / "history.parquet")
    assert list(table.columns) == list(history.columns)
    assert table["architecture"].tolist() == history["architecture"].tolist()
    assert table["error"].tolist() == pytest.approx(history["error"].tolist())
    assert nas_command(*RESUME).code == 0  # a run that has the table keeps it up to date
    assert len(read_csv(run / "history.csv")) == 12


def test_csv_is_a_flag_a_config_key_and_an_argument(folder: Path, nas_command) -> None:
    assert nas_command("search", "search.yaml", "--budget", "8", "--out", "a", "--csv").code == 0
    assert nas_command("search", "search.yaml", "--budget", "8", "--out", "b", "--set", "csv=true").code == 0
    nas.search(ToySpace(), OBJECTIVES, toy_error, budget=8, out="c", algorithm="random", csv=True)
    assert all((folder / name / "history.csv").is_file() for name in "abc")


def test_a_foreign_table_is_not_replaced_by_csv(run: Path, nas_command) -> None:
    (run / "history.csv").write_text("mine")
    before = snapshot(run)
    for command in (("front", "run", "--csv"), (*RESUME, "--csv")):
        done = nas_command(*command)
        assert (done.code, "history.csv" in done.sentence) == (4, True)
        assert snapshot(run) == before


def test_a_read_only_table_is_refused_before_the_run_continues(run: Path, nas_command) -> None:
    assert nas_command("front", "run", "--csv").code == 0
    (run / "history.csv").chmod(0o444)
    before = snapshot(run)
    done = nas_command(*RESUME)
    assert (done.code, "history.csv" in done.sentence) == (4, True)
    assert snapshot(run) == before


@pytest.mark.parametrize("error", [ForeignFileError, HistoryError])
def test_python_names_the_refused_folder_by_a_separate_error(error: type[Exception], folder: Path) -> None:
    foreign_project(folder / "out")
    before = snapshot(folder)
    with pytest.raises(error, match=r"out holds files that no run wrote \(first: config\.json"):
        nas.search(ToySpace(), OBJECTIVES, toy_error, budget=8, out="out", algorithm="moead")
    with pytest.raises(error, match=r"\(first: config"):
        nas.Study(ToySpace(), OBJECTIVES, out="out", algorithm="moead")
    assert snapshot(folder) == before
