"""Files and folders that appear whole or not at all, whenever the process is killed."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: no lock, so that two processes may do the same work
    fcntl = None

TEMPORARY = ".partial-"


@contextlib.contextmanager
def writer(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` when the block ends, and vanishes if it raises."""
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Hold a lock among processes, waiting for it; yields whether the file system has locks.

    The lock goes with the process: one that is killed leaves an empty file, and no lock.
    """
    with open(path, "ab") as file:
        locked = False
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
                locked = True
        yield locked


def umask():
    """Return the mask that new files get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
