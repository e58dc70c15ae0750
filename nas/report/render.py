"""The page as one file of HTML: the description as JSON, and the scripts and styles that show it.

Nothing is loaded from elsewhere. The page's own policy forbids it, and lets no script run but the one written here, which
it knows by its hash; texts reach the page as text only.
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
    """The whole file."""
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
    """The description as JSON that can stand inside a script element: no `<`, so nothing ends it early."""
    text = json.dumps(report, default=vars, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _file(name: str) -> str:
    return (resources.files("nas.report") / "page" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What the policy calls an inline script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"
