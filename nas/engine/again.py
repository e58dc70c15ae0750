"""Repeat measurements that vary, such as latencies, for the networks on the front at the end of a search."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nas.core.errors import NasError
from nas.core.problem import Problem
from nas.core.records import Result
from nas.core.space import text_of
from nas.core.text import command
from nas.core.tracebacks import summarize_exception
from nas.runs.repeated import Repeated, read_repeated, write_repeated

TIMES = 2  # measurements of each network beside the first
_LOG = logging.getLogger("nas.data")


def repeat_measurements(problem: Problem, front: Iterable[Result], out: Path, times: int = TIMES) -> None:
    """Measure the front's networks `times` more, one after the other on this machine's device, and write `repeated.csv`.

    Only values that an evaluator with `nas.core.evaluator.HasMeasuredAgain`, or an objective's function with a spread, can measure again
    without a training. Networks in the file of an earlier session are not measured again. A failure or Ctrl-C leaves the rows that are there.
    """
    rows = read_repeated(out)
    known = {row.architecture for row in rows}
    members = [
        r for r in front if r.trial.id >= 0 and text_of(problem.space, r.trial.architecture) not in known
    ]
    measure, told, done = problem.measure(), False, 0
    units = {o.name: o.unit for o in problem.objectives}
    try:
        for member in members:
            found = [measure.again(member.trial) for _ in range(times)]
            names = [name for name in problem.names if all(name in values for values in found)]
            if not names:
                continue
            if not told:
                _LOG.warning("Measuring the latencies of the front's %d networks again", len(members))
                told = True
            text = text_of(problem.space, member.trial.architecture)
            for name in names:
                values = [member.values[name], *(one[name] for one in found)]
                rows.append(Repeated.of(text, name, units[name], values))
            done += 1
    except KeyboardInterrupt:
        _LOG.warning("interrupted: %s", _unfinished(done, len(members), out))
    except Exception as error:  # the results of the search are complete without
        reason = str(error) if isinstance(error, NasError) else summarize_exception(error)
        _LOG.warning("%s. The reason: %s", _unfinished(done, len(members), out), reason)
    finally:
        if told:
            write_repeated(out, rows)


def _unfinished(done: int, members: int, out: Path) -> str:
    return (
        f"{done} of the front's {members} networks were measured again; the search itself is complete. To measure the others: "
        f"{command('nas', 'search', '--resume', out)} (in Python: resume=True)"
    )
