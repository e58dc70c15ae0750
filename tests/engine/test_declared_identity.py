"""A run on a declared space is resumed with the same parameters alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.core.errors import ArchitectureError, HistoryError

pytestmark = pytest.mark.usefixtures("no_plots")


def loss(c: Any) -> float:
    return float(sum(c.genes))


def space(**changes: Any) -> nas.Space:
    given = {
        "width": nas.Choice(16, 32, 64),
        "kind": nas.Choice("a", "b"),
        "rate": nas.Float(0, 1, when={"kind": "a"}),
    }
    return nas.Space("mine", **given | changes)


def search(made: nas.Space, out: Path, **changes: Any) -> nas.SearchResult:
    return nas.search(made, [loss], algorithm="random", out=out, **{"budget": 4, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": nas.Choice(16, 32, 48)}, "width had options 16, 32, 64, now 16, 32, 48"),
        ({"width": nas.Choice(16, 32)}, "width had options 16, 32, 64, now 16, 32"),
        ({"rate": nas.Float(0, 1, when={"kind": "b"})}, "rate was active under other conditions"),
        ({"rate": nas.Float(0, 1)}, "rate was active under other conditions"),
        ({"kind": nas.Choice("a", "b", ordered=True)}, "kind was a category, now it is not"),
        ({"more": nas.Choice(1, 2)}, "more was added"),
    ],
)
def test_a_resume_with_other_parameters_names_them(tmp_path: Path, changes: Any, message: str) -> None:
    search(space(), tmp_path)
    with pytest.raises(HistoryError, match=rf"started with other parameters of space 'mine' \({message}\)"):
        search(space(**changes), tmp_path, resume=True, budget=6)
    with pytest.raises(HistoryError, match=message):
        nas.Study(space(**changes), [loss], out=tmp_path, resume=True, algorithm="random")
    assert search(space(), tmp_path, resume=True, budget=6).summary["evaluations"] == 6


def test_a_resume_with_another_fixed_value_is_refused(tmp_path: Path) -> None:
    search(space().fix(kind="a"), tmp_path)
    for other, message in (
        (space(), "kind was fixed to a, now it is not fixed"),
        (space().fix(kind="b"), "kind was fixed to a, now it is fixed to b"),
        (space().fix(kind="a", width=16), "width was not fixed, now it is fixed to 16"),
    ):
        with pytest.raises(HistoryError, match=message):
            search(other, tmp_path, resume=True, budget=6)
    assert search(space().fix(kind="a"), tmp_path, resume=True, budget=6).summary["evaluations"] == 6


def test_an_initial_architecture_does_not_hide_the_cause(tmp_path: Path) -> None:
    search(space(), tmp_path, initial=[{"width": 64, "kind": "b"}])
    with pytest.raises(HistoryError, match="width had options 16, 32, 64, now 16, 32"):
        search(space(width=nas.Choice(16, 32)), tmp_path, resume=True)


def test_removed_and_reordered_parameters_are_named(tmp_path: Path) -> None:
    search(space(), tmp_path)
    with pytest.raises(HistoryError, match="rate was removed"):
        search(
            nas.Space("mine", width=nas.Choice(16, 32, 64), kind=nas.Choice("a", "b")), tmp_path, resume=True
        )
    two = {"a": nas.Choice(1, 2), "b": nas.Choice(1, 2)}
    search(nas.Space("two", two), tmp_path / "two")
    with pytest.raises(HistoryError, match="they had another order"):
        search(nas.Space("two", dict(reversed(two.items()))), tmp_path / "two", resume=True)


def test_the_identity_is_in_the_log_and_not_in_the_config(tmp_path: Path) -> None:
    search(space(), tmp_path)
    assert "declaration" not in json.loads((tmp_path / "config.json").read_text())
    assert list(nas.load_run(tmp_path)[1]["identity"]["declaration"]) == ["width", "kind", "rate"]


def test_a_run_without_a_declaration_in_its_log_is_resumed(tmp_path: Path) -> None:
    search(space(), tmp_path)
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as db:
        db.execute("UPDATE meta SET value = json_remove(value, '$.declaration') WHERE key = 'identity'")
        db.commit()
    assert search(space(), tmp_path, resume=True, budget=6).summary["evaluations"] == 6


def test_a_damaged_declaration_is_an_error_of_the_log(tmp_path: Path) -> None:
    search(space(), tmp_path)
    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as db:
        db.execute("UPDATE meta SET value = json_set(value, '$.declaration.width', 3) WHERE key = 'identity'")
        db.commit()
    with pytest.raises(HistoryError, match="is damaged"):
        search(space(), tmp_path, resume=True, budget=6)


def test_a_warm_start_reads_results_of_other_parameters_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    search(space(), tmp_path / "first", initial=[{"width": 16, "kind": "b"}], budget=1)
    fewer = space(width=nas.Choice(8, 16))
    found = search(fewer, tmp_path / "run", warm_start=tmp_path / "first")
    assert found.table is not None
    assert list(found.table.imported["architecture"]) == ["width=16/kind=b"]
    assert "parameters of space 'mine' changed since" in caplog.text
    assert "(width had options 16, 32, 64, now 8, 16)" in caplog.text
    with pytest.raises(
        HistoryError, match=r"'width=16/kind=b'.*: width: '?16'? is not an option; expected one of 32, 64"
    ):
        search(space(width=nas.Choice(32, 64)), tmp_path / "other", warm_start=tmp_path / "first")


def narrowed(how: str) -> nas.Space:
    if how == "fewer options":
        return space(width=nas.Choice(16, 32))
    return space().fix(width=16) if how == "fix" else space().forbid(lambda c: c.width != 16)


@pytest.mark.parametrize("how", ["fewer options", "fix", "forbid"])
def test_a_warm_start_of_a_narrower_space_keeps_the_results_that_fit(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = search(space(), tmp_path / "whole", budget=30)
    made = narrowed(how)
    texts = set(earlier.history["architecture"])
    kept = {text for text in texts if is_in(made, text)}
    assert 0 < len(kept) < len(texts)
    found = search(made, tmp_path / "narrow", budget=1, warm_start=tmp_path / "whole")
    assert f"left out {len(texts - kept)} of {len(texts)} architectures" in caplog.text
    assert found.table is not None
    assert set(found.table.imported["architecture"]) == kept
    again = search(narrowed(how), tmp_path / "narrow", budget=2, resume=True)
    assert again.front.equals(found.front)  # nothing was left to evaluate


def is_in(made: nas.Space, text: str) -> bool:
    try:
        made.parse(text)
    except ArchitectureError:
        return False
    return True


def test_a_warm_start_of_which_nothing_fits_is_refused(tmp_path: Path) -> None:
    search(space().forbid(lambda c: c.width == 64), tmp_path / "whole")
    with pytest.raises(
        HistoryError, match=r"none of its 4 architectures is in the space; the first: .*forbids"
    ):
        search(space().forbid(lambda c: c.width != 64), tmp_path / "other", warm_start=tmp_path / "whole")


def test_a_resume_with_another_rule_names_the_rules(tmp_path: Path) -> None:
    search(space(), tmp_path)
    changed = space().forbid(lambda c: c.width != 16)
    with pytest.raises(
        HistoryError, match=r"the rules of space 'mine' changed since .*original rules.*warm_start="
    ):
        search(changed, tmp_path, resume=True, budget=6, accept_changed_code=True)
