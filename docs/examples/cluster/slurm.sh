#!/bin/bash
# A search on the machines of a SLURM allocation: Ray's head on the first, a node on each of the others.
#
#     sbatch docs/examples/cluster/slurm.sh my.yaml --workers 32 --out runs/big
#
# To continue a job that ended at its time limit: sbatch docs/examples/cluster/slurm.sh --resume runs/big
#SBATCH --job-name=nas
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
set -euo pipefail

# Five minutes before the time limit SLURM signals this script, which signals the search: it ends in order and can be resumed.
search=
trap '[ -n "$search" ] && kill -TERM "$search"' TERM

export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${machines[0]}
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs on one machine use different ports

start_node() { # machine, then its additional arguments
    local machine=$1
    shift
    srun --nodes=1 --ntasks=1 --overlap --nodelist="$machine" \
        ray start "$@" --num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" --block &
}

start_node "$head" --head --port "$port" --include-dashboard=false
for machine in "${machines[@]:1}"; do
    start_node "$machine" --address "$head:$port"
done

# Waits for the head, and uses the other machines as they join. The log is on the shared file system.
nas search "$@" --executor ray --address "$head:$port" --set executor.connect_timeout_s=300 &
search=$!
wait "$search" || { status=$?; wait "$search" || status=$?; exit "$status"; }
