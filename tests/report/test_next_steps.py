"""The command that continues a run is the same in the terminal and in the report, and continues it."""

from __future__ import annotations

import dataclasses
import shlex

import pytest
from report_parts import THREE, frame_of, source_of, table_of

from nas.report.commands import run_commands
from nas.report.sources import UNDER_WAY
from nas.runs.next_steps import continue_command


@pytest.mark.parametrize(
    ("state", "evaluations", "seconds", "spent", "flags"),
    [
        ("finished", 20, None, 0.0, ["--budget", "40"]),
        ("finished", 20, 60.0, 30.0, ["--budget", "40"]),
        ("finished", 12, 60.0, 61.0, ["--set", "budget.seconds=120"]),
        ("finished", 12, 60.0, 150.0, ["--set", "budget.seconds=240"]),  # the running trials took long
        ("interrupted", 12, 60.0, 30.0, []),
        ("stopped", 12, None, 30.0, []),
        (UNDER_WAY, 12, 60.0, 30.0, []),
        ("exhausted", 12, None, 30.0, None),
    ],
)
def test_the_bound_that_ended_a_run_is_raised(state, evaluations, seconds, spent, flags) -> None:
    said = continue_command(
        "runs/it's mine", state=state, evaluations=evaluations, planned=20, seconds=seconds, spent=spent
    )
    expected = None if flags is None else ["nas", "search", "--resume", "runs/it's mine", *flags]
    assert (said and shlex.split(said)) == expected


@pytest.mark.parametrize(
    ("reason", "evaluations", "flags"),
    [
        ("stalled: no growth", 12, ["--set", "stop=[]"]),
        ("stalled: no growth", 20, ["--set", "stop=[]", "--budget", "40"]),
        ("callback: enough", 12, []),
    ],
)
def test_the_rule_that_ended_a_run_is_taken_away(reason, evaluations, flags) -> None:
    said = continue_command(
        "run", state="finished", evaluations=evaluations, planned=20, seconds=60.0, stopped_by=reason
    )
    assert said is not None
    assert shlex.split(said) == ["nas", "search", "--resume", "run", *flags]


def test_a_shrink_run_is_continued_by_its_own_command() -> None:
    said = continue_command("run", state="finished", evaluations=9, planned=9, seconds=None, by="shrink")
    assert said == "nas shrink --resume run --budget 18"
    source = source_of(table_of(frame_of(THREE, 12), THREE))
    tuned = {**source.config, "evaluator": {"name": "tuning", "original": {"error": 3.0}}}
    texts = {c.what: c.before for c in run_commands(dataclasses.replace(source, config=tuned))}
    assert texts["Continue the search"].startswith("nas shrink --resume ")


def test_the_report_of_a_run_that_ended_at_its_time_limit_raises_the_limit() -> None:
    source = source_of(table_of(frame_of(THREE, 12), THREE), loop={"evaluations": 20, "seconds": 60.0})
    texts = {c.what: c.before for c in run_commands(source)}
    assert "--set budget.seconds=" in texts["Continue the search"]
    stopped = dataclasses.replace(source, state="interrupted")
    texts = {c.what: c.before for c in run_commands(stopped)}
    assert texts["Continue the search"] == "nas search --resume runs/mine"
