"""Which classes are taken for which: counts over the queries of an evaluation's episodes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from leo_tf.classification.evaluation import Evaluator, Judge
from leo_tf.classification.linear import among_queries, class_logits
from leo_tf.meta.accuracy import are_right
from leo_tf.meta.classifier import Classifier


class Confusion(NamedTuple):
    """Counts of queries, by their class and by the class that a classifier answers."""

    classes: tuple[str, ...]
    counts: np.ndarray  # int64 [classes, classes + 1]: row, their own; last, no answer at all

    @property
    def queries(self) -> np.ndarray:
        """Queries of each class, int64 [classes]."""
        return self.counts.sum(axis=1)

    @property
    def accuracies(self) -> np.ndarray:
        """Percent of each class's queries that are right, [classes]; NaN where none was drawn."""
        right, queries = np.diagonal(self.counts), self.queries
        shares = np.full(len(right), np.nan)
        return 100 * np.divide(right, queries, out=shares, where=queries > 0)


def confusion(
    evaluator: Evaluator,
    classifier: Classifier,
    progress: Callable[[int], object] | None = None,
) -> Confusion:
    """Count what a classifier answers to every query of an evaluation.

    A query that is right counts for its own class, see `leo_tf.meta.accuracy`. One that is wrong
    counts for the class of the greatest score among the others, also where its own class's score
    is as great; if none of these has a score but NaN or minus infinity, it has no answer.

    Args:
      evaluator: the episodes.
      classifier: what to evaluate.
      progress: called with the number of episodes that were just evaluated.
    """
    classes, counts = evaluator.judged(classifier, ANSWERS, progress)
    embeddings = evaluator.sampler.embeddings
    number = embeddings.num_classes
    answers = np.pad(classes, [(0, 0), (0, 1)], constant_values=number)
    found = np.zeros([number, number + 1], np.int64)
    np.add.at(found, (classes[:, :, np.newaxis], answers[:, np.newaxis]), counts)
    return Confusion(embeddings.class_names, found)


def _linear_answers(sampler, indices, fitted, mean):
    """Return the classes of each episode and its counts, see `_scored_answers`."""
    tasks, way = tf.unstack(tf.shape(indices.classes))

    def add_class(counts, number):
        members = tf.where(indices.classes == number)
        logits = class_logits(sampler.embeddings, number, members[:, 0], fitted, mean)
        scores = tf.transpose(logits, [1, 2, 0])  # [members, images, way]
        positions = tf.broadcast_to(members[:, 1:], tf.shape(scores)[:2])
        answers = tf.one_hot(answered_class(scores, positions), way + 1)
        return tf.tensor_scatter_nd_update(
            counts, members, among_queries(answers, indices, members)
        )

    numbers = tf.range(sampler.embeddings.num_classes)
    counts = tf.foldl(add_class, numbers, tf.zeros([tasks, way, way + 1]))
    return indices.classes, tf.cast(tf.round(counts), tf.int64)


def _scored_answers(indices, scores, labels):
    """Return the classes of each episode, [tasks, way], and counts, int64 [tasks, way, way + 1]."""
    way = tf.shape(indices.classes)[1]
    answers = tf.one_hot(answered_class(scores, labels), way + 1)
    counts = tf.einsum("tnw,tna->twa", tf.one_hot(labels, way), answers)
    return indices.classes, tf.cast(tf.round(counts), tf.int64)


def answered_class(scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the position of the class that each query is taken for, way for none: [a, b].

    Args:
      scores: [a, b, way].
      labels: [a, b].
    """
    way = tf.shape(scores, labels.dtype)[-1]
    is_own = tf.range(way) == labels[..., tf.newaxis]
    own = tf.gather(scores, labels, batch_dims=2)
    least = tf.constant(-np.inf, scores.dtype)
    others = tf.where(is_own | tf.math.is_nan(scores), least, scores)
    best = tf.argmax(others, axis=-1, output_type=tf.int64)
    answered = tf.reduce_max(others, axis=-1) > least
    wrong = tf.where(answered, best, tf.cast(way, tf.int64))
    return tf.where(are_right(scores, own, is_own, -1), tf.cast(labels, tf.int64), wrong)


ANSWERS = Judge(_linear_answers, _scored_answers)
