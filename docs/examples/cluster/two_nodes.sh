#!/bin/sh
# A Ray cluster of two nodes on this machine, and a search on both.
#
#     docs/examples/cluster/two_nodes.sh docs/examples/own_space.yaml --out runs/two-nodes
#
# Everything after the script's name goes to `nas search`. PORT (6379) is the head's; the nodes end with the script.
set -eu

RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=${RAY_AUTH_TOKEN:-$(python3 -c 'import secrets; print(secrets.token_hex(32))')}
RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED

port=${PORT:-6379}
ray start --head --port "$port" --num-cpus 1 --include-dashboard=false --block >/dev/null 2>&1 &
head=$!
second=
trap 'kill $head $second 2>/dev/null || true; wait' EXIT

until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; do
    kill -0 "$head" # or the head has ended
    sleep 1
done
ray start --address "127.0.0.1:$port" --num-cpus 1 --block >/dev/null 2>&1 &
second=$!

# The search waits for the first node, and uses the second as soon as it has joined.
nas search "$@" --executor ray --workers 2 --address "127.0.0.1:$port"
