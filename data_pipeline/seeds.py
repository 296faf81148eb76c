"""Which integers are seeds."""

import numbers
from typing import Any

BOUND = 2**32  # seeds are whole numbers from 0 to below it, as NumPy and Keras have them


def check_seed(seed: Any) -> int:
    """Return a seed as a Python integer.

    Raises:
      ValueError: one line, if it is not a whole number in [0, 2^32): two such seeds would draw
        alike.
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < BOUND:
        raise ValueError(f"seed must be a whole number from 0 to {BOUND - 1}, not {seed!r}")
    return int(seed)
