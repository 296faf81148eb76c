"""Letters of alphabets that the glyphs models have not seen: two pictures of each."""

import base64
import functools
import io
from pathlib import Path
from typing import Any

import numpy as np

import data_pipeline.glyphs
from data_pipeline.glyphs import characters
from data_pipeline.images.decode import import_pillow

PICTURES = Path(data_pipeline.glyphs.__file__).parent / "pictures.npz"


@functools.cache
def alphabets() -> list[dict[str, Any]]:
    """Return the meta-test alphabets, as JSON has them.

    Returns:
      For each its name and letters: {"name", "letters": [{"name": in Latin letters, which every
      machine has, "pictures": [data: URLs of two PNGs, black on nothing]}]}.
    """
    with np.load(PICTURES, allow_pickle=False) as archive:
        pictures = dict(zip(archive["labels"].tolist(), archive["pictures"], strict=True))
    found: dict[str, list[dict[str, Any]]] = {}
    for label, system, _ in characters.classes("test"):
        urls = [_url(ink) for ink in pictures[label]]
        name = label.removeprefix(f"{system}_").replace("_", " ")
        found.setdefault(system, []).append({"name": name, "pictures": urls})
    return [{"name": system, "letters": letters} for system, letters in found.items()]


def some_picture() -> bytes:
    """Return a letter as a file."""
    return base64.b64decode(alphabets()[0]["letters"][0]["pictures"][0].partition(",")[2])


def _url(ink):
    """Return ink [height, width], 255 at its strongest, as a data: URL."""
    layers = np.stack([np.zeros_like(ink), ink], axis=-1)
    file = io.BytesIO()
    import_pillow().fromarray(layers, "LA").save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
