"""Settings of a supernet's training. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nas.core.checks import check_whole
from nas.training.recipe import Recipe

CLIP = 1.0  # the largest norm of the gradient, unless the recipe sets one


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """Settings of a supernet's training beside the recipe.

    `epochs` None: ten times those of the recipe, which are a candidate's. `random` is the number of random networks in a step; `seed`
    decides the first weights, the shuffling, the transforms and the random networks.
    Raises `ConfigError` for numbers out of range.
    """

    epochs: int | None = None
    random: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_whole("supernet: epochs", self.epochs)
        check_whole("supernet: random", self.random)
        check_whole("supernet: seed", self.seed, at_least=0)

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe of the supernet."""
        epochs = 10 * recipe.epochs if self.epochs is None else self.epochs
        return replace(recipe, epochs=epochs, clip=recipe.clip or CLIP)
