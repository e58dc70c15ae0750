"""Every file of a folder of masks or boxes is accounted for, and `skip_damaged` works as for other data sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from mask_files import jpeg, png, scene

from nas.core.errors import ConfigError, DataError
from nas.training.tasks.segmentation.data import Ade20k, CamVid, Voc, masks_from_config


def camvid(root: Path) -> Path:
    for index, split in enumerate(("train", "train", "val", "test")):
        for folder, content in ((split, jpeg(scene(index)[0])), (f"{split}annot", png(scene(index)[1]))):
            (root / folder).mkdir(parents=True, exist_ok=True)
            suffix = "png" if folder.endswith("annot") else "jpg"
            (root / folder / f"{index}.{suffix}").write_bytes(content)
    return root


def counts(listing: object) -> dict[str, int]:
    return {i.reason: i.count for i in listing.ignored}  # type: ignore[attr-defined]


def test_files_without_a_pair_of_image_and_mask_are_counted(tmp_path: Path) -> None:
    root = camvid(tmp_path)
    assert CamVid(str(root)).load().account.line() == ""
    for extra in ("trainannot/9.png", "train/deeper/8.jpg", "extra.jpg", "notes.txt", ".hidden.png"):
        (root / extra).parent.mkdir(exist_ok=True)
        (root / extra).write_bytes(b"x")
    account = CamVid(str(root)).load().account
    assert {i.reason: i.count for i in account.ignored} == {
        "not a pair of image and mask of the set": 3,
        "without an image's extension": 1,
        "hidden": 1,
    }
    assert account.used == 4
    assert any("trainannot/9.png" in line for line in CamVid(str(root)).check().lines())


@pytest.mark.parametrize("kind", ["ade20k", "voc"])
def test_the_other_folders_account_for_every_file_too(tmp_path: Path, kind: str) -> None:
    if kind == "ade20k":
        for split in ("training", "validation"):
            for folder, content in (("images", jpeg(scene(0)[0])), ("annotations", png(scene(0)[1] * 0 + 1))):
                path = tmp_path / folder / split / f"x.{'jpg' if folder == 'images' else 'png'}"
                path.parent.mkdir(parents=True)
                path.write_bytes(content)
        data: Ade20k | Voc = Ade20k(str(tmp_path), validation=0)
    else:
        for name, content in (("train", b"a"), ("val", b"b")):
            path = tmp_path / "ImageSets" / "Segmentation" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name in "ab":
            for folder, suffix, content in (
                ("JPEGImages", "jpg", jpeg(scene(0)[0])),
                ("SegmentationClass", "png", png(scene(0)[1])),
            ):
                path = tmp_path / folder / f"{name}.{suffix}"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        data = Voc(str(tmp_path), validation=0)
    (tmp_path / "stray.png").write_bytes(b"x")
    assert counts(data.listing())["not a pair of image and mask of the set"] == 1


def test_skip_damaged_is_another_way_to_set_damaged(tmp_path: Path) -> None:
    root = camvid(tmp_path)
    (root / "train" / "0.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="skip_damaged: true"):
        masks_from_config({"name": "camvid", "path": str(root)}).load()
    skipping = masks_from_config({"name": "camvid", "path": str(root), "skip_damaged": True})
    assert skipping.load().account.used == 3
    assert len(skipping.load().account.skipped) == 1
    assert skipping.check().ok
    assert repr(skipping) == repr(CamVid(str(root), damaged="skip"))
    with pytest.raises(ConfigError, match="true or false"):
        masks_from_config({"name": "camvid", "path": str(root), "skip_damaged": "yes please"})
