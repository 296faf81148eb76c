"""How often something runs per second: median and quartiles over repetitions."""

import time
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


def figure(values, unit):
    """Summarise repetitions, or a single value, as a `Figure`."""
    values = np.atleast_1d(values)
    low, median, high = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
    return Figure(median, low, high, len(values), unit)


def lap(work):
    """Read the clocks."""
    return Lap(work, time.perf_counter(), time.process_time())


def rate(laps, unit):
    """Units of work per second between consecutive `Lap`s, a `Figure`."""
    return figure([b.work / (b.seconds - a.seconds) for a, b in _pairs(laps)], unit)


def cpu_time(laps, unit):
    """Milliseconds of CPU time, of all cores, per unit of work between `Lap`s, a `Figure`."""
    used = [1000 * (b.cpu_seconds - a.cpu_seconds) / b.work for a, b in _pairs(laps)]
    return figure(used, unit)


def enough(laps, seconds):
    """Whether `Lap`s cover at least that long and the fewest repetitions."""
    return len(laps) > FEWEST and laps[-1].seconds - laps[0].seconds >= seconds


def repeat(call, seconds):
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


def _pairs(laps):
    return zip(laps, laps[1:], strict=False)
