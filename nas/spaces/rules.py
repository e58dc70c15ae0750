"""Which combinations of a declared space are excluded (`forbid`) and which are the same network (`same`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from nas.core.bounds import check_time
from nas.core.errors import ArchitectureError, ConfigError, NasError
from nas.core.interrupts import is_interrupt
from nas.core.tracebacks import summarize_exception
from nas.spaces.choices import Choices
from nas.spaces.counting import enumerate_genes, number_of_architectures
from nas.spaces.declaration import Declaration

LISTED = 200_000  # combinations of a space with rules that are kept in memory, and compared by keys
COUNTED = 500_000  # combinations that are tried one by one for the size, in seconds
_KEPT = 50_000  # answers to keep
_STEPS = 20  # of a function that maps choices to the same network's

Genes = tuple[int, ...]
Rule = Callable[[Choices], Any]


class Functions:
    """The user's functions as attributes, where the hash of a run's code finds them."""


class Rules:
    """The user's functions on the choices of a space, and what follows from them."""

    def __init__(self, name: str, declaration: Declaration) -> None:
        self.name = name
        self.declaration = declaration
        self.functions = Functions()
        self._clear()

    def _clear(self) -> None:
        self._forbid, self._same = self._of("forbid"), self._of("same")
        self._keys: list[Rule] | None = (
            None  # the `same` functions that return keys, and those that return changes
        )
        self._changes: list[Rule] = []
        self._total: int | None = None
        self._size: int | None = None
        self._allowed: dict[Genes, bool] = {}
        self.representatives: dict[Genes, Genes] = {}  # known representatives
        self._listed: list[Genes] | None = None
        self._representative: dict[Genes, Genes] | None = None
        self._inside: dict[Genes, Genes] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "_allowed": {},
            "representatives": {},
            "_listed": None,
            "_representative": None,
            "_inside": None,
        }

    def with_declaration(self, declaration: Declaration) -> Rules:
        """The same functions on another declaration."""
        rules = Rules(self.name, declaration)
        vars(rules.functions).update(vars(self.functions))
        rules._clear()
        return rules

    def add(self, kind: str, function: Callable[[Choices], Any]) -> None:
        """Add a `forbid` or `same` function. Raises `ConfigError` for anything but a function."""
        if not callable(function) or isinstance(function, type):
            raise ConfigError(f"{kind}: expected a function of the choices, got {function!r:.200}")
        setattr(self.functions, f"{kind}_{len(vars(self.functions))}", function)
        self._clear()

    def _of(self, kind: str) -> list[Rule]:
        return [f for name, f in vars(self.functions).items() if name.startswith(kind)]

    def choices(self, genes: Genes) -> Choices:
        return Choices(self.name, genes, self.declaration)

    @property
    def total(self) -> int:
        """The number of combinations before `forbid` and `same`."""
        if self._total is None:
            self._total = number_of_architectures(self.declaration)
        return self._total

    @property
    def size(self) -> int | None:
        """The number of different networks; None for a large space with rules."""
        if not (self._forbid or self._same):
            return self.total
        if self._size is None and self.total <= COUNTED:
            self._size = sum(1 for _ in self.enumerate())
        return self._size

    def allowed(self, genes: Genes) -> bool:
        """Whether no `forbid` excludes these canonical genes."""
        if not self._forbid:
            return True
        found = self._allowed.get(genes)
        if found is None:
            choices = self.choices(genes)
            found = not any(_forbids(function, choices) for function in self._forbid)
            if len(self._allowed) >= _KEPT:
                self._allowed.clear()
            self._allowed[genes] = found
        return found

    def known(self, genes: Genes) -> bool | None:
        """Whether these genes, canonical or not, are known to be allowed; None if that must be found out."""
        return self._allowed.get(genes)

    def listed(self) -> Iterable[Genes]:
        """All combinations that are not excluded; kept for a small space."""
        if self._listed is not None:
            return self._listed
        every = (genes for genes in enumerate_genes(self.declaration) if self.allowed(genes))
        if self.total > LISTED:
            return every
        self._listed = list(every)
        return self._listed

    def enumerate(self) -> Iterator[Genes]:
        """One combination of each network."""
        for genes in self.listed():
            check_time()
            if self.representative(genes) == genes:
                yield genes

    def representative(self, genes: Genes) -> Genes:
        """The combination that stands for these canonical genes and all that `same` declares equal."""
        if not self._same:
            return genes
        found = self.representatives.get(genes)
        if found is None:
            found = genes
            if self.allowed(genes) and self.declaration.misfit(genes) is None:
                found = self._settled(genes)
                if self.declaration.fixed:
                    found = self._within(genes, found)
            if len(self.representatives) >= _KEPT:
                self.representatives.clear()
            self.representatives[genes] = found
        return found

    def _settled(self, genes: Genes) -> Genes:
        """The combination that the `same` functions leave unchanged."""
        if self._keys is None:
            changes = [isinstance(self._asked(f, genes), Mapping) for f in self._same]
            self._keys = [f for f, change in zip(self._same, changes, strict=True) if not change]
            self._changes = [f for f, change in zip(self._same, changes, strict=True) if change]
        if self._keys and self._representative is None:
            self._representative = self._merged(self._keys)
        for _ in range(_STEPS):
            before = genes
            for function in self._changes:
                genes = self._changed(function, genes)
            if self._representative is not None:
                genes = self._representative.get(genes, genes)
            if genes == before:
                return genes
        raise ConfigError(
            f"same: the function changes {self.choices(genes)} again and again; it must leave its own result unchanged"
        )

    def _within(self, genes: Genes, settled: Genes) -> Genes:
        """The combination with the fixed values that stands for all that the `same` functions change to `settled`.

        In a small space the first of them. Else `settled` with the fixed values, where it is one of them; or `genes` itself,
        so that equal networks may remain apart.
        """
        if self.total <= LISTED:
            if self._inside is None:
                self._inside = {}
                for each in self.listed():
                    check_time()
                    self._inside.setdefault(self._settled(each), each)
            return self._inside.get(settled, genes)
        fixed = [self.declaration.fixed.get(i, value) for i, value in enumerate(settled)]
        found = self.declaration.canonical(tuple(fixed))
        return found if self.allowed(found) and self._settled(found) == settled else genes

    def _asked(self, function: Rule, genes: Genes) -> Any:
        found = ask("same", function, self.choices(genes))
        if found is None:
            raise ConfigError(
                f"same: expected a key or a dict of the parameters to change for {self.choices(genes)}, got None; does the "
                "function return its result?"
            )
        return found

    def _changed(self, function: Rule, genes: Genes) -> Genes:
        """The combination with the values that a `same` function returns."""
        changes = self._asked(function, genes)
        if not isinstance(changes, Mapping):
            raise ConfigError(
                f"same: expected a dict of the parameters to change for {self.choices(genes)}, as for other choices, got "
                f"{changes!r:.200}"
            )
        child = list(genes)
        for name, value in changes.items():
            place = self.declaration.places.get(name)
            if place is None:
                raise ConfigError(
                    f"same: failed for {self.choices(genes)}: {self.declaration.unknown(str(name))}"
                )
            try:
                child[place] = self.declaration.genes[place].index(value)
            except ArchitectureError as error:
                raise ConfigError(f"same: failed for {self.choices(genes)}: {error}") from None
        found = self.declaration.canonical(tuple(child))
        if found != genes and not self.allowed(found):
            raise ConfigError(
                f"same: the function changes {self.choices(genes)} to {self.choices(found)}, which forbid excludes"
            )
        return found

    def _merged(self, functions: Iterable[Rule]) -> dict[Genes, Genes]:
        """For each combination the first with an equal key, by any of the functions."""
        if self.total > LISTED:
            raise ConfigError(
                f"same: finding all combinations with a key needs at most {LISTED:,} of them; space {self.name!r} has "
                f"{self.total:,}. Return a dict of the parameters to change instead, which names one of the equal networks"
            )
        first: dict[Genes, Genes] = {}

        def root(genes: Genes) -> Genes:
            while first.get(genes, genes) != genes:
                genes = first[genes]
            return genes

        for function in functions:
            keys: dict[Any, Genes] = {}
            for genes in self.listed():
                check_time()
                key = self._asked(function, genes)
                try:
                    earlier = keys.setdefault(key, genes)
                except TypeError:
                    raise ConfigError(
                        f"same: expected a key that can be hashed (such as a tuple) for {self.choices(genes)}, or a dict of "
                        f"parameters for all choices, got {key!r:.200}"
                    ) from None
                one, other = sorted((root(genes), root(earlier)))
                first[other] = one
        return {genes: root(genes) for genes in first}


def _forbids(function: Rule, choices: Choices) -> bool:
    found = ask("forbid", function, choices)
    if not isinstance(found, (bool, np.bool_)):
        raise ConfigError(f"forbid: expected True or False for {choices}, got {found!r:.200}")
    return bool(found)


def ask(kind: str, function: Callable[..., Any], choices: Choices, /, **more: Any) -> Any:
    """Call a user's function of the choices. Raises `ConfigError` that names them."""
    try:
        return function(choices, **more)
    except NasError:
        raise
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise ConfigError(f"{kind}: failed for {choices}: {summarize_exception(error)}") from error
