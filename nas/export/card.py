"""The model card: what a network is, how good, on what, made how, and how to use it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from nas.export.licences import licence
from nas.export.making import UNTRAINED, Made, Run, Scores
from nas.export.picks import Pick
from nas.versions import versions

_PLAIN = {"loss"}  # what a task logs that is not in percent
_SHOWN_CLASSES = 20


@dataclass(frozen=True)
class Facts:
    """What the card is made of. `costs` are the space's exact ones; differences are parts of the largest output."""

    run: Run
    pick: Pick
    made: Made
    costs: Mapping[str, float]
    command: str
    drawn: bool
    onnx_random: float | None
    onnx_real: float | None


def card(facts: Facts) -> str:
    """The card as Markdown."""
    parts = [
        _title(facts),
        _numbers(facts),
        _pictures(facts),
        _use(facts),
        _weights(facts),
        _search(facts),
        _origin(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _title(facts: Facts) -> str:
    made, run = facts.made, facts.run
    drawing = "\n\n![The network block by block](network.svg)" if facts.drawn else ""
    warning = f"\n\n**{made.story}**" if made.weights == UNTRAINED else ""
    return (
        f"# {facts.pick.name}\n\nA network of the space `{run.space.name}`, found by a multi-objective search and picked as "
        f"{facts.pick.reason}:{warning}\n\n```text\n{_clean(facts.pick.architecture)}\n```{drawing}"
    )


def _numbers(facts: Facts) -> str:
    made = facts.made
    network = made.network
    params = sum(p.numel() for p in network.parameters())
    rows = [("parameters", f"{params:,}", "exact")]
    if "madds" in facts.costs:
        same = facts.costs.get("params", params) == params
        sized = "x".join(map(str, made.pictures.shape))
        remark = (
            f"exact, of one picture of {sized}"
            if same
            else "exact, with the classes and channels of the space"
        )
        rows.append(("multiply-adds", f"{facts.costs['madds']:,.0f}", remark))
    split = (
        ("validation", made.validation, "looked at while the network was chosen or trained"),
        ("test", made.test, "judged once, after everything was chosen"),
    )
    for name, scores, remark in split:
        rows += list(_score_rows(name, scores, remark))
    if made.test is None and made.weights != UNTRAINED:
        rows.append(("test", "not judged", "the data have no test pictures"))
    return "## Numbers\n\n" + _table(("", "value", "how"), rows)


def _score_rows(split: str, scores: Scores | None, remark: str) -> Iterator[tuple[str, str, str]]:
    if scores is None:
        return
    for name, value in scores.values.items():
        text = f"{value:.4f}" if name in _PLAIN else f"{value:.2f}%"
        yield f"{split} {name.replace('_', ' ')}", text, f"{scores.pictures:,} pictures, {remark}"


def _pictures(facts: Facts) -> str:
    pictures = facts.made.pictures
    channels, height, width = pictures.shape
    names = ", ".join(map(_clean, pictures.class_names[:_SHOWN_CLASSES]))
    more = len(pictures.class_names) - _SHOWN_CLASSES
    return (
        f"## Pictures\n\n- {channels} channel{'s' * (channels > 1)}, {height} x {width} pixels (height, width), float32, batches of any size.\n"
        f"- Normalised: `(pixels - MEAN) / STD` by channel, in the units of the stored pixels: mean "
        f"{_few(pictures.mean)}, standard deviation {_few(pictures.std)}; in full in `network.py`.\n"
        f"- {len(pictures.class_names)} classes: {names}{f', and {more} more (`CLASSES` in network.py)' if more > 0 else ''}."
    )


def _clean(text: str) -> str:
    """A text of the run or the data on one line that ends no code block and no row of a table."""
    return " ".join(text.split()).replace("`", "'").replace("|", "/").replace("<", "(")


def _few(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _use(facts: Facts) -> str:
    shape = facts.made.pictures.shape
    text = (
        "## Use\n\nWith PyTorch alone (`network.py` does not need the package that made it):\n\n"
        "```python\nimport torch\nfrom network import CLASSES, PICTURE, load\n\n"
        'scores = load("weights.pt")(torch.zeros(1, *PICTURE))  # pictures, normalised as above\n'
        "print(CLASSES[scores.argmax(1).flatten()[0]])\n```"
    )
    text += (
        "\n\n`python network.py weights.pt` checks that the network gives what it gave when it was exported."
    )
    if facts.onnx_random is None:
        return text + "\n\nThere is no ONNX file."
    zeros = f"numpy.zeros((1, {', '.join(map(str, shape))}), dtype=numpy.float32)"
    text += (
        "\n\nWith onnxruntime:\n\n```python\nimport numpy\nimport onnxruntime\n\n"
        'session = onnxruntime.InferenceSession("network.onnx")\n'
        f'(scores,) = session.run(None, {{"pictures": {zeros}}})\n```\n\n'
        f"Its outputs differ from PyTorch's by at most {facts.onnx_random:.1e} of the largest one on random pictures"
    )
    real = "" if facts.onnx_real is None else f", by {facts.onnx_real:.1e} on real ones"
    return f"{text}{real}."


def _weights(facts: Facts) -> str:
    made = facts.made
    text = f"## Weights\n\n{made.story}"
    if made.recipe is None:
        return text
    settings = dataclasses.asdict(made.recipe)
    rows = [(f"`{name}`", f"{value}") for name, value in settings.items()]
    data = type(made.data).__name__
    sizes = ", ".join(f"{count:,} {name}" for name, count in made.splits.items())
    return (
        f"{text}\n\n## Data\n\n{data}: {sizes} pictures. As the program describes it: `{_described(made.data)}`. Licence of the data: "
        f"{licence(data)}.\n\n## Recipe\n\n{_table(('setting', 'value'), rows)}"
    )


def _search(facts: Facts) -> str:
    run, config = facts.run, facts.run.meta.get("config", {})
    rows = [
        (
            item.name,
            f"{facts.pick.row[item.name]:,.6g}",
            item.unit or "",
            "maximised" if item.maximize else "minimised",
        )
        for item in run.table.objectives
    ]
    limits = ", ".join(run.meta.get("limits", [])) or "none"
    told = len(run.table.told)
    return (
        f"## Search\n\nWhat the search measured of this network, which steered it and is not for reporting:\n\n"
        f"{_table(('objective', 'value', 'unit', ''), rows)}\n\nAlgorithm `{config.get('algorithm', 'unknown')}`, seed "
        f"{config.get('seed', 'unknown')}, {told:,} results, a front of {len(run.table.front):,}; limits: {limits}.\n\n"
        f"<details><summary>Configuration of the search</summary>\n\n```json\n{_configuration(config)}\n```\n\n</details>"
    )


def _configuration(config: Mapping[str, Any]) -> str:
    """As the run recorded it, defaults that are nothing and the folders of the machine that it ran on left out."""
    inner = config.get("config") or {}
    search = {k: v for k, v in (inner.get("search") or config).items() if k not in ("out", "versions")}
    return json.dumps(_shared(search), indent=2)


def _shared(value: Any) -> Any:
    """Plain values without what is None, and paths without their folders."""
    if isinstance(value, Mapping):
        return {key: _shared(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _described(data: Any) -> str:
    """A description of a data set without the folders of this machine."""
    values = {f.name: getattr(data, f.name) for f in dataclasses.fields(data)}
    said = ", ".join(f"{name}={_shared(value)!r}" for name, value in values.items() if value is not None)
    return f"{type(data).__name__}({said})"


def _origin(facts: Facts) -> str:
    then = facts.run.meta.get("config", {}).get("versions", {})
    now = versions()
    rows = [(name, str(then.get(name, "")), version) for name, version in now.items()]
    about = metadata.metadata("multiobjective-nas").json
    code = about.get("license_expression") or about.get("license")
    return (
        f"## Made with\n\n`{facts.command}`\n\n{_table(('', 'search', 'export'), rows)}\n\n`network.py` is made of code of "
        f"multiobjective-nas ({code}) and of the search space. The licence of the weights is for those to settle who have "
        f"the rights in the data."
    )


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
