"""Linear classifiers on all images of a class at once, so that no query is gathered."""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import EpisodeIndices
from data_pipeline.normalisation import normalise_data
from leo_tf.meta.accuracy import are_right

Fitted = tuple[tf.Tensor, tf.Tensor | None]  # weights [tasks, way, dim], biases [tasks, way]


def judge(
    embeddings: EmbeddingSet,
    indices: EpisodeIndices,
    weights: tf.Tensor,
    biases: tf.Tensor | None = None,
    mean: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Count the queries that linear classifiers get right.

    Args:
      embeddings: an `EmbeddingSet`.
      indices: an `EpisodeIndices` of [tasks] episodes.
      weights: [tasks, way, dim].
      biases: [tasks, way], or None.
      mean: of raw embeddings, subtracted before they are normalised; None for nothing.

    Returns:
      The number of right ones, float32 [tasks], see `leo_tf.meta.accuracy`; and bool [tasks],
      whether each class's scores of its own images are finite, as those of finite weights are.
    """

    def one_class(number):
        """Of one class: how many answers are right, and if scores are not finite [tasks, 2]."""
        members = tf.where(indices.classes == number)
        tasks, positions = members[:, 0], members[:, 1]
        logits = class_logits(embeddings, number, tasks, (weights, biases), mean)
        right, bad = _judge_members(logits, positions)
        found = tf.stack([among_queries(right, indices, members), bad], axis=1)
        return tf.scatter_nd(tasks[:, tf.newaxis], found, [tf.shape(weights, tf.int64)[0], 2])

    per_class = tf.map_fn(
        one_class,
        tf.range(embeddings.num_classes),
        fn_output_signature=tf.TensorSpec([None, 2], tf.float32),
        parallel_iterations=2,
    )
    right, bad = tf.unstack(tf.reduce_sum(per_class, axis=0), axis=1)
    return right, bad == 0


def class_logits(
    embeddings: EmbeddingSet,
    number: tf.Tensor,
    tasks: tf.Tensor,
    fitted: Fitted,
    mean: tf.Tensor | None = None,
) -> tf.Tensor:
    """Score all images of a class by the linear classifiers of the tasks that drew it.

    Args:
      embeddings: an `EmbeddingSet`.
      number: of the class.
      tasks: integers [members].
      fitted: weights and biases of all tasks.
      mean: see `judge`.

    Returns:
      [way, members, images].
    """
    weights, biases = fitted
    starts, counts = tf.constant(embeddings.starts), tf.constant(embeddings.counts)
    block = embeddings.tensor()[starts[number] : starts[number] + counts[number]]
    block = tf.cast(normalise_data(block, mean), weights.dtype)
    of_members = tf.transpose(tf.gather(weights, tasks), [1, 0, 2])  # [way, members, dim]
    logits = tf.matmul(tf.reshape(of_members, [-1, block.shape[1]]), block, transpose_b=True)
    logits = tf.reshape(logits, [tf.shape(weights)[1], -1, tf.shape(block)[0]])
    if biases is not None:
        logits += tf.transpose(tf.gather(biases, tasks))[:, :, tf.newaxis]
    return logits


def _judge_members(logits, positions):
    """Of the logits [way, members, images] of a class that is at `positions` in its members.

    Returns:
      Which images are right, [members, images]; whose own scores are not all finite, [members].
    """
    way, members = tf.unstack(tf.shape(logits, out_type=tf.int64)[:2])
    own = tf.gather_nd(logits, tf.stack([positions, tf.range(members)], axis=1))
    is_own = tf.range(way)[:, tf.newaxis] == positions
    right = are_right(logits, own, is_own[:, :, tf.newaxis], 0)
    bad = ~tf.reduce_all(tf.math.is_finite(own), axis=1)
    return tf.cast(right, tf.float32), tf.cast(bad, tf.float32)


def among_queries(right: tf.Tensor, indices: EpisodeIndices, members: tf.Tensor) -> tf.Tensor:
    """Sum what was found of a class's images over the queries of each task that drew it.

    Args:
      right: [members, images, ...].
      indices: an `EpisodeIndices`; where it lists no queries, all but the support are.
      members: int64 [members, 2], the task and the position of the class in it.

    Returns:
      [members, ...].
    """
    listed = indices.support if indices.query is None else indices.query
    of_listed = tf.gather(right, tf.gather_nd(listed, members), batch_dims=1)
    of_listed = tf.reduce_sum(of_listed, axis=1)
    return of_listed if indices.query is not None else tf.reduce_sum(right, axis=1) - of_listed
