"""Pictures that come twice: two classes of the same ones, and some that two classes share."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_CHUNK = 1 << 20  # bytes


def check_different(folder: Path, classes: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Refuse two classes that have the same pictures, whatever the files are called.

    Files are read only where two classes have as many files of the same sizes.

    Args:
      folder: what the files are below.
      classes: pairs of a class's name and its files.

    Raises:
      ValueError: one line that names both.
    """
    alike: dict[tuple[int, ...], list[tuple[str, Sequence[str]]]] = {}
    for name, files in classes:
        sizes = tuple(sorted(_size(folder / file) for file in files))
        alike.setdefault(sizes, []).append((name, files))
    for group in alike.values():
        owners: dict[tuple[bytes, ...], str] = {}
        for name, files in group if len(group) > 1 else ():
            held = tuple(sorted(_digest(folder / file) for file in files))
            if held in owners:
                raise ValueError(
                    f"{folder}: classes {owners[held]!r} and {name!r} have the same pictures; "
                    "leave one out"
                )
            owners[held] = name


def shared(digests: np.ndarray, owners: np.ndarray) -> tuple[int, tuple[int, int] | None]:
    """Return how many pictures another class has, too, and two that are one.

    Args:
      digests: uint64 [pictures], of the files' bytes; 0 where there is none.
      owners: integers [pictures], the class of each.
    """
    order = np.argsort(digests, kind="stable")
    _, start = np.unique(digests[order], return_index=True)
    of_two = np.minimum.reduceat(owners[order], start) != np.maximum.reduceat(owners[order], start)
    of_two &= digests[order][start] != 0
    if not of_two.any():
        return 0, None
    ends = np.append(start[1:], len(order))
    groups = [np.sort(order[start[i] : ends[i]]) for i in np.flatnonzero(of_two)]
    first = min(groups, key=lambda rows: rows[0])
    other = first[np.flatnonzero(owners[first] != owners[first[0]])[0]]
    return sum(map(len, groups)), (int(first[0]), int(other))


def digest(data: bytes) -> int:
    """Return a hash of a file's bytes, from 1 to 2^64 - 1."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") or 1


def _size(path):
    """Return the size of a file in bytes, -1 if it cannot be told."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _digest(path):
    """Return a hash of a file; of its path, if it cannot be read."""
    made = hashlib.sha256()
    try:
        if not os.path.isfile(path):  # such as a pipe, which would be waited for
            raise OSError
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                made.update(chunk)
    except OSError:
        made.update(os.fsencode(path))
    return made.digest()
