"""A custom space and objective: small fully connected networks on scikit-learn's digits."""

from itertools import pairwise
from warnings import catch_warnings, simplefilter

import nas

WIDTHS = (0, 4, 8, 16, 32, 64)  # 0: no layer
ACTIVATIONS = ("relu", "tanh")


class SmallNetworks(nas.SearchSpace):
    """Three genes choose the widths of up to three hidden layers, the fourth the activation."""

    name = "small-networks"
    cardinalities = (len(WIDTHS), len(WIDTHS), len(WIDTHS), len(ACTIVATIONS))

    def canonical(self, architecture: nas.Architecture) -> nas.Architecture:
        """Omitted layers come last, so that equal networks are one architecture."""
        *widths, activation = architecture.genes
        layers = [g for g in widths if g > 0]
        left_out = [0] * (len(widths) - len(layers))
        return nas.Architecture(self.name, (*layers, *left_out, activation if layers else 0))


def hidden_layers(architecture: nas.Architecture) -> list[int]:
    """The widths that the genes encode."""
    return [WIDTHS[g] for g in architecture.genes[:3] if g > 0]


def weights(architecture: nas.Architecture) -> float:
    """An objective is a plain function; this one is exact and needs no training."""
    return sum((a + 1) * b for a, b in pairwise([64, *hidden_layers(architecture), 10]))


def train(trial: nas.Trial) -> dict[str, float]:
    """The evaluator: runs on a worker and returns its measurements by name."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    images, held_images, labels, held_labels = train_test_split(images / 16, labels, random_state=0)
    layers, activation = hidden_layers(trial.architecture), ACTIVATIONS[trial.architecture.genes[3]]
    epochs = int(trial.budget or 15)
    model = MLPClassifier(
        layers, activation, max_iter=epochs, learning_rate_init=0.01, random_state=trial.seed
    )
    with catch_warnings():  # few epochs on purpose
        simplefilter("ignore")
        model.fit(images, labels)
    return {"error": 100 * (1 - model.score(held_images, held_labels))}


if __name__ == "__main__":
    size = nas.Objective("weights", cheap=True, best=0, function=weights)
    found = nas.search(SmallNetworks(), ["error", size], train, limits=["weights <= 6000"], budget=40, seed=1)
    print(found.front.to_string(index=False))
