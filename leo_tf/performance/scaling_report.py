"""The table and the plot of how the cost of an outer step grows."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from leo_tf.performance import machine


class Sizes(NamedTuple):
    """Sizes of a training step."""

    way: int
    shot: int
    tasks: int
    dim: int


class Row(NamedTuple):
    """What was measured of a configuration."""

    sizes: Sizes
    figures: dict | None = None  # as leo_tf.benchmark writes them; None if it failed
    machine: dict | None = None  # the same
    failure: str = ""

    @property
    def milliseconds(self) -> float:
        """Time of an outer step in fit."""
        return 1000 / self.figures["outer_steps_per_second"]["median"]  # type: ignore[index]


COLUMNS = (
    ("way", 4),
    ("shot", 5),
    ("tasks", 6),
    ("dim", 5),
    ("steps/s", 8),
    ("ms/step", 8),
    ("quartiles", 15),
    ("CPU ms/step", 12),
    ("GFLOP/step", 11),
    ("compile, s", 11),
    ("peak memory, MiB", 17),
)
# The figures of the benchmark that the table and the plot show.
SHOWN = (
    "outer_steps_per_second",
    "outer_step_cpu",
    "step_flops",
    "compile_seconds",
    "peak_memory",
)


def table(rows: Sequence[Row]) -> str:
    """Lay out rows as a Markdown table, aligned."""
    lines = [[name for name, _ in COLUMNS], ["-" * (width - 1) + ":" for _, width in COLUMNS]]
    lines += [_cells(row) for row in rows]
    widths = [width for _, width in COLUMNS]
    return "\n".join(
        "| " + " | ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _cells(row):
    sizes = [str(size) for size in row.sizes]
    if not row.figures:
        return [*sizes, *["-"] * (len(COLUMNS) - 5), row.failure]
    steps, f = row.figures["outer_steps_per_second"], row.figures
    slow, fast = (1000 / steps[name] for name in ("low", "high"))
    return [
        *sizes,
        f"{steps['median']:.3g}",
        f"{row.milliseconds:.3g}",
        f"{fast:.3g} to {slow:.3g}",
        f"{f['outer_step_cpu']['median']:.3g}",
        f"{f['step_flops']['median']:.3g}",
        f"{f['compile_seconds']['median']:.1f}",
        f"{f['peak_memory']['median']:.0f}",
    ]


def growth(rows: Sequence[Row]) -> str:
    """Say how much more a step costs for how much larger a size; one line a size."""
    base, lines = rows[0], []
    if not base.figures:
        return ""
    for name in Sizes._fields:
        varied = varying(rows, name)
        if len(varied) < 2:
            continue
        last = varied[-1]
        factor = getattr(last.sizes, name) / getattr(base.sizes, name)
        lines.append(
            f"- {name} x{factor:.3g}: time x{last.milliseconds / base.milliseconds:.3g}, "
            f"CPU time x{_ratio(last, base, 'outer_step_cpu')}, "
            f"products x{_ratio(last, base, 'step_flops')}, "
            f"peak memory x{_ratio(last, base, 'peak_memory')}"
        )
    return "\n".join(lines)


def _ratio(row, base, name):
    return f"{row.figures[name]['median'] / base.figures[name]['median']:.3g}"


def varying(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the measured rows that differ from the first in that size at most, by that size."""
    same = rows[0].sizes._replace(**{name: 0})
    found = [row for row in rows if row.sizes._replace(**{name: 0}) == same and row.figures]
    return sorted(found, key=lambda row: getattr(row.sizes, name))


def report(rows: Sequence[Row], command: str, memory: float, name: str) -> str:
    """Write a Markdown page of the rows.

    Args:
      rows: `Row`s; the first is the one that the others vary.
      command: the one that makes this page.
      memory: MiB that a configuration could take.
      name: of the plot's file, without .png.
    """
    measured_on = [machine.line(row.machine) for row in rows if row.machine]
    return f"""# The cost of an outer step

    {command}

Measured on {measured_on[0] if measured_on else "a machine where nothing could be measured"}.
Classification, 15 queries a class, both inner loops of 5 steps, 64 latents. Time is that of `fit`
with the pipeline attached, CPU time that of all cores; GFLOP are those of the step's matrix
products. Out of memory means that a process took more than {memory / 1024:.1f} GiB.

{table(rows)}

From the first row, by one size:

{growth(rows)}

![Milliseconds of an outer step]({name}.png)
"""


def draw(rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Plot the time of a step against each size, on logarithmic axes, as a PNG."""
    from matplotlib.figure import Figure

    labels = ("way", "shot", "meta-batch (tasks)", "embedding size")
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    panels = figure.subplots(1, 4, sharey=True)
    for panel, name, label in zip(panels, Sizes._fields, labels, strict=True):
        varied = varying(rows, name)
        sizes = [getattr(row.sizes, name) for row in varied]
        times = [row.milliseconds for row in varied]
        cpu = [row.figures["outer_step_cpu"]["median"] for row in varied]  # type: ignore[index]
        panel.plot(sizes, times, "o-", label="time, in fit")
        panel.plot(sizes, cpu, "s:", label="CPU time, all cores")
        if len(sizes) > 1:
            straight = [times[0] * size / sizes[0] for size in sizes]
            panel.plot(sizes, straight, "--", color="gray", label="proportional to the size")
        panel.set(xscale="log", yscale="log", xlabel=label)
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("ms per outer step")
    panels[0].legend(fontsize="small")
    base = rows[0].sizes
    figure.suptitle(
        f"Cost of an outer step around {base.way}-way {base.shot}-shot, {base.tasks} tasks, "
        f"{base.dim}-d"
    )
    figure.savefig(path, dpi=120)
