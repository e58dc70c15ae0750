"""An ensemble of small multilayer perceptrons (Lakshminarayanan et al., NeurIPS 2017, section 2.4), trained at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.core.checks import check_positive
from nas.core.records import FloatArray
from surrogates._bagging import left_out_error
from surrogates.inputs import Scaler, Target, check_data, check_queries

if TYPE_CHECKING:
    import torch

_DECAY = 1e-3


class MLPEnsemble:
    """Perceptrons with two hidden layers, each on its own bootstrap; std from their spread and left-out errors.

    All members are trained together, as one batched product, on all rows at every step (Adam, cosine decay).
    """

    def __init__(
        self, members: int = 5, width: int = 64, steps: int = 300, learning_rate: float = 5e-3, seed: int = 0
    ) -> None:
        self.members = members
        self.width = width
        self.steps = steps
        self.learning_rate = learning_rate
        self.seed = seed

    def fit(self, X: FloatArray, y: FloatArray) -> MLPEnsemble:
        """Learn from X (n, d) and y (n,)."""
        import torch

        X, y = check_data(X, y)
        for name in ("members", "width", "steps", "learning_rate"):
            check_positive(name, getattr(self, name))
        self.n_features_in_ = X.shape[1]
        self.scaler_, self.target_ = Scaler.of(X), Target.of(y)
        rows = torch.as_tensor(self.scaler_(X), dtype=torch.float32).expand(self.members, -1, -1)
        z = torch.as_tensor(self.target_.scaled(y), dtype=torch.float32)
        rng = np.random.default_rng(self.seed)
        drawn = rng.multinomial(len(y), np.full(len(y), 1.0 / len(y)), size=self.members)
        times = torch.as_tensor(drawn, dtype=torch.float32)
        weights = self._initial(rows.shape[2])
        optimiser = torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        for _ in range(self.steps):
            optimiser.zero_grad()
            loss = (times * (_forward(weights, rows) - z) ** 2).mean(dim=1).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        self.weights_ = [w.detach() for w in weights]
        with torch.no_grad():
            votes = _forward(self.weights_, rows).numpy().astype(np.float64)
        self.error_ = left_out_error(votes, drawn == 0, z.numpy().astype(np.float64))
        return self

    def _initial(self, columns: int) -> list[torch.Tensor]:
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        sizes = [(columns, self.width), (self.width, self.width), (self.width, 1)]
        weights: list[torch.Tensor] = []
        for fan_in, fan_out in sizes:
            bound = np.sqrt(6.0 / max(1, fan_in))  # He's uniform initialisation
            drawn = torch.rand(self.members, fan_in, fan_out, generator=generator)
            weights += [(2.0 * drawn - 1.0) * bound, torch.zeros(self.members, 1, fan_out)]
        weights[-2].zero_()  # starts at the mean of y, and stays there if y is constant
        return [w.requires_grad_() for w in weights]

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
        import torch

        rows = torch.as_tensor(self.scaler_(check_queries(X, self.n_features_in_)), dtype=torch.float32)
        with torch.no_grad():
            votes = _forward(self.weights_, rows.expand(self.members, -1, -1)).numpy().astype(np.float64)
        std = np.sqrt(votes.var(axis=0) + 0.5 * self.error_**2)
        return self.target_.restored(votes.mean(axis=0), std)


def _forward(weights: list[torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """Outputs (members, n) for rows (members, n, d)."""
    import torch

    hidden = rows
    for i in range(0, len(weights) - 2, 2):
        hidden = torch.relu(torch.baddbmm(weights[i + 1], hidden, weights[i]))
    return torch.baddbmm(weights[-1], hidden, weights[-2])[:, :, 0]
