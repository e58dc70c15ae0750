"""Shared parts of the plots: rows to draw, axes of the objectives, style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from nas.core.objectives import Objective
from nas.core.records import FloatArray

# Okabe and Ito's palette: distinct with any colour vision, and in grey print.
VERMILLION, BLUE, SKY, PURPLE = "#D55E00", "#0072B2", "#56B4E9", "#CC79A7"
INK, FAINT = "#333333", "#757575"

_DRAWN_ALL = 5_000  # points; above, covered points are omitted
_CELLS = 150  # along an axis, to find covered points
LOG_DECADES = 1.5  # positive values that span more get a logarithmic axis
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Axis:
    """The axis of one objective: its text, scale, limits and labelled ticks, in its unit."""

    label: str
    maximize: bool
    log: bool
    low: float
    high: float
    ticks: FloatArray
    tick_labels: tuple[str, ...]

    @property
    def label_in_lines(self) -> str:
        """The label with its unit, and a logarithmic scale, in further lines."""
        return self.label.replace(" (", "\n(", 1).replace(", log scale", ",\nlog scale")

    @property
    def direction(self) -> str:
        """The better direction as text."""
        return "higher is better" if self.maximize else "lower is better"

    @property
    def title(self) -> str:
        """The label and the direction, with an arrow valid along either axis."""
        return f"{self.label}    " + (f"{self.direction} →" if self.maximize else f"← {self.direction}")

    def place(self, values: FloatArray) -> FloatArray:
        """Values on a linear scale: their logarithm if this axis is logarithmic."""
        return np.log10(values) if self.log else np.asarray(values, dtype=np.float64)

    def held(self, values: FloatArray) -> FloatArray:
        """As `place`, clipped to the limits."""
        return self.place(np.clip(values, self.low, self.high))

    def inside(self, values: FloatArray) -> Mask:
        """Mask of the values within the limits."""
        return np.asarray((values >= self.low) & (values <= self.high))


def axis_of(item: Objective, values: FloatArray, keep: Mask) -> Axis:
    """A readable axis for values (n,), finite and not empty; those in `keep` are always in view.

    Positive values that span more than 1.5 decades get a logarithmic axis, unless they rise towards a
    known bound, such as an accuracy, whose interesting end would be squeezed. The axis ends before a few poor
    values that would squeeze all others into a corner.
    """
    best, worst = _window(item.sign * values, keep)
    smallest, largest = sorted(abs(v) for v in (best, worst))
    rising = item.maximize and item.best is not None
    log = bool(values.min() > 0 and not rising and np.log10(largest / smallest) > LOG_DECADES)
    if log:
        best, worst = _window(item.sign * np.log10(values), keep)
    span = worst - best
    if span <= 1e-9 * max(abs(best), abs(worst)):
        span = abs(best) or 1.0
    ends = sorted([item.sign * (best - 0.05 * span), item.sign * (worst + 0.05 * span)])
    low, high = (10.0**e for e in ends) if log else ends
    ticks = log_ticks(low, high) if log else linear_ticks(low, high)
    label = name_and_unit(item, *(["log scale"] if log else []))
    return Axis(label, item.maximize, log, low, high, ticks, tick_labels(ticks))


def _window(at: FloatArray, keep: Mask) -> tuple[float, float]:
    """The best and the worst of minimised values (n,) to show, without a distant poor twentieth."""
    best, worst = float(at.min()), float(at.max())
    most = max(float(np.quantile(at, 0.95)), float(at[keep].max()) if keep.any() else best)
    apart = len(at) >= 20 and most > best and worst - best > 1.5 * (most - best)
    return best, most if apart else worst


def name_and_unit(item: Objective, *also: str) -> str:
    """`error (%)`, or the name alone without a unit; `also` stands behind the unit."""
    within = ", ".join(filter(None, (item.unit, *also)))
    return f"{item.name} ({within})" if within else item.name


def linear_ticks(low: float, high: float, most: int = 8) -> FloatArray:
    """Round values within the limits."""
    ticks = np.asarray(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]).tick_values(low, high), dtype=np.float64)
    return ticks[(ticks >= low) & (ticks <= high)]


def log_ticks(low: float, high: float) -> FloatArray:
    """1, 2 and 5 (or 1 and 3) times the powers of ten within positive limits, or fewer if crowded."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    decades = np.log10(high / low)
    mantissas = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 4 else (1,)
    step = max(1, (last - first) // 8)
    ticks = np.array([m * 10.0**e for e in range(first, last + 1, step) for m in mantissas])
    return ticks[(ticks >= low) & (ticks <= high)]


def tick_labels(ticks: FloatArray) -> tuple[str, ...]:
    """Short distinct texts, alike on one axis: 1k and 30k, 1.5M, 93.25."""
    largest = float(np.abs(ticks).max(initial=0.0))
    if len(ticks) > 1 and ticks.min() > 0 and largest > 30 * ticks.min():
        thousands = largest >= 1e4
        return tuple(f"{t / 1e3:.4g}k" if thousands and 1e3 <= t < 1e4 else short(t) for t in ticks.tolist())
    scale, suffix = _suffix(largest)
    step = float(np.diff(ticks).min() / scale) if len(ticks) > 1 else 1.0
    if step < 1e-4:
        return tuple(f"{t:.12g}".replace("-", "−") for t in ticks)
    decimals = max(0, int(np.ceil(-np.log10(step) - 1e-6)))
    return tuple(
        "0" if t == 0 else f"{t / scale:.{decimals}f}{suffix}".replace("-", "−") for t in ticks.tolist()
    )


def short(value: float) -> str:
    """A number with at most four digits: 3.4M."""
    scale, suffix = _suffix(abs(value))
    return f"{value / scale:.4g}{suffix}".replace("-", "−")


def _suffix(size: float) -> tuple[float, str]:
    for start, scale, suffix in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if start <= size < 1e16:
            return scale, suffix
    return 1.0, ""


def visible(*at: FloatArray) -> NDArray[np.int64]:
    """The points to draw of n, ascending: all, or the last in each small cell if many overlap.

    `at` are their coordinates (n,) on the axes. A cell is a few pixels wide, less than a mark.
    """
    n = len(at[0])
    if n <= _DRAWN_ALL:
        return np.arange(n)
    spans = [(float(values.min()), float(np.ptp(values)) or 1.0) for values in at]
    cells = [((v - low) * (_CELLS / span)).astype(np.int64) for v, (low, span) in zip(at, spans, strict=True)]
    cell = np.zeros(n, dtype=np.int64)
    for place in cells:
        cell = cell * (_CELLS + 1) + place
    _, last = np.unique(cell[::-1], return_index=True)
    return np.sort(n - 1 - last)


@contextmanager
def standard_style() -> Iterator[None]:
    """Matplotlib's defaults while figures are drawn: a user's file may ask for LaTeX, which may be missing."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def new_figure() -> Figure:
    """An empty figure of 1200 by 900 pixels, without global state, for use in any thread."""
    below_headline = ConstrainedLayoutEngine(rect=(0.01, 0.01, 0.965, 0.88))
    return Figure(figsize=(8, 6), dpi=150, layout=below_headline, facecolor="white")


def headline(figure: Figure, title: str, counts: str) -> None:
    """Set a title at the top left and the counts in small type below it."""
    figure.text(
        0.025, 0.965, title, ha="left", va="top", fontsize=14, weight="bold", color=INK, parse_math=False
    )
    figure.text(0.025, 0.915, counts, ha="left", va="top", fontsize=9, color=FAINT, parse_math=False)


def explained(figure: Figure, text: str) -> None:
    """Set a sentence in small type below the counts of `headline`, and make room for it."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0.01, 0.01, 0.965, 0.86))
    figure.text(0.025, 0.89, text, ha="left", va="top", fontsize=8, color=FAINT, parse_math=False)


def plain(ax: Any) -> None:
    """Two spines, a faint grid under the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.grid(visible=True, color="#ECECEC", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=9)


def nothing(figure: Figure, text: str = "no result with finite values yet") -> Figure:
    """A figure with a text instead of data."""
    figure.text(0.5, 0.45, text, ha="center", fontsize=12, color=FAINT, parse_math=False)
    return figure


def apply(ax: Any, **axes: Axis) -> None:
    """Set the axes given by keyword (x, y)."""
    for name, axis in axes.items():
        ax.set(**{f"{name}scale": "log" if axis.log else "linear", f"{name}lim": (axis.low, axis.high)})
        drawn = getattr(ax, f"{name}axis")
        drawn.set_ticks(axis.ticks, axis.tick_labels)
        drawn.set_minor_locator(NullLocator())
        drawn.set_minor_formatter(NullFormatter())
