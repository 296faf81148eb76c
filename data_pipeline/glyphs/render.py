"""Draw one character of one font as a small grey image, and refuse what is not that character."""

import functools
import os
from collections.abc import Sequence

import numpy as np

IMAGE_SIZE = 24
MARGIN = 1
DRAWN_SIZE = 112  # font size in pixels before the reduction to IMAGE_SIZE

LARGEST_TURN = 20  # degrees
SMALLEST_SHARE = 0.6  # of the room inside the margin

# Code points that no font should have: what a font draws for them is its fallback.
_UNASSIGNED = ("\u0378", "\U0010fffe", "\ufdd0")


@functools.lru_cache(maxsize=64)
def _load(path):
    from PIL import ImageFont

    return ImageFont.truetype(path, DRAWN_SIZE, index=0, layout_engine=ImageFont.Layout.BASIC)


def draw_ink(path: str | os.PathLike, character: str) -> np.ndarray:
    """Draw a character large, cropped to its ink.

    Args:
      path: A font file.
      character: One character.

    Returns:
      Array [height, width] uint8, 255 = ink; [0, 0] where nothing is drawn or the font fails.
    """
    try:
        mask = _load(str(path)).getmask(character, mode="L")
    except (OSError, ValueError):
        return np.zeros((0, 0), np.uint8)
    width, height = mask.size
    return _crop(np.frombuffer(bytes(mask), np.uint8).reshape(height, width))


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
    return fit(_crop(np.asarray(turned)), share, place)


def _crop(pixels):
    """Return the smallest part of an image that has all its ink; [0, 0] if there is none."""
    rows = np.flatnonzero(pixels.max(1, initial=0))
    columns = np.flatnonzero(pixels.max(0, initial=0))
    if not rows.size:
        return np.zeros((0, 0), np.uint8)
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def is_blank(ink: np.ndarray) -> bool:
    """Tell whether nothing worth the name is drawn: no ink, or a speck."""
    return min(ink.shape) < 2 or max(ink.shape) < DRAWN_SIZE // 10


def is_fallback(path: str | os.PathLike, ink: np.ndarray) -> bool:
    """Tell whether the ink equals what the font draws for characters that do not exist."""
    return any(np.array_equal(ink, draw_ink(path, character)) for character in _UNASSIGNED)


def is_box(ink: np.ndarray) -> bool:
    """Tell whether the ink is a hollow upright rectangle with nothing on its outside corners.

    Fonts carry such boxes as real glyphs in place of letters that were never drawn: all four
    edges are solid, which no letter of the set has.
    """
    solid = [np.mean(edge > 127) for edge in (ink[1], ink[-2], ink[:, 1], ink[:, -2])]
    return bool(min(solid) > 0.95)


def render(
    path: str | os.PathLike, character: str, other_case: str | None = None
) -> tuple[np.ndarray, None] | tuple[None, str]:
    """Draw a character of a font as a [IMAGE_SIZE, IMAGE_SIZE] uint8 image, or refuse.

    Args:
      path: A font file.
      character: One character.
      other_case: The same letter in the other case, where a font that draws both alike is to
          be refused.

    Returns:
      The image and None; or None and why it was refused: "blank", "fallback", "box" or "case".
    """
    ink = draw_ink(path, character)
    if is_blank(ink):
        return None, "blank"
    if is_fallback(path, ink):
        return None, "fallback"
    if is_box(ink):
        return None, "box"
    image = fit(ink)
    if other_case:
        other = draw_ink(path, other_case)
        if not is_blank(other) and is_near_copy(image, [fit(other)]):
            return None, "case"
    return image, None


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
