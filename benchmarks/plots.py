"""The figures of docs/performance.md, drawn from the results: SVG, needs matplotlib."""

from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt

from benchmarks.protocol import ROUNDS

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "svg.hashsalt": "secagg",  # the same results give the same file
        "svg.fonttype": "none",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
)
COLOURS = {0.0: "#1b6ca8", 0.1: "#e08e0b", 0.3: "#b03a2e"}
SHADES = ("#1b6ca8", "#58a4b0", "#e08e0b", "#b8b8aa", "#b03a2e")


def draw(rows: list[dict], clients: list[dict], packing: dict[str, dict], folder: Path) -> None:
    """All figures."""
    figures = {
        "clients.svg": against(rows, "n", "clients n", {"d": 100_000}),
        "lengths.svg": against(rows, "d", "words of the vector d (32 bits)", {"n": 100}),
        "phases.svg": phases(rows),
        "sparse.svg": sparse(clients),
        "packing.svg": packing_rates(packing),
    }
    for name, figure in figures.items():
        figure.savefig(folder / name, metadata={"Date": None})
        plt.close(figure)


def against(rows: list[dict], key: str, label: str, fixed: dict) -> plt.Figure:
    """Client and server seconds against n or d, one line for each share of drop-outs."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8))
    for panel, side in zip(panels, ("client", "server"), strict=True):
        for drop, colour in COLOURS.items():
            here = [r for r in rows if r["drop"] == drop and fixed.items() <= r.items()]
            here.sort(key=lambda row: row[key])
            if len(here) < 2 or (side == "client" and drop):
                continue
            xs = [row[key] for row in here]
            name = "measured" if side == "client" else f"{drop:.0%} dropped"
            panel.plot(xs, [r[f"{side}_cpu_s"] for r in here], "o-", color=colour, label=name)
            floors = [row[f"{side}_floor_s"] for row in here]
            panel.plot(xs, floors, ":", color=colour, label="_" if drop else "the primitives alone")
        panel.set(xscale="log", yscale="log", xlabel=label, ylabel="CPU seconds", title=side)
        plain(panel, sorted({r[key] for r in rows if fixed.items() <= r.items()}))
        panel.legend()
    return figure


def plain(panel: plt.Axes, xs: list[int]) -> None:
    """A logarithmic panel with ticks where something was measured, and numbers in full."""
    panel.set_xticks(xs, [f"{x:,}" for x in xs])
    panel.minorticks_off()
    low, high = panel.get_ylim()
    ticks = [m * 10.0**e for e in range(-4, 3) for m in (1, 2, 5)]
    shown = [tick for tick in ticks if low <= tick <= high]
    panel.set_yticks(shown, [f"{tick:g}" for tick in shown])


def phases(rows: list[dict]) -> plt.Figure:
    """Which round takes the time: stacked bars, each session as 100 %."""
    wanted = [(100, 100_000, 0.0), (100, 100_000, 0.3), (100, 1_000_000, 0.3), (1000, 100_000, 0.1)]
    found = {(r["n"], r["d"], r["drop"]): r for r in rows}
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    shown = [key for key in wanted if key in found]
    names = [f"n={n}, d={d // 1000}k, {drop:.0%}" for n, d, drop in shown]
    for panel, side in zip(panels, ("client", "server"), strict=True):
        left = [0.0] * len(shown)
        for name, shade in zip(ROUNDS, SHADES, strict=True):
            parts = [
                100 * found[key][f"{side}_cpu_s_by_round"][name] / found[key][f"{side}_cpu_s"]
                for key in shown
            ]
            panel.barh(names, parts, left=left, color=shade, label=name)
            left = [a + b for a, b in zip(left, parts, strict=True)]
        panel.set(xlabel="% of its CPU seconds", title=side, xlim=(0, 100))
        panel.grid(False)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=9)
    return figure


def sparse(clients: list[dict]) -> plt.Figure:
    """A client on the sparse graph: its work grows with its neighbours, hardly with the crowd."""
    parts = {
        "mask_s": "masking, with its neighbours",
        "share_s": "checking the roster, dealing shares",
        "consistency_s": "signing U3",
        "unmask_s": "a sample of the quorum, unmasking",
    }
    figure, panel = plt.subplots(figsize=(6.4, 3.8))
    clients = sorted(clients, key=lambda row: row["n"])
    shades = ("#b03a2e", "#e08e0b", "#1b6ca8", "#58a4b0")
    for (key, label), shade in zip(parts.items(), shades, strict=True):
        xs = [row["n"] for row in clients]
        panel.plot(xs, [row[key] for row in clients], "o-", color=shade, label=label)
    panel.set(
        xscale="log", yscale="log", xlabel="clients n", ylabel="CPU seconds of one client",
        ylim=(5e-5, 0.5), title="sparse graph, d = 1000, 5 % corrupt, 5 % drop-outs",
    )  # fmt: skip
    plain(panel, xs)
    panel.legend(loc="upper left")
    return figure


def packing_rates(packing: dict[str, dict]) -> plt.Figure:
    """Packed gigabytes a second by width, without the widths that are views."""
    widths = [width for width in packing if int(width) not in (8, 16, 32, 64)]
    figure, panel = plt.subplots(figsize=(6.4, 3.4))
    for name, shade in (("pack", "#1b6ca8"), ("unpack", "#e08e0b")):
        rates = [packing[width][f"{name}_bytes_per_s"] / 1e9 for width in widths]
        panel.plot([int(width) for width in widths], rates, "o-", color=shade, label=name)
    panel.axhline(0.2, color="grey", linestyle=":", label="target for odd widths")
    panel.set(xlabel="bits of a word", ylabel="GB of packed bytes a second", ylim=(0, None))
    panel.legend()
    return figure
