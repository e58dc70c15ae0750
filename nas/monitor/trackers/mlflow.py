"""Log a search to MLflow."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.errors import ConfigError
from nas.core.json_text import read_json
from nas.core.records import Result
from nas.core.timer import RepeatingTimer
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.monitor.trackers.measures import Measures, check_installed, run_parameters
from nas.runs.files import run_files
from nas.runs.history import as_json

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
STORE = "mlflow.db"
ARTIFACTS = "mlflow"
LINK = "mlflow.json"
_OWN = (STORE, f"{STORE}-wal", f"{STORE}-shm", f"{STORE}-journal", f"{ARTIFACTS}/")
SCHEMA = 1
_SEND_S = 1.0
_BATCH = 1_000  # numbers per request
_KEPT = 20_000  # most numbers kept for a store that does not answer
_STATUS = {"finished": "FINISHED", "exhausted": "FINISHED", "interrupted": "KILLED", "stopped": "FAILED"}


class MLflow(Callback):
    """A run in an MLflow store: numbers after each evaluation, config, front and summary as artifacts.

    The store is a file in the run's folder, `RUN/mlflow.db`, unless MLFLOW_TRACKING_URI names another; nothing
    else is contacted. A separate thread sends the numbers, so that a slow store does not delay the search. A resumed
    search continues the same MLflow run after its last evaluation. Needs mlflow-skinny or mlflow, and
    SQLAlchemy with alembic for the file.
    """

    def __init__(self, experiment: str = "nas") -> None:
        """Raises `ConfigError` when a package is missing."""
        needed = ["mlflow"] if os.environ.get(ADDRESS) else ["mlflow", "sqlalchemy", "alembic"]
        check_installed("mlflow", "mlflow-skinny, SQLAlchemy and alembic", *needed)
        self._experiment = experiment
        self._measures = Measures()
        self._store: _Store | None = None

    def begin(self, state: SearchState) -> None:
        """Make a run, or find the one that the earlier session made."""
        self._measures.begin(state)
        if state.out is None:
            raise ConfigError("callback mlflow: the search has no folder for the store; set out")
        self._store = _Store.open(state.out, self._experiment, state)

    def told(self, state: SearchState, result: Result) -> None:
        """Log the result and the changes to the front."""
        numbers = self._measures.told(state, result)
        if self._store is not None:
            self._store.put(numbers)

    def waiting(self, state: SearchState) -> None:
        """Raise the error of sending, if any."""
        if self._store is not None:
            self._store.put({})

    def end(self, state: SearchState, outcome: str) -> None:
        """Send the remaining numbers and the files, and close the run."""
        if self._store is not None and state.out is not None:
            store, self._store = self._store, None
            files = [state.out / name for name in ("front.csv", "summary.json", "config.json")]
            store.close([file for file in files if file.is_file()], _STATUS[outcome])


class _Store:
    """One run of a store, with the numbers not sent yet."""

    def __init__(self, client: MlflowClient, run: str, logged: int) -> None:
        self._client = client
        self._run = run
        self._logged = logged  # evaluations that the store had when this session began
        self._waiting: list[Any] = []
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._every = RepeatingTimer(_SEND_S, self._try_to_send)
        self._every.start()

    @classmethod
    def open(cls, out: Path, experiment: str, state: SearchState) -> _Store:
        """The run that belongs to a folder, made if need be."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before it is loaded
        from mlflow import MlflowClient
        from mlflow.entities import Param

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        address = os.environ.get(ADDRESS) or f"sqlite:///{out.resolve() / STORE}"
        files = run_files(out)
        files.check([LINK])
        if not os.environ.get(ADDRESS):
            files.claim(*_OWN)
        client = MlflowClient(tracking_uri=address)
        link = out / LINK
        run = _known_run(link, address)
        if run is not None:
            client.update_run(run, status="RUNNING")
            return cls(client, run, int(client.get_run(run).data.metrics.get("evaluations", 0)))
        run = client.create_run(_experiment(client, experiment, out), run_name=out.name).info.run_id
        values = {"schema": SCHEMA, "tracking_uri": address, "run": run}
        files.write_text(LINK, as_json(values))
        client.log_batch(run, params=[Param(name, value) for name, value in run_parameters(state).items()])
        return cls(client, run, 0)

    def put(self, numbers: Mapping[str, float]) -> None:
        """Queue numbers; raise the error of earlier ones, which are kept and sent again."""
        from mlflow.entities import Metric

        step = int(numbers.get("evaluations", 0))
        if step > self._logged:
            now = int(1000 * time.time())
            with self._lock:
                self._waiting += [Metric(name, value, now, step) for name, value in numbers.items()]
                del self._waiting[:-_KEPT]
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _try_to_send(self) -> None:
        try:
            self._send()
        except Exception as error:
            self._error = error

    def _send(self) -> None:
        while self._waiting:
            batch = self._waiting[:_BATCH]
            self._client.log_batch(self._run, metrics=batch)
            with self._lock:
                del self._waiting[: len(batch)]

    def close(self, files: list[Path], status: str) -> None:
        """Send everything that is left."""
        self._every.stop()
        self._send()
        for file in files:
            self._client.log_artifact(self._run, str(file))
        self._client.set_terminated(self._run, status)


def _known_run(link: Path, address: str) -> str | None:
    """The run that an earlier session made in this store."""
    try:
        values = read_json(link.read_text(encoding="utf-8"))
        return str(values["run"]) if values["tracking_uri"] == address else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _experiment(client: MlflowClient, name: str, out: Path) -> str:
    """The experiment of this name, made if need be; artifacts of a store in the run's folder stay in that folder."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None if os.environ.get(ADDRESS) else (out.resolve() / ARTIFACTS).as_uri()
    return str(client.create_experiment(name, artifact_location=place))
