"""A synthetic space for `nas compare`: quick to evaluate, with similar neighbours."""

import math

import nas

DEPTHS, WIDTHS = (1, 2, 3, 4), (8, 16, 32, 64)


class MadeUp(nas.SearchSpace):
    """Three stages, each with a depth and a width, and a resolution: 16,384 networks without training."""

    name = "made-up"
    cardinalities = (4,) * 7

    def cost(self, architecture: nas.Architecture) -> dict[str, float]:
        """Parameters, and multiply-adds at the resolution."""
        stages = list(zip(architecture.genes[0:6:2], architecture.genes[1:6:2], strict=True))
        params = [DEPTHS[d] * WIDTHS[w] ** 2 * 9 for d, w in stages]
        side = 8 * (1 + architecture.genes[6])
        return {
            "params": float(sum(params)),
            "madds": float(sum(p * (side / 2**i) ** 2 for i, p in enumerate(params))),
        }


def evaluate(trial: nas.Trial) -> dict[str, float]:
    """A slightly noisy error in percent that falls with size and rises for mismatched stages."""
    genes = trial.architecture.genes
    size = math.log(MadeUp().cost(trial.architecture)["madds"])
    mismatch = sum(abs(genes[i] - genes[i + 2] + 1) for i in (1, 3)) + abs(genes[6] - genes[4])
    ripple = math.sin(5 * genes[0] + 3 * genes[2] * genes[3] + genes[5])
    test_error = 40 - 1.6 * size + 1.1 * mismatch + 0.8 * ripple
    luck = 0.3 * math.sin(1e4 * math.sin(trial.seed + 1))  # few validation images
    return {"error": test_error + luck, "test_error": test_error, "training_seconds": math.exp(size / 4)}
