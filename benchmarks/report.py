"""docs/performance.md and its figures from the results: `python -m benchmarks.report`.

The page is text with blocks `<!-- NAME -->` … `<!-- end -->`: only what stands in the blocks is
written here, and every number in them comes from results.json.
"""

from pathlib import Path

from benchmarks import plots, suite
from benchmarks.pages import fill, table

PAGE = Path("docs/performance.md")
PAPER = {  # Bonawitz et al. 2017, Figure 8, seconds: client, server at 0, 10 and 30 % dropped
    500: (0.85, 2.0, 62, 143),
    1000: (1.70, 4.9, 181, 414),
}

TARGETS = [  # what, row, measured, target in seconds
    ("client, n = 100, d = 100k", "protocol 100 100000 0.0", "client_cpu", 0.035),
    ("client, n = 100, d = 1M", "protocol 100 1000000 0.0", "client_cpu", 0.085),
    ("server, n = 100, d = 100k, 0 %", "protocol 100 100000 0.0", "server_cpu", 0.12),
    ("server, n = 100, d = 100k, 30 %", "protocol 100 100000 0.3", "server_cpu", 0.35),
    ("server, n = 100, d = 1M, 30 %", "protocol 100 1000000 0.3", "server_cpu", 1.7),
    ("the same on two cores, wall", "protocol 100 1000000 0.3 2", "server_wall", 1.0),
    ("client, n = 1000, d = 100k", "protocol 1000 100000 0.0", "client_cpu", 0.35),
    ("server, n = 1000, d = 100k, 0 %", "protocol 1000 100000 0.0", "server_cpu", 1.5),
    ("server, n = 1000, d = 100k, 10 %", "protocol 1000 100000 0.1", "server_cpu", 8),
    ("server, n = 1000, d = 100k, 30 %", "protocol 1000 100000 0.3", "server_cpu", 21),
]


def seconds(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def gigabytes(rate: float) -> str:
    """Bytes a second."""
    return f"{rate / 1e9:.2f} GB/s"


def targets(results: dict[str, dict]) -> str:
    """Every row of the target table that is in CPU seconds."""
    rows = []
    for what, name, side, target in TARGETS:
        if name not in results:
            continue
        row = results[name]
        floor = row[f"{side.split('_')[0]}_floor_s"] / max(1, row.get("workers", 0))
        measured = row[f"{side}_s"]
        verdict = "met" if measured <= target else f"missed: {measured / target:.2f} of the target"
        rows.append(
            [what, f"≤ {target}", seconds(measured), seconds(floor), f"{measured / floor:.2f}",
             verdict, f"`{row['command']}`"]
        )  # fmt: skip
    head = ["work", "target, s", "measured, s", "floor, s", "measured / floor", "", "command"]
    return table(head, rows)


def rates(results: dict[str, dict]) -> str:
    """Masks, packing, wire: the rows in bytes a second."""
    micro = results["micro"]
    mask, wire = micro["mask"]["1000000"], micro["wire"]
    share = mask["mask_bytes_per_s"] / mask["aes_bytes_per_s"]
    packing = {
        int(width): min(rate["pack_bytes_per_s"], rate["unpack_bytes_per_s"]) / 1e9
        for width, rate in micro["packing"].items()
    }
    whole = min(packing[width] for width in (8, 16, 32, 64))
    odd = {width: rate for width, rate in packing.items() if width % 8}
    slowest = min(odd, key=odd.__getitem__)
    views = "a view: nothing is copied" if whole > 100 else f"{whole:.1f} GB/s"
    rows = [
        [
            "mask expansion and add, d = 1M",
            "≥ 70 % of AES-CTR",
            f"{share:.0%} of {mask['aes_bytes_per_s'] / 1e9:.1f} GB/s",
        ],
        ["packing, 8/16/32/64 bits", "≥ 1 GB/s", views],
        ["packing, 24 bits", "≥ 0.8 GB/s", gigabytes(packing[24] * 1e9)],
        ["packing, the slowest other", "≥ 0.2 GB/s", f"{odd[slowest]:.2f} GB/s, {slowest} bits"],
        ["decode a 4 MB masked input", "≥ 1 GB/s", gigabytes(wire["decode_bytes_per_s"])],
        [
            "the same, and check the signature, and add",
            "≥ 1 GB/s",
            gigabytes(wire["decode_and_receive_bytes_per_s"]),
        ],
    ]
    return table(["work", "target", "measured"], rows)


def workers(results: dict[str, dict]) -> str:
    """What two processes bring, to the server and to a simulation."""
    if "workers" not in results:
        return ""
    rows, notes = [], []
    for name, row in ((name, results["workers"][name]) for name in ("unmasking", "simulation")):
        of = f"{row['masks']} masks" if "masks" in row else f"n = {row['n']}"
        what = f"{name}, {of}, d = {row['d']:,}"
        rows += [
            [what, "none" if count == "0" else count, *map(seconds, ordered(costs))]
            for count, costs in row["workers"].items()
        ]
        notes.append(
            f"{name.capitalize()}: two workers are {row['speed_up']:.2f} times as fast as none by "
            f"wall time, at a load of {row['load']:.1f} on the two cores; by CPU seconds, on idle "
            f"cores, {row['speed_up_on_idle_cores']:.2f} times."
        )
    head = ["what", "workers", "wall, s", "CPU of the parent, s", "CPU of the workers, s"]
    return "\n\n".join([table(head, rows), *notes])


def ordered(costs: dict[str, float]) -> list[float]:
    """Wall seconds, and the CPU seconds of both sides."""
    return [costs[name] for name in ("wall_s", "parent_cpu_s", "workers_cpu_s")]


def paper(results: dict[str, dict]) -> str:
    """Figure 8 beside ours."""
    rows = []
    for n, (client, *server) in PAPER.items():
        names = [f"protocol {n} 100000 {drop}" for drop in (0.0, 0.1, 0.3)]
        if not all(name in results for name in names):
            continue
        ours = [results[name] for name in names]
        rows.append([str(n), f"{client}", seconds(ours[0]["client_cpu_s"])])
        for theirs, row in zip(server, ours, strict=True):
            rows[-1] += [f"{theirs}", seconds(row["server_cpu_s"])]
    head = ["n", "client: paper", "ours"]
    for drop in ("0 %", "10 %", "30 %"):
        head += [f"server, {drop}: paper", "ours"]
    return table(head, rows)


def sessions(results: dict[str, dict]) -> str:
    """All sessions: time, floor, memory, bytes."""
    rows = []
    for row in sessions_of(results):
        m, n = row["d"], row["n"]
        moved = row["client_bytes_up"] + row["client_bytes_down"]
        formula = 32 * (7 * n - 4) + m * row["bits"] / 8
        rows.append(
            [str(n), f"{m:,}", f"{row['drop']:.0%}", seconds(row["client_cpu_s"]),
             f"{row['client_cpu_s'] / row['client_floor_s']:.2f}", seconds(row["server_cpu_s"]),
             f"{row['server_cpu_s'] / row['server_floor_s']:.2f}",
             f"{(row['peak_rss_bytes'] - row['import_rss_bytes']) / 1e6:.0f}",
             f"{row['client_bytes_up'] / 1e3:,.1f}", f"{row['client_bytes_down'] / 1e3:,.1f}",
             f"{moved / formula:.3f}"]
        )  # fmt: skip
    head = ["n", "d", "dropped", "client, s", "× floor", "server, s", "× floor"]
    head += ["server MB", "client sends, kB", "receives, kB", "both / paper's formula"]
    return table(head, rows)


def uploads(results: dict[str, dict]) -> str:
    """A client's upload, and what it must contain."""
    rows = []
    for row in sessions_of(results):
        if row["drop"] or row["n"] not in (100, 1000):
            continue
        n, vector = row["n"], row["d"] * row["bits"] // 8
        shares = 96 + (n - 1) * 112 + n * 34
        paper_up = vector + 32 * (3 * n) + 5 * 64
        tagged = paper_up + 16 * (n - 1)
        up = row["client_bytes_up"]
        ratios = [f"{up / needed:.4f}" for needed in (vector + shares, paper_up, tagged)]
        rows.append([str(n), f"{row['d']:,}", f"{up:,.0f}", *ratios])
    head = ["n", "d", "bytes sent", "/ (vector + keys + shares)", "/ (paper's upload + signatures)"]
    head += ["/ (the same, with a tag on each ciphertext)"]
    return table(head, rows)


def sparse(results: dict[str, dict]) -> str:
    """One client on the sparse graph."""
    rows = [
        [f"{r['n']:,}", str(r["k"]), str(r["t"]), *(f"{1e3 * r[f'{part}_s']:.1f}" for part in
         ("share", "mask", "consistency", "unmask", "all"))]
        for r in clients_of(results)
    ]  # fmt: skip
    head = ["n", "k", "t", "check and deal, ms", "mask, ms", "sign U3, ms", "unmask, ms", "all, ms"]
    return table(head, rows)


def sessions_of(results: dict[str, dict]) -> list[dict]:
    """The rows of benchmarks.protocol, each with its share of drop-outs."""
    rows = [
        row | {"drop": float(name.split()[3])}
        for name, row in results.items()
        if name.startswith("protocol ") and not row.get("workers")
    ]
    return sorted(rows, key=lambda row: (row["n"], row["d"], row["drop"]))


def clients_of(results: dict[str, dict]) -> list[dict]:
    """The rows of benchmarks.one_client."""
    rows = [row for name, row in results.items() if name.startswith("one_client ")]
    return sorted(rows, key=lambda row: row["n"])


def hardware(results: dict[str, dict]) -> str:
    """On what."""
    return "\n".join(f"- {name}" for name in sorted({row["hardware"] for row in results.values()}))


BLOCKS = (targets, rates, workers, paper, sessions, uploads, sparse, hardware)


def main() -> None:
    """Fill in the blocks of the page, draw the figures."""
    results = suite.load()
    fill(PAGE, {block.__name__: block(results) for block in BLOCKS})
    packing = results["micro"]["packing"]
    plots.draw(sessions_of(results), clients_of(results), packing, suite.RESULTS.parent)


if __name__ == "__main__":
    main()
