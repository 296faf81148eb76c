"""Ink drawn large becomes a small grey picture: upright to compare, or posed to embed."""

from collections.abc import Sequence

import numpy as np

IMAGE_SIZE = 24
MARGIN = 1

LARGEST_TURN = 20  # degrees
SMALLEST_SHARE = 0.6  # of the room inside the margin


def fit(
    ink: np.ndarray, share: float = 1.0, place: Sequence[float] | np.ndarray = (0.5, 0.5)
) -> np.ndarray:
    """Scale ink into a square image, proportions kept, leaving a margin.

    Args:
      ink: [height, width] uint8, not empty.
      share: The ink's longer side, as a share of the room inside the margin.
      place: Where the ink is in the room that is left, (down, right); 0 to 1, 0.5 is centred.

    Returns:
      Array [IMAGE_SIZE, IMAGE_SIZE] uint8.
    """
    from PIL import Image

    room = IMAGE_SIZE - 2 * MARGIN
    scale = share * room / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    top = MARGIN + round((room - height) * place[0])
    left = MARGIN + round((room - width) * place[1])
    image[top : top + height, left : left + width] = small
    return image


def pose(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn, scale and move ink at random, as in a picture not taken straight on.

    Args:
      ink: [height, width] uint8, not empty.
      rng: `numpy.random.Generator`; four numbers are drawn.

    Returns:
      Array [IMAGE_SIZE, IMAGE_SIZE] uint8.
    """
    from PIL import Image

    angle = rng.uniform(-LARGEST_TURN, LARGEST_TURN)
    share, place = rng.uniform(SMALLEST_SHARE, 1), rng.uniform(size=2)
    turned = Image.fromarray(ink).rotate(angle, Image.Resampling.BILINEAR, expand=True)
    return fit(crop(np.asarray(turned)), share, place)


def crop(pixels: np.ndarray) -> np.ndarray:
    """Return the smallest part of an image that has all its ink; [0, 0] if there is none."""
    rows = np.flatnonzero(pixels.max(1, initial=0))
    columns = np.flatnonzero(pixels.max(0, initial=0))
    if not rows.size:
        return np.zeros((0, 0), np.uint8)
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def is_near_copy(image: np.ndarray, others: Sequence[np.ndarray], tolerance: float = 0.05) -> bool:
    """Tell whether an image is, but for the rounding of outlines, one of the others.

    Args:
      image: [size, size] uint8.
      others: List of images of the same shape.
      tolerance: Largest total difference, as a share of the image's total ink.
    """
    if not others:
        return False
    difference = np.abs(np.stack(others).astype(np.int32) - image).sum((1, 2))
    return bool(difference.min() <= tolerance * image.sum(dtype=np.int64))
