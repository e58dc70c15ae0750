"""The schema of the config files, made from the models that check them: a page, and JSON Schema for editors.

The meaning of a key comes from the tables of `docs/config.md` and `docs/compare.md`, its only place.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel
from repository_pages import DOCS

from nas.compare.config import CompareConfig
from nas.config.schema import SearchConfig

MODELS: dict[str, type[BaseModel]] = {"search": SearchConfig, "compare": CompareConfig}

# The tables that describe the keys of a part: page, and the heading above each.
TABLES: dict[str, list[tuple[str, str]]] = {
    "SearchConfig": [("config.md", "The config file")],
    "Budget": [("config.md", "`budget`")],
    "HalvingPart": [("config.md", "`halving`")],
    "ObjectivePart": [("config.md", "`objectives`")],
    "CompareConfig": [("compare.md", "The config")],
    "ProblemPart": [("compare.md", "A problem"), ("config.md", "The config file")],
    "ReferencePart": [("compare.md", "`reference`")],
}

TYPES = {"integer": "whole number", "string": "text", "object": "mapping", "boolean": "true or false"}
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
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
    for name in MODELS:
        described = schema(name)
        parts.append(f"## nas {name}\n\n{_table(described, name)}")
        parts += [
            f"### {name}: {title}\n\n{inner['description']}\n\n{_table(inner, name)}"
            for title, inner in described.get("$defs", {}).items()
        ]
    return {**made, "reference/schema.md": "\n\n".join(parts) + "\n"}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a config, with the meaning of every key."""
    model = MODELS[name]
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    for title, part in {model.__name__: found, **found.get("$defs", {})}.items():
        meanings = {
            k: v
            for page, heading in reversed(TABLES.get(title, []))
            for k, v in _meanings(page, heading).items()
        }
        for key, value in part.get("properties", {}).items():
            value.pop("title", None)
            value["description"] = meanings.get(key, part["description"])  # of a component: its kind
    return found


def _meanings(page: str, heading: str) -> dict[str, str]:
    """From the table under a heading: the last cell of each row, by the key in its first."""
    text = (DOCS / page).read_text(encoding="utf-8")
    below = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found: dict[str, str] = {}
    for row in ROW.finditer(below):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", row[1]), _plain(row[2].split("|")[-1].strip()))
    return found


def _plain(text: str) -> str:
    """Without the links' targets and the marks of code."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def _table(part: dict[str, Any], name: str) -> str:
    needed = part.get("required", [])
    rows = [
        f"| `{key}` | {_type(value, name)} | {'(needed)' if key in needed else _default(value)} | {value.get('description', '')} |"
        for key, value in part["properties"].items()
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _type(value: dict[str, Any], name: str) -> str:
    if "anyOf" in value:
        return " or ".join(_type(one, name) for one in value["anyOf"])
    if "$ref" in value:
        part = str(value["$ref"]).rpartition("/")[2]
        return f"[{part}](#{name}-{part.lower()})"
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}), name)}"
    kind = str(value.get("type", "anything"))
    return ", ".join(
        [TYPES.get(kind, kind), *(f"{BOUNDS[key]} {value[key]:,}" for key in BOUNDS if key in value)]
    )


def _default(value: dict[str, Any]) -> str:
    return f"`{json.dumps(value['default'])}`" if "default" in value else ""
