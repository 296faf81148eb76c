"""Read pickled NumPy arrays from strangers: nothing is executed, and long arrays stay in the file.

`pickle.load` runs whatever a pickle names, and holds an array that Python 2 wrote three times
over. The reader here knows the few globals that such files name, and has a stand-in of its own for
each; an array's long buffer becomes a `Payload`, a range of the file that is read in chunks later.
"""

import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from data_pipeline.pickles.pickled_array import Payload, PickledArray, PickledDtype

PAYLOAD_BYTES = 1 << 20  # buffers at least this long stay in the file


class ForbiddenGlobalError(ValueError):
    """The pickle names something that these files have no need of."""


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
    ("numpy", "dtype"): PickledDtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    **{(f"{numpy}.multiarray", "_reconstruct"): _reconstruct for numpy in _NUMPY},
    **{(f"{numpy}.multiarray", "scalar"): _scalar for numpy in _NUMPY},
    **{(f"{numpy}.numeric", "_frombuffer"): _from_buffer for numpy in _NUMPY},
}
_CALLABLE = (_reconstruct, PickledDtype, _encode, _bytes, _scalar, _from_buffer)

# Opcodes of a string or of bytes that come after their own length: struct format of the length,
# and how a short one is decoded (Python 2 strings as latin-1, as the released files need).
_COUNTED = {
    pickle.BINSTRING: ("<I", lambda data: data.decode("latin1")),
    pickle.BINUNICODE: ("<I", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINUNICODE8: ("<Q", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINBYTES: ("<I", bytes),
    pickle.BINBYTES8: ("<Q", bytes),
    pickle.BYTEARRAY8: ("<Q", bytes),
}
_TEXT = (pickle.BINUNICODE, pickle.BINUNICODE8)
# Opcodes that make objects of classes, or call for things outside the file.
_REFUSED = (
    "OBJ NEWOBJ NEWOBJ_EX EXT1 EXT2 EXT4 PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER".split()
)


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, with no way to run or to build anything else."""

    dispatch: ClassVar[dict[int, Callable[..., Any]]] = dict(pickle._Unpickler.dispatch)
    # What `load` of the parent sets.
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]
    append: Callable[[object], None]
    stack: list

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._file = file
        self._path = path
        self._size = os.fstat(file.fileno()).st_size

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global, or refuse it."""
        if self._file.tell() == self._size:
            raise EOFError
        if (module, name) not in _GLOBALS:
            found = ascii(f"{module}.{name}")[1:-1]
            raise ForbiddenGlobalError(
                f"{self._path}: refused, it names {found[:200]}, which no file of embeddings "
                "needs, and nothing in it was run; if you trust its maker, ask for one of NumPy "
                "arrays and strings only"
            )
        return _GLOBALS[module, name]

    def load_counted(self, opcode: bytes) -> None:
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

    def load_frame(self) -> None:
        """Skip a frame's header: frames only help to read ahead."""
        self.read(8)

    def load_reduce(self) -> None:
        """Call a stand-in."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not any(function is known for known in _CALLABLE):
            raise ValueError("a call of something that is no global")
        self.stack[-1] = function(*arguments)

    def load_inst(self) -> None:
        """Refuse to make an object of a class, which it names."""
        module, name = self.readline()[:-1].decode(), self.readline()[:-1].decode()
        self.find_class(module, name)
        raise ValueError(f"an object of class {module}.{name}")

    def load_refused(self, name: str) -> None:
        """Refuse an opcode."""
        raise ValueError(f"opcode {name}, which no array needs")

    def load_build(self) -> None:
        """Give an array or a dtype its state."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], (PickledArray, PickledDtype)):
            raise ValueError("a state for something that is no array")
        self.stack[-1].build(state)

    dispatch[pickle.FRAME[0]] = load_frame
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.INST[0]] = load_inst
    for _opcode in _COUNTED:
        dispatch[_opcode[0]] = lambda self, opcode=_opcode: self.load_counted(opcode)
    for _name in _REFUSED:
        dispatch[getattr(pickle, _name)[0]] = lambda self, name=_name: self.load_refused(name)


def load(path: str | os.PathLike) -> Any:
    """Return the object in a pickle file, of any protocol, with `PickledArray` for its arrays.

    Only dicts, lists, tuples, numbers, strings, bytes and NumPy arrays are read.

    Raises:
      FileNotFoundError: there is no such file.
      ForbiddenGlobalError: the pickle names any other global; nothing has been executed.
      ValueError: the file is empty, truncated or not a pickle.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, "rb") as file:
        beginning = file.read(16)
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
