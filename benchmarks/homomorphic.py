"""What a sum under CKKS costs beside masks: `python -m benchmarks.homomorphic --n 100 --d 100000`.

The cheapest CKKS that TenSEAL adds in: the smallest ring with 128-bit security whose modulus holds
sum and scale and the second prime that TenSEAL asks for, one level, symmetric or public-key
encryption, one key for all.  Degree 2048 with one prime would hold the sum, and half of a fresh
symmetric ciphertext could be sent as the seed it is expanded from: TenSEAL does neither, so the
bytes are its own and no floor.  There are no dropouts to survive, no shares, no signatures and no
check, and whoever holds the one key opens every single update: a threshold key costs more.  Beside
it stands a whole session of masks.

It needs TenSEAL, which no extra installs (pip install tenseal); without it, it says so and ends.
Client figures are medians over MEASURED clients, CPU seconds of one core.
"""

import argparse
import json
import statistics
import sys
from time import process_time

import numpy as np

from benchmarks import protocol

DEGREE, MOST_BITS = 4096, 109
"""Of the ring, and the bits of modulus, the special prime's included, that leave 128 bits of
security (Homomorphic Encryption Security Standard, Albrecht et al. 2018, table 1)."""

SCALE_BITS, PRIME_BITS, SPECIAL_BITS = 40, 54, 55
MEASURED = 15
CLIP = 4.0


def ckks(n: int, d: int, encryption: str) -> dict[str, float | int | str]:
    """The sum of n vectors of d floats in [-CLIP, CLIP]."""
    import tenseal as ts

    fits = PRIME_BITS + SPECIAL_BITS <= MOST_BITS
    if not fits or n * CLIP * 2**SCALE_BITS >= 2 ** (PRIME_BITS - 1):
        raise SystemExit(f"{n} clients do not fit the ring of degree {DEGREE}, expected fewer")
    public = encryption == "public"
    context = ts.context(
        ts.SCHEME_TYPE.CKKS,
        DEGREE,
        coeff_mod_bit_sizes=[PRIME_BITS, SPECIAL_BITS],
        encryption_type=ts.ENCRYPTION_TYPE.ASYMMETRIC if public else ts.ENCRYPTION_TYPE.SYMMETRIC,
        n_threads=1,
    )
    context.global_scale = 2.0**SCALE_BITS
    rng, slots = np.random.default_rng(0), DEGREE // 2
    expected, total = np.zeros(d), None
    client, server, sent = [], 0.0, 0
    for _ in range(n):
        update = rng.uniform(-CLIP, CLIP, d)
        expected += update
        start = process_time()
        pieces = [ts.ckks_vector(context, update[i : i + slots]) for i in range(0, d, slots)]
        frames = [piece.serialize() for piece in pieces]
        client.append(process_time() - start)
        sent = sum(map(len, frames))
        start = process_time()
        arrived = [ts.ckks_vector_from(context, frame) for frame in frames]
        if total is None:
            total = arrived
        else:
            for piece, added in zip(total, arrived, strict=True):
                piece.add_(added)
        server += process_time() - start
    start = process_time()
    opened = np.concatenate([piece.decrypt() for piece in total])
    return {
        "encryption": encryption,
        "client_cpu_s": statistics.median(client[:MEASURED]),
        "server_cpu_s": server,
        "opening_cpu_s": process_time() - start,
        "client_bytes_up": sent,
        "largest_error": float(np.abs(opened - expected).max()),
    }


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--d", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        import tenseal
    except ImportError:
        sys.exit("tenseal is not installed, expected it for this comparison: pip install tenseal")
    rows = {f"CKKS, {key} key": ckks(options.n, options.d, key) for key in ("public", "symmetric")}
    for drop in (0.0, 0.3):
        params = protocol.parameters(options.n, options.d, 32, "complete")
        rows[f"masks, {drop:.0%} lost"] = protocol.measure(params, drop)
    if options.json:
        print(json.dumps(rows | {"tenseal": tenseal.__version__}))
        return
    print(f"{options.n} clients, {options.d} numbers, TenSEAL {tenseal.__version__}\n")
    print(f"{'':22}client CPU s  server CPU s  client sends MB  receives MB")
    for name, row in rows.items():
        server = row["server_cpu_s"] + row.get("opening_cpu_s", 0)
        up, down = row["client_bytes_up"] / 1e6, row.get("client_bytes_down", 0) / 1e6
        print(f"{name:22}{row['client_cpu_s']:12.3f}{server:14.3f}{up:17.3f}{down:13.3f}")
    error = max(row.get("largest_error", 0) for row in rows.values())
    print(f"\nlargest error of a CKKS sum {error:.1e}")


if __name__ == "__main__":
    main()
