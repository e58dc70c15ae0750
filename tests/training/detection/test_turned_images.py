"""Boxes of images with an EXIF orientation: turned with the image where the annotation says for which size it is, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exif import stored_as
from PIL import Image

from nas.core.errors import DataError
from nas.training.tasks.detection.data import VOC

WIDTH, HEIGHT = 40, 24  # of the image as it is shown
BOX = (5, 3, 20, 9)  # left, top, right, bottom in pixels from 1, both included


def corners_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask)
    return columns.min() + 1, rows.min() + 1, columns.max() + 1, rows.max() + 1


def voc(root: Path, orientation: int, *, annotated: str, width: int = WIDTH, height: int = HEIGHT) -> VOC:
    """One image with a bright object, annotated as `stored`, as `shown`, or without a size."""
    upright = np.zeros((height, width, 3), np.uint8)
    upright[BOX[1] - 1 : BOX[3], BOX[0] - 1 : BOX[2]] = 255
    stored = np.ascontiguousarray(stored_as(upright, orientation))
    seen = stored if annotated == "stored" else upright
    corners = corners_of(seen[..., 0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    Image.fromarray(stored).save(root / "JPEGImages" / "a.jpg", quality=100, exif=exif)
    size = f"<size><width>{seen.shape[1]}</width><height>{seen.shape[0]}</height></size>"
    box = "".join(f"<{n}>{v}</{n}>" for n, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    text = f"<annotation>{'' if annotated == 'unsized' else size}<object><name>dog</name><bndbox>{box}</bndbox></object></annotation>"
    (root / "Annotations" / "a.xml").write_text(text, encoding="utf-8")
    (root / "ImageSets" / "Main" / "train.txt").write_text("a", encoding="utf-8")
    return VOC(str(root), validation=None, test=None, resolution=64)


@pytest.mark.parametrize("annotated", ["stored", "shown"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_fit_the_upright_image_whichever_way_they_were_annotated(
    tmp_path: Path, orientation: int, annotated: str
) -> None:
    train = voc(tmp_path / "voc", orientation, annotated=annotated).load().train
    left, top, right, bottom = BOX
    expected = [(left - 1) / WIDTH, (top - 1) / HEIGHT, right / WIDTH, bottom / HEIGHT]
    assert train.objects[0].boxes[0] == pytest.approx(expected)
    assert train.sizes.tolist() == [[WIDTH, HEIGHT]]
    bright = train.images[0, 0] > 127
    x0, y0, x1, y1 = (round(v * 64) for v in expected)
    assert bright[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].all()  # the object is where its box is
    assert bright.sum() <= (x1 - x0 + 2) * (y1 - y0 + 2)


@pytest.mark.parametrize(
    ("orientation", "annotated", "height"),
    [
        (2, "shown", HEIGHT),
        (3, "stored", HEIGHT),
        (4, "shown", HEIGHT),
        (6, "shown", WIDTH),
        (8, "unsized", HEIGHT),
    ],
)
def test_an_image_whose_boxes_may_mean_either_way_is_named_and_left_out(
    tmp_path: Path, orientation: int, annotated: str, height: int
) -> None:
    report = voc(tmp_path / "voc", orientation, annotated=annotated, height=height).check()
    assert f"EXIF orientation {orientation}" in str(report.damage)


def test_an_upright_image_needs_no_size(tmp_path: Path) -> None:
    assert len(voc(tmp_path / "voc", 1, annotated="unsized").load().train) == 1


def test_files_that_no_list_names_are_counted(tmp_path: Path) -> None:
    data = voc(tmp_path / "voc", 1, annotated="shown")
    assert data.load().account.ignored == ()
    for extra in ("JPEGImages/b.jpg", "Annotations/b.xml", "ImageSets/Main/dog_train.txt"):
        (tmp_path / "voc" / extra).write_bytes(b"x")
    report = data.check()
    assert {i.reason: i.count for i in report.account.ignored} == {
        "in none of the lists": 1,
        "without an image's extension": 2,
    }


def test_skip_damaged_false_refuses_damage(tmp_path: Path) -> None:
    voc(tmp_path / "voc", 3, annotated="shown")
    data = VOC(str(tmp_path / "voc"), validation=None, test=None, skip_damaged=False)
    with pytest.raises(DataError, match=r"1 damaged: .*EXIF orientation 3.*skip_damaged: true"):
        data.load()
