"""`nas doctor`: check that a search can run here and list missing optional packages."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from nas.cli.console import output, print_json
from nas.cli.installation import Needed, needed, supported_python
from nas.core.text import command, counted
from nas.core.tracebacks import summarize_exception

OK, NOTE, MISSING = "ok", "note", "missing"
_STYLES = {OK: "green", NOTE: "yellow", MISSING: "red"}
_GIB = 2**30
_ROOM = 0.2 * _GIB  # of disk: a small run leaves some megabytes, Ray's own files some more
_SHARED_MEMORY = 0.25 * _GIB  # Ray's store of objects; it falls back to the disk, which is slower
_RAY_SECONDS = 90.0

# Purpose of each extra; its packages are in the package's metadata.
_FOR: Mapping[str, str] = {
    "onnx": "nas export, network.onnx",
    "lightgbm": "gradient boosting as a surrogate",
    "huggingface": "data sets of Hugging Face on disk",
    "timm": "networks timm/NAME",
    "peers": "Optuna in nas compare",
    "optuna": "nas export-optuna, optuna-dashboard",
    "detection": "nas train --task detection",
    "tensorboard": "nas search --tensorboard",
    "mlflow": "nas search --mlflow",
    "wandb": "nas search --wandb",
    "dev": "tests, style and types of this package",
}

# Where experiments and tests search for tables (docs/nasbench101-data.md), besides the folders of the configs.
_VARIABLES = ("NAS_SHARED_DATA", "NASBENCH101_TABLE")
_FOLDERS = ("tables", "data")

_START_RAY = """
from nas.executors.ray_cluster import open_cluster, prepare_environment
from nas.executors.ray_folder import SessionFolder
from nas.executors.settings import RaySettings
prepare_environment(True)
import ray
folder = SessionFolder()
try:
    open_cluster(RaySettings(workers=1), 0, str(folder.path))
    assert ray.get(ray.remote(lambda: 42).remote(), timeout=60) == 42
finally:
    ray.shutdown()
    folder.remove()
"""


@dataclass(frozen=True)
class Finding:
    """Result of one check: `missing` prevents a search, `note` something optional."""

    part: str
    state: str
    said: str
    advice: str = ""


def run_doctor(as_json: bool, ray: bool) -> None:
    """Print the findings; exit with 1 if a search cannot run."""
    findings = list(examine(ray))
    bad = [f for f in findings if f.state == MISSING]
    if as_json:
        print_json({"schema": 1, "ready": not bad, "findings": [asdict(f) for f in findings]}, indent=2)
    else:
        _print(findings)
        if bad:
            output().print(
                f"Not ready: {'; '.join(f.part for f in bad)}. See the last column for the fix.", style="red"
            )
        else:
            output().print(f"Ready: {command('nas', 'search')}", style="green")
    if bad:
        raise typer.Exit(1)


def examine(ray: bool = True) -> Iterator[Finding]:
    """Run all checks in display order; `ray` False does not start Ray."""
    yield _python()
    yield from _packages()
    yield from _torch()
    yield _ray() if ray else Finding("Ray starts", NOTE, "not tried (--no-ray)")
    yield from _room()
    yield from _data()


def _python() -> Finding:
    said = f"{platform.python_version()} at {sys.executable}; {platform.system()} {platform.machine()}"
    try:
        fits = supported_python().contains(platform.python_version(), prereleases=True)
    except metadata.PackageNotFoundError:
        return Finding("Python", MISSING, said, "this package is not installed: pip install .")
    return Finding("Python", OK if fits else MISSING, said, "" if fits else f"needs {supported_python()}")


def _packages() -> Iterator[Finding]:
    """This package and its requirements, then one finding per extra."""
    try:
        groups = needed()
    except metadata.PackageNotFoundError:
        return
    yield Finding(
        "multiobjective-nas", OK, f"{metadata.version('multiobjective-nas')} at {Path(__file__).parents[1]}"
    )
    core = groups[""]
    wrong = [p for p in core if not p.fits]
    advice = f"pip install {' '.join(repr(f'{p.name}{p.wanted}') for p in wrong)}" if wrong else ""
    yield Finding("packages", MISSING if wrong else OK, _listed(wrong or core), advice)
    for extra, packages in groups.items():
        if extra:
            yield _extra(extra, packages)


def _extra(extra: str, packages: tuple[Needed, ...]) -> Finding:
    wrong = [p for p in packages if not p.fits]
    name = f"extra {extra}" + (f": {_FOR[extra]}" if extra in _FOR else "")
    if not wrong:
        return Finding(name, OK, _listed(packages))
    return Finding(name, NOTE, _listed(wrong), f"optional: pip install 'multiobjective-nas[{extra}]'")


def _listed(packages: tuple[Needed, ...] | list[Needed]) -> str:
    return ", ".join(map(str, packages))


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a broken build may raise anything
        yield Finding(
            "PyTorch",
            MISSING,
            f"cannot be imported: {summarize_exception(error)}",
            "reinstall PyTorch: see pytorch.org",
        )
        return
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(
        "PyTorch",
        OK,
        f"{torch.__version__}, {torch.get_num_threads()} threads, {cpus} processors for this process",
    )
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("GPU", OK, f"{len(names)} by CUDA {torch.version.cuda}: {', '.join(names)}")
    elif torch.backends.mps.is_available():
        yield Finding("GPU", NOTE, "Apple GPU (MPS) present", "training uses the CPU regardless")
    else:
        why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "CUDA finds none"
        yield Finding("GPU", OK, f"none ({why}); searches of small networks need none")


def _ray() -> Finding:
    """Start Ray in a separate process with a time limit and run one task."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START_RAY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = process.communicate(timeout=_RAY_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Finding(
            "Ray starts",
            MISSING,
            f"no answer within {_RAY_SECONDS:.0f} s",
            f"{command('nas', 'search', '--executor', 'serial')} needs no Ray",
        )
    if process.returncode == 0:
        return Finding("Ray starts", OK, "a worker on this machine answered, on loopback only")
    last = (said.strip().splitlines() or ["no reason given"])[-1]
    return Finding(
        "Ray starts", MISSING, last, f"{command('nas', 'search', '--executor', 'serial')} needs no Ray"
    )


def _room() -> Iterator[Finding]:
    folder = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            "this folder",
            MISSING,
            f"{folder} is not writable ({error.strerror})",
            "change to another folder or set --out",
        )
    else:
        enough = free > _ROOM
        advice = "" if enough else "free disk space: a run needs some megabytes, Ray some hundred"
        yield Finding(
            "this folder",
            OK if enough else MISSING,
            f"{folder} is writable, {free / _GIB:.1f} GiB free",
            advice,
        )
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        state = OK if free > _SHARED_MEMORY else NOTE
        advice = "" if state == OK else "Ray uses the disk instead; in a container, raise it: --shm-size=1g"
        yield Finding("shared memory", state, f"{free / _GIB:.1f} GiB free at {shared}", advice)


def _data() -> Iterator[Finding]:
    yield _checked("digits", _digits)
    for variable in _VARIABLES:
        given = os.environ.get(variable)
        if given is not None:
            there = Path(given).exists()
            advice = "" if there else f"correct or unset {variable}"
            yield Finding(
                f"data ${variable}",
                OK if there else NOTE,
                _holds(Path(given)) if there else f"{given} does not exist",
                advice,
            )
    found = [f for name in _FOLDERS for f in (Path(name), *sorted(Path(name).glob("*"))) if _is_table(f)]
    if found:
        yield Finding("data here", OK, "; ".join(_holds(folder) for folder in found))
    else:
        said = f"no tables in {' or '.join(f'{name}/' for name in _FOLDERS)}; searches that train need none"
        yield Finding("data here", OK, said)


def _checked(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(f"data {name}", OK, look())
    except Exception as error:
        return Finding(
            f"data {name}", MISSING, summarize_exception(error), "reinstall scikit-learn, which contains them"
        )


def _digits() -> str:
    from nas.training.data import Digits

    report = Digits().check()
    return f"{sum(sum(counts) for counts in report.counts.values()):,} images, {report.where}"


def _is_table(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "meta.json").is_file() or any(folder.glob("*.parquet")))


def _holds(folder: Path) -> str:
    """A folder and the tables in it."""
    if not folder.is_dir():
        return f"{folder}"
    if (folder / "meta.json").is_file():
        return f"{folder}: an imported table"
    files = len(list(folder.rglob("*.parquet")))
    return f"{folder}: {counted(files, 'Parquet file')}"


def _print(findings: list[Finding]) -> None:
    table = Table(header_style="bold", show_lines=False)
    for column in ("", "part", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for each in findings:
        table.add_row(
            Text(each.state, style=_STYLES[each.state]), *map(Text, (each.part, each.said, each.advice))
        )
    output().print(table)
