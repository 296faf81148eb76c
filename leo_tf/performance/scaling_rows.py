"""What was measured of an outer step, size by size, and the file that keeps it."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import atomic
from data_pipeline.json_text import parsed

# The figures of the benchmark that tables and plots show.
SHOWN = (
    "outer_steps_per_second",
    "outer_step_cpu",
    "step_flops",
    "product_rate",
    "compile_seconds",
    "peak_memory",
)
# Of medians: an undisturbed machine measures the same code, relative to its product, within less.
BOUND = 1.25
QUARTILES = ("low", "median", "high")

Figures = Mapping[str, Mapping[str, Any]]  # as leo_tf.benchmark writes them


class Sizes(NamedTuple):
    """Sizes of a training step."""

    way: int
    shot: int
    tasks: int
    dim: int


class Range(NamedTuple):
    """A median between its quartiles."""

    low: float
    median: float
    high: float


class Row(NamedTuple):
    """What was measured of a configuration."""

    sizes: Sizes
    figures: Figures | None = None  # None if it failed
    machine: Mapping[str, Any] | None = None  # as `machine.describe` returns it
    failure: str = ""

    def of(self, name: str) -> Range:
        """A figure of `SHOWN`."""
        if self.figures is None:
            raise ValueError(f"{self.sizes} were not measured: {self.failure}")
        return Range(*(self.figures[name][quartile] for quartile in QUARTILES))

    @property
    def milliseconds(self) -> Range:
        """Time of an outer step in fit."""
        return Range(*(1000 / rate for rate in reversed(self.of("outer_steps_per_second"))))

    @property
    def products(self) -> Range:
        """Time of an outer step in GFLOP: what large products make of it, on this machine."""
        both = zip(self.milliseconds, self.of("product_rate"), strict=True)
        return Range(*(time * rate / 1000 for time, rate in both))

    @property
    def share(self) -> float:
        """Part of the rate of large products that an outer step reaches, in percent."""
        return 100 * self.of("step_flops").median / self.products.median


def varying(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the measured rows that differ from the first in that size at most, by that size."""
    same = rows[0].sizes._replace(**{name: 0})
    found = [row for row in rows if row.sizes._replace(**{name: 0}) == same and row.figures]
    return sorted(found, key=lambda row: getattr(row.sizes, name))


def disturbed(rows: Sequence[Row]) -> list[Row]:
    """Return the rows beside which the product was slower than beside others: `BOUND` times.

    Something else then had the machine work, and what was measured of the step is no better.
    """
    measured = [row for row in rows if row.figures]
    rates = [row.of("product_rate").median for row in measured]
    return [row for row, rate in zip(measured, rates, strict=True) if rate * BOUND < max(rates)]


def write(rows: Sequence[Row], command: str, path: str | os.PathLike) -> None:
    """Keep rows in a JSON file, a line each: [low, median, high] of each figure.

    Args:
      rows: of one machine.
      command: the one that measured them.
      path: of the file.
    """
    machine = next((row.machine for row in rows if row.machine), None)
    head = json.dumps({"command": command, "machine": machine}, allow_nan=False)[1:-1]
    lines = ",\n".join(json.dumps(_flat(row), allow_nan=False) for row in rows)
    atomic.write_text(Path(path), f'{{{head}, "rows": [\n{lines}\n]}}\n')


def _flat(row):
    flat = row.sizes._asdict()
    if not row.figures:
        return {**flat, "failure": row.failure}
    return flat | {name: [float(f"{value:.5g}") for value in row.of(name)] for name in SHOWN}


def read(path: str | os.PathLike) -> list[Row]:
    """Return the rows that `write` kept.

    Raises:
      FileNotFoundError, ValueError: one line, if there are none.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        kept = parsed(Path(path).read_text(encoding="utf-8"))
        return [_row(flat, kept["machine"]) for flat in kept["rows"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not what leo_tf.scaling writes ({error!r})") from None


def _row(flat, machine):
    sizes = Sizes(*(int(flat[name]) for name in Sizes._fields))
    if "failure" in flat:
        return Row(sizes, failure=str(flat["failure"]))
    figures = {}
    for name in SHOWN:
        values = [float(value) for value in flat[name]]
        if not all(0 < value < math.inf for value in values):
            raise ValueError(f"{name} is {values}")
        figures[name] = dict(zip(QUARTILES, values, strict=True))
    return Row(sizes, figures, dict(machine))
