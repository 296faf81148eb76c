"""Decoded pictures in a file: decoded once, and taken from there in any order, in little memory."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from data_pipeline import atomic

Blocks = Iterable[tuple[np.ndarray, np.ndarray]]


def keep(
    folder: str | os.PathLike, key: str, blocks: Callable[[], Blocks]
) -> tuple[np.ndarray, np.ndarray]:
    """Write pictures to a folder, unless they are there already, and return them.

    Args:
      folder: gets pixels.bin, as many bytes as there are values, and pixels.npz.
      key: what says which pictures these are.
      blocks: returns what to write: pictures [m, height, width, channels] uint8, of one size, and
        labels [m].

    Returns:
      Pictures [n, height, width, channels] uint8, a memory map, and labels [n].

    Raises:
      ValueError: there is no picture.
      OSError: the file's, with its name, where it cannot be written.
    """
    pixels, facts = Path(folder) / "pixels.bin", Path(folder) / "pixels.npz"
    if (found := _there(pixels, facts, key)) is not None:
        return found
    facts.unlink(missing_ok=True)
    labels: list[np.ndarray] = []
    shape: tuple[int, ...] = ()
    try:
        with atomic.writer(pixels) as file:
            for pictures, classes in blocks():
                file.write(np.ascontiguousarray(pictures, np.uint8).data)
                labels.append(np.asarray(classes, np.int64))
                shape = pictures.shape[1:]
        if not sum(map(len, labels)):
            raise ValueError("there is no picture to train with")
        with atomic.writer(facts) as file:
            np.savez(file, key=np.array(key), labels=np.concatenate(labels), shape=np.array(shape))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(pixels)) from None
    return _mapped(pixels, np.concatenate(labels), shape)


def remove(folder: str | os.PathLike) -> None:
    """Remove what `keep` wrote."""
    for name in ("pixels.npz", "pixels.bin"):
        (Path(folder) / name).unlink(missing_ok=True)


def _there(pixels, facts, key):
    """Return what `keep` returns if it has written these pictures, or None."""
    try:
        with open(facts, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if str(archive["key"]) != key:
                return None
            return _mapped(pixels, archive["labels"], tuple(archive["shape"].tolist()))
    except Exception:  # it is not there, or not whole: it is written again
        return None


def _mapped(pixels, labels, shape):
    return np.memmap(pixels, np.uint8, "r", shape=(len(labels), *shape)), labels
