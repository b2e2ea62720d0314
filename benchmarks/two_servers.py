"""What a sum by two servers costs, of which one is honest: `python -m benchmarks.two_servers`.

    client      s random,   x + PRG(s) to the one server,   s to the other
    servers     Σ (x + PRG(s))   and   Σ PRG(s);   their difference is the sum

Prio's sharing (Corrigan-Gibbs and Boneh 2017) without its proofs: no input is judged, so this is a
floor for Prio3 and the like.  CPU seconds of one core; the client's is a median.
"""

import argparse
import statistics
from secrets import token_bytes
from time import process_time

import numpy as np

from secagg import masks

MEASURED = 15


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--d", type=int, default=100_000)
    options = parser.parse_args()
    inputs = np.random.default_rng(0).integers(0, 2**32, (options.n, options.d), dtype=np.uint32)
    one, other = np.zeros((2, options.d), np.uint32)
    client, servers = [], [0.0, 0.0]
    for x in inputs:
        start = process_time()
        seed = token_bytes(masks.SEED_BYTES)
        share = x + masks.expand(seed, options.d, np.uint32)
        client.append(process_time() - start)
        start = process_time()
        one += share
        servers[0] += process_time() - start
        start = process_time()
        other += masks.expand(seed, options.d, np.uint32)
        servers[1] += process_time() - start
    if not np.array_equal(one - other, inputs.sum(axis=0, dtype=np.uint32)):
        raise SystemExit("wrong sum")
    sent = share.nbytes + masks.SEED_BYTES
    print(f"{options.n} clients, {options.d} words of 32 bits, two servers, no proofs\n")
    print(f"client   {statistics.median(client[:MEASURED]):.4f} CPU s, sends {sent / 1e6:.3f} MB")
    print(f"servers  {servers[0]:.4f} and {servers[1]:.4f} CPU s")


if __name__ == "__main__":
    main()
