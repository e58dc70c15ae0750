"""`nas doctor` and `nas --version`."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from nas.cli.installation import Needed, by_extra


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("NAS_SHARED_DATA", "NASBENCH101_TABLE"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def looked(nas_command, *flags: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """The findings, by part."""
    done = nas_command("doctor", "--json", *flags)
    assert done.code == code, done.out + done.err
    said = json.loads(done.out)
    assert said["schema"] == 1
    assert said["ready"] is (code == 0)
    return {finding["part"]: finding for finding in said["findings"]}


def test_this_environment_is_ready(nas_command) -> None:
    found = looked(nas_command, "--no-ray")
    assert all(finding["state"] in ("ok", "note") for finding in found.values())
    assert found["Ray starts"]["said"] == "not tried (--no-ray)"
    assert "1,797 images" in found["data digits"]["said"]


def test_the_table_ends_with_what_to_run(nas_command) -> None:
    done = nas_command("doctor", "--no-ray")
    assert done.code == 0
    assert done.out.strip().endswith("Ready: nas search")


def test_every_extra_of_the_metadata_has_a_line(nas_command) -> None:
    extras = metadata.metadata("multiobjective-nas").get_all("Provides-Extra") or []
    parts = [part for part in looked(nas_command, "--no-ray") if part.startswith("extra ")]
    assert {part.split()[1].rstrip(":") for part in parts} == set(extras)


def test_a_missing_or_old_package_is_reported_with_the_command(nas_command, monkeypatch) -> None:
    wrong = (
        Needed("torch", ">=2.4", "2.1"),
        Needed("moocore", ">=0.1.7", None),
        Needed("numpy", ">=1.26", "2.0"),
    )
    monkeypatch.setattr(
        "nas.cli.doctor.needed", lambda: {"": wrong, "onnx": (Needed("onnx", ">=1.16", None),)}
    )
    found = looked(nas_command, "--no-ray", code=1)
    assert found["packages"]["said"] == "torch 2.1 (needs >=2.4), moocore not installed (needs >=0.1.7)"
    assert found["packages"]["advice"] == "pip install 'torch>=2.4' 'moocore>=0.1.7'"
    assert found["extra onnx: nas export, network.onnx"]["state"] == "note"


def test_the_command_that_brings_an_extra_is_shown_as_it_is_typed(nas_command, monkeypatch) -> None:
    monkeypatch.setattr("nas.cli.doctor.needed", lambda: {"": (), "onnx": (Needed("onnx", ">=1.16", None),)})
    assert "[onnx]" in nas_command("doctor", "--no-ray").out


def test_an_unsupported_python_is_reported(nas_command, monkeypatch) -> None:
    from packaging.specifiers import SpecifierSet

    monkeypatch.setattr("nas.cli.doctor.supported_python", lambda: SpecifierSet(">=9"))
    assert looked(nas_command, "--no-ray", code=1)["Python"]["advice"] == "needs >=9"


def test_gpus_are_named(nas_command, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    for name, value in (("is_available", True), ("device_count", 2), ("get_device_name", "Large")):
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    assert looked(nas_command, "--no-ray")["GPU"]["said"] == "2 by CUDA 13.0: Large, Large"


@pytest.mark.parametrize(
    ("code", "reason"),
    [("raise SystemExit('no socket')", "no socket"), ("import time; time.sleep(60)", "no answer within 1 s")],
)
def test_a_ray_that_does_not_start_is_reported_with_the_alternative(
    nas_command, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr("nas.cli.doctor._START_RAY", code)
    monkeypatch.setattr("nas.cli.doctor._RAY_SECONDS", 1.0 if "sleep" in code else 90.0)
    found = looked(nas_command, code=1)["Ray starts"]
    assert reason in found["said"]
    assert found["advice"] == "nas search --executor serial needs no Ray"


def test_a_read_only_folder_is_reported(nas_command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nas.cli.doctor.tempfile.TemporaryFile", refused)
    assert (
        "is not writable (Permission denied)"
        in looked(nas_command, "--no-ray", code=1)["this folder"]["said"]
    )


def test_tables_are_found_where_they_are_looked_for(
    nas_command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "tables" / "nb101").mkdir(parents=True)
    (here / "tables" / "nb101" / "meta.json").write_text("{}")
    (here / "shared" / "cells").mkdir(parents=True)
    (here / "shared" / "cells" / "cells.parquet").write_bytes(b"")
    monkeypatch.setenv("NAS_SHARED_DATA", str(here / "shared"))
    monkeypatch.setenv("NASBENCH101_TABLE", str(here / "gone"))
    found = looked(nas_command, "--no-ray")
    assert found["data here"]["said"] == "tables/nb101: an imported table"
    assert found["data $NAS_SHARED_DATA"]["said"] == f"{here / 'shared'}: 1 Parquet file"
    assert found["data $NASBENCH101_TABLE"]["state"] == "note"


def test_requirements_of_an_extra_are_separate_from_those_of_the_package() -> None:
    requirements = ("numpy>=1.26", "nothing-of-the-kind>=3; extra == 'x'", "tomli; python_version < '3'")
    groups = by_extra(requirements, ["x"])
    assert [p.name for p in groups[""]] == ["numpy"]
    assert groups[""][0].fits
    assert groups["x"] == (Needed("nothing-of-the-kind", ">=3", None),)


@pytest.mark.slow
def test_ray_is_started_and_answers(nas_command) -> None:
    assert looked(nas_command)["Ray starts"]["state"] == "ok"


def test_the_version_is_that_of_the_package(nas_command) -> None:
    done = nas_command("--version")
    assert done.code == 0
    assert done.out == f"nas {metadata.version('multiobjective-nas')}\n"
