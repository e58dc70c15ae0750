"""The files for clusters in docs/examples/cluster: one runs, the others have the required content."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from ray_nodes import cluster_environment, free_port

from nas.runs.history import read_history

pytest.importorskip("ray")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "examples" / "cluster"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_two_nodes_run_a_search_and_end_with_it(tmp_path: Path) -> None:
    tools = {"ray": "from ray.scripts.scripts import main; main()", "nas": "from nas.cli import main; main()"}
    for name, code in tools.items():  # as an activated environment would have them
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        (tmp_path / name).chmod(0o755)
    environment = {
        **os.environ,
        **cluster_environment(),
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORT": str(free_port()),
    }
    done = subprocess.run(
        [
            *(str(FOLDER / "two_nodes.sh"), str(ROOT / "docs/examples/own_space.yaml")),
            *("--out", "run", "--budget", "40", "--set", "executor.connect_timeout_s=200"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    frame, _ = read_history(tmp_path / "run")
    assert (frame["status"] == "ok").sum() == 40
    left = [p for p in psutil.process_iter(["cmdline"]) if environment["PORT"] in str(p.info["cmdline"])]
    assert left == []


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def test_the_launcher_s_file_starts_every_node_with_a_token_and_fixed_ports() -> None:
    (cluster,) = documents("ray-cluster.yaml")
    assert {"cluster_name", "provider", "auth", "max_workers"} <= cluster.keys()
    assert len(cluster["provider"]["worker_ips"]) == cluster["max_workers"]
    head = cluster["head_start_ray_commands"][-1]
    worker = cluster["worker_start_ray_commands"][-1]
    for command in (head, worker):
        assert "RAY_AUTH_MODE=token RAY_AUTH_TOKEN=" in command
        assert "--min-worker-port" in command
        assert "--node-manager-port" in command
    assert "--head --port=6379" in head
    assert "--include-dashboard=false" in head
    assert "--address=$RAY_HEAD_IP:6379" in worker


def test_the_manifest_has_a_growing_cluster_a_job_with_its_token_and_a_closed_network() -> None:
    by_kind = {document["kind"]: document for document in documents("kuberay.yaml")}
    assert by_kind.keys() == {"RayCluster", "Job", "NetworkPolicy"}
    cluster, pod = by_kind["RayCluster"], by_kind["Job"]["spec"]["template"]
    assert cluster["apiVersion"] == "ray.io/v1"
    spec = cluster["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] is True
    (group,) = spec["workerGroupSpecs"]
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    closed = by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    for template in (spec["headGroupSpec"]["template"], group["template"], pod):
        assert template["metadata"]["labels"] == closed
    (container,) = pod["spec"]["containers"]
    environment = {variable["name"]: variable for variable in container["env"]}
    assert environment["RAY_AUTH_MODE"]["value"] == "token"
    secret = environment["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": cluster["metadata"]["name"], "key": "auth_token"}
    script = container["args"][0]
    assert f"{cluster['metadata']['name']}-head-svc:6379" in script
    assert "--resume" in script
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert volumes == {mount["name"] for mount in container["volumeMounts"]}


def test_the_manifest_names_the_pinned_version_of_ray() -> None:
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert documents("kuberay.yaml")[0]["spec"]["rayVersion"] == pinned.group(1)


@pytest.mark.parametrize("name", ["two_nodes.sh", "slurm.sh"])
def test_a_script_is_valid_and_keeps_the_token_on_and_the_dashboard_off(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    shell = "bash" if "bash" in text.splitlines()[0] else "sh"
    assert subprocess.run([shell, "-n", str(FOLDER / name)], check=False).returncode == 0
    assert "RAY_AUTH_MODE=token" in text
    assert "secrets.token_hex(32)" in text
    assert "--include-dashboard=false" in text


def test_the_batch_script_starts_a_node_on_every_machine_and_ends_in_order() -> None:
    text = (FOLDER / "slurm.sh").read_text(encoding="utf-8")
    assert re.search(r"^#SBATCH --signal=B:TERM@\d+$", text, re.MULTILINE)
    assert 'start_node "$head" --head' in text
    assert 'for machine in "${machines[@]:1}"' in text
    assert "--overlap" in text
