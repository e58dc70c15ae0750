"""PASCAL VOC's folders: JPEGImages, Annotations, ImageSets/Main.

Annotations are read safely: a document type, and with it any entity, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from nas.core.checks import check_numbers
from nas.core.errors import ConfigError, DataError
from nas.training.data.account import way_of
from nas.training.data.base import DataReport
from nas.training.data.tree import unused
from nas.training.tasks.detection.data.base import (
    WAYS,
    DetectionSplits,
    Faults,
    RawImage,
    RawObject,
    Way,
    assemble,
    check_settings,
    report,
    report_only,
)

CLASSES = tuple(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor".split()
)
HOW = (
    "Get VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar from host.robots.ox.ac.uk/pascal/VOC/voc2007, unpack both "
    "in one place and give the folder VOC2007. Your own data: JPEGImages/NAME.jpg, Annotations/NAME.xml, and "
    "ImageSets/Main/{train,val,test}.txt with a name a line."
)
CORNERS = ("xmin", "ymin", "xmax", "ymax")
UNLISTED = "in none of the lists"


@dataclass(frozen=True, slots=True)
class VOC:
    """The folder `path`, as unpacked. `train`, `validation` and `test` name the lists of images (None: no such split).

    Images are squeezed to squares of `resolution` pixels. `damaged` sets the handling of faulty objects and
    images: `skip` leaves them out, `refuse` stops.
    """

    path: str
    classes: tuple[str, ...] = CLASSES
    train: str = "train"
    validation: str | None = "val"
    test: str | None = "test"
    resolution: int = 300
    damaged: str = "skip"
    skip_damaged: bool | None = field(default=None, repr=False, compare=False)  # another way to set `damaged`

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # lists come from YAML files
        object.__setattr__(self, "damaged", way_of(self.damaged, self.skip_damaged))
        object.__setattr__(self, "skip_damaged", None)
        check_numbers("data", self)
        check_settings(self.resolution, self.damaged)
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"data: classes: expected different names, got {self.classes}")

    def load(self) -> DetectionSplits:
        return self._load(WAYS[self.damaged])

    def _load(self, way: Way) -> DetectionSplits:
        root = Path(self.path)
        if not root.is_dir():
            raise DataError(f"voc {self.path}: not found. {HOW}")
        faults = Faults()
        lists = (self.train, self.validation, self.test)
        raw = [
            image
            for split, name in enumerate(lists)
            if name is not None
            for image in _listed(root, name, split, faults)
        ]
        ignored = unused(self.path, _files(root, raw, lists), UNLISTED)
        return assemble(f"voc {self.path}", raw, self.classes, self.resolution, way, faults, ignored)

    def at(self, resolution: int) -> VOC:
        return replace(self, resolution=resolution)

    def check(self) -> DataReport:
        return report("voc", self.path, HOW, partial(self._load, report_only))


def _files(root: Path, raw: list[RawImage], lists: tuple[str | None, ...]) -> Iterator[str]:
    """The lists, and the files that they name."""
    yield from (str(root / "ImageSets" / "Main" / f"{name}.txt") for name in lists if name is not None)
    for image in raw:
        yield image.where
        yield str(root / "Annotations" / f"{image.name}.xml")


def _listed(root: Path, name: str, split: int, faults: Faults) -> list[RawImage]:
    listing = root / "ImageSets" / "Main" / f"{name}.txt"
    if not listing.is_file():
        raise DataError(f"{listing}: not found. {HOW}")
    found = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        stem = words[0]
        file = root / "Annotations" / f"{stem}.xml"
        if Path(stem).name != stem:  # a list must not lead out of the folder
            faults.add(f"{listing} {stem}", "expected the name of an image, without folders")
            continue
        try:
            size, objects = annotation(str(file), file.read_bytes())
        except OSError:
            faults.add(str(file), "missing annotation")
        except DataError as error:
            faults.add(str(file), str(error).removeprefix(f"{file}: "))
        else:
            image = root / "JPEGImages" / f"{stem}.jpg"
            found.append(RawImage(str(image), stem, split, None, size, objects))
    return found


def parse(where: str, text: bytes) -> Element:
    """The root element. Raises `DataError` for text that is not XML, or that declares a document type."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refused(*_: object) -> None:
        raise DataError(f"{where}: declares a document type, which annotations do not need; remove it")

    parser.StartDoctypeDeclHandler = refused
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DataError(f"{where}: damaged annotation ({error})") from None
    root: Element = builder.close()
    return root


def annotation(where: str, text: bytes) -> tuple[tuple[int, int] | None, tuple[RawObject, ...]]:
    """Size (width, height), None where it is missing, and objects. Raises `DataError` as `parse` does.

    Values that are not numbers become NaN, so the check reports the object as damaged.
    """
    root = parse(where, text)
    if root.tag != "annotation":
        raise DataError(f"{where}: damaged annotation: expected <annotation>, got <{root.tag}>")
    width, height = (_number(root.find(f"size/{side}")) for side in ("width", "height"))
    told = math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0
    objects = tuple(_object(element) for element in root.iter("object"))
    return (int(width), int(height)) if told else None, objects


def _object(element: Element) -> RawObject:
    left, top, right, bottom = (_number(element.find(f"bndbox/{corner}")) for corner in CORNERS)
    difficult = _number(element.find("difficult")) == 1
    return RawObject((element.findtext("name") or "").strip(), (left, top, right, bottom), difficult)


def _number(element: Element | None) -> float:
    try:
        return float(element.text or "") if element is not None else math.nan
    except ValueError:
        return math.nan
