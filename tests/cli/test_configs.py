"""The configs that come with the repository can be read and assembled."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.config.assemble import CONFIGS, assemble
from nas.config.schema import check_config, read_config
from nas.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*CONFIGS.glob("*.yaml"), *(ROOT / "configs").glob("*.yaml")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_config_that_comes_with_us_makes_a_search(file: Path) -> None:
    parts = assemble(check_config(read_config(file)), file.parent)
    assert {"params", "madds"} & set(parts.problem.names)
    assert set(parts.problem.names) <= {"error", "miou", "robustness", "params", "madds"}
    assert parts.loop.evaluations >= 10


def test_the_cifar_config_is_where_the_documentation_names_it() -> None:
    assert ROOT / "configs" / "muxnet_cifar10.yaml" in FILES


def test_a_config_may_ask_for_proxies_beside_the_training() -> None:
    values = read_config(CONFIGS / "muxnet-tiny.yaml")
    values["evaluator"]["proxies"] = ["naswot"]
    evaluate = assemble(check_config(values), CONFIGS).problem.evaluate
    assert getattr(evaluate, "names", None) == ("naswot",)
    values["evaluator"]["proxies"] = ["nasvot"]
    with pytest.raises(ConfigError, match="naswot"):
        assemble(check_config(values), CONFIGS)
