"""A graph convolutional network over adjacency and operations, trained to rank.

The network follows Dudziak et al., "BRP-NAS", NeurIPS 2020, section 3 (graph convolutions over a cell), with messages
both along and against the edges as in Wen et al., "Neural predictor for neural architecture search", ECCV 2020, section
3.2. The pairwise ranking loss is that of Ning et al., "GATES", ECCV 2020, section 3.3, in its logistic form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.core.checks import check_positive
from nas.core.errors import ConfigError
from nas.core.records import FloatArray
from surrogates._bagging import left_out_error
from surrogates.inputs import Target, check_data, check_queries

if TYPE_CHECKING:
    import torch

_DECAY = 1e-3
_RANKING = 0.5  # weight of the ranking loss beside the squared error, which gives the scores their units
_LAYERS = 3
_CHUNK = 1024  # rows at a time in prediction


class GraphNetwork:
    """A graph network over adjacency and operations with a ranking loss; a few members, std from their spread.

    Rows are flat: the adjacency matrix (`vertices` squared numbers, from row to column), then the one-hot operations
    (`vertices` times any number), as the encoding "graph" of the cell spaces gives them. At every step all rows
    are used, at most `batch` of them, drawn again.
    """

    def __init__(
        self,
        vertices: int,
        members: int = 3,
        width: int = 32,
        steps: int = 200,
        learning_rate: float = 5e-3,
        batch: int = 96,
        seed: int = 0,
    ) -> None:
        self.vertices = vertices
        self.members = members
        self.width = width
        self.steps = steps
        self.learning_rate = learning_rate
        self.batch = batch
        self.seed = seed

    def fit(self, X: FloatArray, y: FloatArray) -> GraphNetwork:
        """Learn from X (n, d) and y (n,). Raises `ConfigError` unless rows are graphs of `vertices` vertices."""
        import torch

        X, y = check_data(X, y)
        for name in ("vertices", "members", "width", "steps", "learning_rate", "batch"):
            check_positive(name, getattr(self, name))
        kinds, rest = divmod(X.shape[1] - self.vertices**2, self.vertices)
        if rest or kinds < 1:
            raise ConfigError(
                f"fit: expected {self.vertices}^2 + {self.vertices} k columns (adjacency and k one-hot operations "
                f"of {self.vertices} vertices), got {X.shape[1]}; pass vertices= of the space's graph encoding"
            )
        self.n_features_in_, self.target_ = X.shape[1], Target.of(y)
        z = torch.as_tensor(self.target_.scaled(y), dtype=torch.float32)
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.stack(
            [torch.randint(len(y), (len(y),), generator=generator) for _ in range(self.members)]
        )
        weights = self._initial(kinds, generator)
        optimiser = torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        adjacency, labels = self._parts(X)
        for _ in range(self.steps):
            rows = drawn
            if len(y) > self.batch:
                rows = drawn[:, torch.randperm(len(y), generator=generator)[: self.batch]]
            optimiser.zero_grad()
            loss = _loss(_scores(weights, adjacency[rows], labels[rows]), z[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        self.weights_ = [w.detach() for w in weights]
        unseen = np.stack([~np.isin(np.arange(len(y)), rows) for rows in drawn.numpy()])
        self.error_ = left_out_error(self._votes(X), unseen, z.numpy().astype(np.float64))
        return self

    def _parts(self, X: FloatArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Adjacency (n, v, v) and labels (n, v, k)."""
        import torch

        rows = torch.as_tensor(X, dtype=torch.float32)
        square = self.vertices**2
        return (
            rows[:, :square].reshape(-1, self.vertices, self.vertices),
            rows[:, square:].reshape(len(rows), self.vertices, -1),
        )

    def _initial(self, kinds: int, generator: torch.Generator) -> list[torch.Tensor]:
        """Per layer: weights for a vertex itself, its predecessors and its successors; then the read-out."""
        import torch

        sizes = [(kinds, self.width)] + [(self.width, self.width)] * (_LAYERS - 1)
        shapes = [(3 * fan_in, fan_out) for fan_in, fan_out in sizes] + [(2 * self.width, 1)]
        weights: list[torch.Tensor] = []
        for fan_in, fan_out in shapes:
            drawn = torch.rand(self.members, fan_in, fan_out, generator=generator)
            weights += [(2.0 * drawn - 1.0) * np.sqrt(6.0 / fan_in), torch.zeros(self.members, 1, fan_out)]
        weights[-2].zero_()  # starts at the mean of y, and stays there if y is constant
        return [w.requires_grad_() for w in weights]

    def _votes(self, X: FloatArray) -> FloatArray:
        import torch

        adjacency, labels = self._parts(X)
        with torch.no_grad():
            scores = [
                _scores(self.weights_, adjacency[None, i : i + _CHUNK], labels[None, i : i + _CHUNK])
                for i in range(0, len(X), _CHUNK)
            ]
        return torch.cat(scores, dim=1).numpy().astype(np.float64)

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, each (n,)."""
        votes = self._votes(check_queries(X, self.n_features_in_))
        std = np.sqrt(votes.var(axis=0) + 0.5 * self.error_**2)
        return self.target_.restored(votes.mean(axis=0), std)


def _scores(weights: list[torch.Tensor], adjacency: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Scores (members, n) of graphs: adjacency (members or 1, n, v, v), labels (members or 1, n, v, k)."""
    import torch

    members, (_, n, v, _) = len(weights[0]), labels.shape
    present = labels.sum(dim=-1, keepdim=True)  # vertices that a cell does not have stay at zero
    into = adjacency.transpose(-1, -2)
    into = into / into.sum(dim=-1, keepdim=True).clamp(min=1.0)
    out = adjacency / adjacency.sum(dim=-1, keepdim=True).clamp(min=1.0)
    hidden = labels.expand(members, -1, -1, -1)
    for i in range(0, len(weights) - 2, 2):
        messages = torch.cat([hidden, into @ hidden, out @ hidden], dim=-1).flatten(1, 2)
        hidden = torch.relu(torch.baddbmm(weights[i + 1], messages, weights[i]))
        hidden = hidden.reshape(members, n, v, -1) * present
    pooled = torch.cat([hidden.mean(dim=-2), hidden[..., -1, :]], dim=-1)  # the last vertex is the output
    return torch.baddbmm(weights[-1], pooled, weights[-2])[..., 0]


def _loss(scores: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Logistic loss over pairs in the wrong order, and the squared error; members summed."""
    import torch.nn.functional as F

    apart = z[:, :, None] - z[:, None, :]
    above = (apart > 0).float()
    wrong = F.softplus(-3.0 * (scores[:, :, None] - scores[:, None, :])) * above
    ranking = wrong.sum(dim=(1, 2)) / above.sum(dim=(1, 2)).clamp(min=1.0)
    return (_RANKING * ranking + ((scores - z) ** 2).mean(dim=1)).sum()
