"""The pictures of the tutorials: small PNGs, by matplotlib, which is imported when one is drawn."""

COLOURS = ("#9aa5b1", "#1b6ca8", "#e08e0b", "#b03a2e")
WIDTHS = (5, 1.5, 1.5, 1.5)  # the first, thick and grey, is seen behind the second


def curves(path, panels, xlabel="round"):
    """panels: {title: {name: values from x = 1}}, one beside the other."""
    figure, axes = _panels(len(panels))
    for axis, (title, series) in zip(axes, panels.items(), strict=True):
        styles = list(zip(COLOURS, WIDTHS, strict=True))[len(series) == 1 :]
        for (name, values), (colour, width) in zip(series.items(), styles, strict=False):
            axis.plot(range(1, len(values) + 1), values, color=colour, lw=width, label=name)
        axis.set(title=title, xlabel=xlabel)
        axis.locator_params(axis="x", integer=True)
        if len(series) > 1:
            axis.legend()
    _save(figure, path)


def bars(path, panels):
    """panels: {title: ({name: value}, a horizontal line or None)}, one beside the other."""
    figure, axes = _panels(len(panels))
    for axis, (title, (values, line)) in zip(axes, panels.items(), strict=True):
        axis.bar(list(values), list(values.values()), color=COLOURS[1])
        if line is not None:
            axis.axhline(line, color=COLOURS[2], lw=2, label=f"mean {line:g}")
            axis.legend(loc="lower right", frameon=True)
        axis.set(title=title)
        axis.tick_params(axis="x", labelrotation=20)
    _save(figure, path)


def scatter(path, title, x, y, xlabel, ylabel):
    """A dot for each client, with the diagonal."""
    figure, (axis,) = _panels(1)
    low, high = min(*x, *y), max(*x, *y)
    axis.plot([low, high], [low, high], color=COLOURS[0], lw=1.5)
    axis.scatter(x, y, s=14, color=COLOURS[1], alpha=0.6)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    _save(figure, path)


def _panels(count):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    style = {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    pyplot.rcParams.update({**style, "figure.constrained_layout.use": True})
    figure, axes = pyplot.subplots(
        1, count, figsize=(5.0 if count == 1 else 4.0 * count, 2.8), squeeze=False
    )
    return figure, axes[0]


def _save(figure, path):
    figure.savefig(path, dpi=100, metadata={"Software": None})
