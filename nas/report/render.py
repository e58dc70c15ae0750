"""Render the page as one HTML file: the description as JSON, scripts and styles.

The page loads nothing from elsewhere: its policy forbids it and allows only the script written here, by its hash;
texts reach the page as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from string import Template

from nas.report.records import Report

_STYLES = ("base.css", "charts.css", "table.css")
_SCRIPTS = (
    "format.js", "data.js", "state.js", "colours.js", "plot.js", "fronts.js", "parallel.js", "limits.js", "table.js", "network.js",
    "progress.js", "timeline.js", "details.js", "main.js",
)  # fmt: skip


def render(report: Report) -> str:
    """The file as text."""
    code = "\n".join(_file(name) for name in _SCRIPTS)
    code = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    return Template(_file("page.html")).substitute(
        title=html.escape(report.title),
        policy=f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {_hash(code)}",
        style="\n".join(_file(name) for name in _STYLES),
        data=as_json(report),
        code=code,
    )


def as_json(report: Report) -> str:
    """The description as JSON for a script element, without `<`, which could end the element."""
    text = json.dumps(report, default=vars, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _file(name: str) -> str:
    return (resources.files("nas.report") / "page" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The hash of an inline script for the policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
