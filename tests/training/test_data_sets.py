from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.data import (
    DATASETS,
    Cifar10,
    Cifar100,
    Digits,
    Folder,
    Parquet,
    check,
    data_from_config,
    load,
)
from nas.training.data import base as data_base
from nas.training.data.splits import stratified, subset


def image(rng: np.random.Generator, side: int = 12, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, rng):
    """ImageNet's layout: two classes, 20 training and 5 held-out images each."""
    for split, count in (("train", 20), ("val", 5)):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                (tmp_path / split / name / f"{i:02}.png").write_bytes(image(rng))
    return tmp_path


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write_parquet(path, images, labels, **more):
    pq.write_table(pa.table({"image": images, "label": labels, **more}), path)
    return str(path)


def write_cifar(path, rng, label_bytes=1, files=("data_batch_1.bin",), classes=10, records=20):
    path.mkdir(parents=True, exist_ok=True)
    for name in files:
        raw = rng.integers(0, 256, (records, label_bytes + 3072), dtype=np.uint8)
        raw[:, label_bytes - 1] = np.arange(records) % classes
        raw.tofile(path / name)


TEN = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


def test_a_stratified_cut_takes_every_image_exactly_once():
    labels = np.repeat(np.arange(7), [1, 2, 3, 50, 1, 9, 20])
    parts = stratified(labels, (0.2, 0.3), seed=3)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))


def test_a_stratified_cut_keeps_the_classes_proportions():
    labels = np.repeat(np.arange(4), [100, 200, 300, 400])
    part = stratified(labels, (0.25,), seed=0)[0]
    assert np.bincount(labels[part]).tolist() == [25, 50, 75, 100]


def test_another_seed_cuts_differently_and_the_same_seed_alike():
    labels = np.repeat(np.arange(4), 50)
    first, again, other = (stratified(labels, (0.3,), seed=s)[0] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_subset_keeps_the_classes_balanced():
    labels = np.tile(np.arange(10), 30)
    assert np.bincount(labels[subset(labels, 50, seed=0)]).tolist() == [5] * 10


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (-0.1,), (1.0,)])
def test_fractions_that_leave_no_training_images_are_refused(fractions):
    with pytest.raises(ConfigError, match="fractions"):
        stratified(np.zeros(10, np.int64), fractions, seed=0)


def test_the_digits_are_cut_so_that_validation_resolves_three_tenths_of_a_percent():
    splits = Digits().load()
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 1797
    assert 100 / len(splits.validation) < 0.3


def test_no_digit_is_in_two_splits():
    splits = Digits().load()
    rows = [{p.tobytes() for p in part.images} for part in (splits.train, splits.validation, splits.test)]
    # the set has no identical images, so this holds exactly
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    assert not rows[1] & rows[2]


def test_pixel_statistics_are_those_of_the_float_images(rng):
    images = rng.integers(0, 256, (9, 3, 5, 7), dtype=np.uint8)
    mean, std = data_base.pixel_statistics(images)
    assert np.allclose(mean, images.mean(axis=(0, 2, 3)))
    assert np.allclose(std, images.std(axis=(0, 2, 3)))


def test_a_data_set_is_read_once_a_process(monkeypatch):
    data = Digits(split_seed=12345)
    first = load(data)
    monkeypatch.setattr(Digits, "load", lambda self: pytest.fail("read again"))
    assert load(Digits(split_seed=12345)) is first


def test_cifar10_binary_files_become_images_and_labels(tmp_path, rng):
    write_cifar(tmp_path / "cifar-10-batches-bin", rng, files=TEN)
    splits = Cifar10(str(tmp_path)).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (90, 10, 20)
    raw = np.fromfile(tmp_path / "cifar-10-batches-bin" / "test_batch.bin", np.uint8).reshape(-1, 3073)
    assert np.array_equal(splits.test.images[3].reshape(-1), raw[3, 1:])
    assert splits.test.labels.tolist() == raw[:, 0].tolist()


def test_cifar100_takes_the_fine_label(tmp_path, rng):
    write_cifar(tmp_path, rng, label_bytes=2, files=("train.bin", "test.bin"), classes=100, records=200)
    splits = Cifar100(str(tmp_path)).load()
    assert splits.num_classes == 100
    assert splits.test.labels[:5].tolist() == [0, 1, 2, 3, 4]


def test_a_truncated_cifar_file_is_named(tmp_path, rng):
    write_cifar(tmp_path, rng, files=TEN)
    file = tmp_path / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(DataError, match=r"data_batch_3\.bin.*truncated"):
        Cifar10(str(tmp_path)).load()
    assert [d.where for d in Cifar10(str(tmp_path)).check().damage] == [str(file)]


def test_a_wrong_cifar_label_is_named(tmp_path, rng):
    write_cifar(tmp_path, rng, files=TEN)
    file = tmp_path / "test_batch.bin"
    raw = bytearray(file.read_bytes())
    raw[2 * 3073] = 77
    file.write_bytes(raw)
    with pytest.raises(DataError, match="record 2 has label 77"):
        Cifar10(str(tmp_path)).load()


def test_the_pickled_cifar_is_refused_with_the_way_to_the_binary_one(tmp_path):
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02")
    with pytest.raises(DataError, match=r"pickles are not read.*cifar-10-binary\.tar\.gz"):
        Cifar10(str(tmp_path)).load()


def test_a_missing_data_set_is_reported_with_how_to_get_it(tmp_path):
    report = check(Cifar10(str(tmp_path / "nowhere")))
    assert not report.found
    assert "cs.toronto.edu" in "\n".join(report.lines())


def test_in_a_folder_the_held_out_part_is_the_test_and_validation_is_cut_from_training(folder):
    splits = Folder(str(folder), resolution=8, validation=0.2).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 8, 10)
    assert splits.class_names == ("ant", "bee")
    assert splits.train.images.shape == (32, 3, 8, 8)


def test_a_folder_without_splits_is_cut_in_three(folder):
    splits = Folder(str(folder / "train"), resolution=8).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 4, 4)


def test_a_folder_that_is_all_training_is_cut_in_three(folder):
    (folder / "val").rename(folder / "unused")
    splits = Folder(str(folder), resolution=8).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 4, 4)


def test_a_damaged_image_is_named_before_anything_is_trained(folder):
    bad = folder / "train" / "bee" / "07.png"
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(DataError, match=r"07\.png"):
        Folder(str(folder)).load()


def test_check_lists_damaged_images_empty_classes_and_classes_without_training(folder):
    (folder / "train" / "ant" / "00.png").write_bytes(b"not an image")
    (folder / "train" / "cat").mkdir()
    (folder / "val" / "dog").mkdir()
    report = Folder(str(folder)).check()
    found = {(d.where.rsplit("/", 1)[1], d.reason.split(":")[0]) for d in report.damage}
    assert ("cat", "empty class") in found
    assert ("dog", "wrong label") in found
    assert any(w == "00.png" for w, _ in found)
    assert not report.ok


def test_a_sound_folder_passes_the_check(folder):
    report = Folder(str(folder)).check()
    assert report.ok
    assert report.counts == {"train": (18, 18), "validation": (2, 2), "test": (5, 5)}


def test_a_folder_of_mixed_sizes_needs_a_resolution(folder, rng):
    (folder / "train" / "ant" / "00.png").write_bytes(image(rng, side=9))
    with pytest.raises(DataError, match="set resolution"):
        Folder(str(folder), resolution=None).load()


def test_a_folder_too_large_for_memory_is_decoded_on_demand(folder):
    held, large = (Folder(str(folder), resolution=8, memory_mb=m).load().validation for m in (1, 0))
    assert large.images is None
    taken = large.take(np.arange(len(large)), None, None)
    assert np.array_equal(taken, held.images)


def test_random_crops_depend_on_the_seed_alone(folder):
    large = Folder(str(folder), resolution=8, memory_mb=0).load().train
    first, again, other = (large.take(np.arange(4), None, s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_parquet_with_names_for_labels_and_a_split_column(tmp_path, rng):
    images = [image(rng) for _ in range(40)]
    path = write_parquet(
        tmp_path / "a.parquet", images, ["no", "yes"] * 20, split=["train"] * 30 + ["test"] * 10
    )
    splits = Parquet(path).load()
    assert splits.class_names == ("no", "yes")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (27, 3, 10)


def test_parquet_images_in_a_struct_are_read(tmp_path, rng):
    images = [{"bytes": image(rng), "path": None} for _ in range(20)]
    splits = Parquet(write_parquet(tmp_path / "a.parquet", images, [0, 1] * 10)).load()
    assert splits.train.images.shape[1:] == (3, 12, 12)


def test_a_separate_test_file_is_the_test_set(tmp_path, rng):
    first = write_parquet(tmp_path / "a.parquet", [image(rng) for _ in range(20)], [0, 1] * 10)
    second = write_parquet(tmp_path / "b.parquet", [image(rng) for _ in range(6)], [0, 1] * 3)
    splits = Parquet(first, test_path=second).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (18, 2, 6)


@pytest.mark.parametrize(
    ("label", "reason"), [(-1, "wrong label -1"), (None, "wrong label None"), (9, "wrong label 9")]
)
def test_a_wrong_label_in_a_parquet_is_named_by_row(tmp_path, rng, label, reason):
    labels = [0, 1] * 10
    labels[13] = label
    data = Parquet(
        write_parquet(tmp_path / "a.parquet", [image(rng) for _ in range(20)], labels), num_classes=2
    )
    with pytest.raises(DataError, match=f"row 13: {reason}"):
        data.load()
    assert any("row 13" in d.where for d in data.check().damage)


def test_a_damaged_image_in_a_parquet_is_named_by_row(tmp_path, rng):
    images = [image(rng) for _ in range(20)]
    images[4] = images[4][:60]
    data = Parquet(write_parquet(tmp_path / "a.parquet", images, [0, 1] * 10))
    with pytest.raises(DataError, match="row 4"):
        data.load()
    assert [d.where.rsplit(" ", 1)[1] for d in data.check().damage] == ["4"]


def test_a_parquet_with_other_columns_asks_for_their_names(tmp_path, rng):
    pq.write_table(pa.table({"pixels": [b"x"], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"it has pixels, label: set image to one of them"):
        Parquet(str(tmp_path / "a.parquet")).load()


def test_a_file_that_is_not_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(DataError, match="cannot be read"):
        Parquet(str(tmp_path / "a.parquet")).load()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"name": "digit"},
            "'digit' is unknown .*did you mean 'digits'.* or the path of an existing folder of images",
        ),
        ({"path": "x"}, "None is unknown"),
        ({"name": "x" * 5000}, "is unknown"),
        ({"name": "folder", "path": "x", "resolutoin": 3}, "did you mean 'resolution'"),
        ({"name": "folder"}, "path"),
    ],
)
def test_a_wrong_data_config_is_refused_with_the_nearest_right_one(config, message):
    with pytest.raises(ConfigError, match=message):
        data_from_config(config)


def test_a_path_may_stand_in_a_data_set_s_place(tmp_path):
    (tmp_path / "a.parquet").touch()
    assert data_from_config({"name": str(tmp_path)}) == Folder(str(tmp_path))
    assert data_from_config({"name": str(tmp_path), "resolution": 16}).resolution == 16
    with pytest.raises(ConfigError, match="already defines its images; remove path='x'"):
        data_from_config({"name": str(tmp_path), "path": "x"})
    assert data_from_config({"name": str(tmp_path / "a.parquet")}) == Parquet(str(tmp_path / "a.parquet"))


def test_a_data_config_becomes_a_hashable_description():
    data = data_from_config({"name": "folder", "path": "x", "resolution": 16})
    assert data == Folder("x", resolution=16)
    assert hash(data) == hash(Folder("x", resolution=16))


@pytest.mark.slow
def test_the_real_cifar_subset_is_whole(shared_data):
    splits = Parquet(str(shared_data / "images" / "cifar10_subset10k.parquet")).load()
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (7200, 800, 2000)
    assert np.allclose(np.array(splits.mean) / 255, (0.491, 0.482, 0.447), atol=0.01)


def test_an_image_found_damaged_while_training_is_named(folder):
    bad = folder / "train" / "ant" / "03.png"
    bad.write_bytes(bad.read_bytes()[:100])
    large = Folder(str(folder), resolution=8, memory_mb=0).load().train
    with pytest.raises(DataError, match=r"03\.png: cannot be read"):
        large.take(np.arange(len(large)), None, None)


@pytest.mark.parametrize("name", sorted(set(DATASETS) - {"digits"}))  # digits come with scikit-learn
def test_every_data_set_that_is_missing_reports_how_to_get_it_and_refuses_to_load(name, tmp_path):
    data = data_from_config({"name": name, "path": str(tmp_path / "nowhere")})
    report = check(data)
    assert not report.found
    assert report.how_to_get
    with pytest.raises(DataError, match="not found"):
        data.load()
