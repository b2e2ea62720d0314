"""What `fl leak` prints: how near each attack came, in a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fl.leak.study import ACTIVATIONS, NOTHING, Attempt, Plan, medians, shown_psnr

Guesses = tuple[float, float]
"""The PSNR of the mean picture: to the victim's, and to anybody's of the largest sum."""


def table(plan: Plan, attempts: Sequence[Attempt], guesses: Guesses) -> RenderableType:
    """A row for each thing that was seen; the medians of the trials."""
    shown = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    shown.add_column("what the server sees\n", no_wrap=True)
    columns = [(attack, steps) for attack in ACTIVATIONS for steps in plan.steps]
    for attack, steps in columns:
        shown.add_column(f"{attack}\n{steps} step{'s' * (steps > 1)}", justify="right")
    found = medians(attempts)
    for seen in plan.seen:
        numbers = (found[seen, attack, steps] for attack, steps in columns)
        shown.add_row(seen, *map(shown_psnr, numbers))
    names = f"{NOTHING}: the mean picture", f"{NOTHING}, anybody of {max(plan.sums)}"
    for name, guess in zip(names, guesses, strict=True):
        shown.add_row(name, *[shown_psnr(guess)] * len(columns))
    what = f"{plan.trials} trial{'s' * (plan.trials > 1)}, {plan.pictures} a client"
    return Group(Text(f"PSNR of the rebuilt picture in dB, median of {what}\n"), shown)


def as_json(plan: Plan, attempts: Sequence[Attempt], guesses: Guesses) -> dict[str, object]:
    """The same numbers, and those of each trial; 120 dB stands for that and above."""
    return {
        "trials": plan.trials,
        "pictures": plan.pictures,
        "mean_picture": guesses[0],
        "mean_picture_anybody": guesses[1],
        "median_psnr": [
            {"seen": seen, "attack": attack, "steps": steps, "psnr": value}
            for (seen, attack, steps), value in medians(attempts).items()
        ],
        "psnr": [
            {
                "seen": each.seen,
                "attack": each.attack,
                "steps": each.steps,
                "trial": each.trial,
                "psnr": each.psnr,
            }
            for each in attempts
        ],
    }
