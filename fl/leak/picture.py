"""The picture of a study: the client's own digit, and what each attack makes of what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fl.leak.study import ACTIVATIONS, Attempt, Images, Plan, shown_psnr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL = 1.15  # inches


def draw(plan: Plan, images: Images, attempts: Sequence[Attempt], path: Path) -> None:
    """Draw the first trial: a row for each attack and number of steps. Raises OSError."""
    rows = [(attack, steps) for attack in ACTIVATIONS for steps in plan.steps]
    size = (_CELL * (len(plan.seen) + 1), 1.3 * _CELL * len(rows))
    figure: Figure = import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(plan.seen) + 1, squeeze=False)
    of = {(e.seen, e.attack, e.steps): e for e in attempts if e.trial == 0}
    for row, (attack, steps) in zip(axes, rows, strict=True):
        named = f"{attack},\n{steps} step{'s' * (steps > 1)}"
        truth = of[plan.seen[0], attack, steps].truth
        _show(row[0], truth.reshape(images.shape), "the client's", named)
        for axis, seen in zip(row[1:], plan.seen, strict=True):
            attempt = of[seen, attack, steps]
            text = f"{seen}\n{shown_psnr(attempt.psnr)} dB"
            _show(axis, attempt.rebuilt.reshape(images.shape), text)
    figure.savefig(path, dpi=110)


def _show(axis: Axes, picture: Any, title: str, named: str = "") -> None:
    axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
    axis.set_title(title, fontsize=8)
    axis.set_ylabel(named, fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
