"""The table of what an outer step costs at each size, and the page that shows it."""

from collections.abc import Sequence

from leo_tf.markdown import aligned
from leo_tf.performance import machine
from leo_tf.performance.scaling_growth import growth
from leo_tf.performance.scaling_rows import Row, Sizes

COLUMNS = (
    *Sizes._fields,
    "steps/s",
    "ms/step",
    "quartiles",
    "CPU ms/step",
    "GFLOP/step",
    "product, GFLOP/s",
    "share, %",
    "compile, s",
    "peak memory, MiB",
)
# What is between these in a page is measured; the rest is written by hand and stays.
BEGIN, END = "<!-- measured -->\n", "\n<!-- end of what is measured -->\n"


def table(rows: Sequence[Row]) -> str:
    """Lay out rows as a Markdown table, aligned."""
    return aligned(COLUMNS, [_cells(row) for row in rows], "r" * len(COLUMNS))


def _cells(row):
    sizes = [str(size) for size in row.sizes]
    if not row.figures:
        return [*sizes, *["-"] * (len(COLUMNS) - 5), row.failure]
    time = row.milliseconds
    return [
        *sizes,
        short(1000 / time.median),
        short(time.median),
        f"{short(time.low)} to {short(time.high)}",
        short(row.of("outer_step_cpu").median),
        short(row.of("step_flops").median),
        f"{row.of('product_rate').median:.0f}",
        f"{row.share:.0f}",
        f"{row.of('compile_seconds').median:.1f}",
        f"{row.of('peak_memory').median:.0f}",
    ]


def short(value: float) -> str:
    """Write a number with three digits, or all of its whole ones."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def page(rows: Sequence[Row], command: str, memory: float, name: str, before: str = "") -> str:
    """Write a Markdown page of the rows.

    Args:
      rows: `Row`s; the first is the one that the others vary.
      command: the one that makes this page.
      memory: MiB that a configuration could take.
      name: of the plot's file, without .png.
      before: a page to take the text from that is written by hand.
    """
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        head, tail = "# The cost of an outer step\n\n", ""
    return f"{head}{BEGIN}\n{_measured(rows, command, memory, name)}{END}{tail}"


def _measured(rows, command, memory, name):
    """What the command knows."""
    on = [machine.line(row.machine) for row in rows if row.machine]
    return f"""    {command}

Measured on {on[0] if on else "a machine where nothing could be measured"}.
Classification, 15 queries a class, both inner loops of 5 steps, 64 latents. Time is that of `fit`
with the pipeline attached, CPU time that of all cores; GFLOP are those of the step's matrix
products. The machine's product is one of 2048 x 2048 float32 matrices on all cores, measured in
the same process; the share is what the step reaches of its rate. Out of memory means that a
process took more than {memory / 1024:.1f} GiB.

{table(rows)}

## How it grows

{growth(rows)}

A cost grows with size ^ exponent, fitted by least squares of the logarithms; "farthest" is the
factor by which a point lies off that line, at most. The exponents from one size to the next tell
more where they differ: while they rise, a fixed cost fades (of memory, what TensorFlow takes
before the first step), and the last is the nearest to what larger sizes will show.

![Cost of an outer step]({name}.png)
"""
