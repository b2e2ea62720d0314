"""What a mean by gossip takes: `python -m benchmarks.gossip --n 100 --d 100000`.

    at each step a random pair of neighbours u, v:   x_u, x_v  <-  (x_u + x_v) / 2

(Boyd et al. 2006), until the values are within TOLERANCE of their mean, root mean square, relative
to their first distance.  Every exchange sends a whole vector each way, in the clear to the other.
Nothing is timed: the count of vectors does not depend on the machine, nor on d.
"""

import argparse

import numpy as np

TOLERANCE = 1e-3
RUNS = 20


def exchanges(n: int, neighbours: int | None, rng: np.random.Generator) -> int:
    """Steps of one run: any pair, or pairs at most neighbours/2 apart on a ring."""
    x = rng.normal(size=n)
    x -= x.mean()
    enough = TOLERANCE**2 * float(x @ x)
    step = 0
    while float(x @ x) > enough:
        u = int(rng.integers(n))
        reach = n - 1 if neighbours is None else neighbours // 2
        v = (u + int(rng.integers(1, reach + 1))) % n
        x[u] = x[v] = (x[u] + x[v]) / 2
        step += 1
    return step


def vectors_sent(n: int, neighbours: int | None) -> float:
    """By each client, on average over RUNS runs: two for each exchange, over all."""
    rng = np.random.default_rng(0)
    return 2 * float(np.mean([exchanges(n, neighbours, rng) for _ in range(RUNS)])) / n


def main() -> None:
    """Parse the options, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--d", type=int, default=100_000)
    options = parser.parse_args()
    print(f"{options.n} clients, {options.d} float32, to {TOLERANCE:g} of the mean\n")
    print("neighbours  vectors a client sends     MB")
    for neighbours in (None, 10):
        sent = vectors_sent(options.n, neighbours)
        shown = options.n - 1 if neighbours is None else neighbours
        print(f"{shown:10}{sent:24.1f}{sent * options.d * 4 / 1e6:7.1f}")


if __name__ == "__main__":
    main()
