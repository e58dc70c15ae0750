"""What can go wrong, by cause; the command line turns each into one sentence and an exit code."""


class NasError(Exception):
    """Base of every error this package raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(NasError, ValueError):
    """Something the user wrote (an argument, a key, a file) cannot be used; nothing was spent yet."""

    exit_code = 2


class ArchitectureError(ConfigError):
    """A text or a gene vector does not describe an architecture of the space."""


class DataError(NasError, ValueError):
    """A data file is missing, truncated, corrupt or not what its name says."""

    exit_code = 3


class HistoryError(NasError):
    """The record of a run cannot be read or written, or does not belong to this search."""

    exit_code = 4


class ForeignFileError(HistoryError):
    """A file that this run (training, export, comparison) did not make is where it would write; it stays as it is."""


class ExecutorError(NasError):
    """The workers cannot be reached or started."""

    exit_code = 5


class EvaluationError(NasError):
    """An evaluator returned something that is not a finite number for every expensive objective."""


class NothingToAsk(NasError):
    """A study has nothing new to ask: its space is exhausted, or the algorithm waits for results that are pending."""


class TooManyFailures(NasError):
    """So many candidates failed that something is broken for all of them; the run stays resumable."""

    exit_code = 6


class InfeasibleError(ConfigError):
    """No architecture was found that meets the limits on cheap objectives."""
