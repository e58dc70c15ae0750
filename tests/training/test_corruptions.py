"""The 15 corruptions: each against its published definition, written out slowly; seeds, sizes, bad input."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, correlate, gaussian_filter, map_coordinates, zoom

from nas.core.errors import ConfigError
from nas.training.corruptions import CORRUPTIONS, KINDS, blur, corrupt, corrupt_all, digital, noise, weather
from nas.training.corruptions.warping import motion_blurred, sampled, smoothed_field, zoomed

EVERY = pytest.mark.parametrize("name", CORRUPTIONS)


def image(side: int = 32, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth image with an edge in it."""
    rng = np.random.default_rng(seed)
    x = gaussian_filter(rng.random((side, side, channels)), (2, 2, 0))
    x = (x - x.min()) / (x.max() - x.min())
    x[: side // 2, : side // 3] *= 0.4
    return (x * 255).astype(np.uint8)


def plain(side: int = 32, channels: int = 3) -> NDArray[np.float32]:
    return image(side, channels).astype(np.float32) / 255


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_there_are_the_fifteen_of_the_benchmark_in_four_kinds() -> None:
    assert len(CORRUPTIONS) == 15
    assert KINDS == ("noise", "blur", "weather", "digital")
    assert all(len(c.at_32) == len(c.at_224) == 5 for c in CORRUPTIONS.values())


@EVERY
@pytest.mark.parametrize("side", [32, 224])
def test_a_corruption_keeps_size_and_kind_and_depends_on_the_generator_alone(name: str, side: int) -> None:
    clean = image(side)
    before = clean.copy()
    changed = corrupt(clean, name, 5, generator(1))
    assert changed.shape == clean.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, clean)
    np.testing.assert_array_equal(corrupt(clean, name, 5, generator(1)), changed)
    np.testing.assert_array_equal(clean, before)


@EVERY
def test_severity_five_is_farther_from_the_image_than_severity_one(name: str) -> None:
    clean = image(224)

    def distance(severity: int) -> float:
        return float(np.abs(corrupt(clean, name, severity, generator(1)).astype(float) - clean).mean())

    if name == "elastic":  # its first two severities are long waves, the last three short ones
        assert distance(5) > distance(3) > 0
    else:
        assert distance(5) > distance(1) > 0


@EVERY
def test_grey_images_with_other_levels_can_be_corrupted(name: str) -> None:
    grey = (image(8, 1) // 16).astype(np.uint8)
    changed = corrupt(grey, name, 3, generator(), white=16)
    assert changed.shape == (8, 8, 1)
    assert changed.max() <= 16


def test_each_image_of_a_set_is_corrupted_in_its_own_way_whatever_the_others_are() -> None:
    one = image().transpose(2, 0, 1)
    both = corrupt_all(np.stack([one, one]), "gaussian_noise", 3, seed=4)
    assert not np.array_equal(both[0], both[1])
    np.testing.assert_array_equal(corrupt_all(one[None], "gaussian_noise", 3, seed=4)[0], both[0])


def test_what_cannot_be_corrupted_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="did you mean 'motion_blur'"):
        corrupt(image(), "motion_blurr", 1, generator())
    with pytest.raises(ConfigError, match="severity: expected 1, 2, 3, 4 or 5, got 6"):
        corrupt(image(), "fog", 6, generator())
    with pytest.raises(ConfigError, match=r"expected uint8 \(height, width, 1 or 3\), got float32"):
        corrupt(plain(), "fog", 1, generator())  # type: ignore[arg-type]


# noise


def test_gaussian_noise_has_the_published_deviation() -> None:
    grey = np.full((224, 224, 3), 0.5, dtype=np.float32)
    for scale in CORRUPTIONS["gaussian_noise"].at_224:
        assert noise.gaussian_noise(grey, scale, generator()).std() == pytest.approx(scale, rel=0.02)


def test_shot_noise_has_the_mean_of_the_image_and_the_variance_of_counted_photons() -> None:
    grey = np.full((224, 224, 3), 0.3, dtype=np.float32)
    found = noise.shot_noise(grey, 12, generator())
    assert found.mean() == pytest.approx(0.3, rel=0.02)
    assert found.var() == pytest.approx(0.3 / 12, rel=0.05)


def test_impulse_noise_makes_the_published_share_of_values_black_or_white() -> None:
    grey = np.full((224, 224, 3), 0.3, dtype=np.float32)
    found = noise.impulse_noise(grey, 0.17, generator())
    assert (found == 0).mean() == pytest.approx(0.085, rel=0.05)
    assert (found == 1).mean() == pytest.approx(0.085, rel=0.05)


# blur


@pytest.mark.parametrize("disk", [(0.5, 0.6), (3, 0.1), (10, 0.5)])
def test_defocus_is_a_correlation_with_the_softened_disk(disk: tuple[float, float]) -> None:
    x, kernel = plain(64), blur.disk_kernel(*disk)
    assert kernel.sum() == pytest.approx(1, abs=0.011 if disk[0] >= 8 else 1e-6)
    expected = np.stack([correlate(x[:, :, c], kernel, mode="mirror") for c in range(3)], axis=2)
    np.testing.assert_allclose(blur.defocus_blur(x, disk, generator()), expected, atol=1e-5)


def test_the_disk_is_round_and_softened_by_the_stated_gaussian() -> None:
    kernel = blur.disk_kernel(3, 0.1)
    assert kernel.shape == (7, 7)
    assert (kernel > 1e-6).sum() == 29  # whole points within radius 3
    soft = blur.disk_kernel(0.4, 0.5)  # a single point, so the Gaussian itself
    tap = np.exp(-1 / (2 * 0.5**2))
    np.testing.assert_allclose(soft[1], np.array([tap, 1, tap]) / (1 + 2 * tap) ** 2, rtol=1e-5)


@pytest.mark.parametrize(("reach", "seed"), [(1, 0), (4, 1)])
def test_pixels_behind_glass_are_those_of_the_published_loop(reach: int, seed: int) -> None:
    clean = image(40)
    rows, columns = range(40 - reach, reach, -1), range(40 - reach, reach, -1)
    right, down = generator(seed).integers(-reach, reach, (2, len(rows) * len(columns)))
    by_pixel = {
        (h, w): (int(down[i]), int(right[i]))
        for i, (h, w) in enumerate((h, w) for h in reversed(rows) for w in reversed(columns))
    }
    expected = clean.copy()
    for h in rows:
        for w in columns:
            dy, dx = by_pixel[h, w]
            expected[h, w], expected[h + dy, w + dx] = expected[h + dy, w + dx], expected[h, w]
    np.testing.assert_array_equal(blur.taken_from_near(clean, reach, generator(seed)), expected)


@pytest.mark.parametrize("degrees", [0.0, 30.0, -45.0, -100.0])
def test_motion_blur_is_half_a_gaussian_along_a_line(degrees: float) -> None:
    x, radius, sigma = plain(24), 5, 2.0
    weights = np.exp(-(np.arange(11) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    angle = np.deg2rad(degrees)
    expected = np.zeros_like(x)
    for h in range(24):
        for w in range(24):
            for i, weight in enumerate(weights):
                row = h + int(np.ceil(i * np.sin(angle) - 0.5))
                column = w + int(np.ceil(i * np.cos(angle) - 0.5))
                expected[h, w] += weight * x[np.clip(row, 0, 23), np.clip(column, 0, 23)]
    np.testing.assert_allclose(motion_blurred(x, radius, sigma, degrees), expected, atol=1e-4)


@pytest.mark.parametrize(("side", "factor"), [(32, 1.0), (32, 1.07), (224, 1.25), (33, 2.5)])
def test_a_zoom_is_scipys_of_the_middle(side: int, factor: float) -> None:
    x = plain(side)
    kept = int(np.ceil(side / factor))
    top = (side - kept) // 2
    large = zoom(x[top : top + kept, top : top + kept], (factor, factor, 1), order=1)
    trim = (large.shape[0] - side) // 2
    np.testing.assert_allclose(zoomed(x, factor), large[trim : trim + side, trim : trim + side], atol=1e-4)


def test_zoom_blur_is_the_mean_of_the_image_and_its_zooms() -> None:
    x, zooms = plain(), CORRUPTIONS["zoom_blur"].at_32[0]
    assert zooms == pytest.approx((1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06))
    expected = (x + sum(zoomed(x, z) for z in zooms)) / 8
    np.testing.assert_allclose(blur.zoom_blur(x, zooms, generator()), expected, atol=1e-6)


# weather


def test_brightness_raises_the_value_and_keeps_hue_and_saturation() -> None:
    x = plain(8)
    x[0, 0] = 0
    found = weather.brightness(x, 0.2, generator())
    for before, after in zip(x.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before.tolist())
        assert after == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(value + 0.2, 1)), abs=1e-5)


def test_fog_clouds_follow_the_diamond_square_algorithm() -> None:
    rng, side, decay = generator(5), 8, 2.0
    clouds, step, wobble = np.zeros((side, side)), side, 100.0

    def wobbles(count: int) -> NDArray[np.float64]:
        return wobble * rng.uniform(-wobble, wobble, (count, count))

    while step >= 2:
        half, count = step // 2, side // step
        for places in ("square", "upper", "left"):
            more = wobbles(count)
            for i in range(count):
                for j in range(count):
                    y, x = i * step, j * step
                    if places == "square":
                        near = [(y, x), (y + step, x), (y, x + step), (y + step, x + step)]
                        y, x = y + half, x + half
                    elif places == "upper":
                        near = [(y - half, x + half), (y + half, x + half), (y, x), (y, x + step)]
                        x += half
                    else:
                        near = [(y + half, x - half), (y + half, x + half), (y, x), (y + step, x)]
                        y += half
                    clouds[y, x] = sum(clouds[a % side, b % side] for a, b in near) / 4 + more[i, j]
        step, wobble = half, wobble / decay
    clouds -= clouds.min()
    np.testing.assert_allclose(weather.plasma(side, decay, generator(5)), clouds / clouds.max(), atol=1e-12)


def test_fog_thickens_and_keeps_the_brightest_level() -> None:
    x = plain()
    bank = weather.plasma(32, 2.0, generator(3))[:, :, None]
    expected = (x + 1.5 * bank) * x.max() / (x.max() + 1.5)
    np.testing.assert_allclose(weather.fog(x, (1.5, 2.0), generator(3)), expected, atol=1e-5)


def test_snow_without_flakes_whitens_as_published() -> None:
    x = plain()
    found = weather.snow(x, (-9.0, 0.0, 1, 0.5, 8, 3, 0.7), generator())
    grey = (x * [0.299, 0.587, 0.114]).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found, 0.7 * x + 0.3 * np.maximum(x, grey * 1.5 + 0.5), atol=1e-5)


def test_flakes_of_snow_lie_as_well_where_the_image_is_turned_by_half() -> None:
    black = np.zeros((32, 32, 3), dtype=np.float32)
    found = weather.snow(black, CORRUPTIONS["snow"].at_32[4], generator())
    np.testing.assert_allclose(found, np.rot90(found, 2), atol=1e-6)
    assert found.std() > 0.01


def test_frost_mixes_the_image_with_a_window_of_ice() -> None:
    black, white = (np.full((32, 32, 3), v, dtype=np.float32) for v in (0, 1))
    ice = weather.frost(black, (0.8, 0.5), generator(2))
    np.testing.assert_allclose(weather.frost(white, (0.8, 0.5), generator(2)) - ice, 0.8, atol=1e-6)
    assert 0.1 < ice.mean() / 0.5 < 0.9
    assert ice.std() > 0.02


def test_frost_covers_images_larger_than_the_window() -> None:
    assert corrupt(image(480), "frost", 1, generator()).shape == (480, 480, 3)


# digital


def test_contrast_shrinks_differences_from_the_mean_of_each_channel() -> None:
    x = plain()
    found = digital.contrast(x, 0.4, generator())
    np.testing.assert_allclose(found.mean((0, 1)), x.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(found.std((0, 1)), 0.4 * x.std((0, 1)), atol=1e-5)


def test_samples_are_scipys() -> None:
    x, rng = plain(20), generator()
    rows, columns = (rng.uniform(-25, 45, (20, 20)).astype(np.float32) for _ in range(2))
    for repeat_edge, mode in ((True, "reflect"), (False, "mirror")):
        expected = [map_coordinates(x[:, :, c], [rows, columns], order=1, mode=mode) for c in range(3)]
        np.testing.assert_allclose(sampled(x, rows, columns, repeat_edge), np.stack(expected, 2), atol=1e-4)


@pytest.mark.parametrize("sigma", [0.9, 7.0, 170.0])
def test_smoothing_by_a_matrix_is_scipys_filter(sigma: float) -> None:
    field = generator().standard_normal((64, 64)).astype(np.float32)
    expected = gaussian_filter(field, sigma, mode="reflect", truncate=3.0)
    np.testing.assert_allclose(smoothed_field(field, sigma, 3.0), expected, atol=1e-4)


def test_elastic_is_an_affine_map_of_three_moved_points_then_displacements() -> None:
    x, reach = plain(30), 3.0
    rng = generator(7)
    start = np.array([[25.0, 25.0], [25.0, 5.0], [5.0, 5.0]])  # (column, row): the centre 15, a third 10
    end = start + rng.uniform(-reach, reach, (3, 2))
    back = np.linalg.solve(np.column_stack([end, np.ones(3)]), start)  # result (column, row, 1) -> image
    matrix = np.array([[back[1, 1], back[0, 1]], [back[1, 0], back[0, 0]]])
    offset = np.array([back[2, 1], back[2, 0]])
    moved = np.stack(
        [affine_transform(x[:, :, c], matrix, offset, order=1, mode="mirror") for c in range(3)], axis=2
    )
    found = digital.elastic(x, (0.0, 0.0, reach), generator(7))
    np.testing.assert_allclose(found, moved, atol=1e-4)
    right, down = (
        gaussian_filter(2 * rng.random((30, 30), dtype=np.float32) - 1, 2.0, mode="reflect", truncate=3) * 20
        for _ in range(2)
    )
    rows, columns = np.mgrid[:30, :30]
    waved = [
        map_coordinates(moved[:, :, c], [rows + down, columns + right], order=1, mode="reflect")
        for c in range(3)
    ]
    np.testing.assert_allclose(
        digital.elastic(x, (20.0, 2.0, reach), generator(7)), np.stack(waved, 2), atol=1e-3
    )


def test_pixelate_leaves_blocks_of_their_mean() -> None:
    found = corrupt(image(224), "pixelate", 5, generator())  # a quarter: blocks of four
    blocks = found.reshape(56, 4, 56, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()
    means = image(224).reshape(56, 4, 56, 4, 3).mean((1, 3))
    np.testing.assert_allclose(blocks[:, 0, :, 0], means, atol=1.0)


def test_jpeg_is_pillows_at_the_published_quality() -> None:
    import io

    from PIL import Image

    for severity, quality in ((1, 25), (5, 7)):
        stream = io.BytesIO()
        Image.fromarray(image(224)).save(stream, "JPEG", quality=quality)
        found = corrupt(image(224), "jpeg", severity, generator())
        np.testing.assert_array_equal(found, np.asarray(Image.open(stream)))
