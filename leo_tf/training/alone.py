"""One process at a time in a run's folder; needs no TensorFlow.

The lock is on the folder itself, so that nothing is left in it, and goes with the process, however
that ends. Where the file system has no locks of folders (NFS), and on Windows, there is none.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_held: dict[tuple[int, int], int] = {}  # {(device, inode) of a folder: descriptor} of this process


class BusyError(OSError):
    """Another process works in a run's folder: nothing is wrong with the run itself."""

    def __init__(self, folder: Path) -> None:
        why = "another process works in this folder; wait for it, end it, or choose another"
        super().__init__(errno.EBUSY, why, str(folder))

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def check(folder: Path) -> None:
    """Raise a BusyError, one line, if another process works in a folder, which may not be there."""
    if folder.is_dir():
        with released():
            take(folder)


def take(folder: Path) -> None:
    """Keep other processes out of a folder, which is there, until a block of `released` ends.

    Raises:
      BusyError: one line, if another process works in it.
    """
    state = os.stat(folder)
    key = state.st_dev, state.st_ino
    if fcntl is None or key in _held:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BusyError(folder) from None
    except OSError:  # a file system without locks
        os.close(descriptor)
    else:
        _held[key] = descriptor


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Let go at the end of a block what was taken within it."""
    before = set(_held)
    try:
        yield
    finally:
        for key in set(_held) - before:
            os.close(_held.pop(key))
