"""The model card: description, numbers, data, training and use of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from nas.core.text import markdown_code, markdown_text
from nas.core.versions import versions
from nas.export import int8_card
from nas.export.making import UNTRAINED, Made, Scores
from nas.export.models import Models
from nas.export.origin import Origin, one_line, table

# By the name of the class that reads a data set. Sources: the data sets' own pages.
LICENCES: Mapping[str, str] = {
    "Digits": "CC BY 4.0 (UCI Machine Learning Repository, Optical Recognition of Handwritten Digits)",
    "Cifar10": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
    "Cifar100": "none stated by its authors, who ask to be cited (Krizhevsky 2009)",
}
_PLAIN = {"loss"}  # logged values that are not in percent
_SHOWN_CLASSES = 20


@dataclass(frozen=True)
class Facts:
    """The content of the card; whether there is a script."""

    origin: Origin
    made: Made
    command: str
    models: Models | None
    scripted: bool


def counts(origin: Origin, made: Made) -> dict[str, int]:
    """`params` of the exported network, and `madds` if the space counts this network."""
    params = sum(p.numel() for p in made.network.parameters())
    same = "madds" in origin.costs and origin.costs.get("params", params) == params
    return {"params": params} | ({"madds": round(origin.costs["madds"])} if same else {})


def card(facts: Facts) -> str:
    """The card as Markdown."""
    parts = [
        _title(facts),
        _numbers(facts),
        _images(facts),
        _int8(facts),
        _use(facts),
        _weights(facts),
        facts.origin.section,
        _made_with(facts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(facts: Facts) -> str:
    made, origin = facts.made, facts.origin
    drawing = "\n\n![Blocks of the network](network.svg)" if origin.drawing is not None else ""
    warning = f"\n\n**{made.story}**" if made.weights == UNTRAINED else ""
    return f"# {markdown_text(origin.name)}\n\n{origin.lead}:{warning}\n\n```text\n{one_line(origin.network)}\n```{drawing}"


def _numbers(facts: Facts) -> str:
    made = facts.made
    counted = counts(facts.origin, made)
    rows = [("parameters", f"{counted['params']:,}", "exact")]
    if "madds" in counted:
        sized = "x".join(map(str, made.images.shape))
        rows.append(("multiply-adds", f"{counted['madds']:,}", f"exact, for one image of {sized}"))
    split = (
        ("validation", made.validation, "used to choose or train the network"),
        ("test", made.test, "measured once, after all choices"),
    )
    for name, scores, remark in split:
        rows += list(_score_rows(name, scores, remark, len(made.images.class_names)))
    if made.test is None and made.weights != UNTRAINED:
        rows.append(("test", "not measured", "the data have no test images"))
    return "## Numbers\n\n" + table(("", "value", "how"), rows)


def _score_rows(
    split: str, scores: Scores | None, remark: str, classes: int
) -> Iterator[tuple[str, str, str]]:
    if scores is None:
        return
    for name, value in scores.shown(classes).items():
        text = f"{value:.4f}" if name in _PLAIN else f"{value:.2f}%"
        yield f"{split} {name.replace('_', ' ')}", text, f"{scores.images:,} images, {remark}"


def _images(facts: Facts) -> str:
    images = facts.made.images
    channels, height, width = images.shape
    names = ", ".join(map(markdown_text, images.class_names[:_SHOWN_CLASSES]))
    more = len(images.class_names) - _SHOWN_CLASSES
    return (
        f"## Images\n\n- {channels} channel{'s' * (channels > 1)}, {height} x {width} pixels (height, width), float32, batches of any size.\n"
        f"- Normalised: `(pixels - MEAN) / STD` by channel, in the units of the stored pixels: mean "
        f"{_few(images.mean)}, standard deviation {_few(images.std)}; in full in `network.py`.\n"
        f"- {len(images.class_names)} classes: {names}{f', and {more} more (`CLASSES` in network.py)' if more > 0 else ''}."
    )


def _few(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


_SCORES = """scores = load("weights.pt")(torch.zeros(1, *IMAGE))  # images, normalised as above
print(CLASSES[scores.argmax(1).flatten()[0]])"""
_BOXES = """(rows,) = load("weights.pt")(torch.zeros(1, *IMAGE))  # images, normalised as above
scores, labels = rows[:, 4:].max(1)  # one row per anchor box of the network
surest = scores.argmax()
print(CLASSES[labels[surest]], scores[surest], rows[surest, :4])  # left, top, right, bottom: fractions of the image"""
_SUPPRESS = (
    "\n\nSeveral rows may show one object: apply non-maximum suppression, such as `torchvision.ops.batched_nms`, and drop "
    "low scores."
)


def _int8(facts: Facts) -> str:
    export = None if facts.models is None else facts.models.export
    return "" if export is None else int8_card.section(export)


def _use(facts: Facts) -> str:
    boxes = facts.made.boxes
    text = (
        "## Use\n\nWith PyTorch (`network.py` needs no other package):\n\n"
        "```python\nimport torch\nfrom network import CLASSES, IMAGE, load\n\n"
        f"{_BOXES if boxes else _SCORES}\n```{_SUPPRESS if boxes else ''}"
    )
    text += "\n\n`python network.py weights.pt` checks that the outputs equal those at the export."
    if facts.models is None:
        return text + "\n\nThere is no ONNX file."
    return f"{text}\n\n{_with_onnxruntime(facts, facts.models)}"


def _with_onnxruntime(facts: Facts, models: Models) -> str:
    channels, height, width = facts.made.images.shape
    text = (
        "With onnxruntime: the input `images` is decoded images, uint8, (images, height, width, channels), of any number"
        f"{'' if models.int8 is None else ' (of `network.int8.onnx` one)'}; the normalisation is in the file."
    )
    if facts.scripted:
        more = "" if models.int8 is None else "\npython classify.py --int8 photo.png"
        text += (
            " `classify.py` reads image files as in the training and needs numpy, pillow and onnxruntime alone:\n\n"
            f"```sh\npython classify.py photo.png{more}\n```"
        )
    else:
        mode = "L" if channels == 1 else "RGB"
        text += (
            "\n\n```python\nimport numpy\nimport onnxruntime\nfrom PIL import Image\n\n"
            f'image = Image.open("photo.png").convert("{mode}").resize(({width}, {height}))\n'
            f"images = numpy.asarray(image).reshape(1, {height}, {width}, {channels})\n"
            'session = onnxruntime.InferenceSession("network.onnx")\n'
            f'({"rows" if facts.made.boxes else "scores"},) = session.run(None, {{"images": images}})\n```'
        )
    real = "" if models.on_real is None else f", by {models.on_real:.1e} on real ones"
    return (
        f"{text}\n\nThe outputs of `network.onnx` differ from PyTorch's by at most {models.on_random:.1e} of the largest one on random "
        f"images{real}."
    )


def _weights(facts: Facts) -> str:
    made = facts.made
    text = f"## Weights\n\n{made.story}"
    if made.recipe is None:
        return text
    assert made.data is not None
    rows = [(markdown_code(name), markdown_text(str(value))) for name, value in made.recipe.items()]
    sizes = ", ".join(f"{count:,} {name}" for name, count in made.splits.items())
    return (
        f"{text}\n\n## Data\n\n{markdown_text(made.data.name)}: {sizes} images. Configuration: {markdown_code(made.data.text)}. Licence of the "
        f"data: {licence(made.data.name)}.\n\n## Recipe\n\n{table(('setting', 'value'), rows)}"
    )


def _made_with(facts: Facts) -> str:
    then, now = facts.origin.versions, versions()
    rows = [(name, markdown_text(str(then.get(name, ""))), version) for name, version in now.items()]
    about = metadata.metadata("multiobjective-nas").json
    code = about.get("license_expression") or about.get("license")
    return (
        f"## Made with\n\n{markdown_code(facts.command)}\n\n{table(('', facts.origin.maker, 'export'), rows)}\n\n`network.py` contains code of "
        f"multiobjective-nas ({code}) and of the network. The holders of the rights in the data decide the licence of "
        f"the weights."
    )


def licence(data: str) -> str:
    """The licence of a data set, if known."""
    return LICENCES.get(data, "not known to this program; see the source of the images")
