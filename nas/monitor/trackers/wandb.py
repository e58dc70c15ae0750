"""Log a search to Weights & Biases."""

from __future__ import annotations

import netrc
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from nas.core.checks import check_known
from nas.core.errors import ConfigError
from nas.core.json_text import read_json
from nas.core.records import Result
from nas.engine.callbacks import Callback
from nas.engine.search_state import SearchState
from nas.monitor.trackers.measures import Measures, check_installed, front_rows, run_parameters
from nas.runs.files import run_files
from nas.runs.history import as_json

if TYPE_CHECKING:
    import wandb

FOLDER = "wandb"
LINK = "wandb.json"
SCHEMA = 1
MODES = ("online", "offline")
_KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes a part of a folder's name
_HOST = "https://api.wandb.ai"
_INIT_S = 60.0  # longest wait for the server when a search begins
_FINISH_S = 60.0  # and for the upload when it ends
_EXIT = {"finished": 0, "exhausted": 0, "interrupted": 255, "stopped": 1}


class WandB(Callback):
    """A run of Weights & Biases: numbers after each evaluation, the front as a table at the end.

    Its files are in `RUN/wandb`. `mode` is "online" or "offline"; None: that of WANDB_MODE, else offline unless an API key
    is set (WANDB_API_KEY or `wandb login`). Offline, nothing is contacted. `project` and `name` default to WANDB_PROJECT or "nas",
    and WANDB_NAME or the name of the run's folder. A resumed search continues the same W&B run. Needs the package wandb.
    """

    def __init__(
        self,
        project: str | None = None,
        name: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
    ) -> None:
        """Raises `ConfigError` when wandb is not installed, or for another mode."""
        if mode is not None:
            check_known("callback wandb: mode", mode, MODES)
        check_installed("wandb", "the package wandb", "wandb")
        self._project = project or os.environ.get("WANDB_PROJECT") or "nas"
        self._name = name or os.environ.get("WANDB_NAME")
        self._entity = entity
        self._mode = mode
        self._measures = Measures()
        self._run: wandb.Run | None = None

    def begin(self, state: SearchState) -> None:
        """Start a W&B run, or continue the one of the earlier session."""
        self._measures.begin(state)
        if state.out is None:
            raise ConfigError("callback wandb: the search has no folder for the files of W&B; set out")
        files, link = run_files(state.out), state.out / LINK
        files.check([LINK])
        files.claim(f"{FOLDER}/")
        run = _known_run(link, self._project, self._entity)
        if run is None:
            run = secrets.token_hex(4)
            values = {"schema": SCHEMA, "project": self._project, "entity": self._entity, "run": run}
            files.write_text(LINK, as_json(values))
        self._run = self._start(run, state.out, run_parameters(state))

    def _start(self, run: str, out: Path, parameters: dict[str, str]) -> wandb.Run:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # before it is loaded
        import wandb

        settings = wandb.Settings(
            console="off", silent=True, disable_git=True, disable_code=True, disable_job_creation=True,
            x_disable_machine_info=True, x_disable_stats=True, x_save_requirements=False,
            init_timeout=_INIT_S, finish_timeout=_FINISH_S, finish_timeout_raises=True,
        )  # fmt: skip
        return wandb.init(
            project=self._project, entity=self._entity, name=self._name or out.resolve().name, id=run, resume="allow",
            dir=str(out.resolve()), mode=cast(Any, mode_of(self._mode)), config=parameters, reinit="create_new", settings=settings,
        )  # fmt: skip

    def told(self, state: SearchState, result: Result) -> None:
        """Log the result and the changes to the front."""
        numbers = self._measures.told(state, result)
        if self._run is not None and numbers:
            self._run.log(numbers, step=int(numbers["evaluations"]))

    def end(self, state: SearchState, outcome: str) -> None:
        """Log the front and the outcome, and wait for the upload."""
        if self._run is None:
            return
        run, self._run = self._run, None
        try:
            self._log_end(run, state, outcome)
        finally:
            run.finish(exit_code=_EXIT[outcome])

    def _log_end(self, run: wandb.Run, state: SearchState, outcome: str) -> None:
        import wandb

        header, *rows = front_rows(state)
        table = wandb.Table(columns=list(header), data=[list(row) for row in rows])
        # A key of its own: the table's description has a "size" too, which must not hide "front/size".
        run.log({"front/table": table}, step=state.evaluated)
        run.summary["outcome"] = outcome


def mode_of(given: str | None) -> str | None:
    """The mode for `wandb.init`; None leaves the choice to wandb. Offline where an API key would have to be asked for."""
    if given is not None or os.environ.get("WANDB_MODE"):
        return given
    return None if any(map(os.environ.get, _KEYS)) or _has_login() else "offline"


def _has_login() -> bool:
    """Whether `wandb login` stored a key for the server."""
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or _HOST).hostname
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _known_run(link: Path, project: str, entity: str | None) -> str | None:
    """The run that an earlier session made in this project."""
    try:
        values: Any = read_json(link.read_text(encoding="utf-8"))
        same = (values["project"], values["entity"]) == (project, entity)
        return str(values["run"]) if same and _ID.fullmatch(values["run"]) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
