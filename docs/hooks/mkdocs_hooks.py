"""What MkDocs calls while it builds the site: pages made from the code, and files from outside `docs/`.

Nothing here is needed to read the documentation as plain Markdown. Each build generates the pages of the reference,
so they cannot fall behind the code, and no change of a flag or a key has to be written down twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code_pages import api_pages, command_page
from notebook_pages import notebook_page
from repository_pages import DOCS, included, linked_files, pages_to_copy, rewritten, source_page
from schema_pages import schema_pages


def on_files(files: Any, config: Any) -> Any:
    """Add the pages made from code and notebooks, and the files of the repository that pages link."""
    from mkdocs.structure.files import File

    made = {**api_pages(), **schema_pages(), "reference/command-line.md": command_page()}
    pages = pages_to_copy()
    made |= {page.uri + ".md": source_page(page) for page in linked_files(pages) if page.is_source}
    for notebook in sorted(DOCS.glob("notebooks/*.ipynb")):
        made[f"notebooks/{notebook.stem}.md"] = notebook_page(notebook)
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    for page in [*pages, *linked_files(pages)]:
        if files.get_file_from_path(page.uri) is None:
            files.append(File.generated(config, page.uri, abs_src_path=str(page.path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Show included files, and let links to files of the repository lead to their copies on the site."""
    if page.file.abs_src_path is None:  # made from the code: its links are those of the site
        return markdown
    path = Path(page.file.abs_src_path)
    return rewritten(included(markdown, path), path)
