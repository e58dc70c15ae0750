"""Every file of a folder of images is used, ignored with its reason, or damaged; splits are recognised, any class name works."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.data import Folder, data_from_config
from nas.training.data.base import DataReport
from nas.training.data.folder import HOW


def put(root: Path, *names: str, count: int = 1) -> Path:
    """Small images at these paths, or `count` of them in each folder whose name ends with a slash."""
    for name in names:
        files = [f"{name}{i:02}.png" for i in range(count)] if name.endswith("/") else [name]
        for file in files:
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), (len(file) % 256, 9, 7)).save(path, "PNG")
    return root


def reasons(report: DataReport) -> dict[str, int]:
    return {i.reason.split(" (")[0]: i.count for i in report.account.ignored}


def check(root: Path, **settings: object) -> DataReport:
    return Folder(str(root), resolution=4, **settings).check()  # type: ignore[arg-type]


def test_images_nested_too_deep_are_counted_and_named(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=5)
    put(tmp_path, "a/more/", "a/more/deeper/", count=3)
    report = check(tmp_path)
    assert reasons(report) == {"nested too deep": 6}
    assert "a/more/00.png" in "\n".join(report.lines())
    account = Folder(str(tmp_path), resolution=4).load().account
    assert account.used == 10
    assert account.line().startswith("data: 10 images used; 6 files ignored: 6 nested too deep")


def test_one_ignored_file_is_one_file(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=5)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    assert (
        Folder(str(tmp_path), resolution=4)
        .load()
        .account.line()
        .startswith("data: 10 images used; 1 file ignored: ")
    )


def test_sizes_that_differ_are_not_skipped_so_the_check_does_not_advise_it(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=5)
    Image.new("RGB", (9, 9)).save(tmp_path / "a" / "large.png")
    lines = Folder(str(tmp_path), resolution=None).check().lines()
    assert lines[-1] == "  1 damaged"
    assert "different image sizes: set resolution" in lines[-2]


SPLITS = [
    ("train", "val", "test"),
    ("train", "valid", "testing"),
    ("training", "validation", "test"),
    ("training", "dev", "testing"),
    ("Train", "Dev", "TEST"),
    ("TRAINING", "Val", "Testing"),
]


@pytest.mark.parametrize(("train", "validation", "test"), SPLITS)
def test_the_usual_names_of_splits_are_known(tmp_path: Path, train: str, validation: str, test: str):
    for split, count in ((train, 4), (validation, 2), (test, 3)):
        put(tmp_path, f"{split}/ant/", f"{split}/bee/", count=count)
    splits = Folder(str(tmp_path), resolution=4).load()
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [8, 4, 6]
    assert splits.class_names == ("ant", "bee")
    assert splits.account.line() == ""


@pytest.mark.parametrize("train", ["train", "training"])
@pytest.mark.parametrize("held", ["val", "valid", "validation", "dev", "test", "testing"])
def test_one_held_out_folder_is_the_test_whatever_it_is_called(tmp_path: Path, train: str, held: str):
    put(tmp_path, f"{train}/ant/", f"{train}/bee/", count=5)
    put(tmp_path, f"{held}/ant/", f"{held}/bee/", count=2)
    splits = Folder(str(tmp_path), resolution=4).load()
    assert len(splits.test) == 4
    assert len(splits.train) + len(splits.validation) == 10


@pytest.mark.parametrize(
    "pair", [("val", "dev"), ("train", "training"), ("test", "testing"), ("val", "Valid")]
)
def test_two_folders_for_the_same_split_are_refused_by_name(tmp_path: Path, pair: tuple[str, str]):
    for name in {"train", *pair}:
        put(tmp_path, f"{name}/ant/", f"{name}/bee/", count=2)
    with pytest.raises(DataError, match=f"({pair[0]} and {pair[1]}|{pair[1]} and {pair[0]}) both name the"):
        Folder(str(tmp_path)).load()


@pytest.mark.parametrize("name", ["train", "training", "val", "dev", "test", "Validation", "testing"])
def test_a_folder_of_images_is_a_class_even_if_it_is_named_like_a_split(tmp_path: Path, name: str):
    put(tmp_path, "bus/", "car/", f"{name}/", count=4)
    splits = Folder(str(tmp_path), resolution=4).load()
    assert splits.class_names == tuple(sorted(["bus", "car", name]))
    assert splits.account.used == 12
    assert f"{name}: classes, not splits" in splits.account.line()


def test_all_classes_may_be_named_like_splits(tmp_path: Path):
    put(tmp_path, "train/", "val/", "test/", count=4)
    splits = Folder(str(tmp_path), resolution=4).load()
    assert splits.class_names == ("test", "train", "val")
    assert "classes, not splits" in splits.account.line()


def test_a_class_named_train_within_splits_is_a_class(tmp_path: Path):
    put(tmp_path, "train/bus/", "train/train/", "val/bus/", "val/train/", count=3)
    splits = Folder(str(tmp_path), resolution=4).load()
    assert splits.class_names == ("bus", "train")
    assert len(splits.test) == 6


NAMES = [
    "a b",
    "Käse",
    "日本",
    "[brackets]",
    "a'b",
    "50%",
    "-dash",
    "x" * 200,
    "=SUM(A1)",
    "[red]",
    "a.b",
    "1",
]


def test_any_class_name_works_and_the_order_is_that_of_the_names(tmp_path: Path):
    put(tmp_path, *[f"{name}/" for name in NAMES], count=2)
    splits = Folder(str(tmp_path), resolution=4, validation=0.5, test=0).load()
    assert splits.class_names == tuple(sorted(NAMES))


def test_images_beside_splits_and_classes_are_counted(tmp_path: Path):
    put(tmp_path, "train/ant/", "train/bee/", count=4)
    put(
        tmp_path,
        "loose.png",
        "train/loose.png",
        "val/flat0.png",
        "val/flat1.png",
        "extra/x/y.png",
        "extra/z.png",
    )
    report = check(tmp_path)
    assert reasons(report) == {"in no class folder": 4, "in folders beside the splits": 2}
    assert report.account.used == 8


def test_unknown_extensions_hidden_files_and_folders_are_counted(tmp_path: Path):
    put(tmp_path, "a/", "b/", ".git/objects/x.png", "a/.hidden.png", ".thumb.png", "a/.cache/y.png", count=3)
    for name in ("README.md", "a/notes.txt", "a/clip.mp4", ".git/config"):
        (tmp_path / name).write_text("x")
    report = check(tmp_path)
    assert reasons(report) == {"hidden": 5, "without an image's extension": 3}
    assert "README.md" in Folder(str(tmp_path), resolution=4).load().account.line()


def test_a_class_without_an_image_is_noted_before_a_search(tmp_path: Path):
    put(tmp_path, "a/", "b/", "scripts/deep/x.png", count=3)
    assert "1 classes without an image: scripts" in Folder(str(tmp_path), resolution=4).load().account.line()


def test_splits_without_a_training_folder_are_refused_with_the_reason(tmp_path: Path):
    put(tmp_path, "val/a/", "test/a/")
    with pytest.raises(DataError, match="test, val hold class folders, but no folder train"):
        Folder(str(tmp_path)).load()


def test_images_alone_are_refused_with_what_to_do(tmp_path: Path):
    put(tmp_path, "1.png", "2.png")
    with pytest.raises(
        DataError, match=r"no class folder found; ignored: 2 in no class folder \(1\.png.*labels\.csv"
    ):
        Folder(str(tmp_path)).load()
    assert "PATH/labels.csv" in HOW


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_links_that_lead_in_a_circle_and_pipes_are_counted_and_never_followed(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=2)
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
    (tmp_path / "around").symlink_to(tmp_path / "around")
    os.mkfifo(tmp_path / "b" / "pipe.png")
    report = check(tmp_path)
    assert report.class_names == ("a", "b")
    assert report.account.used == 4
    found = reasons(report)
    assert found.pop("neither files nor folders") == 1
    assert found.pop("links to folders, not followed") == 3
    assert found == {"without an image's extension": 1}  # the link to itself is a file that is not there


def test_linked_files_and_class_folders_are_read(tmp_path: Path):
    put(tmp_path / "store", "x/", count=3)
    put(tmp_path / "set", "a/", count=3)
    (tmp_path / "set" / "b").symlink_to(tmp_path / "store" / "x")
    (tmp_path / "set" / "a" / "linked.png").symlink_to(tmp_path / "store" / "x" / "00.png")
    report = check(tmp_path / "set")
    assert report.account.used == 7
    assert report.ok


def test_a_link_to_an_image_that_is_gone_is_damaged_not_ignored(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=3)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png.*the file is missing"):
        Folder(str(tmp_path)).load()


def test_damaged_images_are_refused_by_default_all_of_them_named(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=6)
    for name in ("a/00.png", "b/03.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 damaged: .*a/00\.png.*b/03\.png.*skip_damaged: true"):
        Folder(str(tmp_path), resolution=4).load()


@pytest.mark.parametrize("memory_mb", [1024, 0])
def test_damaged_images_are_skipped_and_counted_on_request(tmp_path: Path, memory_mb: int):
    put(tmp_path, "a/", "b/", count=10)
    for name in ("a/00.png", "b/03.png"):
        (tmp_path / name).write_bytes(b"no image")
    splits = Folder(str(tmp_path), resolution=4, memory_mb=memory_mb, skip_damaged=True).load()
    assert sum(len(p) for p in (splits.train, splits.validation, splits.test)) == 18
    assert [d.where.rsplit("/", 2)[-2:] for d in splits.account.skipped] == [["a", "00.png"], ["b", "03.png"]]
    assert "2 damaged skipped" in splits.account.line()
    for part in (splits.train, splits.validation, splits.test):
        part.take(np.arange(len(part)), None, None)


def test_check_counts_what_would_be_skipped(tmp_path: Path):
    put(tmp_path, "a/", "b/", count=10)
    (tmp_path / "a" / "00.png").write_bytes(b"no image")
    refused, skipped = check(tmp_path), check(tmp_path, skip_damaged=True)
    assert not refused.ok
    assert refused.lines()[-1] == "  1 damaged. Repair or remove them, or set skip_damaged: true"
    assert skipped.ok
    assert skipped.lines()[-1] == "  1 skipped"
    assert sum(map(sum, skipped.counts.values())) == 19


def test_an_unreadable_set_is_refused_even_with_skip_damaged(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 damaged: .*No image is left"):
        Folder(str(tmp_path), skip_damaged=True).load()
    assert not check(tmp_path, skip_damaged=True).ok


def test_skip_damaged_must_be_true_or_false(tmp_path: Path):
    put(tmp_path, "a/")
    with pytest.raises(ConfigError, match="skip_damaged must be true or false"):
        data_from_config({"name": str(tmp_path), "skip_damaged": "perhaps"}).load()


def test_settings_that_are_new_do_not_change_the_text_that_kept_weights_are_matched_by():
    assert repr(Folder("x")) == (
        "Folder(path='x', resolution=32, channels=3, keep=0.875, validation=0.1, test=0.1, split_seed=0, memory_mb=1024)"
    )
    assert "skip_damaged=True" in repr(Folder("x", skip_damaged=True))


@pytest.mark.parametrize("seed", range(40))
def test_used_ignored_and_damaged_add_up_to_every_file_of_any_tree(tmp_path: Path, seed: int):
    """Random trees of folders and files: nothing disappears."""
    rng = np.random.default_rng(seed)
    folders = ["a", "b", "train", "val", "test", "dev", ".git", "Ω", "more"]
    files = ["1.png", "2.JPG", "3.txt", ".4.png", "5", "6.gif"]
    image = put(tmp_path / "one", "x.png") / "x.png"
    root = tmp_path / "set"
    root.mkdir()
    for _ in range(int(rng.integers(3, 40))):
        depth = int(rng.integers(0, 4))
        folder = root.joinpath(*rng.choice(folders, depth).tolist())
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / str(rng.choice(files))
        file.write_bytes(b"damaged" if rng.random() < 0.2 else image.read_bytes())
    total = sum(len(names) for _, _, names in os.walk(root))
    report = check(root)
    if report.account.used or report.account.ignored:
        broken = sum(d.reason.startswith("cannot be read") for d in report.damage)
        assert report.account.used + sum(i.count for i in report.account.ignored) + broken == total
    else:
        assert any(
            word in report.unreadable
            for word in ("both name", "found in a class folder", "no class folder", "no folder train")
        )
