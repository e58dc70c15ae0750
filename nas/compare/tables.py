"""The tables of a comparison in Markdown and LaTeX: medians with quartiles, test results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas.compare.analysis import Study, overall
from nas.compare.config import CompareConfig
from nas.compare.figures_ranks import number
from nas.compare.frames import threshold
from nas.compare.measures import quartiles
from nas.compare.statistics import Ranking
from nas.core.text import counted, markdown_text
from nas.report.plots_axes import short


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header; the first `keys` columns name a row, `best` are the cells (row, column) that lead their column."""

    title: str
    notes: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    keys: int = 1


def tables(studies: Sequence[Study], config: CompareConfig) -> list[Table]:
    """Quality, targets and pairwise tests of each study, then the ranks over problems."""
    found = []
    for study in studies:
        found.append(quality(study))
        if config.targets_of(study.part):
            found.append(targets(study))
        found.append(pairs(study))
    found += [over_problems(kind, ranking, config) for kind, ranking in overall(studies, config).items()]
    return found


def described(study: Study) -> tuple[str, ...]:
    """Searched values, shown values and the reference of the quality, as sentences."""
    searched = ", ".join(o.name for o in study.view.objectives)
    shown = ", ".join(study.view.columns)
    said = [f"Searched: {searched}. Shown: {study.kind} values ({shown})."]
    noisy = [o.name for o in study.view.objectives if o.noisy]
    if noisy:
        said.append(
            f"Fronts are selected by the expected {' and '.join(noisy)} of each run at the time; without a reported value they count with that from the results of all runs."
        )
    if study.reference is not None:
        corners = []
        for corner in (study.reference.box.ideal, study.reference.box.reference):
            values = zip(study.view.columns, study.view.signs * corner, strict=True)
            corners.append(", ".join(f"{name} {short(float(value))}" for name, value in values))
        said.append(
            f"Hypervolume is the share of the box from the ideal point ({corners[0]}) to the reference point ({corners[1]}); "
            f"the reference front ({study.reference.source}; {counted(len(study.reference.front), 'point')}) has "
            f"{study.reference.hypervolume:.4f}. IGD+ and epsilon are distances to it in that box."
        )
    elif study.kind != "searched":
        said.append(f"The best architecture by searched {searched}, evaluated by its {shown}.")
    said.append(f"{_runs(study)}; {counted(study.config.initial, 'shared initial architecture')}.")
    return tuple(said)


def _runs(study: Study) -> str:
    counts = {label: len(curves) for label, curves in study.of(study.measure.name).items()}
    if len(set(counts.values())) == 1:
        return f"{counted(next(iter(counts.values())), 'run')} of each algorithm"
    return "Runs: " + ", ".join(f"{label} {n}" for label, n in counts.items())


def quality(study: Study) -> Table:
    """Median and quartiles of the measure at the checkpoints, of the other measures at the end, and mean ranks."""
    columns: list[tuple[str, Callable[[str], tuple[float, str]], float]] = []
    for n in study.config.checkpoints_of(study.part):
        columns.append(
            (f"{study.measure.label} at {n:,}", _cell(study, study.measure.name, n), study.measure.sign)
        )
    for measure in study.measures[1:]:
        columns.append(
            (f"{measure.label} at {study.budget:,}", _cell(study, measure.name, study.budget), measure.sign)
        )
    ranking = study.ranking(study.budget)
    if np.isfinite(ranking.ranks).all():
        ranks = dict(zip(ranking.names, ranking.ranks.tolist(), strict=True))
        columns.append(("mean rank", lambda label: (ranks[label], f"{ranks[label]:.2f}"), -1.0))
    values = [[cell(label) for _, cell, _ in columns] for label in study.labels]
    best = {
        (row, column + 1)
        for column, (_, _, sign) in enumerate(columns)
        for row, cells in enumerate(values)
        if sign * cells[column][0] == max(sign * other[column][0] for other in values)
    }
    rows = [(label, *(text for _, text in cells)) for label, cells in zip(study.labels, values, strict=True)]
    notes = (*described(study), "Median (lower to upper quartile).", tested(ranking))
    header = ("algorithm", *(name for name, _, _ in columns))
    return Table(f"{study.name}: quality", notes, header, tuple(rows), frozenset(best))


def tested(ranking: Ranking) -> str:
    """The result of Friedman's test as a sentence."""
    if ranking.p is None:
        return f"No Friedman test: {ranking.note}."
    return (
        f"Friedman test of the ranks over {ranking.blocks} blocks: p = {number(ranking.p)}; critical difference (Nemenyi) "
        f"{ranking.critical:.2f}."
    )


def _cell(study: Study, measure: str, evaluations: int) -> Callable[[str], tuple[float, str]]:
    curves = study.of(measure)

    def cell(label: str) -> tuple[float, str]:
        low, middle, high = quartiles(np.array([c.at([evaluations]) for c in curves[label]]))[:, 0].tolist()
        return middle, f"{figures(middle)} ({figures(low)} to {figures(high)})"

    return cell


def figures(value: float) -> str:
    """Four decimals below 1, else four significant digits."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.4g}" if abs(value) < 1e4 else short(value)


def targets(study: Study) -> Table:
    """Median evaluations to each target over all runs, and the number of runs that reached it."""
    wanted = study.config.targets_of(study.part)
    needed = {
        label: [np.array([c.reaches(threshold(study, t))[0] for c in curves]) for t in wanted]
        for label, curves in study.of(study.measure.name).items()
    }
    medians = {
        label: [float(np.quantile(n, 0.5, method="higher")) for n in each] for label, each in needed.items()
    }
    rows = tuple(
        (
            label,
            *(
                _needed(median, n, study.budget)
                for median, n in zip(medians[label], needed[label], strict=True)
            ),
        )
        for label in study.labels
    )
    best = {
        (row, column + 1)
        for column in range(len(wanted))
        for row, label in enumerate(study.labels)
        if np.isfinite(medians[label][column])
        and medians[label][column] == min(m[column] for m in medians.values())
    }
    what = "of the reference front's hypervolume" if study.reference is not None else study.measure.label
    note = (
        f"Targets: {', '.join(f'{t:.4g}' for t in wanted)} {what}. Median evaluations over all runs; a run that missed the target "
        "counts as infinite. In brackets: runs that reached it, of all runs."
    )
    header = ("algorithm", *(f"to {t:.4g}" for t in wanted))
    return Table(f"{study.name}: evaluations to targets", (note,), header, rows, frozenset(best))


def _needed(median: float, needed: np.ndarray, budget: int) -> str:
    reached = int(np.isfinite(needed).sum())
    return f"{f'{median:.0f}' if np.isfinite(median) else f'> {budget}'} ({reached}/{len(needed)})"


def pairs(study: Study) -> Table:
    """Pairwise comparison after the full budget."""
    found = study.pairs(study.budget)
    note = (
        f"{study.measure.label} after {counted(study.budget, 'evaluation')}, in pairs of equal seeds: two-sided Wilcoxon signed-rank test, corrected by "
        f"Holm over {counted(len(found), 'comparison')}; A is the Vargha-Delaney probability that the first is better, ties counting half."
    )
    notes = [note, *dict.fromkeys(f"No p-value: {pair.note}." for pair in found if pair.note)]
    rows = tuple(
        (
            pair.first,
            pair.second,
            figures(study.measure.sign * pair.difference),
            f"{pair.effect:.2f} ({pair.magnitude})",
            number(pair.p_holm) or "-",
            pair.verdict(study.config.alpha),
        )
        for pair in found
    )
    header = ("first", "second", "difference of medians", "A", "p (Holm)", "the first is")
    return Table(f"{study.name}: pairwise", tuple(notes), header, rows, keys=2)


def over_problems(kind: str, ranking: Ranking, config: CompareConfig) -> Table:
    """Mean ranks over problems."""
    order = np.argsort(ranking.ranks, kind="stable").tolist()
    rows = tuple((ranking.names[i], f"{ranking.ranks[i]:.2f}") for i in order)
    notes = (f"Ranks of the medians over {ranking.blocks} problems after the full budget.", tested(ranking))
    return Table(f"Over problems, {kind} values", notes, ("algorithm", "mean rank"), rows)


def markdown(found: Sequence[Table], verdicts: Sequence[str] = (), conditions: Sequence[str] = ()) -> str:
    """The verdicts, the conditions and all tables as Markdown; the best of a column is bold."""
    parts = ["# Comparison\n\nWritten by `nas compare`.", *map(markdown_text, verdicts)]
    if conditions:
        parts.append("\n".join(("## Conditions\n", *(f"- {markdown_text(one)}" for one in conditions))))
    for table in found:
        plain = _escaped(table, markdown_text)
        texts = [list(line) for line in (plain.header, *_bold(plain, "**{}**".format))]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        texts.insert(1, ["-" * width for width in widths])
        body = "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in texts)
        notes = "\n".join(plain.notes)
        parts.append(f"## {plain.title}\n\n{notes}\n\n{body}")
    return "\n\n".join(parts) + "\n"


def _escaped(table: Table, escape: Callable[[str], str]) -> Table:
    """The table with every text escaped."""

    def all_of(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(escape, texts))

    return replace(
        table,
        title=escape(table.title),
        notes=all_of(table.notes),
        header=all_of(table.header),
        rows=tuple(map(all_of, table.rows)),
    )


def _bold(table: Table, mark: Callable[[str], str]) -> list[tuple[str, ...]]:
    return [
        tuple(mark(cell) if (i, j) in table.best else cell for j, cell in enumerate(row))
        for i, row in enumerate(table.rows)
    ]
