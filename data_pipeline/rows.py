"""Arrays on their way from a file, read in blocks of rows."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from data_pipeline.pickles.pickled_array import PickledArray, blocks_of
from data_pipeline.pickles.stand_ins import Foreign, ForeignObject

_CONVERT = "save it as a NumPy array"
_FREE, _TIMES = 1 << 24, 8  # values that parts may hold in all, or as multiples of different parts


@runtime_checkable
class Rows(Protocol):
    """An array whose content may still be in a file.

    Attributes:
      shape: tuple of int.
      dtype: the NumPy dtype.
      type_name: what a message calls the type.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    type_name: str

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the array in blocks [at most `rows`, ...] along its first axis."""

    def to_numpy(self) -> np.ndarray:
        """Return the array, in memory."""


class RowsInMemory:
    """An array in memory as `Rows`."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype = array.dtype
        self.type_name = str(array.dtype)

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the array in blocks [at most `rows`, ...] along its first axis."""
        return blocks_of(self._array, rows)

    def to_numpy(self) -> np.ndarray:
        """Return the array, in memory."""
        return self._array


def runs(rows: np.ndarray, block: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Split a block [m, dim] into runs of consecutive rows: (first row, part of the block)."""
    ends = np.append(np.flatnonzero(np.diff(rows) != 1) + 1, len(rows)).tolist()
    start = 0
    for end in ends:
        yield rows[start], block[start:end]
        start = end


def kind_of(value: Any) -> str:
    """Return what a value from a file is, for a message: "a list", or the class that it names."""
    if isinstance(value, (Foreign, ForeignObject)):
        article = "an" if value.name[:1] in "aeiou" else "a"
        return f"{article} {value.name} (which is not read, and nothing in it was run)"
    return "a NumPy array" if isinstance(value, Rows) else f"a {type(value).__name__}"


def rows_of(value: Any) -> Rows:
    """Return an array, or a list of arrays or of lists of numbers, as an array.

    Raises:
      ValueError: it is none, or its parts are of different sizes.
    """
    if isinstance(value, Rows):
        if value.dtype.kind != "O":
            return value
        value = value.to_numpy().tolist()
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a NumPy array, not {kind_of(value)}; {_CONVERT}")
    _check_items(value)
    check_shared(value)
    for item in value:
        if isinstance(item, list | tuple) and not {list, tuple}.isdisjoint(map(type, item)):
            raise ValueError("must be 2-D, [images, dim], not a list of lists of lists")
    items = [item.to_numpy() if isinstance(item, Rows) else item for item in value]
    try:
        return RowsInMemory(np.array(items))
    except (ValueError, OverflowError):
        raise ValueError("must be an array, not a list of parts of different sizes") from None


def check_shared(parts: Iterable[Any]) -> None:
    """Raise a ValueError for a few arrays or lists that are told again and again, as if many.

    A reference takes two bytes of a pickle: a small file could fill the memory, or the disk.
    """
    different: dict[int, int] = {}
    total = 0
    for part in parts:
        size = math.prod(part.shape) if isinstance(part, Rows) else 1
        size = len(part) if isinstance(part, list | tuple) else size
        different[id(part)] = size
        total += size
    if total > max(_FREE, _TIMES * sum(different.values())):
        raise ValueError(
            f"are {total} values, most of them the same arrays again; save each of them once"
        )


def items_of(value: Any, column: bool = False) -> list:
    """Return a one-dimensional array, or a list, as a list of Python or NumPy values.

    Args:
      value: a list, or an array [images], or, if `column`, [images, 1].
      column: whether that is taken, too.

    Raises:
      ValueError: it is neither; says what it is.
    """
    if isinstance(value, Rows):
        shape = value.shape
        if len(shape) != 1 and not (column and len(shape) == 2 and shape[1] == 1):
            raise ValueError(f"must be 1-D, [images], not {list(shape)}")
        return value.to_numpy().reshape(-1).tolist()
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list or an array, not {kind_of(value)}; {_CONVERT}")
    _check_items(value)
    return [
        item.to_numpy()[()] if isinstance(item, PickledArray) and not item.shape else item
        for item in value
    ]


def _check_items(items):
    """Raise a ValueError if an object of an unknown class is in a list."""
    for item in items:
        if isinstance(item, (Foreign, ForeignObject)):
            raise ValueError(f"must be a NumPy array, not a list of {kind_of(item)}; {_CONVERT}")
