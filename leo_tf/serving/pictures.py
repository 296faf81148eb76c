"""Pictures to embeddings, by the network that a model was trained on."""

import functools
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from data_pipeline import cards
from data_pipeline.json_text import parsed
from leo_tf.startup import import_quietly

BATCH = 32


def embed(pictures: Iterable[Any], about: Mapping[str, Any], name: str) -> np.ndarray:
    """Embed pictures as those were that a model was trained on.

    Args:
      pictures: paths, bytes of files, arrays (uint8 [height, width], or with 3 or 4 channels), or
        Pillow's.
      about: what the model tells of itself: its `backbone`, and its `crop`.
      name: of the model, for messages.

    Returns:
      float32 [pictures, dim].

    Raises:
      ValueError, FileNotFoundError: one line, if the model does not tell what embedded its data,
        that is not to be had or has other weights now, or a picture cannot be used.
    """
    backbone = about.get("backbone")
    if not backbone:
        raise ValueError(
            f"{name}: does not tell which network made the embeddings that it was trained on; "
            "embed the pictures yourself (python -m leo_tf.embed --help)"
        )
    if isinstance(pictures, str | bytes | os.PathLike):
        one = "data" if isinstance(pictures, bytes) else repr(str(pictures))
        raise ValueError(f"pictures must be several; of one, give [{one}]")
    import_quietly()
    from data_pipeline.images import fitting

    views = {folder: number for number, folder in fitting.VIEWS.items()}.get(about.get("crop"), 1)
    found = _backbone(json.dumps(backbone, sort_keys=True, allow_nan=False))
    fit = fitting.Fit.of(found, views)
    fitted = [_fitted(fit, each, number) for number, each in enumerate(pictures)]
    if not fitted:
        return np.zeros([0, found.dim], np.float32)
    return _forward(found, views, fitted, f"{name}, by {cards.title(backbone)}")


def _forward(backbone, views, fitted: Sequence[np.ndarray], what):
    """Embed fitted pictures, all batches of one size."""
    batch = min(BATCH, 1 << (len(fitted) - 1).bit_length())
    compute, done = _compiled(backbone, views, batch), []
    for start in range(0, len(fitted), batch):
        part = np.stack(fitted[start : start + batch])
        filled = np.concatenate([part, np.zeros([batch - len(part), *part.shape[1:]], np.uint8)])
        done.append(compute(filled)[: len(part)])
    embeddings = np.concatenate(done)
    bad = ~np.isfinite(embeddings).all(axis=1) | ~embeddings.any(axis=1)
    if bad.any():
        number = int(bad.argmax())
        raise ValueError(f"{what}: the embedding of picture {number} is zero or not finite")
    return embeddings


@functools.lru_cache(maxsize=2)
def _backbone(description):
    from data_pipeline.images import backbones

    return backbones.of_description(parsed(description))


@functools.lru_cache(maxsize=12)
def _compiled(backbone, views, batch):
    from data_pipeline.images import forward

    return forward.forward(backbone, views, batch)


def _fitted(fit, picture, number):
    """Return a picture as the network takes it: uint8 [crops, size, size, channels]."""
    from data_pipeline.images import decode

    named = isinstance(picture, str | os.PathLike)
    try:
        if named:
            return fit.decoded(decode.read(picture))
        if isinstance(picture, bytes):
            return fit.decoded(picture)
        if hasattr(picture, "convert"):  # Pillow's
            return fit.decoded(_as_png(picture))
        return fit.fitted(decode.from_array(picture))
    except decode.PictureError as error:
        name = os.fspath(picture) if named else f"picture {number}"
        raise ValueError(f"{name}: {error}") from None


def _as_png(picture):
    """Return a picture of Pillow's as a file, so that it is decoded as files are."""
    file = io.BytesIO()
    kept = picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA") or picture.mode.startswith("I")
    (picture if kept else picture.convert("RGB")).save(file, "PNG", compress_level=1)
    return file.getvalue()
