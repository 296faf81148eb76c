"""Embed pictures with a backbone, batch by batch: the mean over views of each picture."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.embeddings import normalisable
from data_pipeline.images.fitting import Fit
from data_pipeline.images.stream import batches

if TYPE_CHECKING:
    from data_pipeline.images.backbones import Backbone

BATCH = 32
MANY = 2000  # views of pictures for which it pays to freeze a network first
_LARGEST = 1 << 30  # bytes of weights that are frozen; a graph holds at most 2 GiB


class Rows(NamedTuple):
    """What some pictures became.

    Attributes:
      first: number of the first picture.
      embeddings: float32 [pictures, dim]; zeros where a picture is faulty.
      digests: uint64 [pictures], see `stream.Batch`.
      faults: {number of a picture: why it has no embedding}.
    """

    first: int
    embeddings: np.ndarray
    digests: np.ndarray
    faults: dict[int, str]


def forward(
    backbone: "Backbone", views: int, batch: int, frozen: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function uint8 [batch, crops, size, size, channels] -> float32 [batch, dim].

    It is compiled once, for one shape: the rounding of a sum of products may depend on that.

    Args:
      backbone: the network.
      views: 1, or 10 to have every crop mirrored, too; the embeddings of all are averaged.
      batch: pictures of a batch; the network gets as many at a time, whatever the views.
      frozen: make the weights constants first, some seconds, so that TensorFlow folds
        normalisations into convolutions: a fifth less to compute for EfficientNet-Lite0.
    """
    import tensorflow as tf

    shape = (batch, *Fit.of(backbone, views).shape)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)])
    def embed(pictures):
        crops = tf.unstack(tf.cast(pictures, tf.float32), axis=1)
        total = tf.zeros((batch, backbone.dim))
        for crop in crops:
            # One after another, so that the memory for one is enough.
            with tf.control_dependencies([total]):
                total += _embedded(tf, backbone.model, crop)
            if views > 1:
                with tf.control_dependencies([total]):
                    total += _embedded(tf, backbone.model, tf.reverse(crop, [2]))
        return total / views

    if frozen and 4 * backbone.model.count_params() <= _LARGEST:
        return _frozen(tf, embed)
    return lambda pictures: embed(tf.constant(pictures)).numpy()


def _frozen(tf, embed):
    """Return a function of TensorFlow's with the values of its variables as constants."""
    from tensorflow.python.framework import convert_to_constants

    constant = convert_to_constants.convert_variables_to_constants_v2(embed.get_concrete_function())
    return lambda pictures: constant(tf.constant(pictures))[0].numpy()


def _embedded(tf, model, pictures):
    """Return [n, dim], what a network makes of pictures, computed here and now."""
    return tf.cast(model(tf.identity(pictures), training=False), tf.float32)


def rows(
    files: Sequence[str | os.PathLike],
    backbone: "Backbone",
    views: int = 1,
    batch: int = BATCH,
    first: int = 0,
) -> Iterator[Rows]:
    """Yield the embeddings of the pictures in some files, batch by batch, in order.

    Equal files give equal embeddings; that they stand elsewhere among others may change rounding.

    Args:
      files: paths, see `stream.batches`.
      backbone: the network.
      views: 1 or 10.
      batch: pictures of a batch.
      first: number of the picture to begin with.
    """
    embed = forward(backbone, views, batch, frozen=len(files) * views >= MANY)
    for each in batches(files, Fit.of(backbone, views), batch, first):
        embeddings = embed(each.pictures)[: each.filled]
        faults = dict(each.faults)
        for i in np.flatnonzero(~normalisable(embeddings)):
            faults.setdefault(each.first + int(i), "its embedding is zero or not finite")
        for number in faults:
            embeddings[number - each.first] = 0
        yield Rows(each.first, embeddings, each.digests, faults)


def embed_files(
    files: Sequence[str | os.PathLike],
    backbone: "Backbone",
    views: int = 1,
    batch: int = BATCH,
    progress: Callable[[int], object] = lambda pictures: None,
) -> tuple[np.ndarray, dict[int, str]]:
    """Return the embeddings of the pictures in some files, in memory.

    Args:
      files, backbone, views, batch: see `rows`.
      progress: is told how many pictures are done more.

    Returns:
      float32 [files, dim], and {number of a file: why it has no embedding}; such a row is zeros.
    """
    found = np.zeros((len(files), backbone.dim), np.float32)
    faults: dict[int, str] = {}
    for each in rows(files, backbone, views, batch) if len(files) else ():
        found[each.first : each.first + len(each.embeddings)] = each.embeddings
        faults |= each.faults
        progress(len(each.embeddings))
    return found, faults
