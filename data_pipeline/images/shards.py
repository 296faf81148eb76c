"""Embeddings that are kept as they come, so that who is stopped goes on: shards in a folder."""

import contextlib
import errno
import json
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from data_pipeline import atomic
from data_pipeline.images.forward import Rows
from data_pipeline.json_text import parsed

PICTURES, SECONDS = 4096, 30.0  # a shard is written after as many, or so long
_FORMAT = "shard-*.npz"


class Shards:
    """The embeddings of the first pictures of a listing, in files of some thousand.

    A file is there whole or not at all. Pictures that come after a file that is missing or damaged
    count as not embedded.

    Args:
      folder: where they are; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def count(self) -> int:
        """Return how many pictures are embedded."""
        return sum(len(each.embeddings) for each in self)

    def __iter__(self) -> Iterator[Rows]:
        first = 0
        for path in sorted(self.folder.glob(_FORMAT)):
            rows = _read(path)
            if rows is None or rows.first != first:
                return
            yield rows
            first += len(rows.embeddings)

    def write(self, stream: Iterable[Rows]) -> Iterator[Rows]:
        """Keep what a stream yields, and pass it on; also what is there when it is broken off."""
        held: list[Rows] = []
        since = time.monotonic()
        try:
            for rows in stream:
                held.append(rows)
                yield rows
                enough = sum(len(each.embeddings) for each in held) >= PICTURES
                if enough or time.monotonic() - since >= SECONDS:
                    self._keep(held)
                    held, since = [], time.monotonic()
        finally:
            if held:
                self._keep(held)

    def _keep(self, held):
        """Write a shard."""
        faults = {number: why for each in held for number, why in each.faults.items()}
        with space(self.folder):
            with atomic.writer(self.folder / f"shard-{held[0].first:09d}.npz") as file:
                np.savez(
                    file,
                    first=held[0].first,
                    embeddings=np.concatenate([each.embeddings for each in held]),
                    digests=np.concatenate([each.digests for each in held]),
                    faults=np.frombuffer(json.dumps(faults, allow_nan=False).encode(), np.uint8),
                )


@contextlib.contextmanager
def space(folder: Path) -> Iterator[None]:
    """Say what to do, in an OSError about a disk that is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            f"{folder}: no space left; free some and give the same command again: what is "
            "embedded is kept"
        ) from None


def check_space(folder: Path, missing: int, total: int, dim: int) -> None:
    """Raise an OSError, one line, if a disk lacks room for embeddings, before they are made.

    Args:
      folder: where they shall be; it is there.
      missing: pictures that are not embedded yet.
      total: all pictures, which are written once more in the end.
      dim: numbers of an embedding, of 4 bytes each.
    """
    needed, free = 4 * dim * (missing + total), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder}: {total} embeddings take {needed / 1e6:,.1f} MB while they are made, and "
            f"{free / 1e6:,.1f} MB are free; free some, or choose another --out"
        )


def _read(path):
    """Return a shard, or None if it is damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            faults = parsed(archive["faults"].tobytes())
            return Rows(
                int(archive["first"]),
                archive["embeddings"],
                archive["digests"],
                {int(number): why for number, why in faults.items()},
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
