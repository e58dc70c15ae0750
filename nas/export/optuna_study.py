"""A run as a study in an Optuna storage, for optuna-dashboard and Optuna's plots."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError, ForeignFileError
from nas.core.text import shell_quoted
from nas.export.optuna_trials import optuna_trials
from nas.report.sources import Source, read_source
from nas.runs.history import FILE

INSTALL = "pip install 'multiobjective-nas[optuna]'"
MARK = "nas_run"  # user attribute of a study that this module wrote: the run's folder
_EXAMPLE = "sqlite:///study.db"
_TABLE = "studies"  # in every database of Optuna
_UNFINISHED = " (unfinished export)"  # end of a study's name while it is written


@dataclass(frozen=True)
class ExportedStudy:
    """A written study: its name, its storage without a password, its trials by state."""

    name: str
    storage: str
    states: dict[str, int]


def export_study(
    run: Path, storage: str, name: str | None = None, *, overwrite: bool = False
) -> ExportedStudy:
    """Write the trials of a finished or running run as a new study into the storage at a database URL.

    `name` defaults to that of the run's folder. `overwrite` replaces a study of this name that an earlier export wrote, and no other. Runs no code of
    the run. Raises `ConfigError` for a missing package, a URL or a database that cannot be used, and an existing study; `HistoryError` without a run;
    `ForeignFileError` for a SQLite file of another program.
    """
    optuna = _package()
    shown = _checked_url(storage)
    source = read_source(run)
    if not len(source.table.frame):
        raise ConfigError(f"{run}: the run has no trial yet")
    name = name or run.resolve().name
    trials = optuna_trials(source)
    with _quiet(optuna), _explained(shown):
        place = optuna.storages.RDBStorage(storage)
        names = optuna.get_all_study_names(place)
        if name in names:
            _check_replaceable(optuna, place, name, shown, overwrite)
        unfinished = name + _UNFINISHED
        if unfinished in names:
            optuna.delete_study(study_name=unfinished, storage=place)
        _write(optuna, place, unfinished, source, trials)
        if name in names:  # only now, when the new one is complete
            optuna.delete_study(study_name=name, storage=place)
        _rename(place, unfinished, name)
    states = Counter(trial.state.name.lower() for trial in trials)
    return ExportedStudy(name, shown, dict(states))


def _write(optuna: Any, place: Any, name: str, source: Source, trials: list[Any]) -> None:
    """Write a new study; remove it if that is interrupted."""
    objectives = source.table.objectives
    directions = ["maximize" if o.maximize else "minimize" for o in objectives]
    study = optuna.create_study(storage=place, study_name=name, directions=directions)
    try:
        study.set_user_attr(MARK, str(source.folder.resolve()))
        study.set_user_attr("objectives", {o.name: o.unit for o in objectives})
        if source.table.limits:
            study.set_user_attr("limits", [str(limit) for limit in source.table.limits])
        study.set_metric_names([o.name for o in objectives])
        for trial in trials:
            study.add_trial(trial)
    except BaseException:
        optuna.delete_study(study_name=name, storage=place)
        raise


def _check_replaceable(optuna: Any, place: Any, name: str, shown: str, overwrite: bool) -> None:
    """Raise `ConfigError` for a study that is to stay."""
    if not overwrite:
        raise ConfigError(
            f"{shown} has a study {name!r} already; choose another with --name, or replace an earlier export with --overwrite"
        )
    if MARK not in optuna.load_study(study_name=name, storage=place).user_attrs:
        raise ConfigError(
            f"{shown}: study {name!r} was not written by this command and is kept; choose another with --name"
        )


def _rename(place: Any, old: str, new: str) -> None:
    """Rename a study, for which Optuna has no function."""
    sql = import_module("sqlalchemy")
    with place.engine.begin() as connection:
        named = sql.text("UPDATE studies SET study_name = :new WHERE study_name = :old")
        connection.execute(named, {"new": new, "old": old})


def _package() -> Any:
    try:
        optuna = import_module("optuna")
        import_module("sqlalchemy")
    except ImportError as error:
        raise ConfigError(
            f"the export needs the package optuna, which cannot be imported ({error}): {INSTALL}"
        ) from None
    return optuna


def _checked_url(storage: str) -> str:
    """The URL without its password. Raises `ConfigError`, `ForeignFileError`."""
    engine = import_module("sqlalchemy.engine")
    errors = import_module("sqlalchemy.exc")
    try:
        url = engine.make_url(storage)
        url.get_dialect()
        shown = str(url.render_as_string(hide_password=True))
    except errors.NoSuchModuleError:
        raise ConfigError(
            f"storage: unknown kind of database {storage.partition(':')[0]!r}; expected a URL such as {_EXAMPLE}"
        ) from None
    except (errors.ArgumentError, ValueError):
        path = f"; for a SQLite file write sqlite:///{shell_quoted(storage)}" if "://" not in storage else ""
        raise ConfigError(f"storage: expected a database URL such as {_EXAMPLE}{path}") from None
    if url.get_backend_name() == "sqlite":
        _check_sqlite(url.database)
    return shown


def _check_sqlite(database: str | None) -> None:
    """Check the file of a SQLite URL; it may be missing."""
    if not database or database == ":memory:" or database.startswith("file:"):
        raise ConfigError(
            f"storage: name a file, such as {_EXAMPLE}; a database in memory ends with this command"
        )
    path = Path(database)
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a folder" if path.is_dir() else "cannot be created: its folder does not exist"
        raise ConfigError(f"storage: {path} {reason}; name a file in an existing folder")
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            tables = {
                str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
    except sqlite3.Error as error:
        raise ForeignFileError(f"{path} is not a database of Optuna ({error}); name another file") from None
    if tables and _TABLE not in tables:
        what = "the log of a run" if path.name == FILE else "a database of another program"
        raise ForeignFileError(f"{path} is {what} and was left unchanged; name another file")


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without Optuna's lines for each study and its warnings about experimental functions."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _explained(shown: str) -> Iterator[None]:
    """Raise errors of the database as `ConfigError`."""
    errors = (
        import_module("sqlalchemy.exc").SQLAlchemyError,
        import_module("optuna.exceptions").StorageInternalError,
        ImportError,  # a missing driver
        OSError,
        RuntimeError,  # a storage of another version of Optuna
    )
    try:
        yield
    except errors as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ConfigError(f"storage {shown}: {reason}") from error
