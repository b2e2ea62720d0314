"""What a day of federated learning costs beyond one machine: `python -m benchmarks.scale`.

    sessions = devices a day / n          cores = sessions · server seconds / 86 400 · peak
    memory   = open sessions · (vector + ciphertexts of one round)
    traffic  = devices a day · bytes of a client / 86 400 · peak

Devices are sharded into sessions whose sums are added: each is independent, so cost is linear in
them.  Seconds are those of `benchmarks.floor`, with the bytes of a mask at the rate of
`masks.add_masks`, and for each client what a small session takes beyond its floor; all units are
measured here and now.  It is arithmetic: nothing is known of the network, of the storage of sums,
or of how devices are chosen.
"""

import argparse
import json
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import secagg
from benchmarks import floor, protocol
from benchmarks.protocol import COLD, Session
from secagg import masks
from secagg.cli import costs
from secagg.parameters import choose

DAY = 86_400
PEAK = 4  # the busiest hour against the mean: Bonawitz et al. 2019 report a factor of 4 in a day
SESSION_SECONDS = 180  # they report rounds of two to three minutes
NEEDED = 300  # devices in a sum: "a few hundred"
SELECTED = NEEDED * 13 // 10  # 130 % are selected
DROPPED = 0.08  # 6 to 10 % drop out
LENGTH = 1_400_000  # parameters of their next-word model
FLEETS = [10**exponent for exponent in range(3, 8)]


CALIBRATION = (50, 1000)  # clients and words of the session that gives the rest


def units() -> dict[str, float]:
    """CPU seconds of this package: the floor's units, masks as they are expanded and added."""
    words, seeds = np.zeros(2**20, np.uint32), [(bytes(masks.SEED_BYTES), 1)]
    mask = floor.seconds(lambda: masks.add_masks([words], seeds), 3)
    return floor.units() | {"aes_byte": mask / words.nbytes}


def beyond() -> dict[str, float]:
    """CPU seconds beyond the floor for each client of a session: of the client, of the server."""
    n, d = CALIBRATION
    row = protocol.measure(protocol.parameters(n, d, 32, "complete"), 0.0)
    return {
        side: (row[f"{side}_cpu_s"] - row[f"{side}_floor_s"]) / n for side in ("client", "server")
    }


def server_seconds(unit: dict[str, float], rest: dict[str, float], row: dict[str, int]) -> float:
    """Of one session."""
    return floor.server(unit, row) + row["n"] * rest["server"]


def client_seconds(unit: dict[str, float], rest: dict[str, float], row: dict[str, int]) -> float:
    """Of one client."""
    return floor.client(unit, row) + row["n"] * rest["client"]


def shape(n: int, d: int, dropped: int) -> dict[str, int]:
    """A session on the complete graph, as the formulas of `floor` take it."""
    t = 2 * n // 3 + 1
    return {
        "n": n, "d": d, "bits": 32, "dropped": dropped, "neighbours": n - 1, "min_survivors": t,
    }  # fmt: skip


def fleet(devices: int, unit: dict[str, float], rest: dict[str, float]) -> dict[str, float]:
    """What that many devices a day take."""
    row = shape(SELECTED, LENGTH, round(DROPPED * SELECTED))
    choice = choose(SELECTED, corrupt=0.05, dropout=0.1, graph="complete")
    rounds = costs.client_bytes(choice, secagg.VectorSpec("update", LENGTH, 32))
    sessions = devices / SELECTED
    at_once = max(1.0, sessions * SESSION_SECONDS / DAY * PEAK)
    ciphertexts = SELECTED * SELECTED * costs.CIPHERTEXT_BYTES
    return {
        "devices": devices,
        "sessions": sessions,
        "server_cores": sessions * server_seconds(unit, rest, row) / DAY * PEAK,
        "memory_bytes": at_once * (4 * LENGTH + ciphertexts),
        "up_bytes_per_s": devices * sum(r.up for r in rounds) / DAY * PEAK,
        "down_bytes_per_s": devices * sum(r.down for r in rounds) / DAY * PEAK,
        "client_s": client_seconds(unit, rest, row),
        "server_s_per_session": server_seconds(unit, rest, row),
    }


class Shard(NamedTuple):
    """What one aggregator process came to.

    total: the sum of its sessions' sums, expected: what its first word must be. server, client: CPU
    seconds, of each session and of each client that was measured.
    """

    total: NDArray[np.uint32]
    expected: int
    server: list[float]
    client: list[float]


def shard(sessions: int, n: int, d: int) -> Shard:
    """Really run so many sessions, one after the other, and add their sums."""
    dropped, cold = round(DROPPED * n), set(range(n)[-COLD:])
    total, expected = np.zeros(d, np.uint32), 0
    server, client = [], []
    for _ in range(sessions):
        session = Session(secagg.Params(n, [secagg.VectorSpec("update", d, 32)]), cold)
        result = session.play(set(range(dropped)))
        total += result.sum
        expected += sum(session.first_words[u] for u in result.survivors)
        server.append(sum(session.server_cpu))
        client += [sum(session.client_cpu[u]) for u in cold]
    return Shard(total, expected, server, client)


def shards(sessions: int, n: int, d: int, processes: int) -> list[Shard]:
    """The sessions, shared out among so many aggregator processes; in this one if it is one."""
    parts = [sessions // processes + (i < sessions % processes) for i in range(processes)]
    if processes == 1:
        return [shard(sessions, n, d)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(shard, parts, [n] * processes, [d] * processes))


def check(
    sessions: int, n: int, d: int, rest: dict[str, float], processes: int
) -> dict[str, float]:
    """Really run so many sessions, add their sums, and compare the seconds with the model's."""
    before, began = units(), time.perf_counter()
    done = shards(sessions, n, d, processes)
    wall = time.perf_counter() - began
    total = sum((each.total for each in done), np.zeros(d, np.uint32))
    expected = sum(each.expected for each in done) % 2**32
    if int(total[0]) != expected:
        raise SystemExit(f"wrong sum of sums: {int(total[0])}, expected {expected}")
    unit = {name: (before[name] + after) / 2 for name, after in units().items()}
    row = shape(n, d, round(DROPPED * n))
    return {
        "sessions": sessions,
        "processes": processes,
        "n": n,
        "d": d,
        "dropped": row["dropped"],
        "wall_s": wall,
        "server_s": sum(sum(each.server) for each in done),
        "server_predicted_s": sessions * server_seconds(unit, rest, row),
        "client_s": statistics.median(second for each in done for second in each.client),
        "client_predicted_s": client_seconds(unit, rest, row),
    }


def main() -> None:
    """Print one JSON object: the predictions, and with --check the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run a sharded fleet: minutes")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--n", type=int, default=100, help="clients of a session")
    parser.add_argument("--d", type=int, default=10_000, help="words of the vector")
    parser.add_argument("--processes", type=int, default=1, help="that aggregate")
    options = parser.parse_args()
    unit, rest = units(), beyond()
    fleets = [fleet(devices, unit, rest) for devices in FLEETS]
    result: dict = {"units": unit, "beyond": rest, "fleets": fleets}
    if options.check:
        result["check"] = check(options.sessions, options.n, options.d, rest, options.processes)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
