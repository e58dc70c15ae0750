"""The data in TensorBoard and MLflow, read from their own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from engine_parts import interrupt_at
from noisy_parts import search as noisy_search
from sharing_notes import Sharing
from tracker_parts import check, needs, search

import nas
from nas.monitor.trackers.measures import Measures, front_rows
from nas.monitor.trackers.mlflow import LINK, MLflow
from nas.monitor.trackers.tensorboard import TensorBoard

pytestmark = pytest.mark.usefixtures("no_plots")


tensorboard = needs("tensorboard")
mlflow = needs("mlflow", "sqlalchemy", "alembic")  # making a store takes seconds


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by tag, as TensorBoard reads them from event files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@tensorboard
def test_tensorboard_has_every_evaluation_once(tmp_path: Path) -> None:
    result = search(tmp_path / "run", TensorBoard())
    check(scalars(tmp_path / "run" / "tensorboard"), result)


@tensorboard
@pytest.mark.parametrize("first", [{"budget": 18}, {"stop": 11}], ids=["longer", "interrupted"])
def test_tensorboard_continues_with_a_resumed_run(first: dict[str, int], tmp_path: Path) -> None:
    search(
        tmp_path / "run", TensorBoard(), interrupt_at(first.get("stop", -1)), budget=first.get("budget", 25)
    )
    result = search(tmp_path / "run", TensorBoard(), resume=True)
    check(scalars(tmp_path / "run" / "tensorboard"), result)


def test_the_numbers_of_a_search_by_inherited_weights_have_its_tau() -> None:
    logged: list[dict[str, float]] = []
    measures = Measures()

    class Measured(nas.Callback):
        def begin(self, state: nas.SearchState) -> None:
            measures.begin(state)

        def told(self, state: nas.SearchState, result: nas.Result) -> None:
            logged.append(measures.told(state, result))

    search(None, Measured(), algorithm=Sharing)  # type: ignore[arg-type]
    assert "sharing/tau" not in logged[8]
    assert (logged[10]["sharing/tau"], logged[10]["sharing/partial_tau"]) == (0.5, 0.4)
    assert logged[-1]["sharing/tau"] == 0.3


@tensorboard
def test_tensorboard_has_the_front_as_a_table(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = search(tmp_path / "run", TensorBoard())
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    (event,) = events.Tensors("front/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    assert text.startswith("| architecture | error (%) | params (parameters) | madds (multiply-adds) |\n")
    assert all(f"| {architecture} |" in text for architecture in result.front["architecture"])
    assert text.count("\n") == len(result.front) + 1


@tensorboard
def test_tensorboard_may_have_its_own_folder(tmp_path: Path) -> None:
    search(None, TensorBoard(tmp_path / "events"))  # type: ignore[arg-type]
    assert scalars(tmp_path / "events")["evaluations"][-1] == (25, 25.0)


@tensorboard
def test_a_search_without_a_folder_continues_without_events(caplog: pytest.LogCaptureFixture) -> None:
    assert search(None, TensorBoard()).state == "finished"  # type: ignore[arg-type]
    assert "the search has no folder" in caplog.text


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nas.SearchResult]:
    """A run that was made longer, with an MLflow store in its folder that did not answer at first."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("mlflow") / "run"
    send, calls = MlflowClient.log_batch, iter(range(10_000))

    def unsteady(self: MlflowClient, run_id: str, **what: Any) -> None:
        if what.get("metrics") and next(calls) == 0:
            raise ConnectionError("gone for a moment")
        send(self, run_id, **what)

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(MlflowClient, "log_batch", unsteady)
        patch.setattr("nas.monitor.trackers.mlflow._SEND_S", 0.001)
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(folder, MLflow(), budget=18)
        return folder, search(folder, MLflow(), resume=True)


def run_in(folder: Path) -> tuple[Any, Any]:
    """MLflow's client of the store in a run's folder, and the one run in it."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "nas"]
    (run,) = client.search_runs([experiment.experiment_id])
    return client, run


@mlflow
@pytest.mark.slow
def test_mlflow_has_every_evaluation_of_a_resumed_run_once(stored: tuple[Path, nas.SearchResult]) -> None:
    folder, result = stored
    client, run = run_in(folder)
    history = {
        name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    check(history, result)


@mlflow
@pytest.mark.slow
def test_mlflow_has_the_front_the_config_and_the_identity_of_the_run(
    stored: tuple[Path, nas.SearchResult],
) -> None:
    folder, _ = stored
    client, run = run_in(folder)
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert names == {"front.csv", "summary.json", "config.json"}
    assert run.info.status == "FINISHED"
    assert run.data.params["space"] == "grid"
    assert run.data.params["objectives"] == "min error, min params, min madds"


@mlflow
@pytest.mark.slow
def test_everything_of_mlflow_stays_in_the_folder_of_the_run(stored: tuple[Path, nas.SearchResult]) -> None:
    folder, _ = stored
    copies = [path.read_text() for path in (folder / "mlflow").rglob("front.csv")]
    assert copies == [(folder / "front.csv").read_text()]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert (folder / LINK).is_file()


@mlflow
@pytest.mark.slow
def test_a_store_that_does_not_answer_is_a_warning_and_costs_no_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert search(tmp_path / "run", MLflow()).summary["evaluations"] == 25
    (warning,) = [r.getMessage() for r in caplog.records if r.name == "nas.engine.callbacks"]
    assert "callback MLflow" in warning
    assert not (tmp_path / "run" / "mlflow.db").exists()


def test_the_table_of_a_noisy_front_has_expected_and_measured_values() -> None:
    tables: list[list[tuple[str, ...]]] = []
    result = noisy_search(callbacks=[lambda state: tables.append(front_rows(state))])
    header, *rows = tables[-1]
    assert header == ("architecture", "error expected (%)", "params (parameters)", "error measured (%)")
    assert len(rows) == len(result.front)
    by_text = result.front.set_index("architecture")
    for text, expected, _, measured in rows:
        assert float(expected) == pytest.approx(by_text["error_expected"][text], rel=1e-5)
        assert float(measured) == pytest.approx(by_text["error"][text], rel=1e-5)
