"""Write the page of a run or a comparison to one HTML file: the description as JSON, scripts and styles.

The page loads nothing from elsewhere: its policy forbids it and allows only the script written here, by its hash;
texts reach the page as text only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nas.core.errors import ConfigError, HistoryError
from nas.core.files import absolute, make_folder, write_text
from nas.core.owned import check_single
from nas.core.space import SearchSpace
from nas.report.assembling import STYLES, Page, as_json, assemble, page_part
from nas.report.gather import describe
from nas.report.records import Report
from nas.report.sources import Source, read_source
from nas.runs.files import REPORT, run_files
from nas.runs.history import FILE
from nas.runs.history_table import check_readable
from nas.runs.log_file import well_formed

_MARK = b'<meta name="generator" content="nas report">'
PAGE, COMPARISON = REPORT, "comparison.html"
_SCRIPTS = (
    "format.js", "dominance.js", "data.js", "events.js", "state.js", "colours.js", "tips.js", "plot.js", "baselines.js", "fronts.js", "parallel.js", "limits.js", "table.js", "network.js",
    "progress.js", "sharing.js", "repeated.js", "importance.js", "timeline.js", "details.js", "main.js",
)  # fmt: skip


def write_report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    space: SearchSpace | None = None,
) -> Path:
    """Write the page of a run or a comparison and return its path.

    Args:
        runs: folder of a finished or running search, or several.
        out: the file to write; None: ``report.html`` in the folder of a single run, ``comparison.html`` in the first of
            several.
        space: the space of the runs, needed to draw the networks of a custom space.

    Raises:
        HistoryError: a folder without a run, or a disk error. ConfigError: the runs cannot be compared.
    """
    folders = [Path(runs)] if isinstance(runs, (str, Path)) else [Path(run) for run in runs]
    given = None if out is None else Path(out)
    if not folders:
        raise ConfigError("runs: expected at least one folder of a run, got none")
    check_readable(folders[0] / FILE)
    _check(folders, given)
    sources = [read_source(folder, space) for folder in folders]
    with well_formed(folders[0] / FILE):
        described = describe(sources)
    return _write(described, folders, given)


def write_page(sources: Sequence[Source], out: Path | None = None) -> Path:
    """`write_report` for loaded runs."""
    folders = [source.folder for source in sources]
    _check(folders, out)
    return _write(describe(sources), folders, out)


def _name(folders: Sequence[Path]) -> str:
    return PAGE if len(folders) == 1 else COMPARISON


def _inside(run: Path, out: Path | None) -> bool:
    """Whether the page is a file of the run."""
    return out is None or absolute(out).parent == absolute(run)


def _check(folders: Sequence[Path], out: Path | None) -> None:
    """Check in advance that the page can be written. Raises `ForeignFileError`, `HistoryError`."""
    place = out or folders[0] / _name(folders)
    with _explained(place):
        if _inside(folders[0], out):
            if place.name != _name(folders):  # of the run's other names none is a page
                check_single(place, _MARK, "nas report")
                if place.suffix.lower() not in (".html", ".htm"):
                    raise ConfigError(
                        f"{place}: a page in the folder of a run needs a name that ends in .html"
                    )
            run_files(folders[0]).check([place.name])
        else:
            check_single(place, _MARK, "nas report")


def _write(described: Report, folders: Sequence[Path], out: Path | None) -> Path:
    place, text = out or folders[0] / _name(folders), render(described)
    with _explained(place):
        if _inside(folders[0], out):
            run_files(folders[0]).write_text(place.name, text)
        else:
            make_folder(place.parent)
            write_text(place, text)
    return place


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(
            f"{path}: cannot be written ({error.strerror}); choose another file with --out"
        ) from error


def render(report: Report) -> str:
    """The file as text."""
    return page_of(report).text


def page_of(report: Report, above: str = "") -> Page:
    """The page with its policy; `above` is HTML over its title."""
    return assemble(
        page_part("page.html"),
        map(page_part, STYLES),
        map(page_part, _SCRIPTS),
        title=report.title,
        data=as_json(report),
        above=above,
    )
