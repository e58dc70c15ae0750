"""Annotations of PASCAL VOC, read safely: a document type, and with it any entity, is refused."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from nas.core.errors import DataError
from nas.training.tasks.detection.data.base import RawObject

CORNERS = ("xmin", "ymin", "xmax", "ymax")


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
