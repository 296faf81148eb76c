"""Distributions as boxes: quartiles, and whiskers at the 5th and the 95th percentile."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
DRAWN = {5: "whislo", 25: "q1", 50: "med", 75: "q3", 95: "whishi"}  # matplotlib's names
COLUMNS = (
    *("panel", "method", "quantity", "space", "dimensions", "numbers"),
    *(f"percentile_{each}" for each in PERCENTILES),
    *("zeros", "tasks", "tasks_not_finite", "tasks_incomplete"),
)


class About(NamedTuple):
    """What numbers are."""

    panel: str
    method: str  # its role in the figure
    quantity: str
    space: str  # z or theta
    dimensions: int  # of that space, for one task


class Box(NamedTuple):
    """A distribution of positive numbers, gathered over tasks."""

    about: About
    numbers: int  # that are distributed
    percentiles: tuple[float, ...]  # at `PERCENTILES`; NaN where there are no numbers
    zeros: int  # numbers that are zero and left out: a logarithmic axis has no place for them
    tasks: int
    not_finite: int  # tasks with a number that is not finite, of which none is taken
    incomplete: int = 0  # tasks of which only the largest numbers were found

    def at(self, percentile: int) -> float:
        """Return one of the `PERCENTILES`; NaN if there are no numbers."""
        return self.percentiles[PERCENTILES.index(percentile)]

    @property
    def median(self) -> float:
        """The median; NaN if there are no numbers."""
        return self.at(50)

    @property
    def row(self) -> list[Any]:
        """The cells of `COLUMNS`, percentiles with six digits."""
        shown = [f"{each:.6g}" if np.isfinite(each) else None for each in self.percentiles]
        return [*self.about, self.numbers, *shown, *self[3:]]


def box(
    about: About,
    values: np.ndarray,
    *,
    zeros: int = 0,
    bad: np.ndarray | None = None,
    incomplete: int = 0,
) -> Box:
    """Return the box of some numbers.

    Args:
      about: what they are.
      values: [tasks, n], 0 or more; NaN where there is none.
      zeros: how many more are zero.
      bad: bool [tasks], which tasks are not finite; None: those with a number that is not.
      incomplete: see `Box`.
    """
    bad = ~np.isfinite(values).all(axis=1) if bad is None else bad
    kept = values[~bad]
    kept = kept[np.isfinite(kept)]
    zeros += int((kept == 0).sum())
    kept = kept[kept > 0]
    found = np.percentile(kept, PERCENTILES) if kept.size else [np.nan] * len(PERCENTILES)
    counts = zeros, len(values), int(bad.sum()), incomplete
    return Box(about, int(kept.size), tuple(map(float, found)), *counts)


def draw(panel: Any, boxes: Sequence[Box], names: Sequence[str], colours: Sequence[str]) -> None:
    """Draw boxes in a panel, on a logarithmic axis.

    Args:
      panel: matplotlib's axes.
      boxes: from left to right; the place of one without numbers says so.
      names: what stands below each.
      colours: of each.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    panel.set_yscale("log")
    for place, (each, colour) in enumerate(zip(boxes, colours, strict=True)):
        if not each.numbers:
            panel.text(place, 0.5, "none", transform=panel.get_xaxis_transform(), ha="center")
            continue
        panel.bxp(
            [{name: each.at(percentile) for percentile, name in DRAWN.items()}],
            positions=[place],
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.6},
            medianprops={"color": "black"},
            manage_ticks=False,
        )
    panel.set_xticks(range(len(boxes)), names)
    panel.set_xlim(-0.6, len(boxes) - 0.4)
    low, high = panel.get_ylim()
    marks = (1, 2, 5) if high < 100 * low else (1,)
    panel.yaxis.set_major_locator(LogLocator(subs=marks))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.grid(axis="y", alpha=0.3)
