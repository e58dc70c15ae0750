"""The table of experiments/imagenet, and evaluation on ImageNet-V2's layout."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.errors import ConfigError, DataError
from search_spaces.networks import NETWORKS

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "imagenet"
sys.path.insert(0, str(FOLDER))


def script(name: str) -> ModuleType:
    """A script of the folder, under a name that no other folder's script has."""
    spec = importlib.util.spec_from_file_location(f"imagenet_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


accuracy, table = script("accuracy"), script("table")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.table()
    return found


def test_every_row_of_the_published_table_is_there_and_its_network_too(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 17
    assert [row["model"] for row in rows if not row["network"]] == ["ChamNet-C", "MnasNet-A2"]
    assert {row["network"] for row in rows} - {""} <= set(NETWORKS)


def test_computed_and_published_values_stay_apart(rows: list[dict[str, Any]]) -> None:
    found = {row["model"]: row for row in rows}
    assert (found["MUXNet-m"]["params"], found["MUXNet-m"]["madds"]) == (3_354_276, 216_808_112)
    assert found["MUXNet-m"]["madds_ratio"] == pytest.approx(216.8 / 218, abs=1e-3)
    assert found["MUXNet-m"]["top1_published"] == "75.3"
    assert found["ChamNet-C"]["params"] == ""
    assert found["ChamNet-C"]["params_published_m"] == "3.4"


def test_only_measured_accuracies_are_shown_as_measured(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    measured = {row["network"] for row in table.read(FOLDER / "results" / "accuracy.csv")}
    assert {row["network"] for row in rows if row["top1"] != ""} <= measured


def test_the_committed_table_equals_the_output_of_the_script(rows: list[dict[str, Any]]) -> None:
    committed = table.read(FOLDER / "table.csv")
    assert [{key: str(value) for key, value in row.items()} for row in rows] == committed


def test_empty_columns_are_left_out_for_people_and_gaps_are_dashes(rows: list[dict[str, Any]]) -> None:
    text = table.markdown([{**row, "gpu_ms_batch64": "", "gpu_ms_batch64_bfloat16": ""} for row in rows])
    assert "bf16" not in text
    line = next(line for line in text.splitlines() if line.startswith("| ChamNet-C"))
    assert line.startswith("| ChamNet-C | auto | - | - | 3.4 | - |")


def test_the_committed_tables_for_people_equal_the_output_of_the_script(rows: list[dict[str, Any]]) -> None:
    assert (FOLDER / "results" / "table.md").read_text(encoding="utf-8") == table.markdown(rows)
    text = table.README.read_text(encoding="utf-8")
    assert table.with_block(text, table.BLOCK, table.ratios(rows)) == text, "run: table.py"


def test_ratios_are_those_to_the_muxnet_of_the_group(rows: list[dict[str, Any]]) -> None:
    found = {row["model"]: row for row in rows}
    large = found["MobileNetV3 large"]
    assert large["params_published_to_muxnet"] == pytest.approx(5.4 / 3.4, abs=1e-4)
    assert large["params_to_muxnet"] == pytest.approx(large["params"] / 3_354_276, abs=1e-4)
    assert found["ChamNet-C"]["madds_to_muxnet"] == ""
    assert all(
        row["params_to_muxnet"] == row["madds_to_muxnet"] == 1 for row in rows if "MUX" in row["model"]
    )


def test_a_row_states_what_is_counted_measured_and_published(rows: list[dict[str, Any]]) -> None:
    row = {**rows[0], "cpu_ms_batch1": "", "gpu_ms_batch1": "3.1", "top1": "66.5"}
    assert table.state(row) == "costs counted; GPU times, accuracy measured; CPU times published"
    assert table.state({**row, "network": ""}) == "published"


class Colour(nn.Module):
    """Predicts class 7 for images with more red than blue, else class 12."""

    def forward(self, x: Tensor) -> Tensor:
        red = x[:, 0].mean((1, 2)) > x[:, 2].mean((1, 2))
        return nn.functional.one_hot(torch.where(red, 7, 12), 20).float()


@pytest.fixture
def images(shared_data: Path) -> list[bytes]:
    """Some real images of ImageNet, as stored."""
    file = shared_data / "images" / "imagenet_sample200.parquet"
    if not file.is_file():
        pytest.skip(f"images of ImageNet not found at {file}")
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=["jpeg"]).column("jpeg").to_pylist()[:6]  # type: ignore[no-any-return]


def put(folder: Path, name: str, blobs: list[bytes]) -> None:
    (folder / name).mkdir(parents=True)
    for i, blob in enumerate(blobs):
        (folder / name / f"{i}.jpeg").write_bytes(blob)


def coloured(channel: int) -> bytes:
    from PIL import Image

    pixels = np.zeros((40, 50, 3), np.uint8)
    pixels[..., channel] = 220
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def test_the_three_sets_of_imagenet_v2_are_evaluated_by_the_numbers_of_their_folders(tmp_path: Path) -> None:
    for inside in accuracy.V2_SETS.values():
        put(tmp_path / inside, "7", [coloured(0)] * 3)
        put(tmp_path / inside, "12", [coloured(2), coloured(0)])
    sets = accuracy.sets_of(None, tmp_path)
    found = dict(accuracy.scores(Colour(), sets, num_classes=20))
    assert list(found) == list(accuracy.V2_SETS)
    assert all(score.pictures == 5 for score in found.values())
    assert all(score.error == pytest.approx(20.0) for score in found.values())


def test_real_images_of_any_size_are_cut_to_the_input_of_the_network(
    images: list[bytes], tmp_path: Path
) -> None:
    put(tmp_path, "3", images[:4])
    put(tmp_path, "11", images[4:])
    feed = accuracy.held_out(tmp_path)
    batches = list(feed.batches([torch.arange(6)], None))
    assert [tuple(x.shape) for x, _ in batches] == [(6, 3, 224, 224)]
    assert batches[0][1].tolist() == [11, 11, 3, 3, 3, 3]
    assert len({round(float(x.mean()), 3) for x in batches[0][0]}) > 1


def test_named_classes_are_numbered_in_their_order(tmp_path: Path) -> None:
    for name in ("n02", "n01", "n03"):
        put(tmp_path, name, [coloured(1)])
    assert accuracy.held_out(tmp_path, num_classes=3).images.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["n01", "n02"], "expected 3 class folders"), (["0", "3"], "class folders 0 to 2, got 3")],
    ids=["too few", "too high"],
)
def test_folders_that_do_not_fit_the_classes_are_refused(
    names: list[str], message: str, tmp_path: Path
) -> None:
    for name in names:
        put(tmp_path, name, [coloured(1)])
    with pytest.raises(DataError, match=message):
        accuracy.held_out(tmp_path, num_classes=3)


def test_without_any_set_nothing_is_evaluated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="imagenetv2-matched-frequency-format-val"):
        accuracy.sets_of(None, tmp_path)
