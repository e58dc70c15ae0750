"""Outputs of a comparison: tables, figures, and a self-contained page."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compare_parts import Compare, make_runs, two_objectives, write_tiny_figures
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from nas.compare import figures_ranks
from nas.compare.analysis import study
from nas.compare.figure_style import COLOURS, looks
from nas.compare.figures import drawings, of_study, write_figures
from nas.compare.latex import latex, latex_text
from nas.compare.report import write_report
from nas.compare.runs import Comparison
from nas.compare.statistics import ranking
from nas.compare.tables import Table, figures, markdown
from nas.core.errors import HistoryError


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.compare.report.write_figures", write_tiny_figures)


@pytest.fixture
def out(made: Comparison) -> Path:
    """The folder with a report on all runs, which is written once."""
    if not (made.out / "index.html").exists():
        write_report(made, lambda text: None)
    return made.out


def test_every_table_is_a_file(out: Path) -> None:
    names = "runs quality summary curves curves_time targets reached ranks pairs reference reference_fronts attainment attainment_difference"
    for name in names.split():
        assert len(pd.read_csv(out / "results" / f"{name}.csv")) > 0, name
    assert len(pd.read_csv(out / "results" / "evaluations.csv.gz")) == 24 * 24


TWO = {"quality", "time", "final", "targets", "indicators", "attainment", "difference", "ranks"}
ONE = {"quality", "time", "final", "targets", "ranks"}


def test_there_is_a_figure_of_everything(out: Path) -> None:
    stems = {file.stem for file in (out / "figures").iterdir()}
    views = ("searched", "reported")
    expected = {f"{kind}_error-params-{view}" for view in views for kind in TWO}
    expected |= {f"{kind}_error-{view}" for view in views for kind in ONE}
    assert stems == expected | {f"ranks_over_problems_{view}" for view in views}


def test_figures_are_png_and_svg_and_the_same_when_drawn_again(made: Comparison, tmp_path: Path) -> None:
    for folder in (tmp_path / "first", tmp_path / "second"):
        two = study(made, made.config.problems[0])[1]
        chosen = [d for d in of_study(two) if d.stem.startswith(("difference", "ranks"))]
        write_figures(folder, chosen)
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name
        if file.suffix == ".png":
            with Image.open(file) as image:
                assert image.width >= 1000
        else:
            assert ElementTree.parse(file).getroot().tag.endswith("svg")


@pytest.mark.slow
def test_every_figure_can_be_drawn(made: Comparison, tmp_path: Path) -> None:
    studies = [s for part in made.config.problems for s in study(made, part)]
    found = drawings(studies, made.config)
    write_figures(tmp_path, found)
    assert len(list(tmp_path.iterdir())) == 2 * len(found) == 2 * (2 * len(TWO) + 2 * len(ONE) + 2)


def test_a_report_that_is_written_again_is_the_same(made: Comparison, out: Path) -> None:
    kept = {file: file.read_bytes() for file in sorted(out.glob("[rfi]*/*")) if file.is_file()}
    kept |= {out / "index.html": (out / "index.html").read_bytes()}
    write_report(made, lambda text: None)
    assert [file.name for file, before in kept.items() if file.read_bytes() != before] == []


def test_the_page_needs_nothing_but_itself(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(sources) == len(list((out / "figures").glob("*.svg")))
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert "<script" not in text
    assert "url(" not in re.sub(r'src="[^"]*"', "", text)


def test_the_page_starts_with_the_verdicts_and_the_curves_and_ends_with_the_facts(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    places = [
        text.index(part)
        for part in (
            "has the best mean rank",
            "hypervolume against evaluations",
            "Median (lower to upper quartile)",
            "hypervolume against time",
            "Algorithms: moead",
        )
    ]
    assert places == sorted(places)
    assert "too few for the pairwise tests, which need at least 7" in text
    tables = (out / "results" / "tables.md").read_text(encoding="utf-8")
    assert tables.index("has the best mean rank") < tables.index("| algorithm")


def test_every_text_on_the_page_is_escaped(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "NSGA-II &lt;10&gt;" in text
    assert "error &amp; params" in text
    assert "<10>" not in text
    assert "error & params" not in text


def test_the_tables_name_the_searched_and_shown_values(out: Path) -> None:
    text = (out / "results" / "tables.md").read_text(encoding="utf-8")
    assert "Searched: error, params. Shown: reported values (test_error, params)." in text
    assert "The best architecture by searched error, evaluated by its test_error." in text
    assert "to the reference point (test_error" in text


def test_too_few_seeds_are_named_in_the_place_of_a_p_value(out: Path) -> None:
    text = (out / "results" / "tables.md").read_text(encoding="utf-8")
    assert "No p-value: too few seeds for a test: 4 in common" in text
    assert "not tested" in text
    pairs = pd.read_csv(out / "results" / "pairs.csv")
    assert pairs["p_holm"].isna().all()
    assert pairs["note"].str.contains("too few seeds").all()


def test_one_problem_one_seed_has_nothing_over_problems_and_no_plural(
    comparison: Compare, tmp_path: Path
) -> None:
    found = comparison(
        tmp_path, problems=[two_objectives()], algorithms=["moead", "random"], seeds=1, budget=10
    )
    make_runs(found)
    write_report(found, lambda text: None)
    made = (tmp_path / "results" / "tables.md", tmp_path / "results" / "tables.tex", tmp_path / "index.html")
    for file in made:
        text = file.read_text(encoding="utf-8")
        assert "over problems" not in text.lower(), file.name
        assert not re.search(r"\b1 (problems|seeds|runs|comparisons|points|blocks)\b", text), file.name
    assert not [file for file in (tmp_path / "figures").iterdir() if "over_problems" in file.name]
    assert set(pd.read_csv(tmp_path / "results" / "ranks.csv")["blocks"]) == {"seeds"}


@pytest.mark.slow
def test_a_partial_report_counts_the_missing_runs(made: Comparison, comparison: Compare, out: Path) -> None:
    more = comparison(made.out, seeds=5)
    assert write_report(more, lambda text: None).missing == 6
    assert "Incomplete and omitted: 6 of 30 runs" in (out / "index.html").read_text(encoding="utf-8")
    write_report(made, lambda text: None)


def test_nothing_to_report_is_explained(comparison: Compare, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="no complete run yet"):
        write_report(comparison(tmp_path), lambda text: None)


TABLE = Table("a_b", ("50% of it",), ("name & more", "x"), (("A|B", "1"), ("C_{}", "2")), frozenset([(1, 1)]))


def test_markdown_marks_the_best_and_keeps_its_columns() -> None:
    lines = markdown([TABLE]).splitlines()
    assert "| A\\|B        | 1     |" in lines
    assert "| C_{}        | **2** |" in lines


WIDE = Table(
    "wide",
    ("A note.",),
    ("algorithm", *(f"hypervolume at {n}" for n in range(10, 90, 10))),
    (("moead", *["0.7412 (0.7153 to 0.8079)"] * 8), ("100% [a]*_{}", *["-0.1"] * 8)),
    frozenset([(0, 3)]),
)


def test_latex_cuts_a_wide_table_into_some_of_at_most_six_columns() -> None:
    text = latex([WIDE])
    columns = [len(found) for found in re.findall(r"@\{\}(l+)@\{\}", text)]
    assert max(columns) <= 6
    assert sum(columns) - len(columns) == 8
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == len(columns)
    assert text.count("A note.") == 1
    assert "0.7412 (0.7153--0.8079)" in text
    assert "$-$0.1" in text
    assert text.count(r"\textbf") == 1


def test_latex_repeats_every_key_column_of_a_wide_table() -> None:
    header = ("first", "second", *(f"a long column {i}" for i in range(8)))
    text = latex(
        [Table("pairs", (), header, (("moead", "nsga2", *["0.7412 (0.7153 to 0.8079)"] * 8),), keys=2)]
    )
    tables = text.count(r"\begin{tabular}")
    assert tables > 1
    assert text.count("first & second & a long column") == text.count("moead & nsga2 & 0.7412") == tables
    assert max(len(found) for found in re.findall(r"@\{\}(l+)@\{\}", text)) <= 6


def test_a_narrow_table_fits_into_a_column_of_text() -> None:
    assert r"\begin{table}" in latex([TABLE])


def has_latex() -> bool:
    """Whether a document with booktabs can be compiled here."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    return subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_latex(), reason="pdflatex with booktabs is not installed")
@pytest.mark.parametrize("kind", ["article", "twocolumn"])
def test_the_tables_compile_and_fit_on_the_page(out: Path, tmp_path: Path, kind: str) -> None:
    tables = (out / "results" / "tables.tex").read_text(encoding="utf-8") + latex([TABLE, WIDE])
    (tmp_path / "tables.tex").write_text(tables, encoding="utf-8")
    option = "[twocolumn]" if kind == "twocolumn" else ""
    (tmp_path / "paper.tex").write_text(
        f"\\documentclass{option}{{article}}\n\\usepackage[margin=2cm]{{geometry}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n"
        "\\input{tables}\n\\end{document}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").is_file()
    assert "Overfull \\hbox" not in done.stdout, done.stdout


def test_latex_takes_every_text_literally() -> None:
    text = latex([TABLE])
    assert r"name \& more & x \\" in text
    assert r"C\_\{\} & \textbf{2} \\" in text
    assert r"50\% of it" in text
    assert (
        latex_text("a\\b~c^d$e#f<g") == r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d\$e\#f$<$g"
    )
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("value", "shown"), [(0.123456, "0.1235"), (12.3456, "12.35"), (2.5e6, "2.5M"), (np.inf, "-")]
)
def test_numbers_have_four_digits(value: float, shown: str) -> None:
    assert figures(value) == shown


def test_no_two_of_28_algorithms_look_the_same() -> None:
    found = looks([f"algorithm {i}" for i in range(28)])
    assert len({(look.color, str(look.line)) for look in found.values()}) == 28
    first = list(found.values())[: len(COLOURS)]
    assert len({look.color for look in first}) == len(first)


def test_a_critical_difference_diagram_joins_only_indistinguishable_algorithms() -> None:
    clear = np.tile([5.0, 4.0, 3.0, 2.0, 1.0], (40, 1))
    drawn = figures_ranks.ranks(ranking(tuple("abcde"), clear, "seeds"), "t", 0.05)
    assert _bars(drawn) == 0
    alike = np.random.default_rng(0).normal(size=(40, 5)) + np.array([3.0, 0.0, 0.0, 0.0, -3.0])
    drawn = figures_ranks.ranks(ranking(tuple("abcde"), alike, "seeds"), "t", 0.05)
    assert _bars(drawn) == 1
    nothing = np.random.default_rng(1).normal(size=(40, 5))
    drawn = figures_ranks.ranks(ranking(tuple("abcde"), nothing, "seeds"), "t", 0.05)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert any("no difference shown" in text for text in texts)


def test_long_names_stand_whole_in_a_critical_difference_diagram() -> None:
    names = tuple(f"regularized evolution with $ number {i} of five" for i in range(5))
    clear = np.tile([5.0, 4.0, 3.0, 2.0, 1.0], (40, 1))
    drawn = figures_ranks.ranks(ranking(names, clear, "seeds"), "t", 0.05)
    renderer = FigureCanvasAgg(drawn).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in drawn.axes[0].texts]
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= drawn.bbox.x1


def _bars(figure: object) -> int:
    return sum(line.get_linewidth() > 3 for line in figure.axes[0].lines)  # type: ignore[attr-defined]
