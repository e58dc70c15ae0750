"""What the dashboard answers to a request: only to a reader on this machine who has the token, and only from the list of runs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from nas.core.errors import NasError
from nas.core.text import printable
from nas.core.tracebacks import summarize_exception
from nas.dashboard.listing import RunList
from nas.dashboard.pages import Reports, list_page
from nas.report.assembling import Page, as_json

if TYPE_CHECKING:
    from nas.dashboard.tracking import TrackedRun

MOST_RUNS = 28  # side by side, with distinct colours and lines
METHODS = ("GET", "HEAD")
_HOSTS = frozenset(
    {"127.0.0.1", "localhost", "[::1]"}
)  # a tunnel has a port of its own; a page of another host has its name here
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:]*)(:\d{1,5})?", re.IGNORECASE)
_CLOSED = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STRICT = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Answer:
    """A response: its status, body and headers."""

    status: HTTPStatus
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def _answer(status: HTTPStatus, body: str, kind: str, policy: str, **further: str) -> Answer:
    headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Security-Policy": policy + _CLOSED}
    return Answer(status, body.encode("utf-8", "replace"), {**_STRICT, **headers, **further})


def message(status: HTTPStatus, text: str, **further: str) -> Answer:
    """A sentence as plain text."""
    return _answer(status, f"{printable(text)}\n", "text/plain", "default-src 'none'", **further)


def _page(page: Page) -> Answer:
    return _answer(HTTPStatus.OK, page.text, "text/html", page.policy)


def _json(value: object, version: str) -> Answer:
    return _answer(
        HTTPStatus.OK, as_json(value), "application/json", "default-src 'none'", ETag=f'"{version}"'
    )


class Answers:
    """Answers requests about a list of runs. Methods may be called on any thread."""

    def __init__(self, runs: RunList, folder: Path, asked: Callable[[], None] = lambda: None) -> None:
        """`asked` is called for each request of a reader."""
        self.token = secrets.token_urlsafe(24)
        self._runs = runs
        self._asked = asked
        self._list = list_page(folder)
        self._reports = Reports()

    def answer(self, method: str, target: str, hosts: Sequence[str], known: str | None = None) -> Answer:
        """The response to a request for `target`, by its `Host` headers and the `If-None-Match` header (`known`)."""
        if len(hosts) != 1 or not is_local(hosts[0]):
            return message(HTTPStatus.FORBIDDEN, "Open this page as 127.0.0.1 or localhost.")
        path, _, query = target.partition("?")
        _, _, rest = path.partition("/")
        token, slash, rest = rest.partition("/")
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            return message(
                HTTPStatus.FORBIDDEN, "Open the whole address that nas dashboard printed, with its token."
            )
        if method not in METHODS:
            return message(
                HTTPStatus.METHOD_NOT_ALLOWED, "This page can only be read.", Allow=", ".join(METHODS)
            )
        self._asked()
        if not slash:
            return message(HTTPStatus.PERMANENT_REDIRECT, "The list of runs", Location=f"/{self.token}/")
        try:
            return self._of(rest, query, known)
        except NasError as error:
            return message(HTTPStatus.UNPROCESSABLE_ENTITY, f"This page cannot be made: {error}")
        except Exception as error:  # whatever a damaged run leads to
            return message(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"This page cannot be made: {summarize_exception(error)}"
            )

    def _of(self, path: str, query: str, known: str | None) -> Answer:
        """The response by the part of the path after the token; a name in it is looked up in the list, never on the disk."""
        if path == "":
            return _page(self._list)
        if path == "runs.json":
            version = self._runs.version
            if known == f'"{version}"':
                return Answer(HTTPStatus.NOT_MODIFIED, headers={**_STRICT, "ETag": known})
            found = self._runs.changes(_number(query))
            return _json(found, str(found["version"]))
        if path == "fronts.json":
            return self._fronts(_names(query), known)
        if path == "compare":
            return self._report([self._runs.run(name) for name in _names(query)], "./")
        folder, _, name = path.partition("/")
        if folder == "report":
            return self._report([self._runs.run(name)], "../")
        return message(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _fronts(self, names: Sequence[str], known: str | None) -> Answer:
        found = self._runs.fronts(names)
        version = ".".join([self._runs.instance, *(f"{front['id']}-{front['version']}" for front in found)])
        if known == f'"{version}"':
            return Answer(HTTPStatus.NOT_MODIFIED, headers={**_STRICT, "ETag": known})
        return _json({"fronts": found}, version)

    def _report(self, runs: Sequence[TrackedRun | None], back: str) -> Answer:
        folders = [run.folder for run in runs if run is not None]
        if not folders or len(folders) < len(runs):
            return message(HTTPStatus.NOT_FOUND, "There is no such run in the list.")
        return _page(self._reports.page(folders, back))


def is_local(host: str) -> bool:
    """Whether a `Host` header names this machine, with any port. Another name may lead here by DNS rebinding."""
    found = _HOST.fullmatch(host.strip())
    return found is not None and found[1].lower() in _HOSTS


def _number(query: str) -> int:
    text = parse_qs(query, max_num_fields=4).get("since", ["0"])[0]
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0


def _names(query: str) -> list[str]:
    """The ids in `runs=A,B`, each once, at most 28."""
    text = parse_qs(query, max_num_fields=4).get("runs", [""])[0]
    return list(dict.fromkeys(filter(None, text.split(","))))[:MOST_RUNS]
