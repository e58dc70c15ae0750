"""Errors of a training."""

from __future__ import annotations

from nas.core.errors import EvaluationError


class TrainingDiverged(EvaluationError):
    """The loss is no longer finite; the candidate fails, without a score."""
