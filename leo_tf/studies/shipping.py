"""Files of a job between machines: packed in memory, put in their place whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_pipeline import atomic

LARGEST = 2**30  # bytes of a job's files; it is some megabytes by far most often

Files = dict[str, bytes]  # by path; a folder ends in a slash
_digests: dict[tuple, str] = {}


def pack(root: Path, parts: Sequence[str]) -> Files:
    """Return those files and folders below a folder that are there, and all that is in them.

    Raises:
      ValueError: one line, if they are too large to be sent.
    """
    files: Files = {}
    size = 0
    for path in (each for part in parts for each in _within(root / part)):
        name = path.relative_to(root).as_posix()
        size += path.stat().st_size
        if size > LARGEST:
            raise ValueError(
                f"{root / parts[-1]}: holds more than {LARGEST >> 20} MiB, too much to be sent to "
                "another machine; use a folder that the machines share"
            )
        files.update({f"{name}/": b""} if path.is_dir() else {name: path.read_bytes()})
    return files


def _within(path):
    """Return a file or folder and all in it; nothing, if it is not there."""
    return [path, *sorted(path.rglob("*"))] if path.exists() else []


def unpack(files: Files, root: Path) -> None:
    """Write packed files below a folder, and have them reach the disk.

    Raises:
      ValueError: a path leads out of the folder.
    """
    for name, content in files.items():
        path = root / name
        if os.path.isabs(name) or ".." in path.parts:
            raise ValueError(f"{name}: leads out of {root}")
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
            atomic.sync(file)


def put_in_place(files: Files, root: Path, parts: Sequence[str]) -> None:
    """Put what `pack` returned where it belongs: each part appears whole, instead of what is there.

    Args:
      files: packed.
      root: the folder that they go below.
      parts: the files and folders that were packed; others are left out.
    """
    root.mkdir(parents=True, exist_ok=True)
    arrived = atomic.temporary_path(root / "arrived")
    try:
        unpack(files, arrived)
        for part in parts:
            new, path = arrived / part, root / part
            if not new.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, new, arrived / "before")
            atomic.sync_folder(path.parent)
    finally:
        shutil.rmtree(arrived, ignore_errors=True)


def _replace(path, new, before):
    """Rename a file or folder to a name that may be taken."""
    if not path.is_dir():
        os.replace(new, path)
        return
    os.rename(path, before)  # no rename replaces a folder
    try:
        os.rename(new, path)
    except OSError:
        os.rename(before, path)
        raise
    shutil.rmtree(before)


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return {name: SHA-256, in hex} of files; one is read again only if it has changed."""
    found = {}
    for name, path in files.items():
        state = path.stat()
        key = path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
        if key not in _digests:
            with open(path, "rb") as file:
                digest = hashlib.sha256()
                while block := file.read(1 << 20):
                    digest.update(block)
            _digests[key] = digest.hexdigest()
        found[name] = _digests[key]
    return found
