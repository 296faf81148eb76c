"""Episodes: few-shot tasks drawn from a set of embeddings."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import (
    Episodes,
    EpisodesAndBase,
    EpisodeSizeError,
    EpisodeSizes,
    check_episode,
)
from data_pipeline.normalisation import normalise, normalise_data

__all__ = [
    "EpisodeIndices",
    "EpisodeSampler",
    "EpisodeSizeError",
    "EpisodeSizes",
    "Episodes",
    "EpisodesAndBase",
    "check_episode",
    "class_labels",
    "draw_without_replacement",
    "normalise",
]


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
      base: examples of any classes that come with each episode; where they come instead of
        episodes, the way is 0.
      mean: subtracted from embeddings before they are normalised, [dim]; None for nothing.

    Raises:
      EpisodeSizeError: if the set has fewer classes, or a class fewer images, than asked for.
    """

    def __init__(
        self,
        embeddings: EmbeddingSet,
        way: int,
        shot: int,
        queries: int,
        tasks: int,
        base: int = 0,
        mean: tf.Tensor | None = None,
    ) -> None:
        if way or not base:
            check_episode(embeddings, way, shot, queries)
        self.embeddings = embeddings
        self.base, self.mean = base, mean
        self.way, self.shot, self.queries, self.tasks = way, shot, queries, tasks

    def indices(self, seed: tf.Tensor, support_only: bool = False) -> EpisodeIndices:
        """Draw a batch of episodes as numbers.

        Args:
          seed: int32 [2], as stateless random ops take it.
          support_only: leave out the query, which where it is all the rest need not be listed;
            the support is the same.
        """
        seeds = tf.random.split(seed, 2, alg="philox")
        counts = tf.constant(self.embeddings.counts, tf.int32)
        classes = draw_without_replacement(
            seeds[0], tf.fill([self.tasks, 1], counts.shape[0]), self.way
        )[:, 0]
        drawn = self.shot if support_only else self.shot + self.queries
        images = draw_without_replacement(seeds[1], tf.gather(counts, classes), drawn)
        query = None if support_only else images[..., self.shot :]
        return EpisodeIndices(classes, images[..., : self.shot], query)

    def episodes(self, seed: tf.Tensor) -> Episodes | EpisodesAndBase:
        """Draw a batch of episodes of L2-normalised embeddings.

        Args:
          seed: int32 [2].
        """
        if not self.base:
            return self.gather(self.indices(seed))
        if self.way:
            indices = self.indices(seed)
            episodes, classes = self.gather(indices), indices.classes
        else:
            episodes, classes = self._none(), tf.zeros([self.tasks, 0], tf.int32)
        return EpisodesAndBase(*episodes, classes, *self._base(seed))

    def _none(self):
        """Return a batch of episodes without classes."""
        shapes = EpisodeSizes(0, self.shot, self.queries, self.tasks).shapes(self.embeddings.dim)
        return Episodes(
            tf.zeros(shapes.support),
            tf.zeros(shapes.support_labels, tf.int32),
            tf.zeros(shapes.query),
            tf.zeros(shapes.query_labels, tf.int32),
        )

    def _base(self, seed):
        """Draw normalised examples from all images alike, and the numbers of their classes."""
        rows = tf.random.stateless_uniform(
            [self.tasks, self.base],
            tf.random.fold_in(seed, 2, alg="philox"),
            0,
            len(self.embeddings),
            tf.int64,
            alg="philox",
        )
        starts = tf.constant(self.embeddings.starts, tf.int64)
        labels = tf.searchsorted(starts, tf.reshape(rows, [-1]), side="right") - 1
        examples = normalise_data(tf.gather(self.embeddings.tensor(), rows), self.mean)
        return examples, tf.reshape(labels, tf.shape(rows))

    def gather(self, indices: EpisodeIndices) -> Episodes:
        """Look up the normalised embeddings of listed images."""
        return Episodes(
            self.images(indices.classes, indices.support),
            class_labels([self.tasks, self.way, self.shot]),
            self.images(indices.classes, indices.query),
            class_labels([self.tasks, self.way, self.queries]),
        )

    def images(self, classes: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Look up normalised embeddings by class [tasks, way] and image [tasks, way, n] of it.

        Returns:
          [tasks, way, n, dim].
        """
        return normalise_data(self.raw_images(classes, numbers), self.mean)

    def raw_images(self, classes: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Look up the same as they are stored."""
        starts = tf.gather(tf.constant(self.embeddings.starts), classes)[..., tf.newaxis]
        rows = starts + tf.cast(numbers, tf.int64)
        return tf.gather(self.embeddings.tensor(), rows)


def class_labels(shape: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Label examples grouped by class with the position of their class.

    Args:
      shape: (tasks, way, examples).

    Returns:
      int32 [tasks, way, examples].
    """
    return tf.broadcast_to(tf.range(shape[1])[:, tf.newaxis], shape)


def draw_without_replacement(
    seed: tf.Tensor, counts: tf.Tensor, size: int | tf.Tensor
) -> tf.Tensor:
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
