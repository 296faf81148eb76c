"""How often something runs per second: median and quartiles over repetitions."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

REPETITIONS = 10  # aimed at; a repetition is at least one call
FEWEST = 3


class Figure(NamedTuple):
    """A measured figure."""

    median: float
    low: float  # lower quartile
    high: float  # upper quartile
    repetitions: int
    unit: str


class Lap(NamedTuple):
    """The clocks after some number of units of work."""

    work: int
    seconds: float
    cpu_seconds: float  # of all threads of this process


def figure(values: float | Sequence[float], unit: str) -> Figure:
    """Summarise repetitions, or a single value, as a `Figure`."""
    sample = np.atleast_1d(values)
    low, median, high = (float(q) for q in np.quantile(sample, [0.25, 0.5, 0.75]))
    return Figure(median, low, high, len(sample), unit)


def lap(work: int) -> Lap:
    """Read the clocks."""
    return Lap(work, time.perf_counter(), time.process_time())


def rate(laps: Sequence[Lap], unit: str) -> Figure:
    """Units of work per second between consecutive `Lap`s, a `Figure`."""
    return figure([b.work / (b.seconds - a.seconds) for a, b in _pairs(laps)], unit)


def cpu_time(laps: Sequence[Lap], unit: str) -> Figure:
    """Milliseconds of CPU time, of all cores, per unit of work between `Lap`s, a `Figure`."""
    used = [1000 * (b.cpu_seconds - a.cpu_seconds) / b.work for a, b in _pairs(laps)]
    return figure(used, unit)


def enough(laps: Sequence[Lap], seconds: float) -> bool:
    """Whether `Lap`s cover at least that long and the fewest repetitions."""
    return len(laps) > FEWEST and laps[-1].seconds - laps[0].seconds >= seconds


def repeat(call: Callable[[], object], seconds: float) -> list[Lap]:
    """Call again and again for some seconds, after two calls that do not count.

    Args:
      call: function without arguments, done when it returns.
      seconds: how long, about; `FEWEST` repetitions are made in any case.

    Returns:
      A list of `Lap`s, each the first but one a repetition of so many calls.
    """
    call()
    began = time.perf_counter()
    call()
    once = time.perf_counter() - began
    calls = max(1, int(seconds / REPETITIONS / once))
    laps = [lap(0)]
    while not enough(laps, seconds):
        for _ in range(calls):
            call()
        laps.append(lap(calls))
    return laps


def _pairs(laps) -> Iterator[tuple[Lap, Lap]]:
    return zip(laps, laps[1:], strict=False)
