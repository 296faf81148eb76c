"""Keys of dicts and items of sets in a pickle: plain ones alone.

Python computes a tuple's hash anew each time, from those of its items, as deep as they are nested.
A few bytes of a pickle nest tuples so deep that the process dies, or share them so that it takes
for ever. No file of data has such keys.
"""

from collections.abc import Iterable
from typing import Any

_LONGEST = 1000  # items of a tuple


def check_key(key: Any) -> None:
    """Raise a ValueError for a tuple that is long, or has tuples in it."""
    if type(key) is tuple and (len(key) > _LONGEST or tuple in map(type, key)):
        raise ValueError("a key of nested tuples")


def check_keys(keys: Iterable[Any]) -> None:
    """Raise a ValueError if one of many is none; see `check_key`."""
    for key in keys:
        check_key(key)


def plain_dict(items: Any) -> dict:
    """Return a dict of another one's items, or of pairs.

    Raises:
      ValueError: one of its keys is not plain.
    """
    if not isinstance(items, dict):
        items = list(items)
        check_keys(pair[0] for pair in items if pair)
    return dict(items)
