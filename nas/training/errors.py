"""What can go wrong while a network trains."""

from __future__ import annotations

from nas.core.errors import EvaluationError


class TrainingDiverged(EvaluationError):
    """The loss stopped being a finite number: a failed candidate, for which no score is made up."""
