"""The plot of how the cost of an outer step grows."""

import os
from collections.abc import Sequence
from typing import Any

from leo_tf.performance.scaling_growth import COSTS, power_law
from leo_tf.performance.scaling_rows import Row, Sizes, varying

LABELS = ("way", "shot", "meta-batch (tasks)", "embedding size")
COLORS = {"time": "C0", "CPU time": "C1"}


def draw(rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Plot time and share of the machine's product rate against each size, as a PNG.

    Args:
      rows: `Row`s; the first is the one that the others vary.
      path: of the file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6), layout="constrained")
    times, shares = figure.subplots(2, 4, sharey="row", sharex="col", height_ratios=(3, 2))
    for name, label, above, below in zip(Sizes._fields, LABELS, times, shares, strict=True):
        varied = varying(rows, name)
        sizes = [getattr(row.sizes, name) for row in varied]
        _draw_costs(above, varied, sizes)
        below.plot(sizes, [row.share for row in varied], "o-", color="C2")
        below.set(xlabel=label, ylim=(0, 100))
        below.set_xticks(sizes, [str(size) for size in sizes])
        for panel in (above, below):
            panel.minorticks_off()
            panel.grid(alpha=0.3)
    _label(times[0], shares[0])
    base = rows[0].sizes
    figure.suptitle(
        f"Cost of an outer step around {base.way}-way {base.shot}-shot, {base.tasks} tasks, "
        f"{base.dim}-d"
    )
    figure.savefig(path, dpi=120)


def _draw_costs(panel: Any, varied: Sequence[Row], sizes: Sequence[int]) -> None:
    """Plot the times of some rows, and the power laws that fit them."""
    panel.set(xscale="log", yscale="log")
    for cost, color in COLORS.items():
        costs = [COSTS[cost](row) for row in varied]
        label = cost
        if len(sizes) > 1:
            law = power_law(sizes, costs)
            label += f", exponent {law.exponent:.2f}"
            panel.plot(sizes, [law.at(size) for size in sizes], "--", color=color, alpha=0.5)
        panel.plot(sizes, costs, "o", color=color, label=label)
    panel.legend(fontsize="small", loc="upper left")


def _label(times: Any, shares: Any) -> None:
    """Name the axes on the left, and write milliseconds as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    times.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    times.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    times.set_ylabel("ms per outer step")
    shares.set_ylabel("% of the product rate")
