"""Settings of weight sharing: a supernet's training, the trainings of candidates. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.core.checks import check_fraction, check_known, check_positive, check_whole
from nas.core.errors import ConfigError
from nas.training.recipe import Recipe

CLIP = 1.0  # the largest norm of the gradient, unless the recipe sets one
STARTS = ("scratch", "inherited")
LEAST = 8  # networks below which nothing is estimated
FASTER = 3.0  # the rate of a supernet, relative to that of a network


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """Settings of a supernet's training beside the recipe.

    `epochs` None: ten times those of the recipe, which are a candidate's. `lr` is the learning rate (None: three times the recipe's, since
    gradients are averaged over the networks of a step; it ranked better in experiments/weight_sharing). `random` is the number of random networks in a step; `seed`
    decides the first weights, the shuffling, the transforms and the random networks. Over the first `shrink` of the epochs (0 to 1) the
    random networks go from the most expensive ones to all (progressive shrinking of depth and width: Cai et al., "Once-for-All", ICLR 2020, section 3.3).
    `smallest` adds the smallest network to each step (the sandwich of Yu and Huang, ICCV 2019). `limits` on `params` and `madds`, such as
    ``["madds <= 5e6"]``: the supernet serves the networks within them (None: those of the search).
    Raises `ConfigError` for numbers out of range.
    """

    epochs: int | None = None
    lr: float | None = None
    random: int = 3
    seed: int = 0
    shrink: float = 0.0
    smallest: bool = False
    limits: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_whole("supernet: epochs", self.epochs)
        if self.lr is not None:
            check_positive("supernet: lr", self.lr)
        check_fraction("supernet: shrink", self.shrink)
        if not isinstance(self.smallest, bool):
            raise ConfigError(f"supernet: smallest: expected true or false, got {self.smallest!r:.200}")
        check_whole("supernet: random", self.random)
        check_whole("supernet: seed", self.seed, at_least=0)
        given: object = self.limits
        if given is not None:
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise ConfigError(
                    f"supernet: limits: expected a list such as ['madds <= 5e6'], got {given!r:.200}"
                )
            object.__setattr__(self, "limits", tuple(map(str, given)))

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe of the supernet."""
        epochs = 10 * recipe.epochs if self.epochs is None else self.epochs
        return replace(
            recipe, epochs=epochs, lr=self.lr or round(FASTER * recipe.lr, 12), clip=recipe.clip or CLIP
        )


@dataclass(frozen=True, slots=True)
class FinalSettings:
    """The own training of candidates: `epochs` (None: those of the recipe) from new weights (``scratch``) or ``inherited`` ones.

    At the end of a search the `networks` best by inherited values are trained, and the reported front has their values. They are at
    most a quarter of the evaluations, and with a time limit as many as take a quarter of it, three at least. Raises `ConfigError` for other values.
    """

    epochs: int | None = None
    networks: int = 10
    start: str = "scratch"

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_whole("final: epochs", self.epochs)
        check_whole("final: networks", self.networks)
        check_known("final: start", self.start, STARTS)


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """The measurement of inherited values by own trainings during a search.

    After `after` evaluations, `networks` candidates are trained, spread over the multiply-adds of the front. When the partial taus of
    inherited and own errors and losses, given the costs, are below `threshold`, as many again are trained, where the
    budget allows it; when they still are, the remaining candidates are trained. Both numbers are at most a quarter
    of the budget; below 8 networks nothing is measured. Raises `ConfigError` for numbers out of range.
    """

    networks: int = 10
    after: int = 30
    threshold: float = 0.1

    def __post_init__(self) -> None:
        check_whole("trust: networks", self.networks, at_least=LEAST)
        check_whole("trust: after", self.after)
        value = self.threshold
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1 <= value <= 1:
            raise ConfigError(
                f"trust: threshold: expected a number from -1 (always trust) to 1 (never), got {value!r:.200}"
            )
