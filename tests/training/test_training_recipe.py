from __future__ import annotations

import pytest
import torch

from nas.core.errors import ConfigError
from nas.training import RECIPES, Recipe, recipe_from_config
from nas.training.augment import AUGMENTS, crop, erase, flip
from nas.training.optimisers import OPTIMISERS, make_optimiser
from nas.training.recipe import AUGMENT_NAMES, OPTIMISER_NAMES
from nas.training.schedules import learning_rate


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"optimiser": "adam"}, "did you mean 'adamw'"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"augment": ["flop"]}, "did you mean 'flip'"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"batch_size": True}, "batch_size must be"),
        ({"lr": 0}, "lr must be a number from"),
        ({"lr": float("nan")}, "lr must be a number from"),
        ({"lr": "0.1"}, "lr must be a number from"),
        ({"subset": 1.5}, "subset must be a number from"),
        ({"label_smoothing": 1}, "label_smoothing must be"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_when_made(setting, message):
    with pytest.raises(ConfigError, match=message):
        Recipe(**setting)


def test_a_misspelt_setting_is_named_with_the_nearest_right_one():
    with pytest.raises(ConfigError, match="did you mean 'weight_decay'"):
        recipe_from_config({"weigth_decay": 0.1})


def test_a_recipe_starts_from_a_published_one_and_changes_it():
    recipe = recipe_from_config({"base": "cifar-transfer", "epochs": 3})
    assert (recipe.epochs, recipe.lr, recipe.clip, recipe.batch_size) == (3, 0.01, 5.0, 96)


def test_the_names_in_recipes_are_those_of_the_registries():
    assert set(AUGMENT_NAMES) == set(AUGMENTS)
    assert set(OPTIMISER_NAMES) == set(OPTIMISERS)


def test_the_published_recipes_name_their_source():
    assert {"digits", "cifar-transfer", "imagenet"} <= set(RECIPES)
    assert all(p.source for p in RECIPES.values())


def test_cosine_goes_from_the_full_rate_to_nothing():
    recipe = Recipe(lr=0.2, warmup_epochs=0.0)
    assert [learning_rate(recipe, d, 8) for d in (0, 4, 8)] == pytest.approx([0.2, 0.1, 0.0])


def test_warm_up_rises_linearly_and_never_takes_more_than_half():
    recipe = Recipe(lr=0.2, schedule="constant", warmup_epochs=5)
    assert [learning_rate(recipe, d, 20) for d in (0, 2.5, 5, 20)] == pytest.approx([0, 0.1, 0.2, 0.2])
    assert learning_rate(recipe, 1, 2) == pytest.approx(0.2)


def test_the_step_schedule_decays_between_epochs():
    recipe = Recipe(lr=1.0, schedule="step", decay_rate=0.5, decay_epochs=2.4, warmup_epochs=0)
    rates = [learning_rate(recipe, d, 10) for d in (0, 2.9, 3, 4.9, 5, 8)]
    assert rates == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.125])


def test_biases_and_normalisation_have_no_weight_decay_unless_asked():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    decays = {
        all_: {id(p): g["weight_decay"] for g in make_optimiser(network, r).param_groups for p in g["params"]}
        for all_, r in ((a, Recipe(weight_decay=0.1, decay_all=a)) for a in (False, True))
    }
    assert [decays[False][id(p)] for p in network.parameters()] == [0.1, 0.0, 0.0, 0.0]
    assert set(decays[True].values()) == {0.1}


def test_rmsprop_takes_the_first_step_of_tensorflows():
    weight = torch.nn.Parameter(torch.tensor([[1.0]]))
    network = torch.nn.Module()
    network.register_parameter("w", weight)
    optimiser = make_optimiser(network, Recipe(optimiser="rmsprop", lr=0.1, eps=1e-3, weight_decay=0.0))
    weight.grad = torch.tensor([[2.0]])
    optimiser.step()
    mean_square = 0.9 * 1 + 0.1 * 4  # the average starts at 1, eps is inside the root
    assert weight.item() == pytest.approx(1 - 0.1 * 2 / (mean_square + 1e-3) ** 0.5)


@pytest.mark.parametrize("name", AUGMENTS)
def test_a_transform_keeps_the_shape_and_its_input_and_depends_on_the_generator(name):
    x = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before = x.clone()
    first, again, other = (AUGMENTS[name](x, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert first.shape == x.shape
    assert torch.equal(x, before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_flip_is_the_image_or_its_mirror_image():
    x = torch.randn(40, 1, 4, 6)
    y = flip(x, torch.Generator().manual_seed(0))
    kinds = [torch.equal(b, a.flip(2)) for a, b in zip(x, y, strict=True)]
    assert all(k or torch.equal(a, b) for k, a, b in zip(kinds, x, y, strict=True))
    assert 5 < sum(kinds) < 35


def test_a_crop_is_a_shifted_image_padded_with_the_mean():
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).repeat(200, 1, 1, 1)
    padded = torch.nn.functional.pad(x[0, 0], (1, 1, 1, 1))
    windows = {tuple(padded[i : i + 8, j : j + 8].reshape(-1).tolist()) for i in range(3) for j in range(3)}
    seen = {tuple(p.reshape(-1).tolist()) for p in crop(x, torch.Generator().manual_seed(0))}
    assert seen == windows


def test_erasing_touches_a_fifth_of_the_images_and_a_rectangle_of_each():
    x = torch.zeros(1000, 1, 16, 16)
    changed = (erase(x, torch.Generator().manual_seed(0)) != 0)[:, 0]
    touched = changed.flatten(1).any(1)
    assert 150 < int(touched.sum()) < 250
    for hole in changed[touched]:
        rows, columns = hole.any(1), hole.any(0)
        assert int(hole.sum()) == int(rows.sum()) * int(columns.sum())
        assert int(hole.sum()) <= 0.4 * 256
