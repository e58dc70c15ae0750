"""The YAML reader: numbers by YAML 1.2, ambiguous values and repeated keys refused with their line."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from nas.compare.config import check_comparison
from nas.config.schema import check_config, override, read_config
from nas.core.errors import ConfigError
from nas.core.yaml_text import DEPTH, YamlError, dump_yaml, parse_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E-3", 0.001),
        ("-1e3", -1000),
        ("+1e3", 1000),
        ("1.5e3", 1500.0),
        ("1e6", 1_000_000),
        (".5", 0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("0", 0),
        ("0.10", 0.1),
        (".inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_numbers_follow_yaml_1_2(text: str, value: float) -> None:
    found = parse_yaml(f"x: {text}")["x"]
    assert isinstance(found, (int, float))
    assert found == value


def test_a_whole_number_in_exponent_form_serves_where_an_int_is_expected() -> None:
    assert isinstance(parse_yaml("workers: 1e1")["workers"], int)


@pytest.mark.parametrize(
    "text", ["2024-01-01", "12:75", "localhost:6379", "e3", "1e", "1.2.3", "=", "r8/stem8s1"]
)
def test_texts_that_resemble_numbers_or_dates_stay_texts(text: str) -> None:
    assert parse_yaml(f"x: {text}") == {"x": text}


@pytest.mark.parametrize("text", ["yes", "no", "on", "off"])
def test_yes_no_on_and_off_are_booleans_as_values_and_texts_as_keys(text: str) -> None:
    assert parse_yaml(f"x: {text}") == {"x": text in ("yes", "on")}
    assert parse_yaml(f"{text}: 1") == {text: 1}
    assert parse_yaml(f"x: '{text}'") == {"x": text}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' appears again (first in line 1)"),
        ("a: {b: 1,\n  c: 2,\n  b: 3}", 3, "'b' appears again (first in line 1)"),
        ("a: 1\n'a': 2", 2, "'a' appears again"),
        ("x:\n  - {a: 1, a: 2}", 2, "'a' appears again"),
        ("d: &d {a: 1, a: 2}\ne: {<<: *d}", 1, "'a' appears again"),
        ("on: 1\non: 2", 2, "'on' appears again"),
        ("x: 1\nbudget: 1:30", 2, "1:30 is the base-60 number 90"),
        ("x: -1:30:00.5", 1, "base-60 number -5400.5"),
        ("seed: 010", 1, "YAML 1.1 reads it in base 8, YAML 1.2 in base 10"),
        ("x: 1e999", 1, "too large"),
        ("x: " + "9" * 5000, 1, "not a readable whole number"),
        ("x: !!int abc", 1, "not a readable whole number"),
        ("? [a]\n: 1", 1, "cannot be a key"),
        ("x: &a [*a]", 1, "contains itself"),
        ("[" * 5000, 1, f"nested deeper than {DEPTH} levels"),
        ("- " * 5000, 1, f"nested deeper than {DEPTH} levels"),
    ],
)
def test_ambiguous_yaml_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(YamlError, match=re.escape(said)) as caught:
        parse_yaml(text)
    assert f"(line {line})" in str(caught.value)


def test_a_merge_may_be_overridden() -> None:
    text = "base: &b {lr: 1e-3, epochs: 5}\nmine:\n  <<: *b\n  epochs: 9\n"
    assert parse_yaml(text)["mine"] == {"lr": 0.001, "epochs": 9}


@pytest.mark.parametrize("shape", ["[{}]", "{{<<: [{}]}}"])
def test_an_alias_bomb_is_refused_before_expansion(shape: str) -> None:
    lines = ["a0: &a0 {k: x}"]
    lines += [f"a{i}: &a{i} " + shape.format(", ".join([f"*a{i - 1}"] * 9)) for i in range(1, 40)]
    with pytest.raises(YamlError, match="with aliases expanded"):
        parse_yaml("\n".join(lines))


def test_a_chain_of_aliases_is_bounded_in_depth() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))
    with pytest.raises(YamlError, match="nested deeper"):
        parse_yaml(chain)


@pytest.mark.parametrize(
    "value",
    [
        "1e-3",
        "1:30",
        "010",
        "2024-01-01",
        "no",
        "on",
        "null",
        "~",
        "1_0",
        ".5",
        "=",
        "<<",
        "",
        1e-3,
        1e300,
        True,
        None,
    ],
)
def test_written_yaml_round_trips(value: Any) -> None:
    assert parse_yaml(dump_yaml({"x": value, "list": [value]})) == {"x": value, "list": [value]}


def test_a_config_file_with_a_key_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "space: nasbench101\nbudget: 10\nseed: 1\nbudget: 500\n", encoding="utf-8"
    )
    with pytest.raises(
        ConfigError, match=r"my\.yaml .*'budget' appears again \(first in line 2\).*\(line 4\)"
    ):
        read_config(tmp_path / "my.yaml")


def test_a_budget_of_1_30_is_refused_in_a_file_and_by_set(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("space: nasbench101\nbudget: 1:30\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="base-60 number 90"):
        read_config(tmp_path / "my.yaml")
    with pytest.raises(ConfigError, match="base-60 number 90"):
        override({}, ["budget=1:30"])


def test_1e_minus_3_is_a_number_in_a_recipe_in_data_settings_in_targets_and_by_set() -> None:
    from nas.training import recipe_from_config

    assert recipe_from_config(parse_yaml("{lr: 1e-3, epochs: 1e1}")).lr == 0.001
    assert override({}, ["evaluator.recipe.lr=1e-3"]) == {
        "evaluator": {"name": "training", "recipe": {"lr": 0.001}}
    }
    assert (
        check_config(parse_yaml("space: nasbench101\nbudget: 1e3\nfidelity: 2e0")).budget.evaluations == 1000
    )
    problem = "{name: p, space: nasbench101, objectives: [{name: error, reference: 1e2}, params]}"
    text = (
        f"problems: [{problem}]\nalgorithms: [random, moead]\ntargets: [1e-1, 5e-1]\nalpha: 5e-2\nseeds: 1e1"
    )
    compared = check_comparison(parse_yaml(text))
    assert (compared.targets, compared.alpha, len(compared.seeds)) == ([0.1, 0.5], 0.05, 10)


def test_the_package_reads_all_yaml_with_this_loader() -> None:
    own = ROOT / "nas" / "core" / "yaml_text.py"
    readers = [
        path.relative_to(ROOT).as_posix()
        for room in ("nas", "search_spaces", "surrogates", "experiments")
        for path in (ROOT / room).rglob("*.py")
        if path != own
        and re.search(r"^\s*(import|from) yaml\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert readers == []


def test_every_config_of_the_repository_is_read() -> None:
    found = [
        p
        for room in ("nas/config/searches", "configs", "docs/examples", "experiments")
        for p in (ROOT / room).rglob("*.yaml")
    ]
    assert len(found) > 5
    for path in found:
        if "kind:" not in path.read_text(encoding="utf-8"):  # Kubernetes has its own
            parse_yaml(path.read_text(encoding="utf-8"))
