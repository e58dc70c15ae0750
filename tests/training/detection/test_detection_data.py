from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from detection_shapes import drawn, write_shapes
from PIL import Image

from nas.core.errors import ConfigError, DataError
from nas.training.tasks.detection.data import VOC, DetectionParquet
from nas.training.tasks.detection.data.voc import annotation

OBJECT = "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>"
CORNERS = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"


def item(name: str = "dog", box: tuple[object, ...] = (11, 21, 50, 60), difficult: int = 0) -> str:
    return OBJECT.format(name=name, difficult=difficult, corners=CORNERS.format(*box))


def xml(*objects: str, size: tuple[int, int] = (100, 200)) -> str:
    told = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation>{told}{''.join(objects)}</annotation>"


def voc_folder(root: Path, annotations: dict[str, str]) -> Path:
    """VOC's folders, with an image of 100x200 for every annotation; all of them in every list."""
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    for name, text in annotations.items():
        Image.new("RGB", (100, 200), (90, 120, 30)).save(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")
    for listing in ("train", "val", "test"):
        (root / "ImageSets" / "Main" / f"{listing}.txt").write_text("\n".join(annotations), encoding="utf-8")
    return root


def one_split(root: Path, **settings: object) -> VOC:
    return VOC(str(root), validation=None, test=None, resolution=32, **settings)  # type: ignore[arg-type]


def test_voc_boxes_become_fractions_of_the_image(tmp_path: Path) -> None:
    """Pixels count from 1 and both corners belong to the box: 11 to 50 of 100 pixels is 0.1 to 0.5."""
    train = one_split(voc_folder(tmp_path / "voc", {"a": xml(item(difficult=1))})).load().train
    assert train.objects[0].boxes.tolist() == [[0.1, 0.1, 0.5, 0.3]]
    assert train.objects[0].labels.tolist() == [11]  # dog is the twelfth of VOC's classes
    assert train.objects[0].difficult.tolist() == [True]
    assert train.images.shape == (1, 3, 32, 32)
    assert train.sizes.tolist() == [[100, 200]]


def test_the_lists_name_the_splits(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc", {"a": xml(item()), "b": xml(item())})
    (root / "ImageSets" / "Main" / "test.txt").write_text("b\n", encoding="utf-8")
    splits = VOC(str(root), resolution=16).load()
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [2, 2, 1]
    assert splits.test.names == ("b",)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (item(box=(50, 20, 50, 60)), "is empty"),
        (item(box=(60, 20, 50, 60)), "is empty"),
        (item(box=("x", 20, 50, 60)), "is damaged: expected four numbers"),
        (item(box=(11, 21, 150, 60)), "leaves the image of 100x200"),
        (item(name="unicorn"), "class 'unicorn' is unknown: expected one of aeroplane"),
        ("<object><name>dog</name></object>", "is damaged"),
    ],
)
def test_an_object_with_something_wrong_is_named_and_skipped(tmp_path: Path, wrong: str, reason: str) -> None:
    splits = one_split(voc_folder(tmp_path / "voc", {"a": xml(wrong, item())})).load()
    assert len(splits.train.objects[0]) == 1
    (fault,) = splits.skipped
    assert reason in fault.reason
    assert fault.where.endswith("a.jpg object 1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<annotation><object>", "damaged annotation"),
        ("<html></html>", "expected <annotation>, got <html>"),
        (xml(item(), size=(200, 100)), "the annotation is for 200x100 pixels, the image has 100x200"),
    ],
)
def test_an_image_whose_annotation_cannot_be_used_is_named_and_skipped(
    tmp_path: Path, text: str, reason: str
) -> None:
    splits = one_split(voc_folder(tmp_path / "voc", {"a": xml(item()), "b": text})).load()
    assert splits.train.names == ("a",)
    assert [reason in fault.reason for fault in splits.skipped] == [True]


def test_missing_files_are_named_and_skipped(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc", {name: xml(item()) for name in "abc"})
    (root / "Annotations" / "a.xml").unlink()
    (root / "JPEGImages" / "b.jpg").write_bytes(b"no image")
    faults = {Path(f.where).name: f.reason for f in one_split(root).load().skipped}
    assert faults["a.xml"] == "missing annotation"
    assert "cannot be read as an image" in faults["b.jpg"]


def test_a_list_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc", {"a": xml(item())})
    (root / "ImageSets" / "Main" / "train.txt").write_text("../../secret\na\n", encoding="utf-8")
    (fault,) = one_split(root).load().skipped
    assert "without folders" in fault.reason


def test_omissions_are_counted_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = voc_folder(tmp_path / "voc", {"a": xml(item(), item(name="odd"), item(name="odder"))})
    one_split(root).load()
    assert "2 damaged" in caplog.text
    assert "class 'odd' is unknown" in caplog.text


def test_faults_are_refused_if_the_config_refuses_them(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc", {"a": xml(item(), *[item(name=f"odd{i}") for i in range(7)])})
    with pytest.raises(
        DataError,
        match=r"7 damaged: .*odd0.*and 2 more\. Repair them, or leave them out with skip_damaged: true",
    ):
        one_split(root, damaged="refuse").load()


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;">]>',
        '<!DOCTYPE a SYSTEM "http://example.org/a.dtd">',
    ],
)
def test_an_annotation_with_a_document_type_is_refused(head: str) -> None:
    with pytest.raises(DataError, match=r"a\.xml: declares a document type"):
        annotation("a.xml", (head + xml(item("&x;"))).encode())


def test_data_that_are_not_there_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not found\. Get VOCtrainval_06-Nov-2007\.tar"):
        VOC(str(tmp_path / "nothing")).load()
    with pytest.raises(DataError, match=r"not found\. Images: columns image_id"):
        DetectionParquet(str(tmp_path / "no.parquet"), str(tmp_path / "no.parquet")).load()


def test_parquet_files_load_into_three_splits(shapes: tuple[Path, Path]) -> None:
    splits = DetectionParquet(str(shapes[0]), str(shapes[1]), source="shapes", resolution=32).load()
    assert splits.class_names == ("disc", "square")
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [4, 2, 2]
    assert all(len(o) == 2 for o in splits.train.objects)
    assert splits.skipped == ()


def changed(tmp_path: Path, images: dict[str, object], boxes: dict[str, object]) -> DetectionParquet:
    """A set of two images with changes to the first row of either file."""
    files = write_shapes(tmp_path, {"train": 2})
    for file, changes in zip(files, (images, boxes), strict=True):
        table = pd.read_parquet(file)
        for column, value in changes.items():
            table[column] = table[column].astype(object)
            table.at[0, column] = value
        table.to_parquet(file)
    return DetectionParquet(str(files[0]), str(files[1]), resolution=16, classes=("square", "disc"))


def test_parquet_faults_are_named_by_file_and_image(tmp_path: Path) -> None:
    found = changed(tmp_path, {"width": 65}, {"image_id": "gone"}).load().skipped
    reasons = {fault.where.split()[-1]: fault.reason for fault in found}
    assert reasons["gone"] == "1 boxes without an image"
    assert "65x64 pixels, the image has 64x64" in reasons["train0"]
    assert all(str(tmp_path) in fault.where for fault in found)


def test_an_unknown_split_and_an_unknown_class_are_named(tmp_path: Path) -> None:
    found = changed(tmp_path, {}, {"label": "7"}).load().skipped
    assert ["class '7' is unknown: expected one of square, disc" in f.reason for f in found] == [True]
    found = changed(tmp_path, {"split": "later"}, {}).load().skipped
    assert ["split 'later' is unknown" in f.reason for f in found] == [True]


def test_a_source_or_a_column_that_is_not_there_is_named(shapes: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match="no row of source 'cats'; it has shapes"):
        DetectionParquet(str(shapes[0]), str(shapes[1]), source="cats").load()
    with pytest.raises(DataError, match=r"no column .*jpeg"):
        DetectionParquet(str(shapes[1]), str(shapes[1])).load()


def test_boxes_lie_beside_the_images_by_default(shapes: tuple[Path, Path], tmp_path: Path) -> None:
    told, found = DetectionParquet(str(shapes[0]), str(shapes[1])), DetectionParquet(str(shapes[0]))
    assert found.load().train.names == told.load().train.names
    with pytest.raises(ConfigError, match=r"boxes: name the file with the boxes of pictures\.parquet"):
        DetectionParquet("pictures.parquet").load()


def test_nothing_to_train_on_is_an_error(tmp_path: Path) -> None:
    files = write_shapes(tmp_path, {"test": 1})
    with pytest.raises(DataError, match="no training image with an object"):
        DetectionParquet(str(files[0]), str(files[1])).load()


@pytest.mark.parametrize("settings", [{"resolution": 0}, {"damaged": "hide"}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        DetectionParquet("a", "b", **settings)  # type: ignore[arg-type]


def test_check_counts_objects_and_lists_faults(tmp_path: Path) -> None:
    report = changed(tmp_path, {}, {"xmax": 0}).check()
    assert report.found
    assert not report.ok
    assert sum(report.counts["train"]) == 3
    assert "  train: 3 objects, 1 to 2 a class" in report.lines()
    assert "is empty" in report.damage[0].reason


def test_the_blood_cells_are_read_whole_but_for_two_empty_boxes(shared_data: Path) -> None:
    images = shared_data / "images" / "detection_images.parquet"
    boxes = shared_data / "images" / "detection_boxes.parquet"
    if not images.is_file():
        pytest.skip(f"blood-cell images not found at {images}")
    splits = DetectionParquet(str(images), str(boxes), source="bccd", resolution=8).load()
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [205, 87, 72]
    assert splits.class_names == ("Platelets", "RBC", "WBC")
    assert sum(len(o) for s in (splits.train, splits.validation, splits.test) for o in s.objects) == 4886
    assert [f.reason.split()[-1] for f in splits.skipped] == ["empty", "empty"]


def test_drawn_boxes_hold_their_shapes() -> None:
    """The fixture itself: what other tests learn from is labelled right."""
    import io

    blob, rows = drawn(np.random.default_rng(0))
    square = rows[0]
    pixels = np.asarray(Image.open(io.BytesIO(blob)))
    assert (pixels[square["ymin"] - 1, square["xmin"] - 1] == (220, 60, 40)).all()
    assert (pixels[square["ymax"] - 1, square["xmax"] - 1] == (220, 60, 40)).all()
    assert not (pixels[square["ymax"], square["xmax"]] == (220, 60, 40)).all()
