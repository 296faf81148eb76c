"""Which pictures of a listing become rows of a data set, and the sources of its splits."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data_pipeline.embeddings import MIN_IMAGES, Source
from data_pipeline.images.listing import Listing
from data_pipeline.images.shards import Shards


class Kept(NamedTuple):
    """The pictures that become rows.

    Attributes:
      rows: int64 [pictures], the row of each in the array of its split; -1 if it has none.
      owners: int64 [pictures], the number of its class.
      counts: {split: {class: rows}}.
      faults: {number of a picture: why it has no embedding}.
      left_out: {class: why}.
      digests: uint64 [pictures], of the files' bytes.
    """

    rows: np.ndarray
    owners: np.ndarray
    counts: dict[str, dict[str, int]]
    faults: dict[int, str]
    left_out: dict[str, str]
    digests: np.ndarray


def kept_rows(shards: Shards, listing: Listing) -> Kept:
    """Return which pictures of a listing, all of which are embedded, become rows.

    Not so those that could not be used, nor those of a class that has too few others.

    Raises:
      ValueError: one line, if a split is left without a class.
    """
    total = len(listing)
    usable, digests = np.ones(total, bool), np.zeros(total, np.uint64)
    faults: dict[int, str] = {}
    for each in shards:
        digests[each.first : each.first + len(each.digests)] = each.digests
        faults |= each.faults
    usable[list(faults)] = False
    owners = np.repeat(
        np.arange(sum(map(len, listing.splits.values()))),
        [len(files) for _, _, files in listing.classes()],
    )
    counts: dict[str, dict[str, int]] = {split: {} for split in listing.splits}
    left_out, rows = {}, np.full(total, -1)
    start, first_of_split, before = 0, 0, None
    for split, name, files in listing.classes():
        if split != before:
            first_of_split, before = 0, split
        here = slice(start, start + len(files))
        start, count = here.stop, int(usable[here].sum())
        if count < MIN_IMAGES:
            left_out[name] = f"{count} of its {len(files)} pictures can be used"
            continue
        rows[here][usable[here]] = first_of_split + np.arange(count)
        counts[split][name], first_of_split = count, first_of_split + count
    _check(listing, counts, faults)
    return Kept(rows, owners, counts, faults, left_out, digests)


def _check(listing, counts, faults):
    """Raise a ValueError if a split has no class any more."""
    for split, classes in counts.items():
        if not classes:
            files = listing.files()
            number = min(faults)
            raise ValueError(
                f"{listing.folder}: no class of {split} has {MIN_IMAGES} pictures that can be "
                f"used; the first that cannot is {files[number]}: {faults[number]}"
            )


def sources(shards: Shards, listing: Listing, kept: Kept, dim: int) -> dict[str, Source]:
    """Return {split: its embeddings [rows, dim]}, to be read in blocks, a shard at a time."""
    made, start = {}, 0
    for split, classes in listing.splits.items():
        stop = start + sum(map(len, classes.values()))
        counts = kept.counts[split]
        made[split] = Source(
            tuple(counts), np.array(list(counts.values())), dim, _Blocks(shards, kept, start, stop)
        )
        start = stop
    return made


class _Blocks:
    """The rows of a split: those of pictures `start` to `stop`."""

    def __init__(self, shards, kept, start, stop):
        self.shards, self.kept, self.start, self.stop = shards, kept, start, stop

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for each in self.shards:
            if each.first >= self.stop:
                return
            low = max(self.start - each.first, 0)
            high = max(low, min(self.stop - each.first, len(each.embeddings)))
            rows = self.kept.rows[each.first + low : each.first + high]
            if (rows >= 0).any():
                yield rows[rows >= 0], each.embeddings[low:high][rows >= 0]
