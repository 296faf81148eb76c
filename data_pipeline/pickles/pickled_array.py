"""Stand-ins for a NumPy array and its dtype in a pickle; a long array stays in the file."""

import codecs
import dataclasses
import math
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CHUNK_BYTES = 1 << 22
_NAME = 100  # characters of a dtype that a message tells
_MOST_AXES, _MOST_ITEMS = 32, 1 << 63  # of an array


def blocks_of(array: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    """Yield an array in memory in blocks [at most `rows`, ...] along its first axis."""
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def array_of(data: bytes, dtype: np.dtype) -> np.ndarray:
    """Return bytes as an array [n] that shares their memory.

    Raises:
      ValueError: they are not of whole items, or of texts with numbers that are no characters,
        of which NumPy would make texts that break Python.
    """
    array = np.frombuffer(data, dtype)
    if dtype.kind == "U" and array.size:
        characters = array.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if characters.max() > sys.maxunicode:
            raise ValueError("a text that is none")
    return array


@dataclasses.dataclass(frozen=True)
class Payload:
    """Bytes that stay in a file.

    Attributes:
      path: the file.
      start, length: the range, in bytes.
      utf8: the range holds the bytes as UTF-8 encoded latin-1 text, which is how Python 3 writes
        bytes in pickle protocols 1 and 2.
    """

    path: Path
    start: int
    length: int
    utf8: bool

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes in chunks of `size`; the last may be shorter."""
        decode = codecs.getincrementaldecoder("utf-8")().decode
        pending = bytearray()
        with open(self.path, "rb") as file:
            file.seek(self.start)
            remaining = self.length
            while remaining:
                raw = file.read(min(CHUNK_BYTES, remaining))
                if not raw:
                    raise ValueError(f"{self.path}: became shorter while it was read")
                remaining -= len(raw)
                pending += decode(raw).encode("latin1") if self.utf8 else raw
                while len(pending) >= size:
                    yield bytes(pending[:size])
                    del pending[:size]
        if pending:
            yield bytes(pending)


class ByteText(str):
    """A string of bytes that Python 2 wrote and that are not ASCII: its likely text, and `raw`."""

    raw: bytes


class PickledArray:
    """A NumPy array in a pickle; its content may still be in the file.

    Attributes:
      shape: tuple of int.
      dtype: the NumPy dtype; of void, "V", if it is of a kind that is not read.
      type_name: what a message calls the type.
    """

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.dtype = np.dtype("u1")
        self.type_name = "u1"
        self._fortran = False
        self._data: bytes | list | Payload = b""

    def build(self, state: Sequence[Any]) -> "PickledArray":
        """Take the state that NumPy pickles: (version, shape, dtype, Fortran order, data)."""
        shape, dtype, fortran, data = state[-4:]
        if not isinstance(shape, tuple | list) or len(shape) > _MOST_AXES:
            raise ValueError("an array whose shape is none")
        self.shape = tuple(int(size) for size in shape)
        if not all(0 <= size < _MOST_ITEMS for size in self.shape):
            raise ValueError("an array whose shape is none")
        self.dtype, self.type_name = dtype.numpy, dtype.name
        self._fortran = bool(fortran)
        if isinstance(data, str):
            data = data.raw if isinstance(data, ByteText) else data.encode("latin1")
        self._data = data
        if self.dtype.kind == "V":
            return self
        if not isinstance(self._data, list if self.dtype.kind == "O" else (bytes, Payload)):
            raise ValueError(f"array of {self.dtype} made from {type(data).__name__}")
        if not isinstance(self._data, Payload):
            self._check_size(len(self._data))
        return self

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the array in blocks [at most `rows`, ...] along its first axis."""
        if not isinstance(self._data, Payload) or self._fortran or not self.shape:
            yield from blocks_of(self.to_numpy(), rows)
            return
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        size = 0
        for chunk in self._data.chunks(rows * row_bytes):
            size += len(chunk)
            if len(chunk) % row_bytes or size > self.shape[0] * row_bytes:
                break
            yield np.frombuffer(chunk, self.dtype).reshape(-1, *self.shape[1:])
        self._check_size(size)

    def to_numpy(self) -> np.ndarray:
        """Return the array, in memory."""
        data = self._data
        if self.dtype.kind == "V":
            raise ValueError(f"an array of {self.type_name} is not read; save text or numbers")
        if isinstance(data, list):  # of objects
            return np.fromiter(data, np.dtype(object), len(data)).reshape(self.shape)
        if isinstance(data, Payload):
            data = b"".join(data.chunks(CHUNK_BYTES))
            self._check_size(len(data))
        return array_of(data, self.dtype).reshape(self.shape, order="F" if self._fortran else "C")

    def _check_size(self, size):
        """Raise a ValueError if the content, of this many bytes or objects, is not the array's."""
        itemsize = 1 if self.dtype.kind == "O" else self.dtype.itemsize
        expected = math.prod(self.shape) * itemsize
        if size != expected:
            raise ValueError(
                f"array {list(self.shape)} of {self.dtype} has a content of {size}, not {expected}"
            )


class PickledDtype:
    """A dtype in a pickle.

    Attributes:
      numpy: the NumPy dtype, if it is of floats, integers, strings or objects; else of void, "V".
      name: what a message calls it.
    """

    def __init__(self, spec: object, *_: object) -> None:
        if type(spec) in (list, tuple, dict, set, frozenset):  # whose text may be without end
            raise ValueError("a dtype without a name")
        self.numpy, self.name = np.dtype("V1"), str(spec)[:_NAME]
        if match := re.fullmatch(r"[<>|=]?([fiubSUO])(\d*)", self.name):
            self.numpy = np.dtype(object) if match[1] == "O" else np.dtype(self.name)
            self.name = str(self.numpy)

    def build(self, state: Sequence[Any]) -> "PickledDtype":
        """Take the byte order; anything more (fields, sub-arrays) is no plain array."""
        if any(part is not None for part in state[2:5]):
            self.numpy, self.name = np.dtype("V1"), "a structured type"
        elif self.numpy.kind != "V" and state[1] in ("<", ">"):
            self.numpy = self.numpy.newbyteorder(state[1])
        return self
