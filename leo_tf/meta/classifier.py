"""What is seen of a few-shot classifier: two functions, and what there is to train."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from leo_tf.meta.model import MetaModel


class Classifier(NamedTuple):
    """A few-shot classifier, as evaluation, export and reports see it."""

    # Support [tasks, way, shot, dim], normalised -> what is fitted to it, any structure of tensors.
    adapt: Callable[[tf.Tensor], Any]
    # (what `adapt` returns, query [tasks, n, dim], normalised) -> scores [tasks, n, way]. A task's
    # queries come all together. None: a linear classifier, and `adapt` returns weights [tasks, way,
    # dim] or a pair (weights, biases [tasks, way]); it is scored without gathering the queries.
    classify: Callable[[Any, tf.Tensor], tf.Tensor] | None = None
    # What `fit` trains; None: there is nothing to train.
    model: MetaModel | None = None


def linear_scores(params: Any, query: tf.Tensor) -> tf.Tensor:
    """Score queries with linear classifiers.

    Args:
      params: weights [tasks, way, dim], or a pair (weights, biases [tasks, way]).
      query: [tasks, n, dim].

    Returns:
      [tasks, n, way].
    """
    weights, biases = params if isinstance(params, tuple) else (params, None)
    scores = tf.matmul(query, weights, transpose_b=True)
    return scores if biases is None else scores + biases[:, tf.newaxis]
