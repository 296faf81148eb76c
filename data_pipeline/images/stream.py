"""A stream of pictures: read and decoded side by side by tf.data, in order, in bounded memory."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data_pipeline.images import same_pictures
from data_pipeline.images.decode import PictureError, import_pillow, read
from data_pipeline.images.fitting import Fit

AHEAD = 2  # batches that are decoded ahead


class Batch(NamedTuple):
    """Pictures, fitted to a network; all batches of a stream have one shape.

    Attributes:
      first: number of its first picture.
      filled: how many places are of pictures; what follows them is zeros.
      pictures: uint8 [batch, crops, size, size, channels]; zeros where a picture is faulty.
      digests: uint64 [filled], a hash of each file's bytes; 0 where it could not be read.
      faults: {number of a picture: why it cannot be used}.
    """

    first: int
    filled: int
    pictures: np.ndarray
    digests: np.ndarray
    faults: dict[int, str]


def batches(
    files: Sequence[str | os.PathLike], fit: Fit, batch: int, first: int = 0
) -> Iterator[Batch]:
    """Yield the pictures in some files, in order, in batches.

    Files are asked for one by one, so that `files` may make them. As many pictures as there are
    cores are decoded side by side, and `AHEAD` batches ahead of what is asked for.

    Args:
      files: paths.
      fit: how a picture becomes an array.
      batch: pictures of a batch.
      first: number of the picture to begin with.

    Raises:
      ValueError: Pillow is missing.
    """
    import tensorflow as tf

    import_pillow()
    faults: dict[int, str] = {}

    def load(number):
        pictures, digest = np.zeros(fit.shape, np.uint8), 0
        if number < len(files):
            try:
                data = read(files[number])
                digest = same_pictures.digest(data)
                pictures = fit.decoded(data)
            except PictureError as error:
                faults[int(number)] = str(error)
        return pictures, np.uint64(digest)

    def loaded(number):
        pictures, digest = tf.numpy_function(load, [number], (tf.uint8, tf.uint64))
        return tf.ensure_shape(pictures, fit.shape), tf.ensure_shape(digest, ())

    cores = max(2, os.cpu_count() or 1)
    total = first + -(-(len(files) - first) // batch) * batch
    dataset = tf.data.Dataset.range(first, total)
    dataset = dataset.map(loaded, num_parallel_calls=cores, deterministic=True)
    dataset = dataset.batch(batch, drop_remainder=True).prefetch(AHEAD)
    options = tf.data.Options()
    options.threading.private_threadpool_size = cores
    for pictures, digests in dataset.with_options(options).as_numpy_iterator():
        count = min(batch, len(files) - first)
        known = {i: faults.pop(i) for i in range(first, first + count) if i in faults}
        yield Batch(first, count, pictures, digests[:count], known)
        first += batch
