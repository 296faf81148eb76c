"""Embeddings in NumPy's own files: an .npz of the arrays, or .npy files beside each other.

An .npz holds `embeddings` with `labels` or `keys`, or an array for each class under its name. For
.npy, `<name>_embeddings.npy` has `<name>_labels.npy` beside it, or `<name>_keys.npy`, or both.
Arrays of objects, such as lists of strings, are read as safely as pickles are.
"""

import functools
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import contents, file_kinds, paths
from data_pipeline.embeddings import Source
from data_pipeline.pickles import unpickle
from data_pipeline.pickles.pickled_array import blocks_of
from data_pipeline.rows import RowsInMemory

_AGAIN = "fetch or write it again"
_BESIDE = ("labels", "keys")


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
        self.type_name = str(self.dtype)
        found = size - self._start
        needed = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if self.dtype.kind != "O" and found != needed:
            what = "truncated" if found < needed else "damaged"
            raise ValueError(
                f"is {what}: {self.dtype} {list(self.shape)} takes {needed} bytes, and there are "
                f"{found}; {_AGAIN}"
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
                array = unpickle.loads(file.read(), self._path).to_numpy()
                if array.shape != self.shape:
                    raise ValueError("an array of objects whose shape is not its header's")
                return array
            return self._read(file, self.shape, "F" if self._fortran else "C")

    def _read(self, file, shape, order="C"):
        """Return the next numbers of an open file as an array."""
        size = int(np.prod(shape, dtype=np.int64)) * self.dtype.itemsize
        data = file.read(size)
        if len(data) != size:
            raise ValueError("it became shorter while it was read")
        return np.frombuffer(data, self.dtype).reshape(shape, order=order)


def read(path: str | os.PathLike) -> Source:
    """Return what an .npz, or an .npy and what lies beside it, holds, to be read in blocks.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: one line that names the file, the value and the remedy.
    """
    path = paths.expand(path)
    for part in files(path):
        if not part.is_file():
            raise FileNotFoundError(f"{part}: no such file")
        if not part.stat().st_size:
            raise ValueError(f"{part}: is empty; {_AGAIN}")
    return contents.to_source(path, _npz(path) if path.suffix.lower() == ".npz" else _npy(path))


def files(path: Path) -> list[Path]:
    """Return all files that hold the embeddings which `read(path)` returns."""
    return [path, *_beside(path).values()]


def _beside(path):
    """Return what is there of the labels and keys that belong to an .npy, {name: path}."""
    if path.suffix.lower() != ".npy":
        return {}
    stem = path.stem.removesuffix("embeddings").removesuffix("_")
    names = {name: path.with_name(f"{stem}_{name}.npy".lstrip("_")) for name in _BESIDE}
    return {name: beside for name, beside in names.items() if beside.is_file() and beside != path}


def _npy(path):
    """Return the content of an .npy, and of what lies beside it."""
    array, others = _stored(path), _beside(path)
    if _is_object(array) and not others:
        return _numbers(path, array)[()]
    if not others:
        stem = path.stem.removesuffix("_embeddings")
        raise ValueError(
            f"{path}: has neither {stem}_labels.npy nor {stem}_keys.npy beside it, one of which "
            "must tell the class of each row"
        )
    return {
        "embeddings": array,
        **{
            name: RowsInMemory(_numbers(beside, _stored(beside))) for name, beside in others.items()
        },
    }


def _is_object(array):
    """Return whether an array is no array but a dict, which NumPy has saved as one object."""
    return array.dtype.kind == "O" and array.shape == ()


def _numbers(path, array) -> Any:
    """Return a stored array's content."""
    try:
        return array.to_numpy()
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _stored(path):
    """Return the array in an .npy file."""
    try:
        return StoredArray(path, path.stat().st_size, lambda: open(path, "rb"))
    except ValueError as error:
        raise ValueError(f"{path}: {_other_kind(path, 'a NumPy .npy file') or error}") from None


def _npz(path):
    """Return the arrays in an .npz by their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as error:
        fault = _other_kind(path, "a NumPy .npz file") or f"is no .npz ({error}); {_AGAIN}"
        raise ValueError(f"{path}: {fault}") from None
    arrays: dict[str, StoredArray] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            raise ValueError(f"{path}: is a zip that holds {name!r}, no .npz of arrays alone")
        if name in arrays:
            raise ValueError(f"{path}: holds {name!r} twice; save it again")
        try:
            arrays[name] = StoredArray(path, info.file_size, functools.partial(_Member, path, info))
        except ValueError as error:
            raise ValueError(f"{path}: its {name!r} {error}") from None
    if len(arrays) == 1 and _is_object(*arrays.values()):
        return _numbers(path, *arrays.values())[()]
    if arrays and all(name.startswith("arr_") for name in arrays):
        raise ValueError(
            f"{path}: its arrays have no names; save them by name: np.savez(file, "
            "embeddings=..., labels=...)"
        )
    return arrays


class _Member:
    """A member of a zip, open for reading, whose damage is a ValueError."""

    def __init__(self, path, info):
        self._archive = zipfile.ZipFile(path)
        self._file = self._call(lambda: self._archive.open(info))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._archive.close()

    def read(self, size=-1):
        return self._call(lambda: self._file.read(size))

    def tell(self):
        return self._file.tell()

    def _call(self, action):
        try:
            return action()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ValueError(f"the zip is damaged: {error}") from None
        except RuntimeError as error:  # encrypted
            raise ValueError(str(error)) from None


def _header(file):
    """Read a header: (shape, Fortran order, dtype)."""
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if reader is None:
            raise ValueError(f"version {version} of .npy is not read")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            return reader(file)
    except (ValueError, TypeError, SyntaxError, EOFError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"is damaged, or no .npy ({first}); {_AGAIN}") from None


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
