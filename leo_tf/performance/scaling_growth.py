"""How the cost of an outer step grows with a size: the exponents of power laws."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from leo_tf.markdown import aligned
from leo_tf.performance.scaling_rows import Row, Sizes, varying

COSTS: dict[str, Callable[[Row], float]] = {
    "time": lambda row: row.milliseconds.median,
    "CPU time": lambda row: row.of("outer_step_cpu").median,
    "products": lambda row: row.of("step_flops").median,
    "peak memory": lambda row: row.of("peak_memory").median,
}
HEADER = ("sizes", "cost", "grows", "exponent", "farthest", "from one to the next")


class PowerLaw(NamedTuple):
    """A cost as factor * size ** exponent."""

    factor: float
    exponent: float
    farthest: float  # of the points from it: the factor between, at least 1
    local: list[float]  # exponents between neighbouring points

    def at(self, size: float) -> float:
        """The cost that it has a size."""
        return self.factor * size**self.exponent


def power_law(sizes: Sequence[float], costs: Sequence[float]) -> PowerLaw:
    """Fit a power law by least squares of the logarithms.

    Args:
      sizes: increasing, two at least.
      costs: as many, above 0.
    """
    x, y = np.log(sizes), np.log(costs)
    exponent, offset = np.polyfit(x, y, 1)
    farthest = np.abs(y - offset - exponent * x).max()
    local = np.diff(y) / np.diff(x)
    return PowerLaw(math.exp(offset), float(exponent), math.exp(farthest), local.tolist())


def growth(rows: Sequence[Row]) -> str:
    """Lay out how each cost grows with each size as a Markdown table, and say what is missing.

    Args:
      rows: `Row`s; the first is the one that the others vary.
    """
    by_name = {name: varying(rows, name) for name in Sizes._fields}
    lines = [line for name, varied in by_name.items() for line in _growth_with(name, varied)]
    few = [name for name, varied in by_name.items() if len(varied) < 2]
    two = [name for name, varied in by_name.items() if len(varied) == 2]
    parts = [aligned(HEADER, lines, "llrrrl")] if lines else []
    if two:
        parts.append(f"Of two sizes, through which any power law goes: {', '.join(two)}.")
    if few:
        parts.append(f"Fewer than two sizes were measured: {', '.join(few)}.")
    return "\n\n".join(parts)


def _growth_with(name, varied):
    """Yield the lines of one size; none where there is nothing to compare."""
    sizes = [getattr(row.sizes, name) for row in varied]
    for cost, of in COSTS.items() if len(sizes) > 1 else ():
        costs = [of(row) for row in varied]
        law = power_law(sizes, costs)
        yield (
            f"{name} {', '.join(map(str, sizes))}",
            cost,
            f"x{costs[-1] / costs[0]:.3g}",
            f"{law.exponent:.2f}",
            f"x{law.farthest:.2f}" if len(sizes) > 2 else "-",
            ", ".join(f"{exponent:.2f}" for exponent in law.local),
        )
