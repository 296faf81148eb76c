"""Decode pictures, whatever they are: JPEG, PNG, GIF (its first frame), BMP and WebP, by Pillow.

What comes out is upright (EXIF) and has 8 bits, grey or red, green and blue: transparency lies on
white, CMYK is converted, 16 bits are scaled. The content tells the format, not the file's name.
"""

import errno
import io
import os
import stat
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline.extras import how_to_get
from data_pipeline.images.same_pictures import digest

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
LARGEST_PIXELS = 1 << 26
LARGEST_BYTES = 1 << 28


class PictureError(ValueError):
    """A picture that cannot be used; the text says why, in a few words, and not which it is."""


def import_pillow() -> ModuleType:
    """Return `PIL.Image`.

    Raises:
      ValueError: Pillow is not installed; says how to get it.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ValueError(
            f"pictures are read by Pillow, which is missing here: {how_to_get('pictures')}"
        ) from None
    # What is too large is refused below, with a reason of its own.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    return Image


def read(path: str | os.PathLike) -> bytes:
    """Return the bytes of a picture's file.

    Raises:
      PictureError: it cannot be read, is empty, or far too large.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):  # a pipe would be waited for, without end
            raise PictureError("is no regular file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_BYTES:
                raise PictureError(f"{size} bytes; at most {LARGEST_BYTES} are read")
            data = file.read(LARGEST_BYTES)
    except OSError as error:
        loop = " (a link that leads to itself)" if error.errno == errno.ELOOP else ""
        raise PictureError(f"{error.strerror}{loop}") from None
    if not data:
        raise PictureError("the file is empty")
    return data


def digest_of(path: str | os.PathLike) -> int:
    """Return `same_pictures.digest` of a picture's file; 0 if it cannot be read."""
    try:
        return digest(read(path))
    except PictureError:
        return 0


def decode(data: bytes, shorter: int | None = None) -> "Image.Image":
    """Return a picture, of mode "L" if it is grey, else "RGB".

    Args:
      data: a file's bytes.
      shorter: pixels that the shorter side shall have in the end; a larger JPEG is decoded at a
        half, a quarter or an eighth of its size, as long as that is twice as many.

    Raises:
      PictureError: the bytes are no picture of these formats, are damaged, or are one of more than
        `LARGEST_PIXELS`, which is found out before it is decoded.
    """
    image_module = import_pillow()
    try:
        image = image_module.open(io.BytesIO(data), formats=FORMATS)
        _check_size(*image.size)
        if shorter and image.format == "JPEG":
            image.draft(None, (2 * shorter, 2 * shorter))
        image.load()
        return _plain(_upright(image))
    except PictureError:
        raise
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise PictureError(f"too many pixels ({error}); scale it down") from None
    except image_module.UnidentifiedImageError:
        raise PictureError(f"no picture of a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # Pillow's formats raise whatever they met
        raise PictureError(f"damaged ({_line(error)})") from None


def from_array(array: np.ndarray) -> "Image.Image":
    """Return pixels as a picture, as `decode` does.

    Args:
      array: uint8 [height, width], [height, width, 1], or with 3 or 4 channels, the fourth opacity.

    Raises:
      PictureError: it is no such array.
    """
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    colours = array.shape[2:] in ((), (3,), (4,)) and array.ndim in (2, 3)
    if array.dtype != np.uint8 or not colours or not array.size:
        raise PictureError(
            f"an array {array.dtype} {list(array.shape)}; a picture is uint8 [height, width] or "
            "[height, width, 3]"
        )
    _check_size(array.shape[1], array.shape[0])
    return _plain(import_pillow().fromarray(np.ascontiguousarray(array)))


def from_picture(picture: "Image.Image") -> "Image.Image":
    """Return a picture of Pillow's, as `decode` does of its file.

    Raises:
      PictureError: it is damaged, too large, or has numbers without a range.
    """
    _check_size(*picture.size)
    if picture.mode == "F":
        raise PictureError("is of floats, whose white nothing tells; give one of 8 or 16 bits")
    try:
        picture.load()
        return _plain(_upright(picture))
    except Exception as error:  # a file that Pillow has only opened may hold anything
        raise PictureError(f"damaged ({_line(error)})") from None


def _check_size(width, height):
    """Raise a PictureError for a picture that would take too much memory."""
    if width * height > LARGEST_PIXELS:
        raise PictureError(
            f"{width} x {height} pixels are {width * height / 1e6:.0f} million, at most "
            f"{LARGEST_PIXELS / 1e6:.0f} million are decoded; scale it down"
        )
    if not width or not height:
        raise PictureError("has no pixels")


def _upright(image):
    """Turn a picture as its EXIF data say, if they can be read."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF is data of the camera; a picture without it is one, too
        return image


def _plain(image):
    """Return a picture in 8 bits, grey or colours, on white."""
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64).clip(0, 65535)
        return import_pillow().fromarray(((grey + 128) // 257).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = import_pillow().new("RGBA", image.size, "white")
        return import_pillow().alpha_composite(white, image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _line(error):
    """Return an error in one short line."""
    return " ".join(str(error).split())[:120] or type(error).__name__
