"""The data in Weights & Biases, read from the files of its offline mode."""

from __future__ import annotations

import json
import logging
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_parts import interrupt_at
from tracker_parts import check, needs, search

import nas
from nas.core.errors import ConfigError
from nas.monitor.trackers import measures
from nas.monitor.trackers import wandb as tracker
from nas.monitor.trackers.wandb import LINK, WandB, mode_of

pytestmark = pytest.mark.usefixtures("no_plots", "alone")
wandb = needs("wandb")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither settings nor keys of the machine's user."""
    for name in (
        "WANDB_MODE",
        "WANDB_API_KEY",
        "WANDB_BASE_URL",
        "WANDB_PROJECT",
        "WANDB_NAME",
        "WANDB_ENTITY",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def records(file: Path) -> Iterator[Any]:
    """The records of an offline file: LevelDB's log format, 7 bytes of header first."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, block, parts = file.read_bytes(), 7, 2**15, b""
    while place + 7 <= len(data):
        left = block - place % block
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a whole record, or the last part of one
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def sessions(folder: Path) -> list[list[Any]]:
    """The records of every session, the oldest first."""
    return [list(records(file)) for file in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]


def history(found: list[list[Any]]) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of all sessions by name."""
    logged: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for record in (r for session in found for r in session if r.HasField("history")):
        for item in record.history.item:
            name = item.key or ".".join(item.nested_key)
            value = json.loads(item.value_json)
            if isinstance(value, (int, float)) and not name.startswith("_"):
                logged[name].append((record.history.step.num, value))
    return logged


def runs(found: list[list[Any]]) -> list[Any]:
    """The run of each session."""
    return [record.run for session in found for record in session if record.HasField("run")]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nas.SearchResult]:
    """A run that was interrupted and resumed, offline without an account."""
    folder = tmp_path_factory.mktemp("wandb") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(folder, WandB(), interrupt_at(11))
        return folder, search(folder, WandB(), resume=True)


@wandb
@pytest.mark.slow
def test_wandb_has_every_evaluation_of_a_resumed_run_once(resumed: tuple[Path, nas.SearchResult]) -> None:
    folder, result = resumed
    found = sessions(folder)
    assert len(found) == 2
    check(history(found), result)


@wandb
@pytest.mark.slow
def test_a_resumed_search_continues_the_same_wandb_run(resumed: tuple[Path, nas.SearchResult]) -> None:
    folder, _ = resumed
    first, second = runs(sessions(folder))
    assert first.run_id == second.run_id == json.loads((folder / LINK).read_text())["run"]
    assert (first.project, first.display_name, second.resume) == ("nas", "mine", True)
    config = {item.key: json.loads(item.value_json) for item in first.config.update}
    assert config["objectives"] == "min error, min params, min madds"
    assert config["space"] == "grid"


@wandb
@pytest.mark.slow
def test_wandb_has_the_front_as_a_table_and_the_outcome(resumed: tuple[Path, nas.SearchResult]) -> None:
    folder, result = resumed
    (_, last) = sorted(folder.glob("wandb/offline-run-*"))
    (file,) = last.glob("files/media/table/front/table_*.table.json")
    table = json.loads(file.read_text())
    assert table["columns"][:2] == ["architecture", "error (%)"]
    assert [row[0] for row in table["data"]] == result.front["architecture"].tolist()
    updates = [u for r in sessions(folder)[1] if r.HasField("summary") for u in r.summary.update]
    assert [json.loads(u.value_json) for u in updates if u.key == "outcome"] == ["finished"]


@wandb
@pytest.mark.slow
def test_wandb_stores_nothing_about_the_machine(resumed: tuple[Path, nas.SearchResult]) -> None:
    folder, _ = resumed
    names = {path.name for path in folder.glob("wandb/offline-run-*/files/*")}
    assert names <= {"media", "config.yaml", "wandb-summary.json"}


@wandb
@pytest.mark.slow
def test_a_server_that_does_not_answer_is_a_warning_and_costs_no_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    wandb.teardown()  # a process reads the environment once
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(tracker, "_INIT_S", 1.0)
    assert search(tmp_path / "run", WandB()).summary["evaluations"] == 25
    (warning,) = [r.getMessage() for r in caplog.records if r.name == "nas.engine.callbacks"]
    assert "callback WandB" in warning
    wandb.teardown()


class _Failing:
    """A run of W&B whose service is gone."""

    finished: int | None = None

    def log(self, *_: Any, **__: Any) -> None:
        raise BrokenPipeError("the service is gone")

    def finish(self, exit_code: int) -> None:
        self.finished = exit_code


@wandb
def test_errors_of_wandb_are_one_warning_and_the_search_ends_as_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _Failing()
    monkeypatch.setattr(WandB, "_start", lambda self, *_: run)
    result = search(tmp_path / "run", WandB())
    assert (result.state, len(result.history)) == ("finished", 25)
    assert [r.levelno for r in caplog.records if "callback WandB" in r.getMessage()] == [logging.WARNING]
    assert run.finished == 0


@wandb
def test_a_search_without_a_folder_continues_without_wandb(caplog: pytest.LogCaptureFixture) -> None:
    assert search(None, WandB()).state == "finished"  # type: ignore[arg-type]
    assert "the search has no folder" in caplog.text


def test_nothing_is_contacted_without_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert mode_of(None) == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password 0123\n")
    assert mode_of(None) is None
    (tmp_path / "netrc").write_text("machine elsewhere login user password 0123\n")
    assert mode_of(None) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0123")
    assert mode_of(None) is None
    assert mode_of("offline") == "offline"


def test_a_mode_of_the_environment_is_left_to_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert mode_of(None) is None


def test_an_unknown_mode_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"mode: unknown 'onlin' \(did you mean 'online'"):
        WandB(mode="onlin")


def test_a_missing_package_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'multiobjective-nas\[wandb\]'"):
        WandB()


def test_a_folder_of_wandb_is_not_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tracker_that_nobody_has").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="which is not installed"):
        measures.check_installed("wandb", "the package", "tracker_that_nobody_has")


@wandb
def test_a_forged_name_of_a_run_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(WandB, "_start", lambda self, run, *_: started.append(run) or _Failing())
    search(tmp_path / "run", WandB(), budget=20)
    link = tmp_path / "run" / LINK
    link.write_text(json.dumps({**json.loads(link.read_text()), "run": "../../elsewhere"}))
    search(tmp_path / "run", WandB(), resume=True)
    assert len(set(started)) == 2
    assert all(len(run) == 8 for run in started)
