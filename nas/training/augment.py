"""Transforms of whole batches on tensors. Randomness comes from the generator that is passed in."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# normalised images (b, c, h, w), a CPU generator -> images of the same shape
Augment = Callable[[Tensor, torch.Generator], Tensor]


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor from the CPU on the device, without waiting for pending work there."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images left to right."""
    chosen = torch.rand(len(x), generator=generator) < 0.5
    return torch.where(sent(chosen, x.device)[:, None, None, None], x.flip(3), x)


def crop(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pad with the mean by an eighth of the side (4 at 32 pixels, 1 at 8) and crop back at a random place."""
    b, _, h, w = x.shape
    pad = max(1, h // 8)
    padded = torch.nn.functional.pad(x, (pad, pad, pad, pad))
    offsets = sent(torch.randint(0, 2 * pad + 1, (2, b), generator=generator), x.device)
    rows = offsets[0][:, None] + torch.arange(h, device=x.device)
    columns = offsets[1][:, None] + torch.arange(w, device=x.device)
    image = torch.arange(b, device=x.device)[:, None, None]
    # two index groups around a slice: torch puts the channels last, (b, h, w, c)
    return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def erase(x: Tensor, generator: torch.Generator) -> Tensor:
    """Overwrite a random rectangle of a fifth of the images with noise.

    Random erasing in pixel mode (Zhong et al. 2020, section 3.2): 2% to 33% of the area, aspect 0.3 to 3.3.
    """
    b, _, h, w = x.shape
    draw = torch.rand((5, b), generator=generator)
    area = (0.02 + 0.31 * draw[1]) * h * w
    aspect = torch.exp((2 * draw[2] - 1) * 1.2)  # exp(1.2) = 3.3
    tall = (area * aspect).sqrt().clamp(1, h).floor()
    wide = (area / aspect).sqrt().clamp(1, w).floor()
    top = (draw[3] * (h - tall + 1)).floor()[:, None]
    left = (draw[4] * (w - wide + 1)).floor()[:, None]
    y, z = torch.arange(h)[None], torch.arange(w)[None]
    rows = (y >= top) & (y < top + tall[:, None])
    columns = (z >= left) & (z < left + wide[:, None])
    chosen = (draw[0] < 0.2).nonzero()[:, 0]
    down, across = sent(rows[chosen], x.device), sent(columns[chosen], x.device)
    hole = (down[:, :, None] & across[:, None, :])[:, None]
    noisy = torch.Generator(x.device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
    noise = torch.randn((len(chosen), *x.shape[1:]), generator=noisy, device=x.device).to(x.dtype)
    at = sent(chosen, x.device)
    return x.index_copy(0, at, torch.where(hole, noise, x.index_select(0, at)))


AUGMENTS: dict[str, Augment] = {"crop": crop, "flip": flip, "erase": erase}
