"""Files and folders that appear whole or not at all, whenever the process is killed."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # Windows: no lock, so that two processes may do the same work
    fcntl = None  # type: ignore[assignment]


def temporary_path(path: Path) -> Path:
    """Return an unused path in the same folder, `<name>.partial-<random>`."""
    return path.with_name(f"{path.name}.partial-{secrets.token_hex(4)}")


@contextlib.contextmanager
def writer(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` when the block ends, and vanishes if it raises.

    Raises:
      OSError: it cannot be written; names `path`.
    """
    temporary = temporary_path(path)
    try:
        with naming(path):
            with open(temporary, "xb") as file:
                yield file
                sync(file)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, that appears whole or not at all."""
    with writer(path) as file:
        file.write(encoded(text))


def encoded(text: str) -> bytes:
    """Return a text as UTF-8; what is none, as a file's name may be, becomes escapes: \\udcff."""
    return text.encode(errors="backslashreplace")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file in an OSError of a block that names none, as writing to a full disk raises.

    A name of a temporary file beside it is replaced by its own.
    """
    try:
        yield
    except OSError as error:
        named = error.filename is not None and ".partial-" not in str(error.filename)
        if named or error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from None


def sync(file: BinaryIO | TextIO) -> None:
    """Have what was written to a file reach the disk."""
    file.flush()
    os.fsync(file.fileno())


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
    """Hold a lock among processes, waiting for it; yield whether the file system has locks.

    The lock goes with the process: one that is killed leaves an empty file, and no lock.
    """
    with open(path, "ab") as file:
        locked = False
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
                locked = True
        yield locked
