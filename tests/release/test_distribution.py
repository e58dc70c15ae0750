"""The wheel and the sdist: their content, and a first hour in an empty environment.

Takes minutes, two gigabytes and the package index: `make test-dist`.
"""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.dist

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get(
    "NAS_DIST_PYTHON", sys.executable
)  # makes the environment: `make test-dist PYTHON=python3.12`
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
)  # of the environment; the index that pip asks is configured in files or in PIP_*
INSTALL = ("-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check")


def run(*command: str | Path, folder: Path, seconds: float = 900.0) -> str:
    """The output of a command in a folder, without this checkout in the environment."""
    clean = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("PIP_")}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=clean, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, which was made from the sdist, and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, folder=out)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment into which the wheel alone was installed."""
    place = tmp_path_factory.mktemp("environment")
    run(PYTHON, "-m", "venv", place / "venv", folder=place)
    commands = place / "venv" / "bin"
    pins = place / "pins.txt"
    pins.write_text(pinned(run(PYTHON, "-c", "import sys; print(*sys.version_info[:2])", folder=place)))
    run(commands / "python", *INSTALL, "--constraint", pins, built[0], folder=place, seconds=1800.0)
    return commands


def pinned(version: str) -> str:
    """The pinned versions; on another Python than that of the tests PyTorch's alone, as not all support it."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    same = version.split() == [str(part) for part in sys.version_info[:2]]
    return "\n".join(pin for pin in pins if same or pin.startswith("torch=="))


@pytest.fixture(scope="module")
def searched(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder outside the checkout, in which a first search of six networks ran."""
    folder = tmp_path_factory.mktemp("empty")
    run(installed / "nas", "search", "--budget", "6", folder=folder)
    return folder


def test_the_wheel_has_the_packages_their_configs_and_their_types_and_nothing_else(
    built: tuple[Path, Path],
) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
    assert {
        "nas/config/searches/muxnet-tiny.yaml",
        "nas/deployment/targets/cpu-1-thread.yaml",
        "nas/py.typed",
        "search_spaces/py.typed",
        "surrogates/py.typed",
    } <= set(names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "nas",
        "search_spaces",
        "surrogates",
    }


def test_the_wheel_has_every_module_of_the_checkout(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        names = set(archive.namelist())
    for package in ("nas", "search_spaces", "surrogates"):
        ours = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}
        assert ours <= names


def test_the_sdist_has_the_licence_the_documentation_and_the_pins(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "LICENSE",
        "CHANGELOG.md",
        "CITATION.cff",
        "constraints.txt",
        "docs/index.md",
        "setup.cfg",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "experiments/", "runs/"))]


def test_the_version_is_that_of_setup_cfg(installed: Path, tmp_path: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert run(installed / "nas", "--version", folder=tmp_path) == f"nas {setup['metadata']['version']}\n"


def test_the_doctor_finds_it_ready(installed: Path, tmp_path: Path) -> None:
    found = json.loads(run(installed / "nas", "doctor", "--json", folder=tmp_path))
    assert found["ready"] is True
    assert {f["part"]: f["state"] for f in found["findings"]}["Ray starts"] == "ok"


def test_a_first_search_finds_a_front(searched: Path) -> None:
    summary = json.loads((searched / "runs" / "first" / "summary.json").read_text(encoding="utf-8"))
    assert summary["evaluations"] == 6
    assert summary["failed"] == 0
    assert summary["front_size"] >= 1


def test_a_found_network_is_exported_and_runs_in_that_environment(installed: Path, searched: Path) -> None:
    run(installed / "nas", "export", "runs/first", "--no-onnx", folder=searched)
    (folder,) = (searched / "runs" / "first" / "export").iterdir()
    assert "give (2, 10)" in run(installed / "python", "-I", "network.py", "weights.pt", folder=folder)


def test_the_sdist_installs_as_the_wheel_does(
    installed: Path, built: tuple[Path, Path], searched: Path
) -> None:
    run(installed / "python", *INSTALL, "--no-deps", "--force-reinstall", built[1], folder=searched)
    assert "Pareto front" in run(installed / "nas", "front", "runs/first", folder=searched)
