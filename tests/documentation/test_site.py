"""The site of the documentation: pages made from the code are complete, and everything they need is on it."""

from __future__ import annotations

import functools
import http.server
import importlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from nas.cli.app import app
from nas.compare.config import CompareConfig
from nas.config.schema import SearchConfig

ROOT = Path(__file__).resolve().parents[2]
HOOKS = ROOT / "docs" / "hooks"
SHOWN = (
    "index",
    "start",
    "moead",
    "define-space",
    "own-space",
    "reference/schema",
    "reference/api/nas",
    "notebooks/search",
)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that imports a module of the hooks, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(HOOKS))
    yield importlib.import_module
    for file in HOOKS.glob("*.py"):
        sys.modules.pop(file.stem, None)


def in_navigation(entry: Any) -> Iterator[str]:
    """Every page of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    for inner in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
        yield from in_navigation(inner)


def test_the_navigation_has_every_page_once() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = list(in_navigation(settings["nav"]))
    notebooks = {f"notebooks/{path.stem}.md" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | notebooks
    assert len(listed) == len(set(listed))
    assert {page for page in listed if not page.startswith(("repository/", "reference/"))} == pages


def test_the_navigation_has_every_experiment_with_a_readme() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    readmes = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("experiments/*/README.md")]
    assert [readme for readme in readmes if f"repository/{readme}" not in text] == []


def test_the_page_of_experiments_has_every_folder() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    inside = (path for path in (ROOT / "experiments").iterdir() if path.name != "__pycache__")
    folders = [path.name for path in inside if any(path.glob("*.*"))]
    assert [name for name in folders if not re.search(rf"[\[`]{name}\b", page)] == []


def test_the_command_line_s_page_has_every_command_and_option(hook: Any) -> None:
    page = hook("code_pages").command_page()
    top: Any = typer.main.get_command(app)
    for name, command in top.commands.items():
        for inner, leaf in getattr(command, "commands", {"": command}).items():
            body = page.split(f"\n## {f'nas {name} {inner}'.strip()}\n")[1].split("\n## ")[0]
            assert [
                p.opts[0] for p in leaf.params if p.opts[0].startswith("--") and f"`{p.opts[0]}" not in body
            ] == []


def test_every_name_of_the_api_s_pages_is_there(hook: Any) -> None:
    for _, _, names in hook("code_pages").API.values():
        for name in names:
            module, _, attribute = name.rpartition(".")
            text = source_of(module)
            assert source_of(name) or re.search(rf"(def|class) {attribute}\b|\"{attribute}\"", text), name


def source_of(module: str) -> str:
    """The text of a module, without importing it; empty if there is none."""
    stem = ROOT / module.replace(".", "/")
    files = [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
    return files[0].read_text(encoding="utf-8") if files else ""


def test_every_key_of_the_schemas_is_explained(hook: Any) -> None:
    pages = hook("schema_pages")
    for name in pages.MODELS:
        described = pages.schema(name)
        for title, part in {"": described, **described["$defs"]}.items():
            silent = [
                k
                for k, v in part["properties"].items()
                if v.get("description", "") in ("", part["description"])
            ]
            assert set(silent) <= {"name", "label"}, (name, title)


def test_the_schema_s_page_has_every_key(hook: Any) -> None:
    page = hook("schema_pages").schema_pages()["reference/schema.md"]
    for model in (SearchConfig, CompareConfig):
        assert [key for key in model.model_fields if f"| `{key}` |" not in page] == []


@pytest.mark.parametrize(
    "path",
    sorted(
        [
            *ROOT.glob("configs/*.yaml"),
            *ROOT.glob("nas/config/searches/*.yaml"),
            *ROOT.glob("docs/examples/*.yaml"),
        ]
    ),
    ids=lambda path: path.stem,
)
def test_the_schema_accepts_the_configs_of_the_repository(hook: Any, path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.validate(values, hook("schema_pages").schema("compare" if "problems" in values else "search"))


@pytest.mark.parametrize(
    "wrong", [{"budgett": 5}, {"budget": 0.5}, {"seed": -1}, {"algorithm": {"population": 3}}]
)
def test_the_schema_refuses_what_a_search_would_refuse(hook: Any, wrong: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = hook("schema_pages").schema("search")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"space": "muxnet-tiny", **wrong}, schema)


def test_links_that_leave_the_pages_lead_to_copies(hook: Any) -> None:
    pages = hook("repository_pages")
    text = "[a](../README.md#x) [b](examples/own_space.py) [c](config.md) [d](examples/cluster) [e](https://x.org)"
    wanted = "[a](repository/README.md#x) [b](examples/own_space.py.md) [c](config.md) d [e](https://x.org)"
    assert pages.rewritten(text, ROOT / "docs" / "index.md") == wanted


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[config.md](config.md)", "[The config file](config.md)"),
        ("[concepts.md](concepts.md#warm-start)", "[Warm start](concepts.md#warm-start)"),
        ("[CONTRIBUTING.md](../CONTRIBUTING.md)", "[Contributing](repository/CONTRIBUTING.md)"),
    ],
)
def test_a_link_with_only_a_page_name_gets_its_heading(hook: Any, link: str, shown: str) -> None:
    assert hook("repository_pages").rewritten(link, ROOT / "docs" / "index.md") == shown


def test_links_within_code_are_left_alone(hook: Any) -> None:
    text = "```text\n[a](../README.md)\n```\n"
    assert hook("repository_pages").rewritten(text, ROOT / "docs" / "index.md") == text


def test_a_file_is_shown_where_a_page_includes_it(hook: Any) -> None:
    shown = hook("repository_pages").included(
        "<!-- include: examples/own_space.yaml -->", ROOT / "docs" / "x.md"
    )
    assert (ROOT / "docs" / "examples" / "own_space.yaml").read_text(encoding="utf-8").rstrip() in shown


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("docs") / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING -" not in done.stderr
    return folder


@pytest.mark.slow
def test_the_site_has_the_reference_and_the_schemas(site: Path) -> None:
    assert json.loads((site / "reference" / "search.schema.json").read_text(encoding="utf-8"))["properties"][
        "space"
    ]
    assert "nas.search" in (site / "reference" / "api" / "nas.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>")
    for page in site.rglob("*.html"):
        assert loads.findall(page.read_text(encoding="utf-8")) == [], page


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1300])
def test_a_browser_shows_the_pages_without_errors_and_finds_a_word(
    site: Path, width: int, browser: Any
) -> None:
    with served(site) as address, browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        complaints = complaints_of(page, address)
        for name in SHOWN:
            page.goto(f"{address}/{name}.html", wait_until="networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if width < 1000:
            page.locator("label[for=__search]").first.click()
        page.locator(".md-search__input").press_sequentially("nadir")
        page.wait_for_selector(".md-search-result__item", timeout=20_000)
    assert complaints == []


def complaints_of(page: Any, address: str) -> list[str]:
    """Errors, requests to other hosts and failed requests of a page, from now on."""
    heard: list[str] = []

    def note(what: str, worth: bool) -> None:
        if worth:
            heard.append(what)

    page.on("console", lambda said: note(said.text, said.type == "error"))
    page.on("pageerror", lambda error: note(str(error), True))
    page.on("request", lambda asked: note(asked.url, not asked.url.startswith((address, "data:", "blob:"))))
    page.on("response", lambda got: note(got.url, got.status >= 400))
    return heard


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served on this machine, while the block runs."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:  # else its thread spins on the closed socket and slows all later tests
            server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        """Keep the requests out of the tests' output."""
