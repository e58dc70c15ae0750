"""Common traits of failed candidates in one sentence: reason, line of code, gene, budget or machine."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from nas.core.records import Result
from nas.core.tracebacks import is_own

_CHANCE = 0.01  # accepted probability, over all comparisons, that a shared trait is accidental
_TRAITS = 2  # most shared traits to name


def in_common(bad: Sequence[Result], good: Sequence[Result]) -> str:
    """Describe traits that the failed results `bad` (at least one) share and the successful ones `good` do not.

    First the most frequent reason, ignoring numbers, with the last line of user code in its traceback; then genes, budgets
    and machines of nearly all failures and few successes, if the difference is significant.
    """
    kinds = Counter(_kind(result) for result in bad)
    kind, times = kinds.most_common(1)[0]
    same = [result for result in bad if _kind(result) == kind]
    example = Counter(map(_reason, same)).most_common(1)[0][0]
    return "; ".join([f"{times} of them with: {example}{_line_of_code(same[0])}", *_shared(same, good)])


def first_line(status: str, error: str) -> str:
    """The first reported reason of a failure in one line, or its status."""
    return error.splitlines()[0] if error else status


def kind_of(status: str, error: str) -> tuple[str, str]:
    """The key of equal reasons: status and words, without numbers."""
    return status, re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?(e[-+]?\d+)?", "#", first_line(status, error))


def _reason(result: Result) -> str:
    return first_line(result.status.value, result.error)


def _kind(result: Result) -> tuple[str, str]:
    return kind_of(result.status.value, result.error)


def _line_of_code(result: Result) -> str:
    lines = re.findall(r'File "(.+)", line (\d+)', result.error)
    lines = [line for line in lines if is_own(line[0])] or lines
    return " ({}, line {})".format(*lines[-1]) if lines else ""


def _shared(bad: Sequence[Result], good: Sequence[Result]) -> list[str]:
    """Traits of all or nearly all failures, the most significant first."""
    among_bad = Counter(trait for result in bad for trait in _traits(result))
    among_good = Counter(trait for result in good for trait in _traits(result))
    found = []
    for trait, count in among_bad.items():
        if count >= 0.9 * len(bad) and len(good):
            chance = _chance(count, len(bad), among_good[trait], len(good)) * len(among_bad)
            if chance < _CHANCE:
                found.append((chance, trait, count))
    found.sort(key=lambda item: (item[0], str(item[1])))
    return [
        f"{'all' if count == len(bad) else count} of these {len(bad)} {trait[0]} {trait[1]}, "
        f"as {among_good[trait] or 'none'} of {len(good)} that worked"
        for _, trait, count in found[:_TRAITS]
    ]


def _traits(result: Result) -> Iterable[tuple[str, Hashable]]:
    trial = result.trial
    for place, value in enumerate(trial.architecture.genes):
        yield f"have gene {place} =", value
    if trial.budget is not None:
        yield "have budget", f"{trial.budget:g}"
    if result.worker:
        yield "ran on", result.worker.rpartition(":")[0] or result.worker


def _chance(bad_with: int, bad: int, good_with: int, good: int) -> float:
    """Fisher's exact test, one-sided: the probability of this many failures with an unrelated trait."""
    having, total = bad_with + good_with, bad + good
    ways = sum(
        math.comb(having, k) * math.comb(total - having, bad - k)
        for k in range(bad_with, min(bad, having) + 1)
    )
    return ways / math.comb(total, bad)
