"""Your images in a folder, and a custom evaluator that trains on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

import nas
from search_spaces.nasbench101 import NASBench101


def write_images(folder: Path) -> None:
    """Stand-ins for your images: digits as FOLDER/train/CLASS/*.png and FOLDER/val/CLASS/*.png."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for i, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        place = folder / ("val" if i % 5 == 0 else "train") / f"digit-{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255 / 16).astype(np.uint8)).save(place / f"{i:04d}.png")


@lru_cache
def read_images(folder: str) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Images (n, 1, h, w) from -1 to 1 and labels (n,) of each part; read once per worker process."""
    from PIL import Image

    parts = {}
    for part in ("train", "val"):
        classes = sorted(Path(folder, part).iterdir())
        files = [(file, label) for label, place in enumerate(classes) for file in sorted(place.glob("*.png"))]
        pixels = np.stack([np.asarray(Image.open(file), dtype=np.float32) for file, _ in files])
        parts[part] = pixels[:, None] / 127.5 - 1, np.array([label for _, label in files])
    return parts


class Train:
    """Trains a candidate with plain PyTorch. Any callable from a trial to numbers by name works."""

    def __init__(self, space: NASBench101, folder: str = "images") -> None:
        self.space = space
        self.folder = folder

    def prepare(self) -> None:
        """Called once, before any training: raise here on faults that would make every candidate fail."""
        if not Path(self.folder, "train").is_dir():
            raise nas.NasError(f"{self.folder} has no folder train; write_images makes one")

    def __call__(self, trial: nas.Trial) -> dict[str, float]:
        """The validation error in percent after `trial.budget` epochs (1 by default)."""
        import torch
        from torch.nn.functional import cross_entropy

        torch.manual_seed(trial.seed)  # all randomness follows the trial, so that it is repeatable
        torch.set_num_threads(1)  # the default of a worker, unless the executor grants more
        parts = {k: tuple(map(torch.from_numpy, v)) for k, v in read_images(self.folder).items()}
        images, labels = parts["train"]
        network = self.space.build(trial.architecture, num_classes=10, in_channels=1)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        for _ in range(int(trial.budget or 1)):
            for batch in torch.randperm(len(labels)).split(32):
                optimiser.zero_grad()
                cross_entropy(network(images[batch]), labels[batch]).backward()
                optimiser.step()
        network.eval()
        images, labels = parts["val"]
        with torch.inference_mode():
            wrong = network(images).argmax(1) != labels
        return {"error": 100 * float(wrong.float().mean())}


if __name__ == "__main__":
    if not Path("images").exists():
        write_images(Path("images"))
    space = NASBench101.digits()
    found = nas.search(
        space, ["error", "params"], Train(space), limits=["params <= 100e3"], budget=10, seed=1
    )
    print(found.front[["architecture", "error", "params"]].to_string(index=False))
