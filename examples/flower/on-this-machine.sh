#!/bin/sh
# One SuperLink and a SuperNode for each node of a federation, as processes of this machine, without
# TLS: to see it work. A node that ends is started again. Ctrl-C ends all of them.
#
#     sh on-this-machine.sh FEDERATION        logs and process numbers go to FEDERATION/here
set -eu
federation=$(cd "$1" && pwd)
here=$federation/here
mkdir -p -m 700 "$here" "$FLWR_HOME"
export FLWR_SUPEREXEC_TASK_POLL_INTERVAL=0.1 FLWR_TELEMETRY_ENABLED=0
cat > "$FLWR_HOME/config.toml" <<TOML
[superlink]
default = "here"
[superlink.here]
address = "127.0.0.1:8000"
insecure = true
TOML

flower-superlink --insecure --host 127.0.0.1 --port 8000 \
    --disable-runtime-dependency-installation > "$here/superlink.log" 2>&1 &
all=$!
keep() {
    trap 'kill $node; exit' TERM
    while true; do
        flower-supernode --insecure --superlink 127.0.0.1:8000 --host 127.0.0.1 --port $((9100 + $1)) \
            --node-config "federation=\"$federation/node-$1\"" >> "$here/node-$1.log" 2>&1 &
        node=$!
        echo $node > "$here/node-$1.pid"
        wait $node || echo "node $1 ended with $?, and is started again"
        sleep 1
    done
}
u=0
while [ -d "$federation/node-$u" ]; do
    keep $u & all="$all $!"
    u=$((u + 1))
done
until python -c 'import socket; socket.create_connection(("127.0.0.1", 8000), 5)' 2> /dev/null; do
    sleep 0.5
done
echo "a SuperLink and $u SuperNodes; Ctrl-C ends them"
trap 'trap - INT TERM; kill $all; wait; exit' INT TERM
wait
