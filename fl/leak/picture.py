"""The picture of a study: clients' own digits, and what each attack makes of what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fl.leak.study import ACTIVATIONS, Attempt, Images, Plan, shown_psnr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL = 1.0  # inches


def draw(plan: Plan, images: Images, attempts: Sequence[Attempt], path: Path) -> None:
    """Draw the first trial: for each attack and number of steps a line of what it rebuilds, under
    the clients' pictures that are nearest to it. Raises OSError."""
    rows = [(attack, steps) for attack in ACTIVATIONS for steps in plan.steps]
    size = (1.1 * _CELL * len(plan.seen), 2.5 * _CELL * len(rows))
    figure: Figure = import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")
    axes = figure.subplots(2 * len(rows), len(plan.seen), squeeze=False)
    of = {(e.seen, e.attack, e.steps): e for e in attempts if e.trial == 0}
    for own, made, (attack, steps) in zip(axes[::2], axes[1::2], rows, strict=True):
        for above, below, seen in zip(own, made, plan.seen, strict=True):
            attempt = of[seen, attack, steps]
            title = f"{seen.replace(', ', chr(10))}\n{shown_psnr(attempt.psnr)} dB"
            _show(above, attempt.truth.reshape(images.shape), title)
            _show(below, attempt.rebuilt.reshape(images.shape))
        own[0].set_ylabel("a client's", fontsize=8)
        made[0].set_ylabel(f"{attack},\n{steps} step{'s' * (steps > 1)}", fontsize=8)
    figure.savefig(path, dpi=110)


def _show(axis: Axes, picture: Any, title: str = "") -> None:
    axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
    axis.set_title(title, fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
