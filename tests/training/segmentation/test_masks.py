from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from mask_files import ROAD, SIZE, SKY, encoded, jpeg, png, row, scene, write_camvid
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.tasks.segmentation.classes import ADE20K_CLASSES, CAMVID_CLASSES, VOC_CLASSES
from nas.training.tasks.segmentation.data import Ade20k, CamVid, Voc, masks_from_config
from nas.training.tasks.segmentation.feed import feed_of
from nas.training.tasks.segmentation.settings import IGNORE, Augment

Rows = list[dict[str, object]]


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_camvid_keeps_its_splits_and_does_not_count_unlabelled_pixels(camvid: CamVid) -> None:
    splits = camvid.load()
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [8, 4, 3]
    assert splits.class_names == CAMVID_CLASSES
    image, mask = splits.train.pair(0)
    expected = scene(0)[1]
    assert image.shape == (3, *SIZE)
    assert np.array_equal(mask[:-1], expected[:-1])
    assert (mask[-1] == IGNORE).all()


def test_the_folders_of_the_tutorial_are_read_as_the_parquet_file(
    tmp_path: Path, camvid: CamVid, rows: Rows
) -> None:
    for one in rows:
        write(tmp_path / "c" / str(one["split"]) / f"{one['image_id']}.jpg", one["jpeg"])  # type: ignore[arg-type]
        write(tmp_path / "c" / f"{one['split']}annot" / f"{one['image_id']}.png", one["label_png"])  # type: ignore[arg-type]
    folder, file = CamVid(str(tmp_path / "c")).load(), camvid.load()
    for ours, theirs in ((folder.train, file.train), (folder.validation, file.validation)):
        order = sorted(range(len(theirs)), key=lambda i: theirs.pair(i)[0].tobytes())
        again = sorted(range(len(ours)), key=lambda i: ours.pair(i)[0].tobytes())
        for i, j in zip(order, again, strict=True):
            assert np.array_equal(theirs.pair(i)[1], ours.pair(j)[1])


def test_ade20k_counts_from_one_and_leaves_zero_out(tmp_path: Path) -> None:
    mask = np.full(SIZE, 1)
    mask[0], mask[-1] = 0, 150
    for folder, count in (("training", 4), ("validation", 2)):
        for i in range(count):
            write(tmp_path / "images" / folder / f"{i}.jpg", jpeg(scene(i)[0]))
            write(tmp_path / "annotations" / folder / f"{i}.png", png(mask))
    splits = Ade20k(str(tmp_path), validation=0.25).load()
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [3, 1, 2]
    found = splits.test.pair(0)[1]
    assert (found[0] == IGNORE).all()
    assert (found[1:-1] == 0).all()
    assert (found[-1] == 149).all()
    assert len(splits.class_names) == len(set(ADE20K_CLASSES)) == 150


def test_voc_reads_positions_in_the_palette(tmp_path: Path) -> None:
    mask = np.full(SIZE, 20)
    mask[0] = 255
    for split, names in (("train", ["a", "b"]), ("val", ["c"])):
        write(tmp_path / "ImageSets" / "Segmentation" / f"{split}.txt", "\n".join(names).encode())
        for name in names:
            write(tmp_path / "JPEGImages" / f"{name}.jpg", jpeg(scene(0)[0]))
            write(tmp_path / "SegmentationClass" / f"{name}.png", png(mask, palette=True))
    splits = Voc(str(tmp_path), validation=0.5).load()
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [1, 1, 1]
    assert (splits.test.pair(0)[1][1:] == 20).all()
    assert (splits.test.pair(0)[1][0] == IGNORE).all()
    assert len(VOC_CLASSES) == 21


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 2]


WRONG = {
    "no_mask": ({"label_png": None}, "its mask is missing"),
    "no_image": ({"jpeg": None}, "the image is missing"),
    "other_size": ({"label_png": png(np.zeros((10, 12)))}, "is 32x24 pixels, its mask 12x10"),
    "out_of_range": (
        {"label_png": png(np.full(SIZE, 12))},
        "class number 12 on 768 pixels: expected 0 to 10",
    ),
    "cut_image": ({"jpeg": cut_short(jpeg(scene(0)[0]))}, "cannot be read as an image"),
    "cut_mask": ({"label_png": cut_short(png(scene(0)[1]))}, "cannot be read as a mask"),
    "colour_mask": ({"label_png": encoded(Image.new("RGB", SIZE[::-1]), "PNG")}, "got mode RGB"),
    "split": ({"split": "holdout"}, "expected one of train"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_damaged_pairs_are_named_and_refused_or_skipped_as_set(
    wrong: str, tmp_path: Path, rows: Rows
) -> None:
    change, said = WRONG[wrong]
    path = write_camvid(tmp_path / "c.parquet", [rows[0], rows[1] | change, *rows[2:]])
    with pytest.raises(DataError, match=said) as caught:
        CamVid(str(path)).load()
    assert "c.parquet row 1 (train_1)" in str(caught.value)
    assert "1 damaged" in str(caught.value)
    splits = CamVid(str(path), damaged="skip").load()
    assert [d.where for d in splits.skipped] == [f"{path} row 1 (train_1)"]
    assert len(splits.train) == 7
    report = CamVid(str(path)).check()
    assert not report.ok
    assert report.counts == {"train": 7, "validation": 4, "test": 3}
    assert any("row 1" in line and said.split(":")[0] in line for line in report.lines())


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    write(tmp_path / "images" / "training" / "x.jpg", jpeg(scene(0)[0]))
    with pytest.raises(DataError, match=r"x\.jpg.*missing"):
        Ade20k(str(tmp_path)).load()
    with pytest.raises(DataError, match="no image found"):
        Ade20k(str(tmp_path / "elsewhere")).load()


def test_a_mean_share_of_each_class_is_reported(camvid: CamVid) -> None:
    report = camvid.check()
    assert report.ok
    assert report.shares["sky"] + report.shares["road"] == pytest.approx(100)
    assert "nothing is damaged" in report.lines()[-1]


def test_settings_that_no_set_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="known: camvid, ade20k, voc"):
        masks_from_config({"name": "cityscapes"})
    with pytest.raises(ConfigError, match="did you mean 'damaged'"):
        masks_from_config({"name": "camvid", "path": "x", "damage": "skip"})
    with pytest.raises(ConfigError, match="known: refuse, skip"):
        CamVid("x", damaged="ignore")


@pytest.fixture
def mixed(tmp_path: Path, rows: Rows) -> CamVid:
    """A set whose first image is larger than the others."""
    pixels, mask = scene(0, (40, 36))
    first = rows[0] | {"jpeg": jpeg(pixels), "label_png": png(mask)}
    return CamVid(str(write_camvid(tmp_path / "mixed.parquet", [first, *rows[1:]])))


def test_images_of_several_sizes_are_decoded_on_demand(mixed: CamVid) -> None:
    train = mixed.load().train
    assert train.images is None
    feed = feed_of(train, (0.0,) * 3, (1.0,) * 3, Augment((16, 16)), False, torch.device("cpu"))
    whole = [tuple(x.shape) for x, _ in feed.batches([torch.tensor([0]), torch.tensor([1])], None)]
    assert whole == [(1, 3, 40, 36), (1, 3, 24, 32)]
    crops = [(tuple(x.shape), tuple(y.shape)) for x, y in feed.batches([torch.tensor([0, 1, 2])], 7)]
    assert crops == [((3, 3, 16, 16), (3, 16, 16))]


def test_images_of_several_sizes_need_a_crop_to_train_on(mixed: CamVid) -> None:
    train = mixed.load().train
    feed = feed_of(train, (0.0,) * 3, (1.0,) * 3, Augment(), False, torch.device("cpu"))
    with pytest.raises(ConfigError, match="set the size of the crop"):
        next(feed.batches([torch.tensor([0])], 1))


def test_the_real_camvid_has_its_367_101_and_233_images(shared_data: Path) -> None:
    file = shared_data / "images" / "camvid_240x180.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    splits = CamVid(str(file)).listing().split
    assert [int((splits == i).sum()) for i in range(3)] == [367, 101, 233]


def test_real_images_of_ade20k_and_voc_have_classes_within_range(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "images" / "segmentation_samples.parquet"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    counts = {"ade": 0, "voc": 0}
    names = []
    for one in pq.read_table(file).to_pylist():
        if one["source"] == "ade20k_sceneparsing150":
            write(tmp_path / "ade" / "images" / "training" / f"{one['image_id']}.jpg", one["image"])
            write(tmp_path / "ade" / "annotations" / "training" / f"{one['image_id']}.png", one["label_png"])
            counts["ade"] += 1
        elif one["source"] == "voc2011_palette":
            write(tmp_path / "voc" / "JPEGImages" / f"{one['image_id']}.jpg", one["image"])
            write(tmp_path / "voc" / "SegmentationClass" / f"{one['image_id']}.png", one["label_png"])
            names.append(one["image_id"])
            counts["voc"] += 1
    for split, words in (("train", names), ("val", [])):
        write(tmp_path / "voc" / "ImageSets" / "Segmentation" / f"{split}.txt", "\n".join(words).encode())
    for report in (Ade20k(str(tmp_path / "ade")).check(), Voc(str(tmp_path / "voc"), validation=0.0).check()):
        assert report.ok, report.lines()
        assert report.counts["train"] in counts.values()
    assert min(counts.values()) >= 3


def test_the_numbers_of_a_scene_are_those_that_the_tests_think() -> None:
    content = row("train", 0)["label_png"]
    assert isinstance(content, bytes)
    numbers = np.asarray(Image.open(io.BytesIO(content)))
    assert set(np.unique(numbers[:-1])) == {SKY, ROAD}
