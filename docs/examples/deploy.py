"""From a front to a deployed network: search, pick, train longer, report on test images, export, check."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import nas
from nas.training import Recipe, TrainingEvaluator, evaluate_test
from nas.training.data import Digits
from nas.training.judging import put_weights
from search_spaces.nasbench101 import NASBench101

SPACE = NASBench101.digits()
DATA = Digits()
TARGET = "error=5%, params<60k"  # see docs/preferences.md


def find(run: Path) -> str:
    """Search, unless the folder holds the run already, and pick the network nearest to the target."""
    if not run.exists():
        train = TrainingEvaluator(SPACE, DATA, Recipe(epochs=1))
        nas.search(SPACE, ["error", "params", "madds"], train, budget=12, seed=1, out=run)
    table, _ = nas.load_run(run)
    picked = nas.pick(table.front, nas.Preference.parse(TARGET, table.objectives))
    return str(picked.best["architecture"])


class Deployed(nn.Module):
    """The network with the normalisation of its images: stored pixels in, probabilities out."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, c, h, w) to probabilities (b, classes)."""
        return self.network((pixels - self.mean) / self.std).softmax(1)


def train_longer(text: str, folder: Path) -> tuple[Deployed, float]:
    """The picked network, trained for longer than in the search, and its error on test images in percent."""
    evaluator = TrainingEvaluator(SPACE, DATA, Recipe(epochs=10), weights_dir=str(folder / "weights"))
    trial = nas.Trial(id=0, architecture=SPACE.parse(text), seed=1)
    evaluator(trial)
    test_error = evaluate_test(evaluator, trial)["test_error"]  # on images that took part in no decision
    kept = torch.load(evaluator.weights_file(trial), weights_only=True)
    network = SPACE.build(
        trial.architecture, num_classes=kept["num_classes"], in_channels=kept["in_channels"]
    )
    put_weights(network, evaluator.weights_file(trial))
    return Deployed(network, kept["mean"], kept["std"]).eval(), test_error


def export(network: Deployed, image: torch.Tensor, file: Path) -> float:
    """Write ONNX for any batch; the largest difference from PyTorch's probabilities on a batch of another size."""
    import onnxruntime

    batch = torch.cat([image, image.flip(3), image.flip(2)])
    torch.onnx.export(
        network,
        (batch[:2],),
        file,
        input_names=["pixels"],
        output_names=["probabilities"],
        dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
        external_data=False,
    )
    session = onnxruntime.InferenceSession(file)
    (there,) = session.run(None, {"pixels": batch.numpy()})
    with torch.inference_mode():
        return float(np.abs(network(batch).numpy() - there).max())


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/deployed")
    text = find(folder / "search")
    network, test_error = train_longer(text, folder)
    image = torch.from_numpy(DATA.load().test.take(np.array([0]), None, None)).float()
    difference = export(network, image, folder / "network.onnx")
    card = {
        "architecture": text,
        "test_error_percent": round(test_error, 2),
        "params": SPACE.cost(SPACE.parse(text))["params"],
        "onnx_differs_by": difference,
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    print(json.dumps(card, indent=2))
