"""What can go wrong while a network trains."""

from __future__ import annotations

from nas.errors import EvaluationError


class TrainingDiverged(EvaluationError):
    """The training loss stopped being a finite number; the candidate failed, and nothing is made up for it."""
