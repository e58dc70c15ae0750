"""Errors by cause; the command line prints each as one sentence and returns its exit code."""


class NasError(Exception):
    """Base of every error that this package raises on purpose; the command line returns `exit_code`."""

    exit_code = 1


class ConfigError(NasError, ValueError):
    """Invalid user input (an argument, a key, a file); no work was lost."""

    exit_code = 2


class ArchitectureError(ConfigError):
    """A text or a gene vector does not describe an architecture of the space."""


class DataError(NasError, ValueError):
    """A data file is missing, truncated, corrupt or of another format."""

    exit_code = 3


class HistoryError(NasError):
    """The log of a run cannot be read or written, or belongs to another search."""

    exit_code = 4


class ForeignFileError(HistoryError):
    """A file that this run (training, export, comparison) did not write is in its way; it is left unchanged."""


class ExecutorError(NasError):
    """Workers cannot be reached or started."""

    exit_code = 5


class EvaluationError(NasError):
    """An evaluator did not return a finite number for every expensive objective."""


class TrainingDiverged(EvaluationError):
    """The loss became infinite or NaN; the candidate fails without a score."""


class NothingToAsk(NasError):
    """A study has nothing to ask: its space is exhausted, or the algorithm waits for pending results."""


class AlgorithmError(NasError):
    """An algorithm raised an exception, or asked for an architecture that is not in the space; the run can be resumed."""


class TooManyFailures(NasError):
    """Most candidates failed, so the cause lies outside them; the run can be resumed."""

    exit_code = 6


class InfeasibleError(ConfigError):
    """No architecture was found that meets the limits on cheap objectives."""
