"""What embeddings hold, in few bytes: whether two sets are the same, and which rows they repeat.

Rows are compared as float32 numbers, in which they are used: 0.0 and -0.0 are equal, and so are
a float16 and a float64 source of the same float32 rows. Two rows that differ have one hash by
accident in one of 10^8 sets of a million images.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import numpy as np

BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Content:
    """What a set of embeddings holds.

    Attributes:
      digest: hex; equal for equal class names and equal rows of each class in equal order, whatever
        file they came from.
      repeated: number of rows that equal one before them.
      example: two equal rows, or None.
      hashes: returns uint64 [images], a hash of every row.
    """

    digest: str
    repeated: int
    example: tuple[int, int] | None
    hashes: Callable[[], np.ndarray]


def row_hashes(block: np.ndarray) -> np.ndarray:
    """Return uint64 [m], a hash of every row of a float32 block [m, dim]."""
    block = np.ascontiguousarray(block, "<f4") + np.float32(0)  # which makes 0.0 of -0.0
    data, size = block.data.cast("B"), 4 * block.shape[1]
    hashes = (hashlib.sha256(data[i : i + size]).digest()[:8] for i in range(0, len(data), size))
    return np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)


def hash_all(embeddings: np.ndarray) -> np.ndarray:
    """Return uint64 [images], a hash of every row of embeddings [images, dim], block by block."""
    starts = range(0, len(embeddings), BLOCK_ROWS)
    return np.concatenate([row_hashes(embeddings[i : i + BLOCK_ROWS]) for i in starts])


def digest(
    class_names: Sequence[str], counts: Sequence[int] | np.ndarray, dim: int, hashes: np.ndarray
) -> str:
    """Return `Content.digest` of a set, given the hashes of its rows."""
    names = [str(name).encode(errors="surrogatepass") for name in class_names]
    sizes = [dim, len(names), *map(len, names), *map(int, counts)]
    parts = [np.array(sizes, "<i8").tobytes(), *names, np.asarray(hashes, "<u8").tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def of_rows(
    class_names: Sequence[str], counts: Sequence[int] | np.ndarray, dim: int, hashes: np.ndarray
) -> Content:
    """Return the `Content` of a set, given the hashes of its rows."""
    order = np.argsort(hashes, kind="stable")
    again = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    example = None
    if len(again):
        one = again[np.argmin(order[again + 1])]
        example = int(order[one]), int(order[one + 1])
    return Content(digest(class_names, counts, dim, hashes), len(again), example, lambda: hashes)


def common_rows(first: Content, second: Content) -> tuple[int, tuple[int, int] | None]:
    """Return how many different rows two sets share, and such a row's number in each."""
    ours, theirs = first.hashes(), second.hashes()
    ordered, asked = np.sort(ours), np.sort(theirs)  # np.intersect1d takes twenty times as long
    at = np.minimum(np.searchsorted(ordered, asked), len(ordered) - 1)
    common = np.unique(asked[ordered[at] == asked])
    if not len(common):
        return 0, None
    i, j = (int(np.flatnonzero(each == common[0])[0]) for each in (ours, theirs))
    return len(common), (i, j)
