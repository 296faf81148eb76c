"""Read the weights in a file of torch's older format, without torch and without running anything.

Such a file is five pickles, one after another: a magic number, a version, facts about the machine,
a dict of tensors, and the keys of their storages. The storages follow, each its number of values
(int64) and the values. A tensor is a view of a storage: an offset, a shape and strides.

The unpickler knows the few opcodes and the four globals that a dict of tensors needs, and refuses
all others: there is nothing in it that a file could have run.
"""

import collections
import math
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np

from data_pipeline.one_line import one_line
from data_pipeline.pickles.unpickle import ForbiddenGlobalError

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_BEGINNING = pickle.dumps(_MAGIC, 2)
_MOST_AXES = 16
_TIMES = 4  # values of all tensors, as multiples of those of the storages that they share
_OPCODES = """
    PROTO STOP MARK GLOBAL REDUCE BUILD BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINUNICODE BINFLOAT
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS
""".split()


class _Storage(NamedTuple):
    """Values that follow the pickles: their key, their kind, and how many they are."""

    key: str
    dtype: np.dtype
    values: int


class _Tensor(NamedTuple):
    """A view of a storage, counted in values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild(storage, offset, shape, strides, *_):
    """Stand-in for `torch._utils._rebuild_tensor_v2`; raises a ValueError for what is no view."""
    numbers = [offset, *shape, *strides]
    if not isinstance(storage, _Storage) or not len(shape) == len(strides) <= _MOST_AXES:
        raise ValueError("a tensor of something that is no storage")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("a tensor whose place is not told by whole numbers")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    # Strides of 0 repeat values: without the second limit, a few bytes could fill the memory.
    if math.prod(shape) > storage.values or (math.prod(shape) and last >= storage.values):
        raise ValueError(f"a tensor {list(shape)} that its {storage.values} values do not hold")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_GLOBALS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Bounded:
    """A file that is asked for no more bytes than it has: a buffer is made for what is asked."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self.readline = file.readline

    def read(self, size: int) -> bytes:
        """Read some bytes, or what is left."""
        return self._file.read(min(size, self._size - self._file.tell()))


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, cut down to dicts of tensors."""

    dispatch: ClassVar[dict[int, Callable[..., Any]]] = {}
    append: Callable[[object], None]
    stack: list

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(_Bounded(file))
        self._file, self._path = file, path

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global, or refuse it; an EOFError if it may be cut short."""
        if self._file.tell() == os.fstat(self._file.fileno()).st_size:
            raise EOFError
        if (module, name) in _GLOBALS:
            return _GLOBALS[module, name]
        found = ascii(f"{module}.{name}")[1:-1]
        raise ForbiddenGlobalError(
            f"{self._path}: refused, it names {found[:200]}, which no file of float32 weights "
            "needs, and nothing in it was run; save a state_dict of float32 tensors"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        """Return what stands for a storage."""
        kind, dtype, key, _, count, view = pid
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise ValueError("a storage of an unknown kind")
        if type(key) is not str or type(count) is not int or count < 0:
            raise ValueError("a storage without key or size")
        return _Storage(key, dtype, count)

    def load_reduce(self) -> None:
        """Make a dict or a tensor; nothing else can be called."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if function is _rebuild:
            self.append(_rebuild(*arguments))
        elif function is collections.OrderedDict and arguments == ():
            self.append(collections.OrderedDict())
        else:
            raise ValueError("a call of something that makes no tensor")

    def load_setitem(self) -> None:
        """Put an item into a dict; its key must be text: a hash of others may take for ever."""
        self._check_names(self.stack[-2:-1])
        pickle._Unpickler.dispatch[pickle.SETITEM[0]](self)  # type: ignore[arg-type]

    def load_setitems(self) -> None:
        """Put items into a dict."""
        self._check_names(self.stack[::2])
        pickle._Unpickler.dispatch[pickle.SETITEMS[0]](self)  # type: ignore[arg-type]

    def _check_names(self, keys):
        if not all(type(key) is str for key in keys):
            raise ValueError("a dict whose keys are no text")

    def load_build(self) -> None:
        """Leave out what a dict has beside its items: versions of torch's modules."""
        self.stack.pop()

    def load_refused(self) -> None:
        """Refuse an opcode."""
        raise ValueError("something else than a dict of tensors")

    for _opcode in range(256):
        dispatch[_opcode] = load_refused
    for _name in _OPCODES:
        dispatch[getattr(pickle, _name)[0]] = pickle._Unpickler.dispatch[getattr(pickle, _name)[0]]
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems


def load(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return the tensors in a file of a `state_dict`, float32 and int64, by their names.

    Raises:
      FileNotFoundError: there is no such file.
      ForbiddenGlobalError: it names something that no weights need; nothing has been executed.
      ValueError: one line, if it is truncated, damaged, or not such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if zipfile.is_zipfile(path):
        raise ValueError(
            f"{path}: is a zip file, as torch writes since 1.6; write its state_dict by "
            "torch.save(..., _use_new_zipfile_serialization=False)"
        )
    with open(path, "rb") as file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            raise ValueError(f"{path}: is not a file of torch's; fetch or write it again")
        file.seek(0)
        try:
            return _load(file, path)
        except ForbiddenGlobalError:
            raise
        except Exception as error:
            if file.tell() == path.stat().st_size and not isinstance(error, ValueError):
                reason = f"is truncated: it ends after {file.tell()} bytes"
            else:
                reason = f"is damaged at byte {file.tell()} ({one_line(error)})"
            raise ValueError(f"{path}: {reason}; fetch or write it again") from None


def _load(file, path):
    """Return the tensors in an open file."""
    magic, version, machine, tensors, keys = (_Reader(file, path).load() for _ in range(5))
    if (magic, version) != (_MAGIC, _VERSION) or machine.get("little_endian") is not True:
        raise ValueError("another version, or numbers in another order")
    if not isinstance(tensors, dict) or not all(
        type(name) is str and isinstance(tensor, _Tensor) for name, tensor in tensors.items()
    ):
        raise ValueError("something else than a dict of tensors")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    named = isinstance(keys, list) and all(type(key) is str for key in keys)
    if not named or sorted(keys) != sorted(storages):
        raise ValueError("storages that are not those of the tensors")
    told = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if told > _TIMES * sum(storage.values for storage in storages.values()):
        raise ValueError("tensors that are the same values again and again")
    values = {key: _read_storage(file, storages[key]) for key in keys}
    if file.read(1):
        raise ValueError("bytes after the last storage")
    return {name: _view(tensor, values[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_storage(file, storage):
    """Return the values of a storage, [count]; no more memory is taken than there is file."""
    header = file.read(8)
    if len(header) == 8 and int.from_bytes(header, "little") != storage.values:
        raise ValueError(f"a storage that is not of {storage.values} values")
    size = storage.values * storage.dtype.itemsize
    if size > os.fstat(file.fileno()).st_size - file.tell():
        file.seek(0, os.SEEK_END)
        raise EOFError
    return np.frombuffer(file.read(size), storage.dtype)


def _view(tensor, values):
    """Return a tensor as an array of its own, in row-major order."""
    if values.dtype != tensor.storage.dtype or len(values) != tensor.storage.values:
        raise ValueError("a storage of two kinds")
    steps = [step * values.itemsize for step in tensor.strides]
    seen = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps)
    return np.array(seen, order="C")
