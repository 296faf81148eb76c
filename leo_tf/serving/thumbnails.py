"""Small pictures for a page that needs no other file."""

import base64
import functools
import io
from pathlib import Path

from data_pipeline.images import decode

SIDE = 176  # pixels, of the longer side
QUALITY = 80  # of JPEG


@functools.lru_cache(maxsize=4096)
def url(path: Path) -> str:
    """Return a picture as a data: URL, its proportions kept; "" if it cannot be read any more."""
    try:
        picture = decode.decode(decode.read(path), SIDE)
    except decode.PictureError:
        return ""
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
