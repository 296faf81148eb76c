"""Share the classes of a data set out among train, val and test, where its files do not."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_pipeline.datasets import SPLITS, check_dataset, find_split, load_split
from data_pipeline.embeddings import EmbeddingSet, aligned_empty
from data_pipeline.seeds import check_seed
from data_pipeline.split_percents import parse

Classes = dict[str, list[str]]


def assign(class_names: Sequence[str], text: str, seed: int) -> Classes:
    """Share classes out, a function of the arguments alone: {split: names, sorted}.

    Classes are ordered by a hash of the seed and their name. Val and test get their percent of
    them, rounded, and at least one where it is not 0; train gets the others.

    Args:
      class_names: all classes.
      text: percent of the classes, "64/16/20", see `split_percents.parse`.
      seed: integer from 0 to 2^32 - 1.

    Raises:
      ValueError: one line, if the percents make no sense, or the classes are too few.
    """
    seed, count = check_seed(seed), len(class_names)
    percents = dict(zip(SPLITS, parse(text), strict=True))
    of_others = {
        name: max(1, round(count * percents[name] / 100)) if percents[name] else 0
        for name in SPLITS[1:]
    }
    sizes = {"train": count - sum(of_others.values()), **of_others}
    if sizes["train"] < 1:
        raise ValueError(f"split {text} of {count} classes leaves none for train; add classes")

    def key(name):
        return hashlib.sha256(f"{seed}/{name}".encode(errors="surrogatepass")).digest()

    left, found = sorted(class_names, key=key), {}
    for name, size in sizes.items():
        found[name], left = sorted(left[:size]), left[size:]
    return found


def load_pool(data_path: str | os.PathLike, dataset: str, crop: str) -> EmbeddingSet:
    """Return the classes of all files of a data set, of which it may have one.

    Args:
      data_path, dataset, crop: see `datasets.check_dataset`.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    there = pool_splits(data_path, dataset, crop)
    return load_split(data_path, dataset, crop, "+".join(there))


def pool_splits(data_path: str | os.PathLike, dataset: str, crop: str) -> list[str]:
    """Return the splits whose files a data set has; raises what `check_pool` does."""
    folder = check_pool(data_path, dataset, crop)
    return [name for name in SPLITS if find_split(folder, name)[0].is_file()]


def check_pool(data_path: str | os.PathLike, dataset: str, crop: str) -> Path:
    """Return the folder of a data set that has one file at least.

    Raises:
      FileNotFoundError, ValueError: see `datasets.check_dataset`.
    """
    folder = check_dataset(data_path, dataset, crop, [])
    if not any(find_split(folder, name)[0].is_file() for name in SPLITS):
        check_dataset(data_path, dataset, crop, SPLITS[:1])
    return folder


def take(pool: EmbeddingSet, names: Sequence[str], part: str) -> EmbeddingSet:
    """Return some classes of a data set's pool, in memory.

    Args:
      pool: what `load_pool` returns.
      names: of the classes, sorted.
      part: the split that they are, such as "val".

    Raises:
      ValueError: one line, if there is no such class.
    """
    blocks = [pool.of_class(each) for each in names]
    embeddings = aligned_empty(sum(map(len, blocks)), pool.dim)
    np.concatenate(blocks, out=embeddings)
    name = f"{pool.name.rpartition('/')[0]}/{part}"
    made = EmbeddingSet(embeddings, names, [len(block) for block in blocks], name)
    made.backbone = pool.backbone
    return made
