"""Read pickled NumPy arrays from strangers: nothing is executed, and long arrays stay in the file.

`pickle.load` runs whatever a pickle names, and holds an array that Python 2 wrote three times
over. The reader here knows five NumPy globals, to each of which it gives a stand-in of its own;
an array's long buffer becomes a `Payload`, a range of the file that is read in chunks later.
"""

import codecs
import dataclasses
import os
import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PAYLOAD_BYTES = 1 << 20  # buffers at least this long stay in the file
CHUNK_BYTES = 1 << 24


class ForbiddenGlobalError(ValueError):
    """The pickle names something that these files have no need of."""


@dataclasses.dataclass(frozen=True)
class Payload:
    """Bytes that stay in a file.

    Attributes:
      path: the file.
      start, length: the range, in bytes.
      utf8: the range holds the bytes as UTF-8 encoded latin-1 text, which is how Python 3 writes
        bytes in pickle protocols 0 to 2.
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
                    yield bytes(memoryview(pending)[:size])
                    del pending[:size]
        if pending:
            yield bytes(pending)


class PickledArray:
    """A NumPy array in a pickle; its content may still be in the file.

    Attributes:
      shape: tuple of int.
      dtype: the NumPy dtype.
    """

    def __init__(self):
        self.shape = (0,)
        self.dtype = np.dtype("u1")
        self._fortran = False
        self._data = b""

    def build(self, state):
        """Take the state that NumPy pickles: (version, shape, dtype, Fortran order, data)."""
        shape, dtype, fortran, data = state[-4:]
        self.shape = tuple(int(size) for size in shape)
        if min(self.shape, default=0) < 0:
            raise ValueError(f"array of shape {self.shape}")
        self.dtype = dtype.numpy
        self._fortran = bool(fortran)
        self._data = data.encode("latin1") if isinstance(data, str) else data
        return self

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the array in blocks [at most `rows`, ...] along its first axis."""
        if not isinstance(self._data, Payload) or self._fortran or not self.shape:
            array = self.to_numpy()
            for start in range(0, len(array), rows):
                yield array[start : start + rows]
            return
        row_bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        total = 0
        for chunk in self._data.chunks(rows * row_bytes):
            total += len(chunk)
            if len(chunk) % row_bytes or total > self.shape[0] * row_bytes:
                break
            yield np.frombuffer(chunk, self.dtype).reshape(-1, *self.shape[1:])
        if total != self.shape[0] * row_bytes:
            raise ValueError(self._mismatch(total))

    def to_numpy(self) -> np.ndarray:
        """Return the array, in memory."""
        if self.dtype.kind == "O":
            array = np.empty(len(self._data), object)
            array[:] = self._data
            return array.reshape(self.shape)
        data = self._data
        if isinstance(data, Payload):
            data = b"".join(data.chunks(CHUNK_BYTES))
        if len(data) != int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize:
            raise ValueError(self._mismatch(len(data)))
        array = np.frombuffer(data, self.dtype)
        return array.reshape(self.shape, order="F" if self._fortran else "C")

    def _mismatch(self, num_bytes):
        return f"array {list(self.shape)} of {self.dtype} with {num_bytes} bytes"


class _PickledDtype:
    """Stand-in for `numpy.dtype` while a pickle is read."""

    def __init__(self, spec, *_):
        match = re.fullmatch(r"[<>|=]?([fiubSUO])(\d*)", str(spec))
        if not match:
            raise ValueError(f"array of type {spec!r}")
        self.numpy = np.dtype(object) if match[1] == "O" else np.dtype(str(spec))

    def build(self, state):
        """Take the byte order; anything more (fields, sub-arrays) is no plain array."""
        if any(part is not None for part in state[2:5]):
            raise ValueError("array of a structured type")
        if state[1] in ("<", ">"):
            self.numpy = self.numpy.newbyteorder(state[1])
        return self


def _reconstruct(*_):
    """Stand-in for NumPy's function: an empty array, filled in by `build`."""
    return PickledArray()


def _from_buffer(data, dtype, shape, order):
    """Stand-in for NumPy's `_frombuffer`, which protocol 5 names."""
    return PickledArray().build((shape, dtype, order == "F", data))


def _scalar(dtype, data):
    """Stand-in for NumPy's `scalar`: items of lists made from arrays, such as `list(keys)`."""
    return PickledArray().build(((), dtype, False, data)).to_numpy()[()]


def _encode(text, encoding="latin1"):
    """Stand-in for `_codecs.encode`, by which Python 3 writes bytes in protocols 0 to 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"text encoded as {encoding!r}")
    return text if isinstance(text, Payload) else text.encode("latin1")


def _bytes(*_):
    """Stand-in for `bytes`, by which Python 3 writes an empty one in protocols 0 to 2."""
    return b""


_NUMPY = ("numpy.core", "numpy._core")
_GLOBALS = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): _PickledDtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    **{(f"{numpy}.multiarray", "_reconstruct"): _reconstruct for numpy in _NUMPY},
    **{(f"{numpy}.multiarray", "scalar"): _scalar for numpy in _NUMPY},
    **{(f"{numpy}.numeric", "_frombuffer"): _from_buffer for numpy in _NUMPY},
}
_CALLABLE = (_reconstruct, _PickledDtype, _encode, _bytes, _scalar, _from_buffer)

# Opcodes of a string or of bytes that come after their own length: struct format of the length,
# and how a short one is decoded (Python 2 strings as latin-1, as the released files need).
_COUNTED = {
    pickle.BINSTRING: ("<i", lambda data: data.decode("latin1")),
    pickle.BINUNICODE: ("<I", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINUNICODE8: ("<Q", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINBYTES: ("<I", bytes),
    pickle.BINBYTES8: ("<Q", bytes),
    pickle.BYTEARRAY8: ("<Q", bytes),
}
_TEXT = (pickle.BINUNICODE, pickle.BINUNICODE8)
_REFUSED = (
    "INST OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER".split()
)


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, with no way to run or to build anything else."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file, path):
        super().__init__(file, encoding="latin1")
        self._file = file
        self._path = path
        self._size = os.fstat(file.fileno()).st_size

    def find_class(self, module, name):
        """Return the stand-in for a global, or refuse it."""
        if (module, name) not in _GLOBALS:
            raise ForbiddenGlobalError(
                f"{self._path}: names {module}.{name}, which a file of embeddings has no need of; "
                "refused, and nothing in it was run: do not trust this file"
            )
        return _GLOBALS[module, name]

    def load_counted(self, opcode):
        """Push a string or bytes, or a `Payload` for a long one."""
        header, decode = _COUNTED[opcode]
        (length,) = struct.unpack(header, self.read(struct.calcsize(header)))
        if length < PAYLOAD_BYTES:
            data = self.read(length)
            if len(data) != length:
                raise EOFError
            self.append(decode(data))
            return
        start = self._file.tell()
        if length > self._size - start:
            self._file.seek(self._size)
            raise EOFError
        self._file.seek(length, os.SEEK_CUR)
        self.append(Payload(self._path, start, length, utf8=opcode in _TEXT))

    def load_frame(self):
        """Skip a frame's header: frames only help to read ahead."""
        self.read(8)

    def load_reduce(self):
        """Call a stand-in."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not any(function is known for known in _CALLABLE):
            raise ValueError("a call of something that is no global")
        self.stack[-1] = function(*arguments)

    def load_build(self):
        """Give an array or a dtype its state."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (PickledArray, _PickledDtype)):
            raise ValueError("a state for something that is no array")
        self.stack[-1].build(state)

    dispatch[pickle.FRAME[0]] = load_frame
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    for _opcode in _COUNTED:
        dispatch[_opcode[0]] = lambda self, opcode=_opcode: self.load_counted(opcode)
    for _name in _REFUSED:
        del dispatch[getattr(pickle, _name)[0]]


def load(path: str | os.PathLike) -> Any:
    """Return the object in a pickle file, of any protocol, with `PickledArray` for its arrays.

    Only dicts, lists, tuples, numbers, strings, bytes and NumPy arrays are read.

    Raises:
      FileNotFoundError: there is no such file.
      ForbiddenGlobalError: the pickle names any other global; nothing has been executed.
      ValueError: the file is empty, truncated or not a pickle.
    """
    path = Path(path)
    with open(path, "rb") as file:
        beginning = file.read(8)
        if not beginning:
            raise ValueError(f"{path}: is empty; fetch or write it again")
        file.seek(0)
        try:
            return _Reader(file, path).load()
        except ForbiddenGlobalError:
            raise
        except Exception as error:
            raise ValueError(_fault(path, file, beginning, error)) from None


def _fault(path, file, beginning, error):
    """Return the line that says why a file could not be read."""
    again = "fetch or write it again"
    if not beginning.startswith(pickle.PROTO):
        return (
            f"{path}: is not a pickle, or not a whole one (it begins with {beginning!r}); {again}"
        )
    if file.tell() == os.fstat(file.fileno()).st_size:
        return f"{path}: is truncated: it ends after {file.tell()} bytes, mid-pickle; {again}"
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{path}: is damaged at byte {file.tell()} ({reason}); {again}"
