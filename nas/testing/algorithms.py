"""The contract of an algorithm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from nas.algorithms.candidates import Candidates
from nas.core.algorithm import Algorithm, HasNotes, HasRecall
from nas.core.problem import Problem
from nas.core.records import Architecture, Note, Observation
from nas.engine.initial import InitialFirst
from nas.testing.claims import check_architecture, ensure
from nas.testing.toy import ToySpace, answer, toy_problem

MakeAlgorithm = Callable[..., Algorithm]  # an Algorithm class, or a function of (problem, rng)


def check_algorithm(make: MakeAlgorithm, problem: Problem | None = None, evaluations: int = 150) -> None:
    """Check the contract of `nas.core.algorithm.Algorithm`, on toy problems or on the one given.

    Checks the optional protocols `HasRecall` and `HasNotes` too, if the algorithm has them.

    `make` is an `Algorithm` class or a function of (problem, rng). Nothing is evaluated: see `answer`.
    """
    problems = [toy_problem(m) for m in (1, 2, 3)] if problem is None else [problem]
    if problem is None:
        problems.append(toy_problem(2, ["params <= 18"]))
        problems.append(toy_problem(3, ["params >= 15", "error <= 5"]))
        small = toy_problem(2, space=ToySpace((2, 3, 2)))
        _check_exhaustion(make, small)
        _check_recall(make, small, 60)
    for each in problems:
        _check_empty_calls(make, each)
        told = _check_determinism(make, each, evaluations)
        _check_replay(make, each, told)
        _check_recall(make, each, evaluations)
        _check_notes(make, each, evaluations)
        _check_disorder(make, each, evaluations)
        _check_given(make, each, min(30, evaluations))
        _check_all_failing(make, each, min(60, evaluations))


def _made(make: MakeAlgorithm, problem: Problem, seed: int, evaluations: int = 100) -> Algorithm:
    rng = np.random.default_rng(seed)
    defaults = getattr(make, "default_settings", None)
    if defaults is None:
        return make(problem, rng)
    return make(problem, rng, defaults(problem.n_objectives, evaluations))


class _Guard:
    """Asks an algorithm and checks every architecture that it proposes."""

    def __init__(self, algorithm: Algorithm, problem: Problem) -> None:
        self.algorithm = algorithm
        self.problem = problem
        self.asked: list[Architecture] = []
        self._known: set[Architecture] = set()

    def ask(self, n: int) -> list[Architecture]:
        found, space = self.algorithm.ask(n), self.problem.space
        ensure(isinstance(found, list), f"ask must return a list, got {type(found).__name__}")
        ensure(len(found) <= n, f"ask({n}) returned {len(found)} architectures")
        for architecture in found:
            check_architecture(space, architecture, "ask")
            text = space.format(architecture)
            ensure(
                space.canonical(architecture) == architecture, f"ask returned {text}, which is not canonical"
            )
            ensure(architecture not in self._known, f"ask returned {text} a second time")
            ensure(
                self.problem.cheap_violation(architecture) == 0,
                f"ask returned {text}, which violates a limit known before training: "
                f"{'; '.join(map(str, self.problem.limits))}",
            )
            self._known.add(architecture)
            self.asked.append(architecture)
        return found


def _check_empty_calls(make: MakeAlgorithm, problem: Problem) -> None:
    algorithm = _made(make, problem, 0)
    ensure(algorithm.ask(0) == [], "ask(0) must return an empty list")
    algorithm.tell([])
    initial = algorithm.initial
    ensure(
        isinstance(initial, int) and initial >= 1, f"initial must be a whole number from 1, got {initial!r}"
    )


def _check_determinism(make: MakeAlgorithm, problem: Problem, evaluations: int) -> list[Architecture]:
    runs = []
    for seed in (1, 1, 2):
        guard = _Guard(_made(make, problem, seed, evaluations), problem)
        while len(guard.asked) < evaluations and (found := guard.ask(1)):
            guard.algorithm.tell([answer(problem, found[0], len(guard.asked))])
        ensure(len(guard.asked) > 0, "ask(1) proposed nothing")
        runs.append(guard.asked)
    ensure(runs[0] == runs[1], "the same seed and the same results gave different asks")
    whole = problem.space.size is not None and len(runs[0]) == problem.space.size
    ensure(whole or runs[0] != runs[2], "two seeds gave the same asks: use the generator passed in")
    return runs[0]


def _check_replay(make: MakeAlgorithm, problem: Problem, log: Sequence[Architecture]) -> None:
    """Resume half way: the log so far is replayed through a new instance, global randomness disturbed meanwhile."""
    middle = len(log) // 2
    state = np.random.get_state()  # noqa: NPY002 (the claim is that nobody reads it)
    try:
        np.random.seed(12345)  # noqa: NPY002
        algorithm = _made(make, problem, 1, len(log))
        again = []
        for number, expected in enumerate(log[: middle + 20], start=1):
            again += algorithm.ask(1)
            ensure(
                again[-1:] == [expected],
                f"a replay of the log gives another proposal at ask {number}: a run could not be resumed",
            )
            algorithm.tell([answer(problem, expected, number)])
    finally:
        np.random.set_state(state)  # noqa: NPY002


Step = tuple[str, Architecture | None]


def _check_recall(make: MakeAlgorithm, problem: Problem, evaluations: int) -> None:
    """Recall three quarters of a run with four trials under way, then continue with the same asks."""
    algorithm = _made(make, problem, 6, evaluations)
    if not isinstance(algorithm, HasRecall):
        return
    steps = _steps(algorithm, problem, evaluations)
    middle = 3 * len(steps) // 4
    again = _made(make, problem, 6, evaluations)
    assert isinstance(again, HasRecall)
    for number, (kind, architecture) in enumerate(steps):
        if kind == "tell":
            assert architecture is not None
            again.tell([answer(problem, architecture)])
        elif number < middle:
            ensure(again.recall(architecture) is None, "recall must return nothing")  # type: ignore[func-returns-value]
        else:
            expected = [] if architecture is None else [architecture]
            found = again.ask(1)
            ensure(
                found == expected,
                f"after recall of the earlier asks, step {number} asks for "
                f"{[problem.space.format(a) for a in found]}, without recall for "
                f"{[problem.space.format(a) for a in expected]}: recall must restore the state after those asks",
            )


def _steps(algorithm: Algorithm, problem: Problem, evaluations: int) -> list[Step]:
    """A run as the log has it: asks (None: nothing new was left) and tells, four under way, oldest told first."""
    steps: list[Step] = []
    running: list[Architecture] = []
    asked, dry = 0, False
    while asked < evaluations and not (dry and not running):
        if len(running) < 4 and not dry:
            found = algorithm.ask(1)
            dry = not found
            asked += len(found)
            running += found
            steps.append(("ask", found[0] if found else None))
        else:
            steps.append(("tell", running.pop(0)))
            algorithm.tell([answer(problem, architecture) for _, architecture in steps[-1:] if architecture])
            dry = False
    return steps


def _check_notes(make: MakeAlgorithm, problem: Problem, evaluations: int) -> None:
    """Notes hold plain values, count no more results than were passed to `tell`, and are returned once."""
    algorithm = _made(make, problem, 7, evaluations)
    if not isinstance(algorithm, HasNotes):
        return
    for told in range(evaluations):
        found = algorithm.ask(1)
        _check_notes_given(algorithm, told)
        if not found:
            break
        algorithm.tell([answer(problem, found[0])])
        _check_notes_given(algorithm, told + 1)


def _check_notes_given(algorithm: HasNotes, told: int) -> None:
    given = algorithm.notes()
    ensure(isinstance(given, list), f"notes must return a list, got {type(given).__name__}")
    ensure(algorithm.notes() == [], "notes returned the same notes twice: it must clear them once returned")
    for note in given:
        ensure(isinstance(note, Note), f"notes must hold nas.Note values, got {type(note).__name__}")
        ensure(
            0 <= note.told <= told,
            f"a note counts told={note.told} results; expected at most {told}, the number passed to tell",
        )
        for key, value in note.values.items():
            plain = isinstance(key, str) and type(value) in (bool, int, float, str)
            ensure(
                plain, f"note {note.kind!r}: {key}={value!r}; expected plain text, a number, or true or false"
            )


def _check_disorder(make: MakeAlgorithm, problem: Problem, evaluations: int) -> None:
    """Results come late, out of order and in batches; a fifth fail and the last never arrives."""
    rng = np.random.default_rng(3)
    guard = _Guard(_made(make, problem, 3, evaluations), problem)
    pending: list[Observation] = []
    while len(guard.asked) < evaluations:
        found = guard.ask(int(rng.integers(1, 9)))
        if not found:
            break
        pending += [answer(problem, a, ok=rng.random() > 0.2) for a in found]
        told = [pending.pop(int(rng.integers(len(pending)))) for _ in range(int(rng.integers(len(pending))))]
        before = [seen.objectives.copy() for seen in told]
        guard.algorithm.tell(told)
        unchanged = all(
            np.array_equal(a, seen.objectives, equal_nan=True) for a, seen in zip(before, told, strict=True)
        )
        ensure(unchanged, "tell changed an observation passed to it")


def _check_given(make: MakeAlgorithm, problem: Problem, evaluations: int) -> None:
    """Architectures given by the user come first, several under way; their results reach an algorithm that did not ask."""
    given = Candidates(problem, np.random.default_rng(9)).peek(4)
    guard = _Guard(InitialFirst(_made(make, problem, 9, evaluations), given), problem)
    pending: list[Architecture] = []
    while len(guard.asked) < evaluations:
        found = guard.ask(1)
        pending += found
        if len(pending) > 5 or not found:
            if not pending:
                break
            place = len(guard.asked) % len(pending)
            guard.algorithm.tell([answer(problem, pending.pop(place), ok=len(guard.asked) % 7 > 0)])
    ensure(guard.asked[: len(given)] == given, "the architectures given as initial were not asked first")


def _check_all_failing(make: MakeAlgorithm, problem: Problem, evaluations: int) -> None:
    guard = _Guard(_made(make, problem, 4, evaluations), problem)
    while len(guard.asked) < evaluations and (found := guard.ask(4)):
        guard.algorithm.tell([answer(problem, a, ok=False) for a in found])
    ensure(len(guard.asked) > 0, "ask proposed nothing")


def _check_exhaustion(make: MakeAlgorithm, problem: Problem) -> None:
    """In a tiny space, ask must return every architecture, then nothing, without an endless loop."""
    guard = _Guard(_made(make, problem, 5, 30), problem)
    cardinalities = problem.space.cardinalities
    for _ in range(2 * math.prod(cardinalities)):
        found = guard.ask(5)
        guard.algorithm.tell([answer(problem, a) for a in found])
    left = guard.ask(5)
    ensure(
        left == [], f"the space is exhausted after {len(guard.asked)} architectures, yet ask returned {left}"
    )
    everything = {
        problem.space.canonical(a)
        for genes in np.ndindex(*cardinalities)
        if problem.space.is_valid(a := Architecture(problem.space.name, tuple(map(int, genes))))
    }
    ensure(
        set(guard.asked) == everything,
        f"ask returned nothing with {len(everything) - len(guard.asked)} of {len(everything)} architectures still unseen",
    )
