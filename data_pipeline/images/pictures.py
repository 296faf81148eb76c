"""Pictures of classes, side by side: which look alike, and a sheet of samples."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from data_pipeline.images.ink import IMAGE_SIZE

LARGEST_LIKENESS = 0.93


class Pictured(Protocol):
    """The pictures of a class, [n, IMAGE_SIZE, IMAGE_SIZE] uint8, as posed and upright."""

    @property
    def label(self) -> str:
        """Name of the class."""

    @property
    def images(self) -> np.ndarray:
        """Turned, scaled and moved at random."""

    @property
    def upright(self) -> np.ndarray:
        """The same without that, to compare."""


def most_alike(rendered: Sequence[Pictured], count: int = 5) -> list[tuple[float, str, str]]:
    """Find the pairs of classes whose mean upright images are most alike.

    Args:
      rendered: list of `Pictured`, of all splits.
      count: Number of pairs.

    Returns:
      A list of (cosine similarity, label, label), most alike first.
    """
    means = np.stack([each.upright.mean(0).ravel() for each in rendered])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likeness = means @ means.T
    first, second = np.triu_indices(len(rendered), 1)
    order = np.argsort(-likeness[first, second], kind="stable")[:count]
    return [
        (float(likeness[i, j]), rendered[i].label, rendered[j].label)
        for i, j in zip(first[order], second[order], strict=True)
    ]


def check_distinct(rendered: Sequence[Pictured]) -> None:
    """Refuse classes that look alike.

    Raises:
      ValueError: If two classes have mean images with a cosine above LARGEST_LIKENESS, or
          share an image.
    """
    likeness, one, other = most_alike(rendered, 1)[0]
    if likeness > LARGEST_LIKENESS:
        raise ValueError(f"{one} and {other} look alike (cosine {likeness:.3f}); leave one out")
    owner: dict[bytes, str] = {}
    for each in rendered:
        for image in each.upright:
            first = owner.setdefault(image.tobytes(), each.label)
            if first != each.label:
                raise ValueError(f"{first} and {each.label} share an image; leave one out")


def sheet(rendered: Sequence[Pictured], columns: int = 20, blocks: int = 3) -> np.ndarray:
    """Lay out a sample sheet: one row a class, its first images, ink black on white.

    Args:
      rendered: list of `Pictured`.
      columns: Images of each class.
      blocks: Into how many columns of classes the sheet is folded.

    Returns:
      Array [rows * size, blocks * (columns + 1) * size] uint8; an empty image between the blocks.
    """
    size = IMAGE_SIZE
    height = -(-len(rendered) // blocks)
    pixels = np.zeros((height * size, blocks * (columns + 1) * size), np.uint8)
    for index, each in enumerate(rendered):
        block, row = divmod(index, height)
        left = block * (columns + 1) * size
        strip = np.concatenate(each.images[:columns], 1)
        pixels[row * size : (row + 1) * size, left : left + strip.shape[1]] = strip
    return 255 - pixels
