"""The outputs of a comparison besides its runs: results/, figures/, tables and a self-contained HTML page."""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nas.compare.analysis import Study, study
from nas.compare.conditions import conditions
from nas.compare.config import CompareConfig
from nas.compare.figures import Drawing, drawings, write_figures
from nas.compare.folder import comparison_files
from nas.compare.frames import frames
from nas.compare.latex import latex
from nas.compare.runs import Comparison
from nas.compare.tables import Table, markdown, tables
from nas.compare.verdict import verdicts
from nas.core.errors import HistoryError
from nas.core.files import make_folder, write_text, write_whole
from nas.core.tables import csv_text
from nas.core.text import counted
from nas.core.versions import versions

RESULTS, FIGURES, PAGE = "results", "figures", "index.html"
_COMPRESSED = {"evaluations"}  # one row each
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; border-top: 1px solid #ddd; padding-top: 1rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; } p { margin: .3rem 0; } .note { color: #555; font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; margin: .6rem 0 1.2rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .7rem; border-bottom: 1px solid #e4e4e4; } th { border-bottom: 2px solid #888; }
div.wide { overflow-x: auto; } figure { margin: 1rem 0 1.6rem; } img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .85rem; } .verdict { font-size: 1.1rem; } .warning { color: #A33B00; }
"""


@dataclass(frozen=True)
class ReportOutput:
    """The written tables and studies, and the verdicts in sentences, for printing."""

    studies: tuple[Study, ...]
    verdicts: tuple[str, ...]
    tables: tuple[Table, ...]
    missing: int  # incomplete runs


def write_report(comparison: Comparison, say: Callable[[str], None]) -> ReportOutput:
    """Measure the complete runs and write all files; call `say` with each step.

    Raises `HistoryError` without a complete run or at a disk error.
    """
    config, out = comparison.config, comparison.out
    studies: list[Study] = []
    for part in config.problems:
        say(f"measuring {part.name}")
        studies += study(comparison, part)
    if not studies:
        raise HistoryError(f"{out}: no complete run yet; remove --report to make the runs")
    missing = sum(not comparison.done(key) for key in comparison.every_run())
    say("writing tables")
    found, numbers, drawn = tables(studies, config), frames(studies, config), drawings(studies, config)
    said, unequal = verdicts(studies), conditions(comparison)
    files = comparison_files(out)
    try:
        files.claim(*_names(numbers, drawn))
        make_folder(out / RESULTS, out)
        for name, frame in numbers.items():
            write_csv(out / RESULTS, name, frame)
        write_text(out / RESULTS / "tables.md", markdown(found, said, unequal))
        write_text(out / RESULTS / "tables.tex", latex(found))
        say("drawing")
        write_figures(out / FIGURES, drawn)
        text = _page(comparison, said, unequal, drawn, found, missing)
        write_text(out / PAGE, text)
    except OSError as error:
        raise HistoryError(
            f"{out}: cannot write the report: {error}. The runs are saved; try again"
        ) from error
    return ReportOutput(tuple(studies), tuple(said), tuple(found), missing)


def _names(numbers: Iterable[str], drawn: Iterable[Drawing]) -> list[str]:
    """The names of all files of a report."""
    tabulated = [f"{RESULTS}/{name}.csv{'.gz' * (name in _COMPRESSED)}" for name in numbers]
    figures = [f"{FIGURES}/{each.stem}.{ending}" for each in drawn for ending in ("png", "svg")]
    return [*tabulated, f"{RESULTS}/tables.md", f"{RESULTS}/tables.tex", f"{FIGURES}/", *figures, PAGE]


def write_csv(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write one table; numbers with eight digits, empty cells for missing values."""
    text = csv_text(frame, float_format="%.8g")
    if name in _COMPRESSED:
        packed = gzip.compress(text.encode("utf-8"), mtime=0)
        write_whole(folder / f"{name}.csv.gz", lambda p: p.write_bytes(packed))
    else:
        write_text(folder / f"{name}.csv", text)


def _page(
    comparison: Comparison,
    said: Sequence[str],
    unequal: Sequence[str],
    drawn: Sequence[Drawing],
    found: Sequence[Table],
    missing: int,
) -> str:
    config = comparison.config
    by_heading: dict[str, list[Drawing]] = {}
    for drawing in drawn:
        by_heading.setdefault(drawing.about or "Over problems", []).append(drawing)
    facts = [*facts_of(config), *unequal]
    if missing:
        every = counted(len(list(comparison.every_run())), "run")
        said = [*said, f"Incomplete and omitted: {missing} of {every}."]
    return page("Comparison of search algorithms", said, facts, found, by_heading, comparison.out / FIGURES)


def facts_of(config: CompareConfig) -> list[str]:
    """The setup of the comparison as sentences."""
    algorithms = "; ".join(
        f"{a.label} ({a.name}{''.join(f', {k} {v}' for k, v in a.settings.items())})"
        for a in config.algorithms
    )
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [
        f"Problems: {', '.join(p.name for p in config.problems)}.",
        f"Algorithms: {algorithms}.",
        f"{counted(len(config.seeds), 'seed')}; for each problem and seed, all algorithms share "
        f"{counted(config.initial, 'random initial architecture')} and the trial seeds. An architecture counts once.",
        f"Significance: corrected p below {config.alpha:g}. Searched values steered the searches; reported "
        "values were only read afterwards.",
        f"Made with {made}.",
    ]


def page(
    title: str,
    said: Sequence[str],
    facts: Sequence[str],
    found: Sequence[Table],
    figures: Mapping[str, Sequence[Drawing]],
    folder: Path,
) -> str:
    """The page: the verdicts, then per heading the curves, the tables whose title begins with it and the other figures; facts.

    `figures` are by heading; their SVG files are read from `folder`. Every text is escaped.
    """
    parts = [f"<h1>{html.escape(title)}</h1>", *(f'<p class="verdict">{html.escape(v)}</p>' for v in said)]
    left = list(found)
    for heading, own_figures in figures.items():
        parts.append(f"<h2>{html.escape(heading)}</h2>")
        own = [table for table in left if table.title.startswith(f"{heading}: ")]
        left = [table for table in left if table not in own]
        first = [drawing for drawing in own_figures if drawing.leads]
        parts += [_figure(drawing, folder) for drawing in first]
        parts += [_table(table) for table in own]
        parts += [_figure(drawing, folder) for drawing in own_figures if drawing not in first]
    parts += [_table(table) for table in left]
    parts += ["<h2>The comparison</h2>", *(f"<p>{html.escape(fact)}</p>" for fact in facts)]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str, number: int = -1) -> str:
        marked = [
            f"<b>{html.escape(c)}</b>" if (number, j) in table.best else html.escape(c)
            for j, c in enumerate(cells)
        ]
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in marked) + "</tr>"

    lines = [row(table.header, "th"), *(row(cells, "td", i) for i, cells in enumerate(table.rows))]
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)
    return (
        f'<h3>{html.escape(table.title)}</h3>{notes}<div class="wide"><table>{"".join(lines)}</table></div>'
    )


def _figure(drawing: Drawing, folder: Path) -> str:
    data = base64.b64encode((folder / f"{drawing.stem}.svg").read_bytes()).decode("ascii")
    said = html.escape(drawing.caption)
    return (
        f'<figure><img alt="{said}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{said} ({html.escape(drawing.stem)}.svg, .png)</figcaption></figure>"
    )
