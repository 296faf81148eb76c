"""Transductive propagation networks (Liu et al., ICLR 2019, arXiv 1805.10002).

The support and the queries of a task are the points of one graph. A small network gives each point
a length sigma_i; the weight of an edge is W_ij = exp(-||f_i / sigma_i - f_j / sigma_j||^2 / 2)
(equation 1). Each row keeps its k largest entries; an entry stays if either row keeps it. With
S = D^-1/2 W D^-1/2, D the sums of W's rows, and Y one-hot on the support and 0 on the queries,
F = (I - alpha S)^-1 Y (equation 3). The loss is the cross-entropy of softmax(F) over the support
and the queries together.

How much a query's score depends on the other queries depends on how many share its graph, so a
test's queries come in groups of as many of a class as in training (--queries).

Choices: an example's own entry, exp(0) = 1, is in W and among the k, as in the authors' code. That
code divides the distance by the size of f and leaves sigma free; here it is as the paper writes it,
and sigma is a softplus, hence positive: it is the scale that embeddings of length 1 need. f is a
small network instead of four convolutions, and that of sigma one hidden ReLU layer on f.
"""

import dataclasses
import math

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import Episodes, EpisodeSizes
from leo_tf.config.methods.tpn import TPNSettings
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.classifier import Classifier, EpisodicClassifier, flat_queries
from leo_tf.meta.embedding import Embedding, squared_distances
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Noise
from leo_tf.meta.serialisation import registered


class Width(keras.layers.Layer):
    """Positive lengths: softplus of a network with one hidden ReLU layer, [..., dim] -> [..., 1].

    Args:
      dim: size of an input.
      units: of the hidden layer.
      value: of the lengths of inputs of 0, before training.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, dim: int, units: int, value: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.hidden_kernel = self.add_weight(shape=(dim, units), name="hidden_kernel")
        self.hidden_bias = self.add_weight(shape=(units,), initializer="zeros", name="hidden_bias")
        self.kernel = self.add_weight(shape=(units, 1), name="kernel")
        start = keras.initializers.Constant(math.log(math.expm1(value)))
        self.bias = self.add_weight(shape=(1,), initializer=start, name="bias")
        self.built = True

    def call(self, inputs):
        hidden = tf.nn.relu(tf.tensordot(inputs, self.hidden_kernel, 1) + self.hidden_bias)
        return tf.nn.softplus(tf.tensordot(hidden, self.kernel, 1) + self.bias)


@registered
class TPN(EpisodicClassifier):
    """Labels propagated over a graph of the support and all queries of a call.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, settings: TPNSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        size, dtype = settings.embedding_size, self.dtype_policy
        self.embed = Embedding(dim, size, settings.hidden_units, dtype=dtype, name="embedding")
        self.width = Width(
            size, settings.width_units, settings.width_init, dtype=dtype, name="width"
        )
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor) -> tf.Tensor:
        """Return the points of the support, f_i / sigma_i: [tasks, way, shot, size]."""
        return self._points(support)

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by F; they are all in one graph, so any of them changes all scores."""
        return self._propagate(params, query)[1]

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Cross-entropy of the support and the queries together."""
        episodes, _ = self.cast(episodes)
        query, labels = flat_queries(episodes)
        of_support = tf.reshape(episodes.support_labels, [labels.shape[0], -1])
        params = self.adapt(episodes.support)
        both = self._propagate(params, query)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            tf.concat([of_support, labels], axis=1), tf.concat(both, axis=1)
        )
        task_losses = tf.reduce_mean(losses, axis=1)
        terms = {"accuracy": share_right(both[1], labels)}
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, params)

    def _points(self, examples):
        embedded = self.embed(examples)
        return embedded / self.width(embedded)

    def _propagate(self, support, query):
        """Return F of the support [tasks, way * shot, way] and of the queries [tasks, n, way]."""
        way, shot, size = (_size(support, axis) for axis in (1, 2, 3))
        labelled, n = way * shot, _size(query, 1)
        flat = tf.reshape(support, [-1, labelled, size])
        weights = graph(tf.concat([flat, self._points(query)], axis=1), self.settings.neighbours)
        of_class = tf.tile(tf.eye(way, dtype=weights.dtype)[:, tf.newaxis], [1, shot, 1])
        known = tf.pad(tf.reshape(of_class, [labelled, way]), [[0, n], [0, 0]])
        known = tf.broadcast_to(known, tf.concat([tf.shape(weights)[:2], [way]], axis=0))
        found = propagated(weights, known, self.settings.propagation)
        return found[:, :labelled], found[:, labelled:]


def graph(points: tf.Tensor, neighbours: int) -> tf.Tensor:
    """Return the weights W of the edges between points.

    Args:
      points: [tasks, n, size].
      neighbours: entries k of a row to keep, its own among them; all if there are fewer points.

    Returns:
      [tasks, n, n], symmetric, 1 on the diagonal.
    """
    squares = squared_distances(points, points)
    # A point's own distance, which rounding makes as large as that of a near double.
    squares = tf.linalg.set_diag(squares, tf.zeros_like(squares[..., 0]))
    kept = tf.math.top_k(-squares, tf.minimum(neighbours, _size(points, 1))).values[..., -1:]
    is_kept = -squares >= kept
    is_kept |= tf.linalg.matrix_transpose(is_kept)
    return tf.where(is_kept, tf.exp(-0.5 * squares), tf.zeros_like(squares))


def propagated(weights: tf.Tensor, known: tf.Tensor, alpha: float) -> tf.Tensor:
    """Return F = (I - alpha S)^-1 Y, S = D^-1/2 W D^-1/2 (equation 3).

    Args:
      weights: W, [tasks, n, n].
      known: Y, [tasks, n, way].
      alpha: in [0, 1).

    Returns:
      [tasks, n, way].
    """
    root = tf.math.rsqrt(tf.reduce_sum(weights, axis=-1))
    normalised = root[..., tf.newaxis] * weights * root[..., tf.newaxis, :]
    return tf.linalg.solve(
        tf.eye(_size(weights, 1), dtype=weights.dtype) - alpha * normalised, known
    )


def _size(tensor, axis):
    """Size of an axis, a number where it is known."""
    return tensor.shape[axis] or tf.shape(tensor)[axis]


def build(settings: TPNSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size; it serves any way and shot.

    Args:
      settings: its hyperparameters.
      train: the classes it is to be trained on.
      sizes: of the training episodes, whose queries of a class are as many as a test's graph has.
    """
    classifier = TPN(train.dim, settings).classifier()
    return dataclasses.replace(classifier, together=sizes.queries)
