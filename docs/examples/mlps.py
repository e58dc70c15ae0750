"""A declared space without PyTorch: fully connected networks in NumPy, with their own training."""

from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits

import nas


class MLP:
    """Fully connected layers and a softmax, trained by gradient descent on the cross-entropy."""

    def __init__(self, sizes, activation):
        rng = np.random.default_rng(0)
        self.weights = [rng.normal(0, (2 / a) ** 0.5, (a, b)) for a, b in pairwise(sizes)]
        self.biases = [np.zeros(b) for b in sizes[1:]]
        self.function = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}[activation]
        self.slope = {"relu": lambda y: y > 0, "tanh": lambda y: 1 - y**2}[
            activation
        ]  # at a value of the function

    def layers(self, x):
        """The input and the output of each hidden layer, then the logits."""
        values = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values.append(self.function(values[-1] @ weight + bias))
        return [*values, values[-1] @ self.weights[-1] + self.biases[-1]]

    def fit(self, x, labels, rate, epochs=10):
        rng = np.random.default_rng(0)
        for batch in (
            b for _ in range(epochs) for b in np.split(rng.permutation(len(x)), range(32, len(x), 32))
        ):
            *values, logits = self.layers(x[batch])
            e = np.exp(logits - logits.max(1, keepdims=True))
            error = (e / e.sum(1, keepdims=True) - np.eye(10)[labels[batch]]) / len(batch)
            for i in reversed(range(len(values))):
                gradient, change = values[i].T @ error, error.sum(0)
                error = error @ self.weights[i].T * self.slope(values[i])
                self.weights[i] -= rate * gradient
                self.biases[i] -= rate * change
        return self

    def predict(self, x):
        return self.layers(x)[-1].argmax(1)


space = nas.Space(
    "mlps",
    depth=nas.Integer(0, 3),
    layers=nas.Repeat("depth", width=nas.Choice(8, 16, 32, 64)),
    activation=nas.Choice("relu", "tanh", when={"depth": (1, 2, 3)}),
    learning_rate=nas.Float(0.01, 1.0, levels=7, log=True),
)


def sizes(c):
    """Numbers of units: of the input (images of 8x8 pixels), the hidden layers, and the output."""
    return [64, *(layer.width for layer in c.layers), 10]


@space.cost
def cost(c):
    """Exact costs, known without training."""
    layers = list(pairwise(sizes(c)))
    return {"params": sum((a + 1) * b for a, b in layers), "madds": sum(a * b for a, b in layers)}


def evaluate(c):
    """The validation error in percent."""
    x, labels = load_digits(return_X_y=True)
    network = MLP(sizes(c), c.get("activation", "relu")).fit(x[:1300] / 16, labels[:1300], c.learning_rate)
    return {"error": 100 * np.mean(network.predict(x[1300:] / 16) != labels[1300:])}


if __name__ == "__main__":
    found = nas.search(space, ["error", "params"], evaluate, budget=60)
    print(found.front.to_string(index=False))
