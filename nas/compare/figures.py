"""Every figure of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from nas.compare import figures_curves, figures_fronts, figures_ranks
from nas.compare.analysis import Study, overall
from nas.compare.config import CompareConfig, slug
from nas.compare.figure_style import save
from nas.core.files import make_folder
from nas.core.text import counted
from nas.report.plots_axes import standard_style


@dataclass(frozen=True)
class Drawing:
    """A figure to draw: file stem, heading, caption and drawing function; `leads` if it comes before the tables."""

    stem: str
    about: str
    caption: str
    draw: Callable[[], Figure]
    leads: bool = False


def drawings(studies: Sequence[Study], config: CompareConfig) -> list[Drawing]:
    """All figures of the comparison."""
    found = [drawing for study in studies for drawing in of_study(study)]
    for kind, ranking in overall(studies, config).items():
        title = f"Mean ranks over problems, {kind} values"
        draw = partial(figures_ranks.ranks, ranking, title, config.alpha)
        found.append(Drawing(f"ranks_over_problems_{kind}", "", f"{title}.", draw))
    return found


def of_study(study: Study) -> list[Drawing]:
    """The figures of one problem and one kind of values."""
    name = slug(study.name)
    measure = study.measure.label
    quartiles = "Line: median over seeds. Band or bars: quartiles."
    found: list[tuple[str, str, Callable[[Study], Figure]]] = [
        ("quality", f"{measure} against evaluations. {quartiles}", figures_curves.over_evaluations),
        ("time", f"{measure} against time. {quartiles}", figures_curves.over_time),
        (
            "final",
            f"{measure} of every run after {counted(study.budget, 'evaluation')}.",
            figures_curves.final,
        ),
    ]
    if study.config.targets_of(study.part):
        found.append(("targets", "Share of runs that reached each target.", figures_curves.targets))
    if study.reference is not None:
        others = f"IGD+ and additive epsilon against evaluations. {quartiles}"
        surfaces = "Median attainment surfaces after the full budget."
        where = "Where more runs of one of two algorithms attain a point."
        found += [
            ("indicators", others, figures_curves.other_measures),
            ("attainment", surfaces, figures_fronts.attainment),
            ("difference", where, figures_fronts.differences),
        ]
    text = "Mean ranks over seeds; a bar joins algorithms without a significant difference (Nemenyi test)."
    found.append(("ranks", text, _ranks))
    return [
        Drawing(f"{kind}_{name}", study.name, text, partial(draw, study), leads=kind == "quality")
        for kind, text, draw in found
    ]


def _ranks(study: Study) -> Figure:
    title = f"{study.name}: mean ranks after {counted(study.budget, 'evaluation')}"
    return figures_ranks.ranks(study.ranking(study.budget), title, study.config.alpha)


def write_figures(folder: Path, found: Sequence[Drawing]) -> None:
    """Write each figure as PNG and SVG."""
    make_folder(folder, folder.parent)
    with standard_style():
        for drawing in found:
            save(drawing.draw(), folder / drawing.stem)
