"""Accuracy over many episodes, with nearly every image of a class as a query."""

import math
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import EpisodeIndices, EpisodeSampler, stream_seed, unrewritten

TASKS_DRAWN = 200  # the published meta-batch of evaluation; fixes which episodes a seed means
MOST_TASKS = 1000  # evaluated together, so that a class's block serves many episodes
MOST_PAIRS = 2**18  # of support examples in them, which models that compare all pairs pay for
QUERIES_AND_SHOT = 600


class Accuracy(NamedTuple):
    """Mean accuracy over episodes."""

    mean: float  # percent
    ci95: float  # percent, half the width of the 95 % interval of the mean
    episodes: int

    def __str__(self):
        return f"{self.mean:.2f} ± {self.ci95:.2f} %"


def summarise(accuracies):
    """Mean and 95 % interval (normal approximation, over episodes) of accuracies in [0, 1]."""
    accuracies = np.asarray(accuracies, np.float64)
    count = len(accuracies)
    deviation = accuracies.std(ddof=1) if count > 1 else math.nan
    return Accuracy(100 * accuracies.mean(), 196 * deviation / math.sqrt(count), count)


def default_queries(embeddings, shot):
    """Query images per class at evaluation: 600 - shot, or what the smallest class allows.

    Raises:
      ValueError: if the smallest class has no image left for the query.
    """
    queries = min(QUERIES_AND_SHOT, int(embeddings.counts.min())) - shot
    if queries < 1:
        smallest = embeddings.class_names[int(embeddings.counts.argmin())]
        raise ValueError(
            f"{embeddings.name}: class {smallest} has {embeddings.counts.min()} images, {shot} "
            "support images and at least one query were asked for; lower the shot"
        )
    return queries


class Evaluator:
    """Evaluate linear classifiers on a fixed sequence of episodes of a split.

    Queries are not gathered: the weights of all episodes that drew a class are multiplied with
    the class's whole block of embeddings at once, and images that are not queries are masked.

    Args:
      embeddings: an `EmbeddingSet`.
      way, shot, queries: sizes of an episode; queries are per class.
      episodes: how many to evaluate.
      seed: integer; the episodes are a function of (split, seed) and of no model.

    Raises:
      ValueError: if the split is too small.
    """

    def __init__(self, embeddings, way, shot, queries, episodes, seed):
        self.sampler = EpisodeSampler(embeddings, way, shot, queries, TASKS_DRAWN)
        self.episodes = episodes
        self._all_others = bool((embeddings.counts == shot + queries).all())
        self._functions = {}
        self._batches = self._dataset(f"{embeddings.name}/evaluation", seed)

    def accuracies(self, adapt, progress=None):
        """Accuracy of each episode.

        Args:
          adapt: function from a normalised support [tasks, way, shot, dim] to the weights of a
            classifier, [tasks, way, dim], or to a pair of weights and biases [tasks, way].
          progress: called with the number of episodes that were just evaluated.

        Returns:
          float array [episodes].
        """
        if adapt not in self._functions:
            self._functions[adapt] = self._evaluate_with(adapt)
        done = []
        for accuracies in self._functions[adapt]:
            done.append(accuracies.numpy())
            if progress is not None:
                progress(len(done[-1]))
        return np.concatenate(done)[: self.episodes]

    def _dataset(self, name, seed):
        draws = math.ceil(self.episodes / TASKS_DRAWN)
        steps = tf.data.Dataset.range(draws)
        drawn = steps.map(
            lambda step: self.sampler.indices(stream_seed(name, seed, step), self._all_others),
            num_parallel_calls=2,
        )
        pairs = (self.sampler.way * self.sampler.shot) ** 2
        grouped = min(MOST_TASKS, MOST_PAIRS // pairs) // TASKS_DRAWN
        return drawn.batch(max(1, grouped)).map(_merge_draws)

    def _evaluate_with(self, adapt):
        """A dataset of accuracies; several groups of episodes are evaluated at a time."""

        def evaluate(indices):
            adapted = adapt(self.sampler.gather_support(indices))
            weights, biases = adapted if isinstance(adapted, tuple) else (adapted, None)
            right = count_correct(self.sampler.embeddings, indices, weights, biases)
            return right / tf.cast(self.sampler.way * self.sampler.queries, tf.float32)

        return unrewritten(self._batches.map(evaluate, os.cpu_count() or 1))


def _merge_draws(indices):
    return EpisodeIndices(
        *(None if part is None else tf.reshape(part, [-1, *part.shape[2:]]) for part in indices)
    )


def count_correct(embeddings, indices, weights, biases=None):
    """Number of the queries that linear classifiers get right.

    Args:
      embeddings: an `EmbeddingSet`.
      indices: an `EpisodeIndices` of [tasks] episodes.
      weights: [tasks, way, dim].
      biases: [tasks, way], or None.

    Returns:
      float32 [tasks].
    """
    way = tf.shape(weights)[1]
    starts, counts = tf.constant(embeddings.starts), tf.constant(embeddings.counts)
    table = embeddings.tensor()

    def one_class(number):
        """Number of right answers about one class's images, [tasks]."""
        members = tf.where(indices.classes == number)  # [members, 2]: task, position
        tasks, positions = members[:, 0], members[:, 1]
        block = table[starts[number] : starts[number] + counts[number]]
        block = tf.math.l2_normalize(block, axis=-1)
        of_members = tf.transpose(tf.gather(weights, tasks), [1, 0, 2])  # [way, members, dim]
        logits = tf.matmul(tf.reshape(of_members, [-1, block.shape[1]]), block, transpose_b=True)
        logits = tf.reshape(logits, [way, -1, tf.shape(block)[0]])  # [way, members, images]
        if biases is not None:
            logits += tf.transpose(tf.gather(biases, tasks))[:, :, tf.newaxis]
        nth = tf.range(tf.shape(tasks, out_type=tf.int64)[0])
        own = tf.gather_nd(logits, tf.stack([positions, nth], axis=1))
        # As argmax does, the first of equal scores wins; this is half the time of argmax.
        earlier = tf.range(tf.cast(way, tf.int64))[:, tf.newaxis] < positions
        lost = (logits > own) | ((logits == own) & earlier[:, :, tf.newaxis])
        right = tf.cast(~tf.reduce_any(lost, axis=0), tf.float32)
        right = _among_queries(right, indices, members)
        return tf.scatter_nd(tasks[:, tf.newaxis], right, [tf.shape(weights, tf.int64)[0]])

    per_class = tf.map_fn(
        one_class,
        tf.range(embeddings.num_classes),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
        parallel_iterations=2,
    )
    return tf.reduce_sum(per_class, axis=0)


def _among_queries(right, indices, members):
    """Sum [members, images] over each member's queries; all but its support if none are listed."""
    listed = indices.support if indices.query is None else indices.query
    of_listed = tf.gather(right, tf.gather_nd(listed, members), batch_dims=1)
    of_listed = tf.reduce_sum(of_listed, axis=1)
    return of_listed if indices.query is not None else tf.reduce_sum(right, axis=1) - of_listed


def nearest_centroid(support):
    """Classify by the nearest class mean of the support, as a linear classifier.

    Args:
      support: [tasks, way, shot, dim].

    Returns:
      Weights [tasks, way, dim] and biases [tasks, way]; their scores rank the classes like the
      negative squared Euclidean distance to the centroids.
    """
    centroids = tf.reduce_mean(support, axis=2)
    return centroids, -0.5 * tf.reduce_sum(tf.square(centroids), axis=-1)
