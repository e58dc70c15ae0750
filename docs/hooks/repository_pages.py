"""Links from pages to the rest of the repository: READMEs and files become pages of the site.

A page is written for a code host, where a link may lead to any file, such as `../experiments/quality/README.md`.
On the site all of them have a place under `repository/`, and links are rewritten: one whose text is only a page's name
gets its heading, one to a folder, or to a result that an experiment has not written yet, becomes text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:)([^)\s#]+)(#[^)\s]*)?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "sh"}


@dataclass(frozen=True, order=True)
class RepositoryFile:
    """A file of the repository that the site shows."""

    path: Path

    @property
    def uri(self) -> str:
        """Its place among the site's sources."""
        if self.path.is_relative_to(DOCS):
            return self.path.relative_to(DOCS).as_posix()
        return "repository/" + self.path.relative_to(ROOT).as_posix()

    @property
    def is_page(self) -> bool:
        return self.path.suffix == ".md"

    @property
    def is_source(self) -> bool:
        """Whether it is shown as a page with the highlighted text, rather than as it is."""
        return self.path.suffix in LANGUAGES

    @property
    def target(self) -> str:
        """The target of a link to it."""
        if self.path.suffix == ".ipynb":
            return self.uri.removesuffix(".ipynb") + ".md"
        return self.uri + ".md" if self.is_source else self.uri


def pages_to_copy() -> list[RepositoryFile]:
    """Pages outside `docs/` that its pages lead to, directly or by way of each other."""
    found: dict[RepositoryFile, None] = {}
    waiting = [RepositoryFile(path) for path in sorted(DOCS.rglob("*.md"))]
    while waiting:
        page = waiting.pop()
        for file in _targets(page.path):
            if file.is_page and not file.path.is_relative_to(DOCS) and file not in found:
                found[file] = None
                waiting.append(file)
    return sorted(found)


def linked_files(pages: Iterable[RepositoryFile]) -> list[RepositoryFile]:
    """All other files that the pages of `docs/` and the copied pages link: images, tables, sources."""
    readers = [*sorted(DOCS.rglob("*.md")), *(page.path for page in pages)]
    return sorted({file for page in readers for file in _targets(page) if not file.is_page})


def _targets(page: Path) -> list[RepositoryFile]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    paths = [(page.parent / link[3]).resolve() for link in LINK.finditer(text)]
    return [RepositoryFile(path) for path in paths if path.is_file() and path.is_relative_to(ROOT)]


def rewritten(markdown: str, page: Path) -> str:
    """The page's text with every link to a file of the repository turned into one within the site."""
    here = os.path.dirname(RepositoryFile(page).uri)

    def link(match: re.Match[str]) -> str:
        path = (page.parent / match[3]).resolve()
        made_later = not path.exists() and not page.is_relative_to(
            DOCS
        )  # a result that an experiment will write
        if path.is_dir() or made_later:
            return match[2]
        if not path.exists():  # a page made from the code, or a mistake that MkDocs names
            return match[0]
        target = os.path.relpath(RepositoryFile(path).target, here or ".")
        if match[1]:  # an image opens alone, in full size
            return f"[![{match[2]}]({target})]({target})"
        bare = path.suffix == ".md" and match[2].rpartition("/")[2] == path.name
        text = _title(path, match[4] or "") if bare else match[2]
        return f"[{text}]({target}{match[4] or ''})"

    return _outside_fences(markdown, lambda text: LINK.sub(link, text))


def _title(page: Path, anchor: str) -> str:
    """The heading a link leads to: its text on the site if it has only a file name."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    slugs = {
        "#" + re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-"): heading
        for heading in headings
    }
    return slugs.get(anchor, headings[0] if headings else page.name)


def _outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])


def included(markdown: str, page: Path) -> str:
    """The page's text with the files that `<!-- include: PATH -->` names; a code host shows the link above it instead."""
    return INCLUDE.sub(lambda match: _fenced(page.parent / match[1]), markdown)


def source_page(file: RepositoryFile) -> str:
    """A page that shows a source file, left out of the site's search."""
    name = file.path.relative_to(ROOT).as_posix()
    return f"---\nsearch:\n  exclude: true\n---\n# {name}\n\n{_fenced(file.path)}\n"


def _fenced(path: Path) -> str:
    language = LANGUAGES[path.suffix]
    return f'````{language} title="{path.name}"\n{path.read_text(encoding="utf-8").rstrip()}\n````'
