"""The study of the multiplexed layers: equal costs, resumption, and what its report says."""

from __future__ import annotations

import csv
import importlib.util
import pickle
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from multiplexing_parts import random_images

from nas.core.errors import ConfigError, DataError
from nas.training.zero_cost import Batch, madds, params

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "multiplexing"))

import decoded
import equal_cost
import runs
import study
from equal_cost import STUDIES, Setting, Variant
from rival_blocks import GHOST, PARTIAL, grouped_shuffle

FOLDER = Path(study.__file__).parent
SETTINGS = {name: plan.setting for name, plan in study.PLANS.items()}


def by_path(name: str) -> ModuleType:
    """A script whose file name others share."""
    spec = importlib.util.spec_from_file_location(f"multiplexing_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


report = by_path("report")


@pytest.fixture(scope="module", params=SETTINGS)
def variants(request: pytest.FixtureRequest) -> dict[str, list[Variant]]:
    return {name: make(SETTINGS[request.param]) for name, make in STUDIES.items()}


def test_every_network_can_be_sent_to_another_process(variants: dict[str, list[Variant]]) -> None:
    for variant in variants["spatial"] + variants["channel"]:
        sent = pickle.loads(pickle.dumps(variant))  # noqa: S301 (its own)
        assert sent.name == variant.name
        assert sent.cost() == variant.cost()


def test_multiplexed_and_plain_networks_have_exactly_the_same_madds(
    variants: dict[str, list[Variant]],
) -> None:
    found = {(v.budget, v.method): v.cost() for v in variants["spatial"]}
    budgets = {budget for budget, _ in found}
    assert len(budgets) in (2, 4, 8)
    for budget in budgets:
        assert found[budget, "multiplexed"].madds == found[budget, "plain"].madds
        assert 1 < found[budget, "multiplexed"].params / found[budget, "plain"].params < 1.28


def test_every_variant_of_a_budget_agrees_in_madds_and_where_possible_in_parameters(
    variants: dict[str, list[Variant]],
) -> None:
    for name, reference in (("spatial", "multiplexed"), ("channel", "leave-out")):
        for variant in variants[name]:
            if variant.method == "full":
                continue
            ours = next(
                v for v in variants[name] if (v.method, v.budget) == (reference, variant.budget)
            ).cost()
            assert variant.cost().madds == pytest.approx(ours.madds, rel=0.05), variant.name
            if variant.method not in ("resolution", "plain", "mixed-3-5-7"):
                assert variant.cost().params == pytest.approx(ours.params, rel=0.15), variant.name


def test_counted_costs_are_those_of_the_built_networks(variants: dict[str, list[Variant]]) -> None:
    of_each_method = {v.method: v for study_name in STUDIES for v in variants[study_name]}
    assert len(of_each_method) in (7, 11)
    for variant in of_each_method.values():
        side = variant.spec.resolution
        batch = Batch(torch.zeros(2, 3, side, side), torch.zeros(2, dtype=torch.long))
        built = variant.build()
        assert (params(built, batch), madds(built, batch)) == variant.cost(), variant.name


@pytest.mark.parametrize("rival", [grouped_shuffle(4), GHOST, PARTIAL], ids=lambda r: r.name)
def test_a_rival_block_keeps_width_and_size_and_starts_from_its_input(rival: equal_cost.Rival) -> None:
    torch.manual_seed(0)
    block = rival.make(8)
    x = torch.randn(2, 8, 6, 6)
    assert block(x).shape == x.shape
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    assert torch.equal(block(x), x)


def test_partial_convolution_sees_neighbours_in_the_first_quarter_only() -> None:
    torch.manual_seed(0)
    block = PARTIAL.make(8).eval()
    x = torch.randn(1, 8, 5, 5)
    changed = x.clone()
    changed[:, 2:, 0, 0] += 1  # beyond the first quarter: stays where it is
    assert (block(x) - block(changed)).abs().sum((0, 1)).nonzero().tolist() == [[0, 0]]
    changed = x.clone()
    changed[:, 0, 0, 0] += 1
    assert len((block(x) - block(changed)).abs().sum((0, 1)).nonzero()) == 4


def test_all_networks_of_a_seed_come_before_the_next_seed() -> None:
    jobs = study.jobs_of({"spatial": STUDIES["spatial"](SETTINGS["small"])}, {"spatial": 2})
    assert [job.seed for job in jobs] == [0] * 10 + [1] * 10
    assert len({(job.variant.name, job.seed) for job in jobs}) == 20


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of 60 images, and a plan with two small networks for them."""
    random_images(tmp_path, 16, monkeypatch)
    monkeypatch.setitem(STUDIES, "spatial", lambda setting: equal_cost.spatial_study(setting)[:2])
    monkeypatch.setitem(STUDIES, "channel", lambda setting: [])
    tiny_plan = study.Plan(Setting(16, 1), 40, None, 20, 0.05, {"spatial": 1, "channel": 1}, 1, ".")
    monkeypatch.setitem(study.PLANS, "small", tiny_plan)
    monkeypatch.setattr(study, "ProcessPoolExecutor", InThisProcess)
    return tmp_path


class InThisProcess:
    """Runs the work of a pool of processes at once."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: object, *arguments: object) -> study.Future[object]:
        future: study.Future[object] = study.Future()
        future.set_result(function(*arguments))  # type: ignore[operator]
        return future


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_a_run_writes_a_row_for_each_training_and_continues_with_the_missing_ones(tiny: Path) -> None:
    options = ["--data", str(tiny), "--plan", "small", "--out", str(tiny / "out"), "--device", "cpu"]
    study.main([*options, "--seeds", "1"])
    first = rows(tiny / "out" / "spatial.csv")
    assert {"variant", "madds", "params", "seed", "accuracy"} <= set(first[0])
    assert {row["variant"] for row in first} == {"plain@3x3 width 4", "multiplexed@3x3 width 4"}
    study.main([*options, "--seeds", "2", "--weights", str(tiny / "weights")])
    both = rows(tiny / "out" / "spatial.csv")
    trained = {file.stem for file in (tiny / "weights").iterdir()}
    assert trained == {"plain@3x3 width 4-1", "multiplexed@3x3 width 4-1"}
    plain = equal_cost.spatial_study(Setting(16, 1))[0].build()
    plain.load_state_dict(torch.load(tiny / "weights" / "plain@3x3 width 4-1.pt", weights_only=True))
    assert both[:2] == first
    assert [row["seed"] for row in both] == ["0", "0", "1", "1"]


def test_rows_of_other_settings_are_refused(tiny: Path) -> None:
    options = ["--data", str(tiny), "--plan", "small", "--out", str(tiny / "out"), "--device", "cpu"]
    study.main(options)
    with pytest.raises(ConfigError, match=r"rows have epochs 1, this run 2.*--out"):
        study.main([*options, "--epochs", "2"])


def test_no_training_begins_after_the_time_is_over(tiny: Path) -> None:
    study.main(
        [
            "--data",
            str(tiny),
            "--plan",
            "small",
            "--out",
            str(tiny / "out"),
            "--device",
            "cpu",
            "--minutes",
            "1e-9",
        ]
    )
    assert not (tiny / "out" / "spatial.csv").exists()


def test_a_missing_file_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar10_train\.parquet"):
        study.main(["--data", str(tmp_path), "--plan", "small", "--out", str(tmp_path / "out")])


def task(tiny: Path, mode: runs.Mode) -> runs.Task:
    decoded.decode(tiny, tiny / "arrays", {16}, 40, None)
    variant = STUDIES["spatial"](Setting(16, 1))[1]
    return runs.Task(variant, 3, 1, 20, 0.05, str(tiny / "arrays"), "cpu", mode)


def test_a_training_repeats(tiny: Path) -> None:
    wanted = task(tiny, runs.Mode())
    first, second = runs.train(wanted), runs.train(wanted)
    assert (first["accuracy"], first["train_loss"]) == (second["accuracy"], second["train_loss"])


def test_recording_keeps_the_weights_and_a_failure_to_record_is_survived(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def disturb(network: torch.nn.Module, samples: tuple[torch.Tensor, ...]) -> None:
        network(*samples)  # moves the running statistics, as recording does
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", disturb)
    plain, graphed = (runs.train(task(tiny, runs.Mode(graphs=g))) for g in (False, True))
    assert plain["accuracy"] == graphed["accuracy"]
    assert plain["train_loss"] == graphed["train_loss"]
    assert "CUDA graphs cannot be used" in capsys.readouterr().out


def test_the_epochs_are_those_that_fit_the_time(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "step_seconds", lambda task, seconds=0.0: 0.01 if task.mode.graphs else 0.02)
    plan = study.Plan(Setting(16, 1), 40, None, 20, 0.05, {"spatial": 1}, 1, ".")
    session = study.Session(plan, tiny, "cuda", 2, time.monotonic() + 60)
    jobs = study.jobs_of({"spatial": equal_cost.spatial_study(plan.setting)}, {"spatial": 5})
    mode, epochs = study.choose(session, str(tiny), jobs, None)
    assert mode.graphs
    # 2 steps of 5 ms each (two processes), 100 trainings, 2 s of a process around each; something to spare
    assert epochs == study.EPOCHS[0]
    longer = study.Session(plan, tiny, "cuda", 2, time.monotonic() + 160)
    _, epochs = study.choose(longer, str(tiny), jobs, None)
    assert epochs == pytest.approx((160 - 1.15 * 100) / (1.15 * 100 * 2 * 0.005), abs=2)


def test_a_device_on_which_nothing_trains_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "step_seconds", lambda task, seconds=0.0: float("inf"))
    session = study.Session(study.PLANS["small"], tiny, "cuda", 2, time.monotonic() + 60)
    jobs = study.jobs_of({"spatial": equal_cost.spatial_study(study.PLANS["small"].setting)}, {"spatial": 1})
    with pytest.raises(ConfigError, match="--device cuda: no network can be trained"):
        study.choose(session, str(tiny), jobs, None)


def measured(gain: dict[str, float], study_name: str = "spatial", seeds: int = 5) -> pd.DataFrame:
    """A table with this gain of ours at each budget, and noise by seed."""
    rng = np.random.default_rng(0)
    ours, other = {"spatial": ("multiplexed", "plain"), "channel": ("leave-out", "width")}[study_name]
    lines = []
    for place, (budget, more) in enumerate(gain.items()):
        for seed in range(seeds):
            common = 60 + 5 * place + rng.normal(0, 1)
            for method, value in ((ours, common + more + rng.normal(0, 0.05)), (other, common)):
                lines.append((f"{method}@{budget}", method, budget, 10**6 * (place + 1), 1000, seed, value))
    return pd.DataFrame(lines, columns=["variant", "method", "budget", "madds", "params", "seed", "accuracy"])


def said(frame: pd.DataFrame, study_name: str) -> str:
    pairs = report.paired(frame, study_name)
    return str(report.answer(study_name, report.compared(pairs), report.overall(pairs)))


def test_the_claim_holds_where_ours_is_better_everywhere_and_most_at_low_madds() -> None:
    assert "It holds" in said(measured({"3x3 width 4": 2.0, "3x3 width 8": 1.0}), "spatial")


def test_the_claim_does_not_hold_where_the_gain_grows_or_turns_at_a_budget() -> None:
    assert "does not hold" in said(measured({"3x3 width 4": 1.0, "3x3 width 8": 2.0}), "spatial")
    assert "does not hold" in said(
        measured({"leave-out 0.5": 2.0, "leave-out 0.25": -0.5}, "channel"), "channel"
    )
    assert "It holds" in said(measured({"leave-out 0.5": 2.0, "leave-out 0.25": 0.5}, "channel"), "channel")


def test_pairing_by_seed_takes_out_what_seeds_have_in_common() -> None:
    (found,) = report.compared(report.paired(measured({"3x3 width 4": 0.5}), "spatial"))
    assert found.mean == pytest.approx(0.5, abs=0.1)
    assert found.half < 0.15
    assert found.verdict == "better"


def test_the_report_writes_tables_and_figures_even_of_one_seed(tmp_path: Path) -> None:
    frame = measured({"3x3 width 4": 1.0, "3x3 width 8": 1.0}, seeds=1)
    frame.assign(epochs=1, train_pictures=8, side=16, batch=4, device="CPU").to_csv(
        tmp_path / "spatial.csv", index=False
    )
    text = report.write(tmp_path).read_text(encoding="utf-8")
    assert "no difference shown" in text
    assert (tmp_path / "spatial.png").stat().st_size > 10_000


def test_the_committed_report_is_that_of_the_committed_tables(tmp_path: Path) -> None:
    for name in ("spatial.csv", "channel.csv", "latency.csv"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    text = report.write(tmp_path).read_text(encoding="utf-8")
    assert text == (FOLDER / "results.md").read_text(encoding="utf-8"), "run: report.py"


def test_times_stand_beside_the_madds_with_how_many_times_as_long_ours_takes() -> None:
    frame = measured({"3x3 width 4": 1.0}, seeds=2)
    frame["seconds"] = frame["method"].map({"multiplexed": 30.0, "plain": 20.0})
    latency = pd.DataFrame(
        [("multiplexed@3x3 width 4", 1, 6.0), ("plain@3x3 width 4", 1, 4.8)],
        columns=["variant", "batch", "ms"],
    )
    lines = report.time_table(frame, latency, "multiplexed", {"plain": "plain convolution"}).splitlines()
    assert "| 3x3 width 4 | plain convolution | 1,000,000 | 20 | 1.50x | 4.8 | 1.25x |" in lines
    assert "| 3x3 width 4 | multiplexed | 1,000,000 | 30 |  | 6 |  |" in lines
    assert "1.50 to 1.50 times as long as one of plain depthwise" in report.time_text(frame, "spatial")
    without = report.time_table(frame, None, "multiplexed", {})
    assert without.splitlines()[0] == "| budget | network | MAdds | training (s) | ours takes |"


def test_latencies_have_a_row_for_each_network_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    latencies = by_path("latencies")
    pair = equal_cost.spatial_study(study.PLANS["small"].setting)[:2]
    monkeypatch.setattr(latencies, "STUDIES", {"spatial": lambda setting: pair})
    monkeypatch.setattr(latencies, "BATCHES", (1, 2))
    quick = latencies.LatencySettings(rounds=6, warm_up=1, least_seconds=0.0, extensions=0)
    found = latencies.measure(study.PLANS["small"].setting, quick)
    assert found[["variant", "batch"]].to_numpy().tolist() == [[v.name, b] for b in (1, 2) for v in pair]
    assert (found["ms"] > 0).all()
    assert set(found["variant"]) <= set(pd.read_csv(FOLDER / "latency.csv")["variant"])
