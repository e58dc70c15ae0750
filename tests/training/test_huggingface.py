"""Data sets that the package `datasets` saved to disk."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.data import Folder, Parquet, check, data_from_config, kind_at
from nas.training.data.huggingface import SPLITS_FILE, HuggingFace

NAMES = ["cat", "dog"]


@pytest.fixture(scope="module")
def datasets() -> Any:
    found = pytest.importorskip("datasets", reason="not installed: datasets")
    found.disable_progress_bars()
    return found


@pytest.fixture
def pixels() -> np.ndarray:
    """60 colour images of 8x8."""
    return np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def made(datasets: Any, images: list[Any], labels: list[Any], feature: Any = None, label: Any = None) -> Any:
    features = {"image": feature or datasets.Image(), "label": label or datasets.ClassLabel(names=NAMES)}
    return datasets.Dataset.from_dict(
        {"image": images, "label": labels}, features=datasets.Features(features)
    )


@pytest.fixture
def saved(datasets: Any, pixels: np.ndarray, tmp_path: Path) -> str:
    """40 training, 8 validation and 12 test images."""
    parts, start = {}, 0
    for split, count in (("train", 40), ("validation", 8), ("test", 12)):
        images = [Image.fromarray(one) for one in pixels[start : start + count]]
        parts[split] = made(datasets, images, [i % 2 for i in range(count)])
        start += count
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "pets")
    return str(tmp_path / "pets")


def test_splits_images_and_class_names_are_those_that_were_saved(saved: str, pixels: np.ndarray) -> None:
    splits = HuggingFace(saved).load()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [40, 8, 12]
    assert splits.class_names == ("cat", "dog")
    assert splits.train.labels.tolist() == [0, 1] * 20
    assert np.array_equal(splits.train.images, pixels[:40].transpose(0, 3, 1, 2))
    assert np.array_equal(splits.test.images, pixels[48:].transpose(0, 3, 1, 2))


def test_the_path_alone_names_the_data_set(saved: str, tmp_path: Path) -> None:
    assert kind_at(saved) == "huggingface"
    assert data_from_config({"name": saved, "resolution": 4}) == HuggingFace(saved, resolution=4)
    assert data_from_config({"name": "huggingface", "path": saved}) == HuggingFace(saved)
    assert kind_at(f"{saved}/train") == "huggingface"
    assert isinstance(data_from_config({"name": str(tmp_path)}), Folder)


def test_without_a_validation_split_one_is_cut_from_the_training_images(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    images = [Image.fromarray(one) for one in pixels]
    train, test = made(datasets, images[:40], [0, 1] * 20), made(datasets, images[40:], [0, 1] * 10)
    datasets.DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "two")
    splits = HuggingFace(str(tmp_path / "two")).load()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [36, 4, 20]


def test_a_single_split_is_cut_in_three_and_a_column_of_splits_is_respected(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    rows = made(datasets, [Image.fromarray(one) for one in pixels], [0, 1] * 30)
    rows.save_to_disk(tmp_path / "one")
    splits = HuggingFace(str(tmp_path / "one")).load()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [48, 6, 6]
    rows.add_column("split", ["train"] * 30 + ["val"] * 20 + ["test"] * 10).save_to_disk(tmp_path / "column")
    splits = HuggingFace(str(tmp_path / "column")).load()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [30, 20, 10]


@pytest.mark.parametrize("shape", [(8, 8, 3), (3, 8, 8), (8, 8, 1), (1, 8, 8), (8, 8)], ids=str)
def test_arrays_are_images_with_channels_last_or_first(
    shape: tuple[int, ...], datasets: Any, tmp_path: Path
) -> None:
    arrays = np.random.default_rng(1).integers(0, 256, (20, *shape), dtype=np.uint8)
    kind = datasets.Array3D if len(shape) == 3 else datasets.Array2D
    made(datasets, list(arrays), [0, 1] * 10, kind(shape, "uint8")).save_to_disk(tmp_path / "arrays")
    channels = 3 if 3 in shape else 1
    train = HuggingFace(str(tmp_path / "arrays"), channels=channels).load().train
    first = arrays.reshape(20, *shape) if len(shape) == 3 else arrays[:, None]
    wanted = (
        first
        if (shape[0] == channels and len(shape) == 3) or len(shape) == 2
        else first.transpose(0, 3, 1, 2)
    )
    assert {one.tobytes() for one in train.images} <= {np.ascontiguousarray(one).tobytes() for one in wanted}
    assert train.images.shape[1:] == (channels, 8, 8)


def test_nested_lists_and_bytes_are_images(datasets: Any, pixels: np.ndarray, tmp_path: Path) -> None:
    for name, cells in (("lists", pixels.tolist()), ("bytes", [png(one) for one in pixels])):
        rows = datasets.Dataset.from_dict({"img": cells, "labels": ["no", "yes"] * 30})
        rows.save_to_disk(tmp_path / name)
        splits = HuggingFace(str(tmp_path / name)).load()
        assert splits.class_names == ("no", "yes")
        assert splits.train.images.shape == (48, 3, 8, 8)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            np.zeros((8, 8, 3), np.float32),
            "an array of float32 up to 0.0: expected whole numbers from 0 to 255",
        ),
        (
            np.full((8, 8, 3), 256, np.int64),
            "an array of int64 up to 256: expected whole numbers from 0 to 255",
        ),
        (np.zeros((8, 8, 4), np.uint8), r"an array of shape \(8, 8, 4\): expected \(height, width\)"),
    ],
)
def test_arrays_that_are_no_images_are_damaged(
    cell: np.ndarray, said: str, datasets: Any, tmp_path: Path
) -> None:
    feature = datasets.Array3D(cell.shape, str(cell.dtype))
    made(datasets, [cell] * 10, [0, 1] * 5, feature).save_to_disk(tmp_path / "odd")
    with pytest.raises(DataError, match=said):
        HuggingFace(str(tmp_path / "odd")).load()


def test_the_only_column_of_a_feature_is_found_and_others_are_named(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    rows = made(datasets, [Image.fromarray(one) for one in pixels], [0, 1] * 30)
    rows = rows.rename_columns({"image": "scan", "label": "finding"})
    rows.save_to_disk(tmp_path / "scans")
    assert len(HuggingFace(str(tmp_path / "scans")).load().train) == 48
    rows.add_column("scan2", [png(one) for one in pixels]).cast_column(
        "scan2", datasets.Image()
    ).save_to_disk(tmp_path / "both")
    with pytest.raises(DataError, match=r"it has scan, finding, scan2: set image to one of them"):
        HuggingFace(str(tmp_path / "both")).load()
    assert len(HuggingFace(str(tmp_path / "both"), image="scan2").load().train) == 48


def test_other_splits_are_noted_and_two_names_of_one_split_are_refused(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    rows = made(datasets, [Image.fromarray(one) for one in pixels], [0, 1] * 30)
    datasets.DatasetDict({"train": rows, "unsupervised": rows}).save_to_disk(tmp_path / "more")
    splits = HuggingFace(str(tmp_path / "more")).load()
    assert splits.account.notes == ("split unsupervised is not used",)
    assert len(splits.train) == 48
    hidden = made(datasets, [Image.fromarray(one) for one in pixels], [-1] * 60)
    datasets.DatasetDict({"train": rows, "test": hidden}).save_to_disk(tmp_path / "contest")
    splits = HuggingFace(str(tmp_path / "contest")).load()
    assert splits.account.notes == ("split test is not used: it has no labels (all are -1)",)
    assert len(splits.test) == 6
    datasets.DatasetDict({"train": rows, "val": rows, "dev": rows}).save_to_disk(tmp_path / "twice")
    with pytest.raises(DataError, match="dev and val both name the validation split"):
        HuggingFace(str(tmp_path / "twice")).load()
    datasets.DatasetDict({"all": rows}).save_to_disk(tmp_path / "none")
    with pytest.raises(DataError, match="no split is named train"):
        HuggingFace(str(tmp_path / "none")).load()
    report = check(HuggingFace(str(tmp_path / "none")))
    assert not report.ok
    assert report.lines()[1].startswith("  cannot be read: no split is named train")


def test_a_path_in_place_of_an_image_is_never_opened(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(png(pixels[0]))
    cells = [{"bytes": png(one), "path": None} for one in pixels[:20]]
    cells[3] = {"bytes": None, "path": str(tmp_path / "secret.png")}
    plain = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    made(datasets, cells, [0, 1] * 10, plain).save_to_disk(tmp_path / "paths")
    info = tmp_path / "paths" / "dataset_info.json"
    forged = json.loads(info.read_text())
    forged["features"]["image"] = {"_type": "Image"}  # save_to_disk itself would have read the file
    info.write_text(json.dumps(forged))
    assert "Image" in repr(datasets.load_from_disk(tmp_path / "paths").features["image"])
    with pytest.raises(DataError, match=r"paths row 3: no image in this row .a path alone is not followed"):
        HuggingFace(str(tmp_path / "paths")).load()
    assert HuggingFace(str(tmp_path / "paths"), skip_damaged=True).load().account.used == 19


def test_damaged_images_and_labels_are_reported_by_split_and_row(
    datasets: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    images = [png(one) for one in pixels[:20]]
    images[4] = images[4][:40]
    rows = made(datasets, images, [0, 1] * 9 + [None, 1], datasets.Image(decode=False))
    datasets.DatasetDict({"train": rows}).save_to_disk(tmp_path / "bad")
    report = check(HuggingFace(str(tmp_path / "bad")))
    assert not report.ok
    found = {d.where.removeprefix(f"{tmp_path}/"): d.reason for d in report.damage}
    assert found["bad train row 18"] == "wrong label None: expected 0 to 1"
    assert "bad train row 4" in found
    assert len(found) == 2


def test_a_check_counts_the_images_of_each_split(saved: str) -> None:
    report = check(HuggingFace(saved))
    assert report.ok
    assert report.class_names == ("cat", "dog")
    assert report.counts == {"train": (20, 20), "validation": (4, 4), "test": (6, 6)}
    assert report.picture == "8x8, 3 channels"


def test_several_classes_per_image_are_refused(datasets: Any, pixels: np.ndarray, tmp_path: Path) -> None:
    images = [Image.fromarray(one) for one in pixels[:4]]
    datasets.Dataset.from_dict({"image": images, "label": [[0], [0, 1], [1], [0]]}).save_to_disk(
        tmp_path / "multi"
    )
    with pytest.raises(DataError, match=r"column 'label' has the feature .*; expected one class per image"):
        HuggingFace(str(tmp_path / "multi")).load()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("data-00000-of-00001.arrow", content) for content in (b"", b"{}", b"ARROW1 but not really")),
        *(("state.json", content) for content in (b"", b"{}", b"[1]", b'{"_data_files": 3}')),
        *(("dataset_info.json", content) for content in (b"", b"[1]", b'{"features": 3}')),
    ],
)
def test_damaged_files_are_one_sentence(name: str, content: bytes, saved: str) -> None:
    (Path(saved) / "train" / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        HuggingFace(saved).load()
    assert str(caught.value).startswith(f"huggingface {saved}: ")
    assert "\n" not in str(caught.value)


def test_a_forged_list_of_splits_is_refused(saved: str) -> None:
    (Path(saved) / SPLITS_FILE).write_text(json.dumps({"splits": ["../../elsewhere"]}))
    with pytest.raises(DataError, match=r"cannot be read|no split is named"):
        HuggingFace(saved).load()


def test_a_folder_that_is_missing_or_of_another_kind_says_what_is_expected(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match="Expected a folder written by save_to_disk"):
            HuggingFace(str(path)).load()
    assert kind_at("s3://bucket/data") is None


def test_a_missing_package_is_an_error_that_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / SPLITS_FILE).write_text('{"splits": ["train"]}')
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"pip install 'multiobjective-nas\[huggingface\]'"):
        data_from_config({"name": str(tmp_path)}).load()


def test_a_setting_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no setting 'trust_remote_code'"):
        data_from_config({"name": "huggingface", "path": "x", "trust_remote_code": True})


def test_a_parquet_file_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").touch()
    assert isinstance(data_from_config({"name": str(tmp_path / "a.parquet")}), Parquet)
