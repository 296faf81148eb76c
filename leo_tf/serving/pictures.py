"""Pictures to embeddings, by the network that a model was trained on."""

import functools
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from data_pipeline import cards
from data_pipeline.json_text import parsed
from leo_tf.startup import import_quietly

BATCH = 32  # a power of two


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
    fitted = (_fitted(fit, each, number) for number, each in enumerate(pictures))
    return _forward(found, views, fitted, f"{name}, by {cards.title(backbone)}")


def _forward(backbone, views, fitted: Iterator[np.ndarray], what):
    """Embed fitted pictures, of which a batch is in memory; all batches are of one size."""
    batch, done = 0, [np.zeros([0, backbone.dim], np.float32)]
    while part := list(itertools.islice(fitted, BATCH)):
        batch = batch or 1 << (len(part) - 1).bit_length()
        filled = np.zeros([batch, *part[0].shape], np.uint8)
        filled[: len(part)] = part
        done.append(_compiled(backbone, views, batch)(filled)[: len(part)])
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
            return fit.fitted(decode.from_picture(picture))
        return fit.fitted(decode.from_array(picture))
    except decode.PictureError as error:
        name = os.fspath(picture) if named else f"picture {number}"
        raise ValueError(f"{name}: {error}") from None
