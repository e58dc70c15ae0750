"""Put a page of HTML together from its parts; the page allows only its own script, by its hash."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

STYLES = ("base.css", "charts.css", "table.css")


@dataclass(frozen=True)
class Page:
    """A page of HTML with its content policy, which allows only its own script, by its hash."""

    text: str
    policy: str


def assemble(
    template: str,
    styles: Iterable[str],
    scripts: Iterable[str],
    *,
    title: str,
    data: str,
    above: str = "",
    further: str = "",
) -> Page:
    """Put texts of styles and scripts and `data` (of `as_json`) into a page.

    `above` is HTML over the title, `further` is added to the policy.
    """
    code = "\n".join(scripts)
    code = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {_hash(code)}{further}"
    shown = html.escape(title)
    head = Template(page_part("head.html")).substitute(policy=policy, title=shown, style="\n".join(styles))
    text = Template(template).substitute(head=head, title=shown, above=above, data=data, code=code)
    return Page(text, policy)


def page_part(name: str) -> str:
    """A style or script of the page, by the name of its file."""
    return (resources.files("nas.report") / "page" / name).read_text(encoding="utf-8")


def as_json(value: Any) -> str:
    """A description as JSON for a script element, without `<`, which could end the element."""
    text = json.dumps(value, default=vars, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _hash(script: str) -> str:
    """The hash of an inline script for the policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
