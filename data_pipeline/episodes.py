"""Episodes: few-shot tasks drawn from a set of embeddings, as `tf.data` pipelines."""

import zlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Episodes(NamedTuple):
    """A batch of tasks. For classification, a label is the class's position in its episode."""

    support: tf.Tensor  # [tasks, way, shot, dim]
    support_labels: tf.Tensor  # int32 [tasks, way, shot]
    query: tf.Tensor  # [tasks, way, queries, dim]
    query_labels: tf.Tensor  # int32 [tasks, way, queries]


class EpisodeIndices(NamedTuple):
    """The same as numbers of classes, and of images within their class."""

    classes: tf.Tensor  # int32 [tasks, way]
    support: tf.Tensor  # int32 [tasks, way, shot]
    query: tf.Tensor | None  # int32 [tasks, way, queries]; None for all other images


class EpisodeSampler:
    """Draw batches of episodes: distinct classes, and distinct images of each.

    Classes and images are uniform and without replacement; the first `shot` images of a class
    are the support, the others the query.

    Args:
      embeddings: an `EmbeddingSet`.
      way: classes in an episode, N.
      shot: support images of a class, K.
      queries: query images of a class, Q.
      tasks: episodes in a batch.

    Raises:
      ValueError: if the set has fewer classes, or a class fewer images, than asked for.
    """

    def __init__(self, embeddings, way, shot, queries, tasks):
        check_episode(embeddings, way, shot, queries)
        self.embeddings = embeddings
        self.way, self.shot, self.queries, self.tasks = way, shot, queries, tasks

    def indices(self, seed, support_only=False):
        """Draw a batch of episodes as numbers.

        Args:
          seed: int32 [2], as stateless random ops take it.
          support_only: leave out the query, which where it is all the rest need not be listed;
            the support is the same.

        Returns:
          An `EpisodeIndices`.
        """
        seeds = tf.random.split(seed, 2, alg="philox")
        counts = tf.constant(self.embeddings.counts, tf.int32)
        classes = _draw(seeds[0], tf.fill([self.tasks, 1], counts.shape[0]), self.way)[:, 0]
        drawn = self.shot if support_only else self.shot + self.queries
        images = _draw(seeds[1], tf.gather(counts, classes), drawn)
        query = None if support_only else images[..., self.shot :]
        return EpisodeIndices(classes, images[..., : self.shot], query)

    def episodes(self, seed):
        """Draw a batch of episodes of L2-normalised embeddings.

        Args:
          seed: int32 [2].

        Returns:
          An `Episodes`.
        """
        return self.gather(self.indices(seed))

    def gather(self, indices):
        """Look up the embeddings of an `EpisodeIndices`; returns an `Episodes`."""
        return Episodes(
            self._gather(indices.classes, indices.support),
            class_labels([self.tasks, self.way, self.shot]),
            self._gather(indices.classes, indices.query),
            class_labels([self.tasks, self.way, self.queries]),
        )

    def gather_support(self, indices):
        """Look up the normalised support alone, [tasks, way, shot, dim]."""
        return self._gather(indices.classes, indices.support)

    def _gather(self, classes, images):
        starts = tf.gather(tf.constant(self.embeddings.starts), classes)[..., tf.newaxis]
        rows = starts + tf.cast(images, tf.int64)
        return tf.math.l2_normalize(tf.gather(self.embeddings.tensor(), rows), axis=-1)


def check_episode(embeddings, way, shot, queries):
    """Raise a ValueError if an `EmbeddingSet` is too small for episodes of these sizes."""
    for name, value in (("way", way), ("shot", shot), ("queries", queries)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if way > embeddings.num_classes:
        raise ValueError(
            f"{embeddings.name} has {embeddings.num_classes} classes, "
            f"{way} were asked for; lower the way"
        )
    smallest = int(np.argmin(embeddings.counts))
    if shot + queries > embeddings.counts[smallest]:
        raise ValueError(
            f"{embeddings.name}: class {embeddings.class_names[smallest]} has "
            f"{embeddings.counts[smallest]} images, {shot} support and {queries} query images "
            "were asked for; lower the shot or the queries"
        )


def stream_seed(name, seed, step):
    """Seed of one step of a stream of random numbers; a function of its arguments alone.

    Args:
      name: of the stream, such as "train/episodes"; different names are independent.
      seed: integer.
      step: integer, or an integer scalar tensor.

    Returns:
      int32 [2], for stateless random ops.
    """
    base = tf.constant([seed & 0x7FFFFFFF, zlib.crc32(name.encode()) & 0x7FFFFFFF], tf.int32)
    return tf.random.fold_in(base, tf.cast(step, tf.int32), alg="philox")


def unrewritten(dataset):
    """Have a dataset run as it is written.

    Rewriting a pipeline copies the embeddings that it holds, and crashes where they do not fit.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return dataset.with_options(options)


def episode_dataset(sampler, seed, start=0):
    """Stream batches of episodes; batch t is a function of (split, seed, t) alone.

    Args:
      sampler: an `EpisodeSampler`.
      seed: integer.
      start: number of the first batch.

    Returns:
      An endless `tf.data.Dataset` of `Episodes`.
    """
    name = f"{sampler.embeddings.name}/episodes"
    return unrewritten(
        tf.data.Dataset.counter(start)
        .map(lambda step: sampler.episodes(stream_seed(name, seed, step)), num_parallel_calls=2)
        .prefetch(2)
    )


def class_labels(shape):
    """Label examples grouped by class with the position of their class.

    Args:
      shape: (tasks, way, examples).

    Returns:
      int32 [tasks, way, examples].
    """
    return tf.broadcast_to(tf.range(shape[1])[:, tf.newaxis], shape)


def _draw(seed, counts, size):
    """Draw `size` of the numbers 0..count-1 without replacement for each count in `counts`.

    Args:
      seed: int32 [2].
      counts: int32 [...].
      size: scalar.

    Returns:
      int32 [..., size], in random order.
    """
    most = tf.reduce_max(counts)
    shape = tf.concat([tf.shape(counts), [most]], axis=0)
    keys = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    keys = tf.where(tf.range(most) < counts[..., tf.newaxis], keys, tf.int32.min)
    return tf.math.top_k(keys, size).indices
