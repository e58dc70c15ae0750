from __future__ import annotations

import pytest
import torch

from nas.core.errors import ConfigError
from nas.training.tasks.segmentation.feed import augmented, drawn
from nas.training.tasks.segmentation.settings import IGNORE, Augment

MIDDLE = torch.tensor([[0.5, 0.5, 0.5, 0.9]])  # scale between the ends, in the middle, not mirrored


def pair(height: int = 12, width: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """An image whose values are its classes plus one, in four quarters."""
    y = torch.zeros(1, height, width, dtype=torch.long)
    y[:, height // 2 :] += 2
    y[:, :, width // 2 :] += 1
    return (y + 1).float().unsqueeze(1), y


def test_the_whole_image_at_scale_one_is_the_image() -> None:
    x, y = pair()
    a, b = augmented(x, y, Augment(scales=(1.0, 1.0)), MIDDLE)
    assert torch.allclose(a, x, atol=1e-5)
    assert torch.equal(b, y)


def test_mirroring_mirrors_both() -> None:
    x, y = pair()
    a, b = augmented(x, y, Augment(scales=(1.0, 1.0)), torch.tensor([[0.5, 0.5, 0.5, 0.1]]))
    assert torch.allclose(a, x.flip(-1), atol=1e-5)
    assert torch.equal(b, y.flip(-1))


@pytest.mark.parametrize("scales", [(0.5, 0.9), (1.1, 2.0)], ids=["smaller", "larger"])
def test_a_mask_follows_its_image(scales: tuple[float, float]) -> None:
    x, y = pair()
    random = drawn(64, torch.Generator().manual_seed(0))
    a, b = augmented(x.expand(64, -1, -1, -1), y.expand(64, -1, -1), Augment((10, 10), scales), random)
    pure = (a[:, 0] - a[:, 0].round()).abs() < 1e-3  # not blended at a border
    inside = pure & (a[:, 0] > 0.5) & (b != IGNORE)
    assert inside.float().mean() > 0.2
    agrees = (a[:, 0].round().long() - 1 == b)[inside].float().mean()
    assert agrees > 0.97  # 2 and 4 blend to 3 here and there


def test_what_lies_beside_the_image_does_not_count() -> None:
    x, y = pair()
    a, b = augmented(x, y, Augment((24, 32), (1.0, 1.0)), MIDDLE)
    assert (b[:, :6] == IGNORE).all()
    assert (a[:, :, :5] == 0).all()
    assert torch.equal(b[:, 6:18, 8:24], y)


def test_a_larger_scale_shows_less_of_the_image() -> None:
    x, y = pair()
    corner = torch.tensor([[0.5, 0.0, 0.0, 0.9]])
    assert (augmented(x, y, Augment(scales=(2.0, 2.0)), corner)[1] == 0).all()


def test_draws_depend_on_the_seed_alone() -> None:
    one, two = (drawn(5, torch.Generator().manual_seed(s)) for s in (1, 2))
    assert torch.equal(one, drawn(5, torch.Generator().manual_seed(1)))
    assert not torch.equal(one, two)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crop": (10,)}, "expected two numbers"),
        ({"crop": (10.5, 4)}, "expected whole pixels"),
        ({"scales": (2.0, 1.0)}, "expected the smaller first"),
        ({"scales": (0.0, 1.0)}, "expected a number above 0"),
    ],
    ids=["one_side", "half_pixels", "order", "zero"],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, tuple[float, ...]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Augment(**settings)  # type: ignore[arg-type]
