"""Compare a run with networks that you would have picked: train them, draw them with the front, and answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas.baselines.from_run import NAMED, Terms, given_run, terms_of
from nas.baselines.networks import AnyName, check_name, located, names_of
from nas.baselines.training import prepare, train
from nas.config.schema import Part
from nas.core.errors import ConfigError, HistoryError
from nas.core.files import absolute
from nas.core.text import counted
from nas.report.plots import write_baselines_plot
from nas.report.sources import Source, read_source
from nas.runs.baselines import Baseline, as_table, read_baselines
from nas.runs.code_of_strangers import allow_in_python
from nas.runs.dominance import Verdict, answer, verdicts
from nas.runs.run_folder import RunTable

_LOG = logging.getLogger("nas.data")


@dataclass(frozen=True)
class Comparison:
    """The front of a run and its baselines: a verdict for each, the answer in sentences, the terms of their trainings."""

    table: RunTable
    rows: Sequence[Baseline]
    verdicts: Sequence[Verdict]
    answer: str
    terms: Terms
    plot: Path | None

    @property
    def frame(self) -> pd.DataFrame:
        """One row a network, as in baselines.csv, with the columns `verdict`, `dominated_by` and `dominates`."""
        found = as_table(self.rows)
        for name in ("dominated_by", "dominates"):
            numbers = [getattr(v, name) if v.judged else None for v in self.verdicts]
            found.insert(2, name, pd.Series(numbers, dtype="Int64"))
        found.insert(1, "verdict", [v.text for v in self.verdicts])
        found.attrs["answer"] = self.answer
        return found


def baseline(
    run: str | os.PathLike[str],
    networks: Sequence[AnyName] | None = None,
    *,
    epochs: int | None = None,
    recipe: Mapping[str, Any] | None = None,
    executor: str | Mapping[str, Any] | None = None,
    data: Any = None,
    training: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> pd.DataFrame:
    """Train networks like the candidates of a run and compare them with its front (docs/baseline.md).

    Args:
        run: folder of a finished or running search.
        networks: names, such as ``"mobilenet_v2@0.5"``, ``"resnet18"``, ``"file.py:function"`` or a MUXNet text, and functions that
            return a new network, called with ``num_classes`` and ``in_channels`` if they take them; None: MobileNetV2 and V3 at the
            widths 0.25, 0.5, 0.75 and 1.
        epochs: other epochs than the run's; the rows are marked.
        recipe: other settings of the recipe than the run's; the rows are marked.
        executor: other workers than the run's, such as ``"serial"`` or ``{"name": "ray", "workers": 4}``.
        data: as given to `nas.search`, for a run that was started from Python.
        training: as given to `nas.search`.
        trust: import the code that the run's config names.

    Returns:
        One row a network: its values, ``dominated_by`` and ``dominates`` (members of the front); ``frame.attrs["answer"]`` has the
        answer in sentences. RUN/baselines.csv has the rows; a further call trains only the missing ones.

    Raises:
        HistoryError: no run, or a damaged one.
        ConfigError: an unknown network, or a run whose candidates are not trained.
        DataError: its data cannot be read.
    """
    folder = absolute(os.fspath(run))
    named = names_of(networks)
    check_names(named)
    given = given_run(folder, data, training)
    terms = terms_of(given, epochs, recipe)
    found = [(name, located(item, Path.cwd())) for name, item in named]
    plain = {} if data is not None else given.config.model_dump(mode="json")
    with allow_in_python(plain, given.base, NAMED, trust, f"nas.baseline({str(run)!r})"):
        rows = train(prepare(given, terms, found, executor_part(executor)), _LOG.warning)
        return compared(folder, terms, rows).frame


def check_names(named: Sequence[tuple[str, AnyName]]) -> None:
    """Raise `ConfigError` for a name that is none of a network. Imports no code of the user."""
    for name, item in named:
        if isinstance(item, str):
            check_name(name)


def executor_part(given: str | Mapping[str, Any] | None) -> Part | None:
    """An executor as configs name it. Raises `ConfigError` for another type."""
    if given is None:
        return None
    if isinstance(given, str):
        return Part(name=given)
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ConfigError(
            f"executor: expected a name, or a mapping such as {{'name': 'ray', 'workers': 4}}, got {given!r:.200}"
        )
    return Part(**given)


def compared(folder: Path, terms: Terms, rows: Sequence[Baseline] | None = None) -> Comparison:
    """Compare the rows (None: those of the run's file) with the front as it is now, and draw them (no plot of a single objective).

    Raises `HistoryError` on a disk error.
    """
    source = read_source(folder)
    table = source.table
    rows = read_baselines(folder) if rows is None else rows
    try:
        plot = write_baselines_plot(folder, table, rows)
    except OSError as error:
        raise HistoryError(f"{folder / 'plots'}: cannot be written: {error}") from error
    said = [sentence for sentence in (answer(table, rows), _so_far(source)) if sentence]
    return Comparison(table, rows, verdicts(table, rows), " ".join(said), terms, plot)


def _so_far(source: Source) -> str:
    """That the front is not final, of a search that runs or was interrupted."""
    if source.state in ("finished", "exhausted"):
        return ""
    return f"The search has not ended: the front is that of {counted(len(source.table.told), 'evaluation')}."
