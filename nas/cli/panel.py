"""The status of a run as a panel that fits the terminal, or a line for a log."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.text import Text

from nas.cli.sharing_lines import sharing_section
from nas.cli.show import number
from nas.core.text import duration
from nas.monitor import Judgement, RunStatus, Work

_LABEL = 11  # columns of the labels
_NARROW = 40  # no frame below these columns
_FLAT = 9  # and these rows
_EARLY = 8
_ABOUT_TAU = "tau: 1 right order, 0 by chance; in brackets: 90% interval"
_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-:=+*#"


@dataclass(frozen=True)
class Glyphs:
    """Drawing characters: blocks of rising height, full and empty parts of a bar, the ellipsis."""

    blocks: str
    full: str
    empty: str
    cut: str


UNICODE = Glyphs(_BLOCKS, "━", "─", "…")
ASCII = Glyphs(_ASCII_BLOCKS, "#", "-", "..")


@dataclass(frozen=True)
class _Section:
    """Lines under one label; if some do not fit, the last one gives their number."""

    name: str
    lines: Sequence[Text]
    rank: int  # priority when space is short


class StatusPanel:
    """A run status that rich renders within the terminal."""

    def __init__(self, standing: RunStatus) -> None:
        self._standing = standing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = ASCII if options.ascii_only else UNICODE
        height = console.size.height - 1  # minus the cursor's line
        framed = options.max_width >= _NARROW and height >= _FLAT
        width = options.max_width - (4 if framed else 0)
        lines = _lines(self._standing, width, height - (2 if framed else 0), glyphs)
        if not framed:
            yield Group(*lines)
            return
        heading = self._standing.heading
        title = _printable(f"{heading.space}, {heading.algorithm}, seed {heading.seed}", glyphs)
        out = _shorten(_printable(heading.out, glyphs), width - 4, glyphs)
        yield Panel(
            Group(*lines),
            title=Text(_shorten(title, width - 4, glyphs), style="bold"),
            title_align="left",
            subtitle=Text(out, style="dim") if out else None,
            subtitle_align="right",
            width=options.max_width,
        )


def _lines(standing: RunStatus, width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """The lines of the panel: at most `room`, none wider than `width`."""
    wide = max(10, width - _LABEL)
    sections = [
        _Section("progress", [_progress(standing, wide, glyphs)], 0),
        _Section("time", [Text(_times(standing))], 1),
        _Section("pace", [Text(_pace(standing))], 5),
        _Section("front", [_front(standing, wide, glyphs)], 2),
        _Section("best", _best(standing, wide), 4),
        _Section("original", _original(standing), 4),
        _Section("surrogate", [_judged(j, wide) for j in standing.surrogates], 6),
        _Section("", [Text(_ABOUT_TAU, style="dim")] if _has_tau(standing) else [], 10),
        _Section("sharing", sharing_section(standing.sharing, wide), 6),
        _Section("budgets", [Text(rungs(standing))] if standing.rungs else [], 9),
        _Section("failures", [Text(f"{n} x {why}", style="yellow") for why, n in standing.failures], 7),
        _Section("workers", _workers(standing, wide, glyphs), 8),
        _Section("warning", [Text(t, style="bold yellow") for t in textwrap.wrap(standing.trouble, wide)], 3),
    ]
    shown = _share_out([s for s in sections if s.lines], room)
    lines = []
    for section, count in shown:
        kept = _cut(section.lines, count)
        for i, line in enumerate(kept):
            label = Text(f"{section.name if i == 0 else '':<{_LABEL}}", style="dim")
            text = _shorten(_printable(line.plain, glyphs), wide, glyphs)
            body = line if text == line.plain else Text(text, style=line.style)
            lines.append(Text.assemble(label, body, no_wrap=True, overflow="crop"))
    return lines


def _share_out(sections: Sequence[_Section], room: int) -> list[tuple[_Section, int]]:
    """Number of lines per section: one each by rank, then more by rank, `room` in total."""
    ranked = sorted(sections, key=lambda s: s.rank)[: max(1, room)]
    given = {s.name: 1 for s in ranked}
    left = room - len(ranked)
    for most in (3, max((len(s.lines) for s in sections), default=0)):  # each gets one before any gets all
        for section in ranked:
            more = max(0, min(left, min(most, len(section.lines)) - given[section.name]))
            given[section.name] += more
            left -= more
    return [(s, given[s.name]) for s in sections if s.name in given]


def _cut(lines: Sequence[Text], count: int) -> list[Text]:
    """The first `count` lines; if some are omitted, the last gives their number (unless it is the only one)."""
    if count >= len(lines) or count == 1:
        return list(lines[:count])
    return [*lines[: count - 1], Text(f"and {len(lines) - count + 1} more", style="dim")]


def _progress(standing: RunStatus, width: int, glyphs: Glyphs) -> Text:
    planned = standing.heading.evaluations
    said = f" {_evaluated(standing)}, {_under_way(standing)}, "
    failed = f"{standing.failed} failed"
    room = max(0, min(30, width - len(said) - len(failed))) if planned else 0
    done = round(room * min(1.0, standing.evaluated / planned)) if planned else 0
    return Text.assemble(
        (glyphs.full * done, "green"),
        (glyphs.empty * (room - done), "dim"),
        said if room else said.lstrip(),
        (failed, "yellow" if standing.failed else ""),
    )


def _times(standing: RunStatus) -> str:
    passed = duration(standing.seconds + standing.age)
    if standing.outcome:
        return f"{standing.outcome} after {passed}"
    if standing.left is None:
        return f"{passed} passed"
    return f"{passed} passed, about {duration(max(0.0, standing.left - standing.age))} left"


def _pace(standing: RunStatus) -> str:
    said = [] if standing.rate is None else [f"{_rate(standing.rate)} evaluated a minute"]
    if standing.last_result is not None and not standing.outcome:
        said.append(_last_result(standing))
    return ", ".join(said) or "no result yet"


def _last_result(standing: RunStatus) -> str:
    return f"last result {duration(max(0.0, time.time() - (standing.last_result or 0.0)))} ago"


def _front(standing: RunStatus, width: int, glyphs: Glyphs) -> Text:
    many = f"{standing.front_size} architecture{'' if standing.front_size == 1 else 's'}"
    said = f"{many}, hypervolume {standing.hypervolume:.4f} "
    return Text.assemble(said, (sparkline(standing.curve, min(32, width - len(said)), glyphs), "cyan"))


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs = UNICODE) -> str:
    """Values as a row of at most `width` blocks at even steps, including the last value.

    The lowest block covers values reached in the first eighth, so that later gains stay visible.
    """
    if len(values) < 2 or width < 2:
        return ""
    count = min(width, len(values))
    shown = [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]
    low, high = shown[count // _EARLY], max(shown)
    top = len(glyphs.blocks) - 1
    return "".join(
        glyphs.blocks[max(0, round(top * (v - low) / (high - low))) if high > low else 0] for v in shown
    )


def _best(standing: RunStatus, width: int) -> list[Text]:
    """The best value of each objective, wrapped to the width."""
    lines: list[str] = []
    for best in standing.best:
        said = f"{best.objective} {number(best.value)}{f' {best.unit}' if best.unit else ''}{' expected' * best.expected}"
        if lines and len(lines[-1]) + 2 + len(said) <= width:
            lines[-1] += f", {said}"
        else:
            lines.append(said)
    return [Text(line) for line in lines] or [Text("no result yet", style="dim")]


def _original(standing: RunStatus) -> list[Text]:
    """The original network of a shrink run, in the objectives."""
    values = standing.heading.original
    parts = [
        f"{best.objective} {number(values[best.objective])}{f' {best.unit}' if best.unit else ''}"
        for best in standing.best
        if best.objective in values
    ]
    return [Text(", ".join(parts))] if parts else []


def _judged(judgement: Judgement, width: int) -> Text:
    """Tau with its interval and reliability."""
    of = f"{judgement.objective}: " if judgement.objective else ""
    if math.isnan(judgement.tau):
        said = f"{of}{judgement.text}"
    else:
        said = f"{of}tau {judgement.tau:.2f} ({judgement.low:.2f} to {judgement.high:.2f})"
        said += "" if judgement.reliable else ", not reliable yet"
    return Text(said, style="" if judgement.reliable else "yellow")


def _has_tau(standing: RunStatus) -> bool:
    return any(not math.isnan(judgement.tau) for judgement in standing.surrogates)


def _workers(standing: RunStatus, width: int, glyphs: Glyphs) -> list[Text]:
    """A line per busy worker, longest trial first, and the numbers of idle workers and waiting trials."""
    busy = sorted((w for w in standing.workers if w.trial is not None), key=lambda w: -w.seconds)
    idle = len(standing.workers) - len(busy)
    rest = [] if idle == 0 else [f"{idle} idle"]
    rest += [] if standing.waiting == 0 else [f"{_trials(standing.waiting)} waiting for a worker"]
    lines = [_work(work, standing.age, width, glyphs) for work in busy]
    if not standing.workers:
        return [Text(f"{_trials(standing.waiting)} submitted", style="dim")] if standing.waiting else []
    if rest and busy and len(busy) <= 3:
        return [*lines, Text(", ".join(rest), style="dim")]
    return [Text(", ".join([f"{len(busy)} busy", *rest]), style="dim"), *lines] if rest or busy else []


def _trials(count: int) -> str:
    return f"{count} trial{'' if count == 1 else 's'}"


def _work(work: Work, age: float, width: int, glyphs: Glyphs) -> Text:
    name = _printable(work.worker, glyphs)
    name = name if len(name) <= 24 else glyphs.cut + name[-(24 - len(glyphs.cut)) :]
    start = f"{name}  trial {work.trial}  "
    end = f"  {duration(work.seconds + age)}"
    room = max(6, width - cell_len(start) - len(end))
    middle = _shorten_middle(_printable(work.architecture, glyphs), room, glyphs)
    return Text(f"{start}{middle}{' ' * max(0, room - cell_len(middle))}{end}")


def _printable(text: str, glyphs: Glyphs) -> str:
    """The text without control characters and characters that the terminal lacks."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain.encode("ascii", "replace").decode() if glyphs is ASCII else plain


def _shorten(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut at its end to `width` columns."""
    if cell_len(text) <= width:
        return text
    short = Text(text)
    short.truncate(max(0, width - len(glyphs.cut)), overflow="crop")
    return short.plain + glyphs.cut


def _shorten_middle(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut in its middle, since related architectures often differ at the ends."""
    if cell_len(text) <= width:
        return text
    ends = max(0, width - len(glyphs.cut))
    return _shorten(text[: ends - ends // 3] + glyphs.cut + text[len(text) - ends // 3 :], width, glyphs)


def _evaluated(standing: RunStatus) -> str:
    planned = standing.heading.evaluations
    return f"{standing.evaluated}{'' if planned is None else f'/{planned}'} evaluated"


def _under_way(standing: RunStatus) -> str:
    """Trials on workers and trials that wait for one, such as `2 training, 2 waiting`; without any, what the search does meanwhile."""
    if standing.waiting and not standing.workers:  # the workers are not known
        return f"{standing.waiting} submitted"
    busy = standing.running - standing.waiting
    said = f"{busy} {'training' if standing.trains else 'running'}"
    if standing.checked and not standing.running and not standing.outcome:
        return f"{said}, choosing candidates ({standing.checked:,} checked)"
    return f"{said}, {standing.waiting} waiting" if standing.waiting else said


def line(standing: RunStatus) -> str:
    """The status of a run as one log line, with the time of day."""
    said = (
        f"{time.strftime('%H:%M:%S')}  {_evaluated(standing)}, "
        f"{_under_way(standing)}, {standing.failed} failed, front {standing.front_size}, "
        f"hypervolume {standing.hypervolume:.4f}"
    )
    said += f", {rungs(standing)}" if standing.rungs else ""
    said += f", {_rate(standing.rate)} a minute" if standing.rate is not None else ""
    said += f", about {duration(standing.left)} left" if standing.left is not None else ""
    said += f", {standing.outcome}" if standing.outcome else ""
    said += f", {_last_result(standing)}" if standing.trouble and standing.last_result is not None else ""
    return _printable(said, UNICODE)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def rungs(standing: RunStatus) -> str:
    """Number of results per budget, such as `budget 2: 40, 6: 12, 18: 3`."""
    return "budget " + ", ".join(f"{budget:g}: {count}" for budget, count in standing.rungs)


def about_surrogates(standing: RunStatus) -> str:
    """The numbers of `surrogate_lines` explained, for the first time they appear; "" while they have none."""
    if not _has_tau(standing):
        return ""
    return (
        "  tau compares the predicted with the measured order of networks left out of the fit (1: the same, 0: by chance), with its 90% "
        "interval; of the surrogate's own 90% intervals, about 90% should hold the result; rmse is in the objective's unit"
    )


def surrogate_lines(standing: RunStatus) -> list[tuple[str, bool]]:
    """The latest report on each objective's surrogate, and whether it is reliable."""
    several = len(standing.surrogates) > 1
    return [
        (
            f"{'' if j.reliable else 'warning: '}surrogate{f' of {j.objective}' if several else ''}: {j.text}",
            j.reliable,
        )
        for j in standing.surrogates
    ]
