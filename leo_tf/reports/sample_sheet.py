"""A sheet of sample pictures, a line a class, to see what a data set is of."""

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.images import decode

if TYPE_CHECKING:
    from PIL import Image

SIDE, GAP = 64, 4  # pixels
LABEL = 150  # pixels of the names
SAMPLES = 8  # of a class
MOST_CLASSES = 60
WIDEST = 22  # lines of a column, before there is another
INK, QUIET, PAPER, EMPTY = "#1d1d1b", "#5a5a55", "#ffffff", "#efeee6"


def chosen(counts: Mapping[str, Mapping[str, int]]) -> dict[str, list[str]]:
    """Return {split: classes} of those that a sheet shows: all, or as many of each split.

    Args:
      counts: {split: {class: pictures}}.
    """
    most = MOST_CLASSES
    if sum(map(len, counts.values())) > most:
        most = max(1, most // len(counts))
    return {split: list(itertools.islice(classes, most)) for split, classes in counts.items()}


def draw(folder: Path, samples: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """Draw a sheet as PNG. A picture that cannot be read any more is an empty place.

    Args:
      folder: what the files are below.
      samples: {split: {class: files}}.
    """
    lines: list[tuple[str, Sequence[str] | None]] = []
    for split, classes in samples.items():
        lines.append((split, None))
        lines += classes.items()
    columns = -(-len(lines) // WIDEST)
    height = -(-len(lines) // columns)
    width = LABEL + SAMPLES * (SIDE + GAP) + 4 * GAP
    sheet = decode.import_pillow().new(
        "RGB", (columns * width + GAP, height * (SIDE + GAP) + GAP), PAPER
    )
    for number, (name, files) in enumerate(lines):
        column, row = divmod(number, height)
        _draw_line(sheet, GAP + column * width, GAP + row * (SIDE + GAP), name, files, folder)
    buffer = io.BytesIO()
    sheet.quantize(256).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _draw_line(sheet, left, top, name, files, folder):
    """Draw the name of a class and its pictures; of a split, its name alone."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(sheet)
    font, middle = _font(15 if files is None else 13), top + SIDE // 2
    text = _fitting(font, name, LABEL - 2 * GAP)
    if files is None:
        pen.text((left, top + SIDE - GAP), text, INK, font, "ls")
        return
    pen.text((left, middle), text, QUIET, font, "lm")
    for place, file in enumerate(files):
        corner = left + LABEL + place * (SIDE + GAP), top
        pen.rectangle((*corner, corner[0] + SIDE - 1, corner[1] + SIDE - 1), EMPTY)
        if picture := _small(folder / file):
            offset = [
                start + (SIDE - size) // 2 for start, size in zip(corner, picture.size, strict=True)
            ]
            sheet.paste(picture, tuple(offset))


def _small(path: Path) -> "Image.Image | None":
    try:
        picture = decode.decode(decode.read(path), SIDE).convert("RGB")
    except decode.PictureError:
        return None
    picture.thumbnail((SIDE, SIDE))
    return picture


def _fitting(font, text, width):
    """Return as much of a text as there is room for."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _font(size):
    """The font of Matplotlib, which has more letters than Pillow's."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)
