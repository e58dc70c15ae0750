"""Targets: reading, limits, and what a wrong file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.core.errors import ConfigError
from nas.deployment.target import Target, built_in_targets, read_target


@pytest.mark.parametrize("name", sorted(built_in_targets()))
def test_built_in_targets_are_read(name: str) -> None:
    found = read_target(name)
    assert found.name == name
    assert found.description
    assert read_target(f"{name}.yaml") == found
    assert read_target(f"targets/{name}.yaml") == found


def test_the_three_that_others_rely_on() -> None:
    assert set(built_in_targets()) >= {"cpu-1-thread", "microcontroller-512k", "phone-arm"}
    assert read_target("microcontroller-512k").ram == 524_288


def test_a_file_of_the_user_starts_at_the_configs_folder(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text(
        "ram: 1.5 MiB\nflash: 2MB\noperators: [Conv, Relu]\nint8: {calibration: 64}\n"
    )
    found = read_target("board.yaml", tmp_path)
    assert (found.name, found.ram, found.flash) == ("board", 1_572_864, 2_000_000)
    assert found.operators == ("Conv", "Relu")
    assert found.int8.calibration == 64


@pytest.mark.parametrize(
    ("text", "ram"),
    [
        ("1.5e6", 1_500_000),
        ("2e6", 2_000_000),
        ("512_000", 512_000),
        ("'524288'", 524_288),
        ("512K", 524_288),
        ("2 m", 2 * 1024**2),
        ("512 KB", 512_000),
        (".5 MiB", 524_288),
        ("1. KiB", 1024),
    ],
)
def test_sizes_are_whole_bytes_or_have_a_unit(tmp_path: Path, text: str, ram: int) -> None:
    (tmp_path / "board.yaml").write_text(f"ram: {text}\n")
    assert read_target("board.yaml", tmp_path).ram == ram


@pytest.mark.parametrize(
    "text", ["", "# nothing yet\n", "ram:\nthreads:\nint8:\n", "int8: {float_layers: null}\ndevice: {ssh: }"]
)
def test_keys_may_be_left_out_or_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "board.yaml").write_text(text)
    assert read_target("board.yaml", tmp_path) == Target("board")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rma: 5", r"no key 'rma' \(did you mean 'ram'\?\); it has: name, description, threads"),
        (
            "ram: much",
            "target: ram: expected a whole number of bytes or a size such as 512 KiB .*, got 'much'",
        ),
        ("ram: 0", "expected 1 byte to 1024 GiB, got 0"),
        ("ram: 1e300", "expected 1 byte to 1024 GiB"),
        (f"ram: {'9' * 400} GiB", "expected 1 byte to 1024 GiB"),
        ("ram: true", "expected a whole number of bytes"),
        ("ram: 1.5", "expected a whole number of bytes"),
        ("ram: .nan", "expected a whole number of bytes"),
        ("ram: -.inf", "target: ram: expected"),
        ("name: [1]", r"target: name: expected a text .* got \[1\]"),
        ("name: ''", "target: name: expected a text"),
        ("description: 3", "target: description: expected a text, got 3"),
        ("input_size: 1000000000", "target: input_size: expected at most 8192, got 1000000000"),
        ("operators: 5", "target: operators: expected a list"),
        ("threads: 0", "threads: expected a whole number of at least 1"),
        ("precision: int4", "expected float32 or int8, got 'int4'"),
        ("operators: Conv", r"expected a list of ONNX operators such as \[Conv, Relu\], got 'Conv'"),
        ("int8: {calibrations: 3}", "no setting 'calibrations'"),
        ("int8: {float_layers: stem}", "float_layers: expected a list"),
        ("int8: {float_layers: 5}", "float_layers: expected a list"),
        ("int8: {images: 1}", "int8: images: expected a whole number of at least 100, got 1"),
        ("timing: {rounds: 1000000000}", "target: timing: rounds: expected at most 1000"),
        (
            "timing: {least_seconds: 1e9}",
            r"target: timing: least_seconds: expected at most 60 \(seconds of one run\)",
        ),
        ("int8: 3", "int8: expected a mapping"),
        ("timing: {threads: 2}", "threads and device are settings of the target itself"),
        ("timing: {rouns: 20}", r"no setting 'rouns' \(did you mean 'rounds'\?\)"),
        ("device: phone", "device: expected a mapping such as {ssh: HOST}"),
        ("device: {ssh: -oProxyCommand=x}", "does not start with '-'"),
        ("device: {shh: phone}", "no setting 'shh'"),
        ("- 1", "expected a mapping"),
        ("ram: [", "board.yaml"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "board.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as found:
        read_target(str(tmp_path / "board.yaml"))
    assert "board.yaml" in str(found.value)


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no built-in target 'phone_arm' \(did you mean 'phone-arm'\?\)"):
        read_target("phone_arm")


def test_plain_values_tell_targets_apart() -> None:
    assert Target().as_json() == Target().as_json()
    assert Target(threads=2).as_json() != Target().as_json()
    assert Target(device={"ssh": "phone"}).as_json() != Target().as_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("operators: []", "expected at least one"),
        ("operators: [Conv, Rellu]", r"ONNX has no operator 'Rellu' \(did you mean 'Relu'\?\)"),
        ("opset: 99", "target: opset: expected 9 to 23, got 99"),
        ("threads: 100000000", "threads"),
        ("int8: {calibration: 1}", "int8: calibration: expected a whole number of at least 8, got 1"),
        ("timing: {rounds: 3}", "target: timing: rounds: expected a whole number of at least 6, got 3"),
    ],
)
def test_values_that_no_device_has_are_refused(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "board.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_target(str(tmp_path / "board.yaml"))
