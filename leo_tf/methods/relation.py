"""Relation networks (Sung et al., CVPR 2018, arXiv 1711.06025).

A module g compares a query with a class: r_n = g(concat(sum_k f(x_nk), f(x_q))) in (0, 1)
(equation 1). It is trained by squared errors, (r_n - [y_q = n])^2 (equation 2), here the mean over
the pairs of a query and a class.

On fixed embeddings f is a small network, and g has one hidden ReLU layer and a sigmoid: the paper's
fully connected layers, without its convolutions. f is given sqrt(dim) x, whose entries are of size
1 as those of the paper's batch-normalised layers are: g, which has no factor to learn, hardly tells
pairs of vectors of length 1 apart. The scores given are those before the sigmoid,
which keeps their order. The sum over a class depends on its number of examples: where that is not
the one of training, --mean_of_support. Others train g by a softmax over the classes:
--cross_entropy.
"""

import math

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.relation import RelationSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding
from leo_tf.meta.presence import mean_of_examples, zero_absent
from leo_tf.meta.serialisation import registered


@registered
class Relation(EpisodicClassifier):
    """A learned comparison of a query with the sum of a class.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, settings: RelationSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        size, units = settings.embedding_size, settings.relation_units
        self.embed = Embedding(
            dim, size, settings.hidden_units, dtype=self.dtype_policy, name="embedding"
        )
        self.hidden_kernel = self.add_weight(shape=(2 * size, units), name="hidden_kernel")
        self.hidden_bias = self.add_weight(shape=(units,), initializer="zeros", name="hidden_bias")
        self.kernel = self.add_weight(shape=(units, 1), name="kernel")
        self.bias = self.add_weight(shape=(1,), initializer="zeros", name="bias")
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return the sums (or means) of the classes' embeddings, [tasks, way, size]."""
        embedded = self._embedded(support)
        if self.settings.mean_of_support:
            return mean_of_examples(embedded, present)
        if present is not None:
            embedded = zero_absent(embedded, tf.cast(present, tf.bool))
        return tf.reduce_sum(embedded, axis=2)

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score pairs of a query and a class, before the sigmoid."""
        # The hidden layer's map of a pair is the sum of one of the class and one of the query.
        of_class, of_query = tf.split(tf.convert_to_tensor(self.hidden_kernel), 2)
        classes = tf.tensordot(params, of_class, 1)[:, tf.newaxis]
        queries = tf.tensordot(self._embedded(query), of_query, 1)[:, :, tf.newaxis]
        hidden = tf.nn.relu(classes + queries + self.hidden_bias)
        return (tf.tensordot(hidden, self.kernel, 1) + self.bias)[..., 0]

    def _embedded(self, x):
        return self.embed(math.sqrt(self.input_dim) * x)

    def losses(self, scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Mean squared error over the classes, [tasks, n]."""
        if self.settings.cross_entropy:
            return super().losses(scores, labels)
        targets = tf.one_hot(labels, scores.shape[-1], dtype=scores.dtype)
        return tf.reduce_mean(tf.square(tf.sigmoid(scores) - targets), axis=-1)


def build(settings: RelationSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Relation(train.dim, settings).classifier()
