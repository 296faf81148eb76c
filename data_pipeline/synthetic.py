"""Synthetic embeddings of any size, in the released format: to measure with, not to learn from."""

import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data_pipeline import released_format
from data_pipeline.datasets import load_split
from data_pipeline.embeddings import EmbeddingSet, aligned_empty

# Spread of the class means, in units of the spread within a class: neither hopeless nor perfect.
CLASS_SPREAD = 0.25


class SplitSize(NamedTuple):
    """Size of a split."""

    classes: int
    images: int  # of all classes together


RELEASED_SIZES = {
    "miniImageNet": {
        "train": SplitSize(64, 38_400),
        "val": SplitSize(16, 9_600),
        "test": SplitSize(20, 12_000),
    },
    "tieredImageNet": {
        "train": SplitSize(351, 448_695),
        "val": SplitSize(97, 124_261),
        "test": SplitSize(160, 206_209),
    },
}
RELEASED_DIM = 640  # of an embedding


def make_set(size: SplitSize, dim: int, seed: int = 0, name: str = "synthetic") -> EmbeddingSet:
    """Draw normal embeddings around normal class means.

    Args:
      size: classes and images; the classes are of equal size, give or take one image.
      dim: size of an embedding.
      seed: decides the values.
      name: what messages call the set.
    """
    generator = np.random.default_rng(seed)
    names = [f"n{number:08d}" for number in range(size.classes)]
    counts = np.diff(np.arange(size.classes + 1) * size.images // size.classes)
    embeddings = aligned_empty(size.images, dim)
    made = EmbeddingSet(embeddings, names, counts, name)
    for class_name in tqdm(names, desc=f"making {name}", unit=" classes", delay=1, disable=None):
        block = made.of_class(class_name)
        generator.standard_normal(out=block, dtype=np.float32)
        block += CLASS_SPREAD * generator.standard_normal(dim, np.float32)
    return made


def ensure_pickle(
    data_path: str | os.PathLike, dataset: str, split: str, size: SplitSize, dim: int
) -> Path:
    """Write a split's pickle of synthetic embeddings, unless it is there; returns its path."""
    path = Path(data_path) / dataset / "center" / f"{split}_embeddings.pkl"
    if not path.is_file():
        released_format.write(path, make_set(size, dim, name=f"{dataset}/center/{split}"))
    return path


def first_load(data_path: str | os.PathLike, dataset: str, split: str, anew: bool) -> float:
    """Load a split, so that it is in the cache; returns the seconds it took.

    Args:
      data_path, dataset, split: as `load_split` takes them.
      anew: whether to read the pickle even if it is in the cache, as a changed one is.
    """
    if anew:
        os.utime(Path(data_path) / dataset / "center" / f"{split}_embeddings.pkl")
    began = time.perf_counter()
    load_split(data_path, dataset, "center", split)
    return time.perf_counter() - began
