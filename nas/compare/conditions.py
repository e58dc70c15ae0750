"""Differences between the algorithms of a comparison that a reader must know: what they optimise, and what they know."""

from __future__ import annotations

from nas.compare.config import ProblemPart
from nas.compare.runs import Comparison
from nas.core.text import listed


def conditions(comparison: Comparison) -> list[str]:
    """A sentence per problem and difference; empty when all algorithms optimise all objectives and know the same costs."""
    return [said for part in comparison.config.problems for said in _of_problem(comparison, part)]


def _of_problem(comparison: Comparison, part: ProblemPart) -> list[str]:
    problem = comparison.problem_of(part)
    if problem.n_objectives < 2:
        return []
    made = {a.label: comparison.made_by(part, a.label) for a in comparison.config.algorithms}
    single = [label for label, make in made.items() if getattr(make, "single_objective", False)]
    said = []
    for algorithm in comparison.config.algorithms:
        if algorithm.label in single:
            name = algorithm.settings.get("objective") or problem.names[0]
            said.append(
                f"{part.name}: {algorithm.label} optimises {name} alone and records the other objectives; compare fronts with "
                "scalarized-evolution, which optimises all of them."
            )
    cheap = [item.name for item in problem.objectives if item.cheap]
    knowing = [label for label, make in made.items() if getattr(make, "knows_costs", False)]
    others = [label for label in made if label not in knowing]
    if cheap and knowing and others and not part.share_costs:
        said.append(
            f"{part.name}: {listed(knowing)} {'computes' if len(knowing) == 1 else 'compute'} the exact {listed(cheap)} of candidates before "
            f"proposing one; {listed(others)} {'sees' if len(others) == 1 else 'see'} those of evaluated architectures "
            "(share_costs: true gives every algorithm this knowledge)."
        )
    return said
