"""The schema of the config files, made from the models that check them: a page, and JSON Schema for editors.

What a key means is taken from the tables of `docs/config.md` and `docs/compare.md`, its only place.
"""

from __future__ import annotations

import json
import re
from typing import Any

from nas.compare.config import CompareConfig
from nas.config import SearchConfig
from pydantic import BaseModel
from repository_pages import DOCS

MODELS: dict[str, tuple[type[BaseModel], str]] = {
    "search": (SearchConfig, "config.md"),
    "compare": (CompareConfig, "compare.md"),
}

ROW = re.compile(r"^\| (`[^|]+`) \|(.*)\|$", re.MULTILINE)

INTRODUCTION = """# Schema of the config files

Every key with its type, made from the models that check a config. [The config file](../config.md) explains a search's, and
[Comparing algorithms](../compare.md) that of `nas compare`.

An editor that knows YAML schemas (most do, some by an extension) completes and checks a config whose first line names the schema:

```yaml
# yaml-language-server: $schema=search.schema.json
space: muxnet-tiny
```

[search.schema.json](search.schema.json) is that of `nas search`, [compare.schema.json](compare.schema.json) that of `nas compare`. Settings of
a component (`{name: moead, population: 30}`) belong to the component: they are checked when the search is made.
"""


def schema_pages() -> dict[str, str]:
    """The page and both schemas, by their place among the site's sources."""
    made = {f"reference/{name}.schema.json": json.dumps(schema(name), indent=1) + "\n" for name in MODELS}
    parts = [INTRODUCTION]
    for name, (model, _) in MODELS.items():
        described = schema(name)
        parts.append(f"## nas {name}\n\n{_table(described)}")
        parts += [
            f"### {name}: {title}\n\n{inner['description']}\n\n{_table(inner)}"
            for title, inner in described.get("$defs", {}).items()
        ]
    return {**made, "reference/schema.md": "\n\n".join(parts) + "\n"}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a config, with the meaning of every key that the documentation has in a table."""
    model, page = MODELS[name]
    meanings = _meanings(page)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    for part in [found, *found.get("$defs", {}).values()]:
        for key, value in part.get("properties", {}).items():
            value.pop("title", None)
            if key in meanings:
                value["description"] = meanings[key]
    return found


def _meanings(page: str) -> dict[str, str]:
    """From a page's tables: the last cell of the first row that names a key alone."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for row in ROW.finditer(text):
        for key in re.findall(r"`(\w+)`", row[1]):
            found.setdefault(key, _plain(row[2].split("|")[-1].strip()))
    return found


def _plain(text: str) -> str:
    """Without the links' targets and the marks of code."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def _table(part: dict[str, Any]) -> str:
    needed = part.get("required", [])
    rows = [
        f"| `{key}` | {_type(value)} | {'(needed)' if key in needed else _default(value)} | {value.get('description', '')} |"
        for key, value in part["properties"].items()
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _type(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"])
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if value.get("type") == "array":
        return f"list of ({_type(value.get('items', {}))})"
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{words} {value[key]:g}" for key, words in bounds.items() if key in value]
    names = {"integer": "whole number", "string": "text", "object": "mapping", "boolean": "true or false"}
    kind = str(value.get("type", "anything"))
    return ", ".join([names.get(kind, kind), *limits])


def _default(value: dict[str, Any]) -> str:
    return f"`{json.dumps(value['default'])}`" if "default" in value else ""
