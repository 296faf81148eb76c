"""Arrays in NumPy's own files, .npy and .npz, read from strangers: nothing in them is executed.

Their content stays in the file until it is asked for, and what a file says of itself is believed
only as far as its bytes go: neither headers nor zips can fill the memory.
"""

import errno
import functools
import io
import math
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import file_kinds
from data_pipeline.one_line import one_line
from data_pipeline.pickles import unpickle
from data_pipeline.pickles.pickled_array import array_of, blocks_of

_AGAIN = "fetch or write it again"
_HEADER_BYTES = 1 << 16  # of an .npy; NumPy itself reads 10,000 of strangers
# By version: how the length of the header is written, and what parses it.
_READERS = {
    (1, 0): ("<H", np.lib.format.read_array_header_1_0),
    (2, 0): ("<I", np.lib.format.read_array_header_2_0),
}
# A member of a zip may unpack to so many bytes, or to so many times the zip: data are not all one.
_UNPACKED_BYTES, _UNPACKED_TIMES = 1 << 28, 100


class StoredArray:
    """An array in .npy format, in a file or in an .npz; its content stays there.

    Attributes:
      shape: tuple of int.
      dtype: the NumPy dtype.
      type_name: what a message calls the type.
    """

    def __init__(self, path: Path, size: int, opened: Callable[[], Any]) -> None:
        self._path, self._opened = path, opened
        with opened() as file:
            self.shape, self._fortran, self.dtype = _header(file)
            self._start = file.tell()
        self.type_name = one_line(self.dtype)
        found = size - self._start
        needed = math.prod(self.shape) * self.dtype.itemsize
        if self.dtype.kind != "O" and found != needed:
            what = "truncated" if found < needed else "damaged"
            raise ValueError(
                f"is {what}: {self.type_name} {list(self.shape)} takes {needed} bytes, and there "
                f"are {found}; {_AGAIN}"
            )

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the array in blocks [at most `rows`, ...] along its first axis."""
        if self._fortran or self.dtype.kind == "O":
            yield from blocks_of(self.to_numpy(), rows)
            return
        row = self.shape[1:]
        with self._opened() as file:
            file.read(self._start)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *row)
                yield self._read(file, shape)

    def to_numpy(self) -> np.ndarray:
        """Return the array, in memory; objects as `unpickle` reads them."""
        with self._opened() as file:
            file.read(self._start)
            if self.dtype.kind == "O":
                array = unpickle.loads(file.read(), self._path)
                array = array.to_numpy() if hasattr(array, "to_numpy") else np.empty(())
                if array.dtype.kind != "O" or array.shape != self.shape:
                    raise ValueError(
                        "an array of objects that are not as its header says; save numbers"
                    )
                return array
            return self._read(file, self.shape, "F" if self._fortran else "C")

    def _read(self, file, shape, order="C"):
        """Return the next numbers of an open file as an array."""
        if self.dtype.hasobject or not self.dtype.itemsize:
            raise ValueError(f"an array of {self.type_name} is not read; save text or numbers")
        size = math.prod(shape) * self.dtype.itemsize
        data = file.read(size)
        if len(data) != size:
            raise ValueError("it became shorter while it was read")
        return array_of(data, self.dtype).reshape(shape, order=order)


def in_npy(path: Path) -> StoredArray:
    """Return the array in an .npy file.

    Raises:
      ValueError: one line, if it is damaged, or says what else it is.
    """
    try:
        return StoredArray(path, path.stat().st_size, lambda: open(path, "rb"))
    except ValueError as error:
        raise ValueError(f"{path}: {_other_kind(path, 'a NumPy .npy file') or error}") from None


def in_npz(path: Path) -> dict[str, StoredArray]:
    """Return the arrays in an .npz by their names.

    Raises:
      ValueError: one line, if it is damaged, is none, or says what else it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except Exception as error:  # zipfile raises whatever it met
        fault = _other_kind(path, "a NumPy .npz file")
        fault = fault or f"is no .npz ({one_line(error)}); {_AGAIN}"
        raise ValueError(f"{path}: {fault}") from None
    most = max(_UNPACKED_BYTES, _UNPACKED_TIMES * path.stat().st_size)
    if sum(info.file_size for info in infos) > most:
        raise ValueError(
            f"{path}: would unpack to more than {most} bytes, {_UNPACKED_TIMES} times its size or "
            "more, which no data do; write it by np.savez"
        )
    arrays: dict[str, StoredArray] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            fault = f"is a zip that holds {one_line(name)!r}, no .npz of arrays alone"
            raise ValueError(f"{path}: {fault}")
        if not is_bounded(info):
            fault = "is packed in a way that NumPy does not write; write it by np.savez"
            raise ValueError(f"{path}: its {one_line(name)!r} {fault}")
        if name in arrays:
            raise ValueError(f"{path}: holds {one_line(name)!r} twice; save it again")
        try:
            arrays[name] = StoredArray(path, info.file_size, functools.partial(_Member, path, info))
        except ValueError as error:
            raise ValueError(f"{path}: its {one_line(name)!r} {error}") from None
    return arrays


def is_bounded(member: zipfile.ZipInfo) -> bool:
    """Return whether unpacking a member of a zip takes little memory beside what it unpacks to.

    LZMA takes what the member itself says, up to 4 GB.
    """
    return member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def numbers(path: Path, array: StoredArray) -> Any:
    """Return a stored array's content; a ValueError names the file."""
    try:
        return array.to_numpy()
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


class _Member:
    """A member of a zip, open for reading, whose damage is a ValueError."""

    def __init__(self, path, info):
        self._archive = zipfile.ZipFile(path)
        try:
            self._file = self._call(lambda: self._archive.open(info))
        except ValueError:
            self._archive.close()
            raise
        self._left = info.file_size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._archive.close()

    def read(self, size=-1):
        """Read as many bytes as there are at most by what the zip's directory says."""
        size = self._left if size < 0 else min(size, self._left)
        data = self._call(lambda: self._file.read(size))
        self._left -= len(data)
        return data

    def tell(self):
        return self._file.tell()

    def _call(self, action):
        try:
            return action()
        except OSError as error:
            if error.errno not in (None, errno.EINVAL):  # of the disk, not of a place before it
                raise
            raise ValueError(f"the zip is damaged: {one_line(error)}") from None
        except Exception as error:  # zipfile, and what unpacks for it, raise whatever they met
            raise ValueError(f"the zip is damaged: {one_line(error)}") from None


def _header(file):
    """Read a header: (shape, Fortran order, dtype)."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in _READERS:
            raise ValueError(f"version {version} of .npy is not read")
        form, reader = _READERS[version]
        length = file.read(struct.calcsize(form))
        (size,) = struct.unpack(form, length)
        if size > _HEADER_BYTES:
            raise ValueError(f"a header of {size} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran, dtype = reader(io.BytesIO(length + file.read(size)))
        if len(shape) > 32 or not all(0 <= size < 1 << 63 for size in shape):
            raise ValueError(f"its shape is {shape}")
        return tuple(map(int, shape)), fortran, dtype
    except OSError:
        raise
    except Exception as error:  # the header is parsed as Python, which raises whatever it met
        raise ValueError(f"is damaged, or no .npy ({one_line(error, 100)}); {_AGAIN}") from None


def _other_kind(path, expected):
    """Return what a file is instead of a NumPy file, if that can be told."""
    with open(path, "rb") as file:
        beginning = file.read(200)
    if beginning.startswith(b"\x93NUMPY") and path.suffix.lower() == ".npy":
        return None
    kind = file_kinds.describe(path, expected)
    if kind is None and beginning.startswith(b"\x80"):
        kind = f"not {expected} but a pickle; give it a name that ends in .pkl"
    if kind is None and file_kinds.is_table(beginning):
        kind = f"not {expected} but a table of text; save its arrays by NumPy (np.savez)"
    return kind and f"is {kind}"
