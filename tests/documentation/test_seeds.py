"""The page of MUXConv's results: every row has a state, and what that state asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
STATES = ["measured", "counted", "published", "out of reach"]
HEADER = ["part", "state", "result", "command", "time"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables() -> dict[str, list[list[str]]]:
    """The rows of the table below each heading, with its header."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)[1:]
    found = {}
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        lines = [cells(line) for line in body.splitlines() if line.startswith("|")]
        if lines:
            found[title] = lines
    return found


ROWS = [(title, dict(zip(HEADER, row, strict=True))) for title, rows in tables().items() for row in rows[2:]]


def test_the_page_defines_every_state_and_every_table_has_the_same_columns() -> None:
    defined = [cells(line)[0] for line in PAGE.split("\n## ")[0].splitlines() if line.startswith("|")]
    assert defined[2:] == STATES
    assert all(rows[0] == HEADER for rows in tables().values())
    assert len(tables()) >= 10


@pytest.mark.parametrize(("title", "row"), ROWS, ids=[f"{title}: {row['part']}" for title, row in ROWS])
def test_a_row_has_what_its_state_asks_for(title: str, row: dict[str, str]) -> None:
    assert row["state"] in STATES
    if row["state"] in ("measured", "counted"):
        assert row["command"], "the command that reproduces it"
        assert row["time"] or row["command"] == "as above", "how long that takes"
    if row["state"] == "out of reach":
        assert re.search(r"needs|as above", row["result"]), "what it would need"
        assert not row["time"]


def test_every_script_config_and_recipe_on_the_page_exists() -> None:
    for path in re.findall(r"\b(?:experiments|configs)/[\w/]+\.(?:py|yaml)", PAGE):
        assert (ROOT / path).is_file(), path
    from nas.training.recipe import RECIPES

    assert set(re.findall(r"--recipe (\w+)", PAGE)) <= set(RECIPES)


def test_every_flag_of_a_script_on_the_page_exists() -> None:
    for path, rest in re.findall(r"`python (experiments/[\w/]+\.py)([^`]*)`", PAGE):
        folder = (ROOT / path).parent
        text = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
        for flag in re.findall(r"--[\w-]+", rest):
            assert f'"{flag}"' in text, f"{path} {flag}"


def test_counts_on_the_page_are_those_of_the_tables() -> None:
    from experiments.readme_tables import rows

    imagenet = {row["network"]: row for row in rows(ROOT / "experiments" / "imagenet" / "table.csv")}
    other = imagenet["mobilenet_v3_large"]
    said = (
        f"{float(other['params_to_muxnet']):.2f} times, at {float(other['madds_to_muxnet']):.2f} of its MAdds"
    )
    detection = {row["network"]: row for row in rows(ROOT / "experiments" / "detection" / "counts.csv")}
    ours, theirs = (detection[f"{name} + SSDLite"] for name in ("MUXNet-m", "MobileNetV2"))
    less = [f"{100 * (1 - int(ours[key]) / int(theirs[key])):.1f}%" for key in ("params", "madds")]
    assert said in PAGE
    assert f"{less[0]} fewer parameters, {less[1]} fewer MAdds" in PAGE


def test_costs_on_ten_classes_are_those_on_the_page() -> None:
    from search_spaces.muxnet.cost import network_cost
    from search_spaces.muxnet.models import MODELS

    cost = network_cost(MODELS["muxnet_m"], 10)
    assert f"{cost.params / 1e6:.2f}M parameters, {cost.madds / 1e6:.1f}M MAdds" in PAGE
