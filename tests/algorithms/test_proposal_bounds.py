"""A proposal of `sa-moead` has a bounded cost for any number of objectives, genes, choices and results; counts operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import nas
from nas.algorithms.acquisition import FINE, expected_improvement, has_boxes, improvement_over, undominated
from nas.algorithms.sa_moead import SAMOEAD
from nas.core.problem import Problem
from nas.core.records import Architecture, FloatArray, Observation, Trial
from nas.core.space import SearchSpace
from nas.pareto.along_directions import expected_gain
from nas.pareto.indicators import Box, hypervolume, hypervolume_alone, hypervolume_curve
from nas.report.plots import figures
from surrogates.gaussian_process import GaussianProcess


class Genes(SearchSpace):
    name = "genes"

    def __init__(self, cardinalities: tuple[int, ...]) -> None:
        self.cardinalities = cardinalities


def ordered(cardinalities: tuple[int, ...]) -> nas.Space:
    return nas.Space("numbers", {f"p{i}": nas.Integer(1, c) for i, c in enumerate(cardinalities)})


def nothing(trial: Trial) -> dict[str, float]:
    raise AssertionError("nothing is measured here")


def value(architecture: Architecture, j: int) -> float:
    genes = np.array(architecture.genes[:12], dtype=np.float64)
    return float(10.0 + np.cos(genes * (1 + j) + np.arange(len(genes)) * j).sum())


def seen(problem: Problem, architecture: Architecture) -> Observation:
    row = np.array([value(architecture, j) for j in range(problem.n_objectives)])
    return Observation(architecture, row, 0.0, ok=True)


def problem_of(cardinalities: tuple[int, ...], m: int, space: Callable[..., SearchSpace] = Genes) -> Problem:
    return Problem(space(cardinalities), [nas.Objective(f"o{j}") for j in range(m)], nothing)


class Work:
    """Multiplications that the models' kernels take, and evaluations of the likelihood."""

    def __init__(self) -> None:
        self.kernels = 0.0
        self.columns = 0

    def count(self, a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray]) -> None:
        columns = a[0].shape[1] + a[1].shape[1]
        self.kernels += len(a[0]) * len(b[0]) * max(1, columns)
        self.columns = max(self.columns, columns)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    counted, local = Work(), GaussianProcess._local

    def counting(self, a, b, *rest):  # type: ignore[no-untyped-def]
        counted.count(a, b)
        return local(self, a, b, *rest)

    monkeypatch.setattr(GaussianProcess, "_local", counting)
    yield counted  # noqa: PT022


CASES = {
    "10 objectives": ((6,) * 12, 10, 40),
    "200 genes of 20 choices": ((20,) * 200, 2, 100),
    "a gene of 10,000 choices": ((4,) * 6 + (10_000,), 2, 40),
    "1,000 results": ((6,) * 12, 2, 1000),
    "1,000 results of 10 objectives": ((6,) * 12, 10, 1000),
}


@pytest.mark.parametrize(
    ("case", "space"),
    [*((case, Genes) for case in CASES), *((case, ordered) for case in CASES if "1,000" not in case)],
)
def test_a_proposal_of_sa_moead_takes_a_bounded_amount_of_work(
    case: str, space: Callable[..., SearchSpace], work: Work
) -> None:
    cardinalities, m, known = CASES[case]
    problem = problem_of(cardinalities, m, space)
    algorithm, rng = SAMOEAD(problem, np.random.default_rng(0)), np.random.default_rng(1)
    algorithm.tell([seen(problem, problem.space.sample(rng)) for _ in range(known)])
    (found,) = algorithm.ask(1)
    assert problem.space.is_valid(found)
    assert work.kernels < 3e9  # about 0.3 s of one core
    assert work.columns <= 4000  # of the 10,000 choices only those that were seen


@pytest.mark.slow
@pytest.mark.parametrize("space", [Genes, ordered])
@pytest.mark.parametrize("case", CASES)
def test_a_proposal_of_sa_moead_takes_half_a_second_of_one_core(
    case: str, space: Callable[..., SearchSpace]
) -> None:
    import time

    cardinalities, m, known = CASES[case]
    problem = problem_of(cardinalities, m, space)
    algorithm, rng = SAMOEAD(problem, np.random.default_rng(0)), np.random.default_rng(1)
    algorithm.tell([seen(problem, problem.space.sample(rng)) for _ in range(known)])
    start = time.process_time()
    algorithm.ask(1)
    assert time.process_time() - start < 2.0  # generous: other work on the machine shares its caches


@pytest.mark.slow
@pytest.mark.parametrize("m", [5, 6, 10])
def test_a_search_with_many_measured_objectives_ends(m: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    def evaluate(trial: Trial) -> dict[str, float]:
        return {f"o{j}": value(trial.architecture, j) for j in range(m)}

    result = nas.search(
        Genes((6,) * 8), [nas.Objective(f"o{j}") for j in range(m)], evaluate, algorithm="sa-moead", budget=40
    )
    assert len(result.history) == 40
    assert 0.0 < result.summary["hypervolume"] <= 1.0


def front_of(m: int, n: int) -> FloatArray:
    drawn = np.abs(np.random.default_rng(m).normal(size=(n, m)))
    front: FloatArray = 1.0 - 0.9 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return front


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_gain_along_directions_agrees_with_the_exact_one(m: int) -> None:
    rng, front, reference = np.random.default_rng(0), front_of(m, 30), np.full(m, 1.1)
    uncertain = rng.uniform(0, 1, size=(200, 1)) + 0.05 * np.linspace(-3, 3, len(FINE.weights))[None]
    objectives = [uncertain, *rng.uniform(0, 1, size=(m - 1, 200))]
    exact = expected_improvement(objectives, undominated(front, reference))
    approximate = expected_gain(objectives, FINE.weights, front, reference, 2048)
    assert np.corrcoef(exact, approximate)[0, 1] > 0.995
    assert approximate.sum() == pytest.approx(exact.sum(), rel=0.05)
    assert exact[np.argmax(approximate)] > 0.97 * exact.max()


def test_a_candidate_without_contribution_has_a_gain_of_exactly_zero() -> None:
    front = front_of(6, 30)
    gain = improvement_over(list((front + 0.01).T), front, np.full(6, 1.1))
    assert (gain == 0.0).all()


def test_few_objectives_and_points_keep_the_exact_improvement() -> None:
    assert has_boxes(front_of(2, 5000))
    assert has_boxes(front_of(3, 200))
    assert has_boxes(front_of(4, 30))
    assert not has_boxes(front_of(3, 1000))
    assert not has_boxes(front_of(4, 200))
    assert not has_boxes(front_of(5, 2))


@pytest.mark.slow
def test_the_hypervolume_of_ten_objectives_is_approximated_and_never_falls() -> None:
    points = front_of(10, 200)
    box = Box(np.zeros(10), np.ones(10))
    curve = hypervolume_curve(points, box)
    assert (np.diff(curve) >= 0).all()
    assert 0 < curve[-1] < 1


def test_the_approximate_hypervolume_agrees_with_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    points, box = front_of(4, 50), Box(np.zeros(4), np.ones(4))
    exact, alone = hypervolume(points, box), hypervolume_alone(points)
    monkeypatch.setattr("nas.pareto.indicators.EXACT_OBJECTIVES", 3)
    assert hypervolume(points, box) == pytest.approx(exact, rel=0.01)
    assert np.corrcoef(hypervolume_alone(points), alone)[0, 1] > 0.98


def test_the_plots_of_many_objectives_grow_with_their_number_not_with_their_pairs() -> None:
    m = 10
    result = nas.search(
        Genes((6,) * 4),
        [nas.Objective(f"o{j}") for j in range(m)],
        lambda trial: {f"o{j}": value(trial.architecture, j) for j in range(m)},
        algorithm="random",
        budget=5,
    )
    assert result.table is not None
    assert len(figures(result.table)) == (m - 1) + 3
