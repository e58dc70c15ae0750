"""Metadata of a release: in setup.cfg, CITATION.cff, the Containerfile and the documentation."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg", encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return found


def test_the_version_is_the_same_everywhere(setup, citation) -> None:
    version = setup["metadata"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", version)
    assert citation["version"] == version
    assert f"Version {version}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_citation_has_what_its_format_demands(citation) -> None:
    assert citation["cff-version"] == "1.2.0"
    assert all(citation[key] for key in ("message", "title", "authors"))
    for reference in citation["references"]:
        assert all(reference[key] for key in ("type", "title", "authors"))
        assert all(author["family-names"] for author in reference["authors"])


def test_the_classifiers_name_the_pythons_that_are_supported(setup) -> None:
    named = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    assert named == ["3.10", "3.11", "3.12", "3.13"]
    assert setup["options"]["python_requires"] == f">={named[0]}"
    page = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    assert all(f"| {version} |" in page for version in named)


def test_every_file_that_the_container_copies_is_there_or_is_made_by_make_dist() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert all(word.startswith("dist/") or (ROOT / word).is_file() for word in copied)


def test_the_container_does_not_run_as_root() -> None:
    lines = (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER nas"]
    assert lines.index("USER nas") < lines.index('ENTRYPOINT ["nas"]')


def test_every_pinned_requirement_of_the_core_is_in_the_constraints(setup) -> None:
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    needed = [re.split(r"[><=]", line)[0].lower() for line in setup["options"]["install_requires"].split()]
    assert set(needed) <= pinned


@pytest.mark.parametrize("package", ["nas", "search_spaces", "surrogates"])
def test_every_folder_of_modules_is_a_package_so_that_wheels_contain_it(package: str) -> None:
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("target", "there", "packages"),
    [
        ("search", None, ["."]),
        ("search", ".installed", []),
        ("search", ".product", []),
        ("test", None, [".[dev]"]),
        ("test", ".product", [".[dev]"]),
        ("test", ".installed", []),
    ],
)
def test_a_search_needs_the_packages_of_a_search_alone(
    tmp_path: Path, target: str, there: str | None, packages: list[str]
) -> None:
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    if there is not None:
        (tmp_path / ".venv").mkdir()
        (tmp_path / ".venv" / there).touch()
    make = ["make", "--dry-run", "--file", str(ROOT / "Makefile"), target]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert re.findall(r"--editable '(.*)'", done.stdout) == packages
