"""Draw one character of one font as a small grey image, and refuse what is not that character."""

import functools
import os

import numpy as np

from data_pipeline.images.ink import crop, fit, is_near_copy

DRAWN_SIZE = 112  # font size in pixels before the reduction to ink.IMAGE_SIZE

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
    return crop(np.frombuffer(bytes(mask), np.uint8).reshape(height, width))


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
    """Draw a character of a font as a [size, size] uint8 image, or refuse.

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
