"""Plots of a run: PNG files of 1200 by 900 pixels, without a display and from any thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from nas.core.files import make_folder, write_whole
from nas.core.text import take_literally
from nas.report.plots_axes import standard_style
from nas.report.plots_baselines import baselines_figure, pair_of
from nas.report.plots_front import front_3d_figure, front_figure, parallel_figure
from nas.report.plots_progress import best_figure, cloud_figure, hypervolume_figure
from nas.report.plots_sharing import sharing_figure
from nas.report.plots_surrogate import surrogate_figure
from nas.report.sharing import own_trainings
from nas.runs.baselines import PLOT, Baseline
from nas.runs.files import run_files
from nas.runs.notes import SURROGATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.runs.run_folder import RunTable


_ALL_PAIRS = (
    5  # objectives; with more of them each is drawn against the first alone, beside the parallel plot
)


def figures(table: RunTable) -> dict[str, Callable[[], Figure]]:
    """The plots of a run by file name: with one objective its progress, else the front in each pair of objectives.

    Also the quality of the surrogates, if the algorithm recorded it, and inherited errors against those of own trainings, if there are any.
    """
    objectives = table.objectives
    m = len(objectives)
    judged: dict[str, Callable[[], Figure]] = {}
    if any(note.kind == SURROGATE for note in table.notes):
        judged["surrogate.png"] = partial(surrogate_figure, table)
    if own_trainings(table).architecture:
        judged["sharing.png"] = partial(sharing_figure, table)
    if m == 1:
        return {"best.png": partial(best_figure, table), **judged}
    draw: dict[str, Callable[[], Figure]] = {
        f"front_{objectives[i].name}_{objectives[j].name}.png": partial(front_figure, table, i, j)
        for i, j in combinations(range(m), 2)
        if i == 0 or m <= _ALL_PAIRS
    }
    if m == 3:
        draw["front_3d.png"] = partial(front_3d_figure, table)
    if m >= 4:
        draw["parallel.png"] = partial(parallel_figure, table)
    draw["hypervolume.png"] = partial(hypervolume_figure, table)
    draw["cloud.png"] = partial(cloud_figure, table)
    return {**draw, **judged}


def write_plots(folder: Path, table: RunTable) -> list[Path]:
    """Draw the run into `folder`, created if missing, and return the files, each written atomically.

    Raises `OSError` at a disk error.
    """
    make_folder(folder, folder.parent)
    paths = []
    with standard_style():
        for name, draw in figures(table).items():
            write_whole(folder / name, partial(_save, draw()))
            paths.append(folder / name)
    return paths


def write_baselines_plot(folder: Path, table: RunTable, baselines: Sequence[Baseline]) -> Path | None:
    """Draw the front with the baselines into the plots of the run in `folder`; None where fewer than two objectives can be drawn.

    Raises `OSError` at a disk error.
    """
    if pair_of(table, baselines) is None:
        return None
    path = folder / "plots" / PLOT
    with standard_style():
        run_files(folder).write_whole(f"plots/{PLOT}", partial(_save, baselines_figure(table, baselines)))
    return path


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG of 256 colours, a third of the size of true colour."""
    canvas = FigureCanvasAgg(figure)
    take_literally(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    small = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    # Averaging turns white into 254, which is visible on a white slide.
    small.putpalette([255 if level >= 252 else level for level in small.getpalette() or []])
    small.save(path, format="PNG", dpi=(figure.dpi, figure.dpi))
