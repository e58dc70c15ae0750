"""`stop` and `initial` of a config, and what the command prints about them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd


def test_a_search_stopped_by_a_rule_prints_the_rule_and_how_to_continue(folder: Path, nas_command) -> None:
    done = nas_command("search", "search.yaml", "--set", "stop=[{stalled: 2}]")
    assert done.code == 0, done.err
    shown = " ".join(done.out.split())
    assert "Finished, stopped by stalled: the hypervolume has not grown for 2 evaluations" in shown
    assert "nas search --resume run --set 'stop=[]'" in shown
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["state"] == "finished"
    assert summary["evaluations"] < 20
    again = nas_command("search", "--resume", "run", "--set", "stop=[]")
    assert again.code == 0, again.err
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["evaluations"], summary["stopped_by"]) == (20, None)


def test_a_config_names_initial_architectures_as_text_or_genes(folder: Path, nas_command) -> None:
    nas_command("search", "search.yaml", "--out", "earlier")
    texts = list(pd.read_parquet(folder / "earlier" / "history.parquet")["architecture"])[-2:]
    genes = [int(g) for g in texts[1].split("-")]
    given = json.dumps([texts[0], genes])
    done = nas_command("search", "search.yaml", "--seed", "4", "--set", f"initial={given}")
    assert done.code == 0, done.err
    history = pd.read_parquet(folder / "run" / "history.parquet")
    assert list(history["architecture"])[:2] == texts
    assert nas_command("search", "--resume", "run", "--budget", "22").code == 0


def test_wrong_rules_and_architectures_end_with_one_sentence_and_leave_nothing(
    folder: Path, nas_command
) -> None:
    for setting, said in (
        ("stop=[{staled: 2}]", "unknown rule 'staled'"),
        ("stop=stalled", "stop"),
        ("initial=[nonsense]", "entry 1, 'nonsense'"),
    ):
        done = nas_command("search", "search.yaml", "--set", setting)
        assert done.code == 2, done.err
        assert said in done.sentence
        assert not (folder / "run").exists()
