"""Read pickled NumPy arrays from strangers: nothing is executed, and long arrays stay in the file.

`pickle.load` runs whatever a pickle names, and holds an array that Python 2 wrote three times
over. The reader here has stand-ins of its own for the few globals that such files need
(`stand_ins`), and only notes the names of others; an array's long buffer becomes a `Payload`, a
range of the file that is read in chunks later.
"""

import io
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from data_pipeline import file_kinds
from data_pipeline.class_names import decoded
from data_pipeline.one_line import one_line
from data_pipeline.pickles.keys import check_key, check_keys
from data_pipeline.pickles.pickled_array import ByteText, Payload, PickledArray, PickledDtype
from data_pipeline.pickles.stand_ins import (
    BUILTINS,
    CALLABLE,
    GLOBALS,
    Foreign,
    is_hostile,
    make,
)

PAYLOAD_BYTES = 1 << 20  # buffers at least this long stay in the file
UNFRAMED_BYTES = 1 << 16  # buffers at least this long lie between frames
NUMBER_BYTES = 1 << 8  # whole numbers of more are none that data hold, and slow to compute with

# How a pickle of protocol 2 and above, or of a container in protocol 0 or 1, begins.
_BEGINNING = re.compile(
    rb"\x80|\((dp?|lp?|i\w)|[\]}][q.(]|c(numpy|collections|copy_?reg|_codecs)\b"
)

_load_stop: Callable[[Any], None] = pickle._Unpickler.dispatch[pickle.STOP[0]]
_load_keyed: dict[bytes, Callable[[Any], None]] = {
    opcode: pickle._Unpickler.dispatch[opcode[0]]
    for opcode in (pickle.SETITEM, pickle.SETITEMS, pickle.DICT, pickle.ADDITEMS, pickle.FROZENSET)
}


class ForbiddenGlobalError(ValueError):
    """The pickle names something that these files have no need of, such as one that runs code."""


class _UnreadableError(ValueError):
    """The pickle is sound, but holds what cannot be read."""


def _decode(data):
    """Return a string that Python 2 wrote: its text, and its bytes if they are not ASCII."""
    if data.isascii():
        return data.decode("ascii")
    text = ByteText(decoded(data))
    text.raw = data
    return text


# Opcodes of a string or of bytes that come after their own length: struct format of the length,
# and how a short one is decoded.
_COUNTED = {
    pickle.BINSTRING: ("<I", _decode),
    pickle.BINUNICODE: ("<I", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINUNICODE8: ("<Q", lambda data: str(data, "utf-8", "surrogatepass")),
    pickle.BINBYTES: ("<I", bytes),
    pickle.BINBYTES8: ("<Q", bytes),
    pickle.BYTEARRAY8: ("<Q", bytes),
}
_TEXT = (pickle.BINUNICODE, pickle.BINUNICODE8)
# Opcodes that call for things outside the file.
_REFUSED = "EXT1 EXT2 EXT4 PERSID BINPERSID NEXT_BUFFER READONLY_BUFFER".split()
_OUTSIDE = (
    "refers to things kept outside of it, as PyTorch's files and out-of-band buffers do; "
    "save NumPy arrays, in one file"
)


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, with no way to run or to build anything else."""

    dispatch: ClassVar[dict[int, Callable[..., Any]]] = dict(pickle._Unpickler.dispatch)
    # What `load` of the parent sets.
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]
    append: Callable[[object], None]
    stack: list

    pop_mark: Callable[[], list]

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        super().__init__(file)
        self._file = file
        self._path = path
        self._size = size
        self._in_memory = isinstance(file, io.BytesIO)
        self._frame_end = 0  # 0 before the first frame
        self._long_end = 0

    def _decode_string(self, value):
        return _decode(value)

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global, an inert name for an unknown one, or refuse it."""
        if self._file.tell() == self._size:
            raise EOFError
        if (module, name) in GLOBALS:
            return GLOBALS[module, name]
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            raise _UnreadableError("is a joblib file; read it by joblib.load and save NumPy arrays")
        if not all(part.isidentifier() for part in f"{module}.{name}".split(".")):
            raise ValueError("a global that is no name")
        if is_hostile(module, name):
            found = ascii(f"{module}.{name}")[1:-1]
            raise ForbiddenGlobalError(
                f"{self._path}: refused, it names {found[:200]}, which no file of embeddings "
                "needs, and nothing in it was run; if you trust its maker, ask for one of NumPy "
                "arrays and strings only"
            )
        return Foreign(name if module in BUILTINS else f"{module}.{name}"[:200])

    def load_counted(self, opcode: bytes) -> None:
        """Push a string or bytes, or a `Payload` for a long one."""
        header, decode = _COUNTED[opcode]
        (length,) = struct.unpack(header, self.read(struct.calcsize(header)))
        if length >= UNFRAMED_BYTES:
            self._long_end = self._file.tell() + length
        if length < PAYLOAD_BYTES or self._in_memory:
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

    def load_long(self) -> None:
        """Push a whole number that comes after its length, of 4 bytes."""
        (length,) = struct.unpack("<i", self.read(4))
        if not 0 <= length <= NUMBER_BYTES:
            raise ValueError(f"a number of {length} bytes")
        self.append(pickle.decode_long(self.read(length)))

    def load_keyed(self, opcode: bytes) -> None:
        """Put items into a dict or a set, if their keys are plain."""
        if opcode == pickle.SETITEM:
            check_key(self.stack[-2])
        else:
            pairs = opcode in (pickle.SETITEMS, pickle.DICT)
            check_keys(self.stack[:: 2 if pairs else 1])
        _load_keyed[opcode](self)

    def load_frame(self) -> None:
        """Skip a frame's header: frames only help to read ahead, and to tell damage."""
        self._check_frames(self._file.tell() - 1)
        (length,) = struct.unpack("<Q", self.read(8))
        self._frame_end = self._file.tell() + length

    def load_stop(self) -> None:
        """End."""
        self._check_frames(self._file.tell())
        _load_stop(self)

    def _check_frames(self, position):
        """Raise a ValueError if bytes are missing or too many since the last frame.

        All of a pickle that has frames lies in them, but for long buffers and less than 4 bytes.
        """
        outside = position - max(self._frame_end, self._long_end)
        if self._frame_end and (position < self._frame_end or outside > 3):
            raise ValueError("bytes are missing or too many")

    def load_reduce(self) -> None:
        """Call a stand-in, or put one in place of what an unknown function would make."""
        arguments = self.stack.pop()
        function = self.stack[-1]
        if isinstance(function, Foreign):
            self.stack[-1] = make(function, arguments)
        elif any(function is known for known in CALLABLE):
            self.stack[-1] = function(*arguments)
        else:
            raise ValueError("a call of something that is no global")

    def load_new(self, opcode: str) -> None:
        """Put a stand-in in place of an object of a class."""
        if opcode == "INST":
            module, name = self.readline()[:-1].decode(), self.readline()[:-1].decode()
            kind, arguments = self.find_class(module, name), self.pop_mark()
        elif opcode == "OBJ":
            kind, *arguments = self.pop_mark()
        else:
            if opcode == "NEWOBJ_EX":
                self.stack.pop()
            arguments, kind = self.stack.pop(), self.stack.pop()
        self.append(make(kind, arguments))

    def load_refused(self) -> None:
        """Refuse an opcode."""
        raise _UnreadableError(_OUTSIDE)

    def load_build(self) -> None:
        """Give an array or a dtype its state; what other objects have beside items is left out."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], (PickledArray, PickledDtype)):
            self.stack[-1].build(state)
        elif not isinstance(self.stack[-1], dict):
            raise ValueError("a state for something that is no array")

    dispatch[pickle.FRAME[0]] = load_frame
    dispatch[pickle.STOP[0]] = load_stop
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.LONG4[0]] = load_long
    for _opcode in _load_keyed:
        dispatch[_opcode[0]] = lambda self, opcode=_opcode: self.load_keyed(opcode)
    for _opcode in _COUNTED:
        dispatch[_opcode[0]] = lambda self, opcode=_opcode: self.load_counted(opcode)
    for _name in _REFUSED:
        dispatch[getattr(pickle, _name)[0]] = load_refused
    for _name in ("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"):
        dispatch[getattr(pickle, _name)[0]] = lambda self, name=_name: self.load_new(name)


def load(path: str | os.PathLike) -> Any:
    """Return the object in a pickle file, of any protocol, with `PickledArray` for its arrays.

    Dicts, of whatever kind, lists, tuples, numbers, strings, bytes and NumPy arrays are read. In
    place of anything else is a `Foreign` or `ForeignObject`, which tells its name.

    Raises:
      FileNotFoundError: there is no such file.
      ForbiddenGlobalError: the pickle names what would run code; nothing has been executed.
      ValueError: the file is empty, truncated, damaged or not a pickle; says what it is.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not path.stat().st_size:
        raise ValueError(f"{path}: is empty; fetch or write it again")
    if kind := file_kinds.describe(path):
        raise ValueError(f"{path}: is {kind}")
    with open(path, "rb") as file:
        return _load(file, path, path.stat().st_size)


def loads(data: bytes, path: Path) -> Any:
    """Return the object in a pickle in memory; see `load`. `path` is what messages call it."""
    return _load(io.BytesIO(data), path, len(data))


def _load(file, path, size):
    """Return the object in an open pickle."""
    try:
        found = _Reader(file, path, size).load()
    except ForbiddenGlobalError:
        raise
    except _UnreadableError as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:
        raise ValueError(f"{path}: {_fault(path, file, size, error)}") from None
    if rest := size - file.tell():
        raise ValueError(
            f"{path}: goes on for {rest} bytes where its pickle ends: it is damaged, or several "
            "pickles in one file; write a single one, of a dict of NumPy arrays"
        )
    return found


def _fault(path, file, size, error):
    """Return why a pickle could not be read."""
    position = file.tell()
    file.seek(0)
    beginning = file.read(200)
    again = "fetch or write it again"
    if file_kinds.is_table(beginning):
        return "is a table of text, not a pickle; save its arrays by NumPy (np.savez)"
    if not _BEGINNING.match(beginning):
        return f"is not a pickle, or not a whole one (it begins with {beginning[:16]!r}); {again}"
    if file_kinds.line_ends_changed(path):
        return "is damaged: a transfer as text changed its line ends; fetch it again, as binary"
    if position == size:
        return f"is truncated: it ends after {position} bytes, mid-pickle; {again}"
    kind, said = type(error).__name__, one_line(error)
    reason = kind if said == kind else f"{kind}: {said}"
    return f"is damaged at byte {position} ({reason}); {again}"
