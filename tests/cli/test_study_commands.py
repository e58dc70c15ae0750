"""The commands on the folder of a study, open and closed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nas
from nas.testing import ToySpace, toy_error

pytestmark = pytest.mark.usefixtures("no_plots")


def begun(out: Path) -> nas.Study:
    study = nas.Study(ToySpace(), ["error", "params"], out=out, algorithm="random", seed=1)
    for number in range(7):
        trial = study.ask()
        study.tell(trial, toy_error(trial) if number != 3 else ValueError("no such layer"))
    study.ask()
    return study


@pytest.mark.parametrize("closed", [False, True])
def test_front_watch_and_report_read_the_folder_of_a_study(closed: bool, folder: Path, nas_command) -> None:
    study = begun(folder / "study")
    front = study.front
    if closed:
        study.close()
    done = nas_command("front", "study", "--json")
    assert [row["architecture"] for row in json.loads(done.out)] == list(front["architecture"])
    shown = " ".join(nas_command("watch", "study", "--once").out.split())
    assert "7 evaluated, " in shown
    assert "1 failed" in shown
    assert ("finished" in shown) == closed
    done = nas_command("report", "study")
    assert done.code == 0, done.err
    assert (folder / "study" / "report.html").exists()
    study.close()


def test_resuming_a_study_by_the_search_command_is_explained(folder: Path, nas_command) -> None:
    begun(folder / "study").close()
    done = nas_command("search", "--resume", "study")
    assert done.code == 4
    assert "nas.Study(..., out='study', resume=True)" in done.sentence


def test_an_export_asks_for_the_space_of_a_study(folder: Path, nas_command) -> None:
    begun(folder / "study").close()
    done = nas_command("export", "study", "--untrained")
    assert done.code == 2
    assert "was started from Python; pass the space" in done.sentence


def test_a_search_begins_with_a_study_or_with_a_table_of_it(folder: Path, nas_command) -> None:
    study = begun(folder / "study")
    study.history.to_csv(folder / "study.csv", index=False)
    study.close()
    config = "space: {name: 'nas.testing:ToySpace'}\nobjectives: [error, params]\nevaluator: {name: 'nas.testing:toy_error'}\n"
    (folder / "toy.yaml").write_text(config + "algorithm: random\nexecutor: serial\nbudget: 4\n")
    for number, source in enumerate(("study", "study.csv")):
        done = nas_command("search", "toy.yaml", "--set", f"warm_start={source}", "--out", f"run{number}")
        assert done.code == 0, done.err
        assert json.loads((folder / f"run{number}" / "summary.json").read_text())["imported"] == 6
