"""What is seen of a few-shot classifier: two functions, and what there is to train."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.model import MetaLoss, MetaModel


class Classifier(NamedTuple):
    """A few-shot classifier, as evaluation, export and reports see it."""

    # Support [tasks, way, shot, dim], normalised -> what is fitted to it, any structure of tensors.
    adapt: Callable[[tf.Tensor], Any]
    # (what `adapt` returns, query [tasks, n, dim], normalised) -> scores [tasks, n, way]: logits of
    # the classes, of which accuracy uses the order alone. A task's queries come all together.
    # None: a linear classifier, and `adapt` returns weights [tasks, way, dim] or a pair (weights,
    # biases [tasks, way]); it is scored without gathering the queries.
    classify: Callable[[Any, tf.Tensor], tf.Tensor] | None = None
    # What `fit` trains; None: there is nothing to train.
    model: MetaModel | None = None


class EpisodicClassifier(MetaModel):
    """The short way to a trained method: it is trained on what it is tested on.

    A subclass makes its variables, calls `track` and sets `built`, and defines `adapt` and
    `classify`. Its loss is the softmax cross-entropy of the queries, averaged over the episodes.
    """

    metric_names = ("accuracy",)

    def adapt(self, support: tf.Tensor) -> Any:
        """Fit the classifier to support sets, see `Classifier`."""
        raise NotImplementedError

    def classify(self, params: Any, query: tf.Tensor) -> tf.Tensor:
        """Score queries, see `Classifier`."""
        raise NotImplementedError

    def meta_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries."""
        tasks, way, queries, dim = episodes.query.shape
        query = tf.reshape(episodes.query, [tasks, way * queries, dim])
        labels = tf.reshape(episodes.query_labels, [tasks, way * queries])
        params = self.adapt(episodes.support)
        scores = self.classify(params, query)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
        task_losses = tf.reduce_mean(losses, axis=1)
        terms = {"accuracy": share_right(scores, labels)}
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, params)

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`."""
        return Classifier(self.adapt, self.classify, self)


def weights_and_biases(params: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return the weights of linear classifiers, and their biases or None, see `Classifier`."""
    return params if isinstance(params, tuple) else (params, None)


def linear_scores(params: Any, query: tf.Tensor) -> tf.Tensor:
    """Score queries with linear classifiers.

    Args:
      params: weights [tasks, way, dim], or a pair (weights, biases [tasks, way]).
      query: [tasks, n, dim].

    Returns:
      [tasks, n, way].
    """
    weights, biases = weights_and_biases(params)
    scores = tf.matmul(query, weights, transpose_b=True)
    return scores if biases is None else scores + biases[:, tf.newaxis]
