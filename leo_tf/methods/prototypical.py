"""Prototypical networks (Snell et al., NeurIPS 2017, arXiv 1703.05175).

A class is the mean of its support, c_n = mean_k f(x_nk) (equation 1), and a query's logits are its
negative squared distances to the classes, -||f(x_q) - c_n||^2 (equation 2).

On fixed embeddings f is a small network; since these have length 1, distances are too flat for a
softmax, and a learned positive factor multiplies them (the first finding of arXiv 1805.10123). The
paper trains on more classes than it tests on: --train_way.
"""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.prototypical import PrototypicalSettings
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.embedding import Embedding, PositiveScale, squared_distances
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered


@registered
class Prototypical(EpisodicClassifier):
    """Distances to class means after a learned embedding.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      **kwargs: see `keras.Model`.
    """

    def __init__(self, dim: int, settings: PrototypicalSettings, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        dtype = self.dtype_policy
        self.embed = Embedding(
            dim, settings.embedding_size, settings.hidden_units, dtype=dtype, name="embedding"
        )
        self.scale = PositiveScale(settings.scale_init, dtype=dtype, name="scale")
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return the prototypes, [tasks, way, size]."""
        return mean_of_examples(self.embed(support), present)

    def classify(self, params: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        """Score queries by their negative scaled distances to the prototypes."""
        return -self.scale(squared_distances(self.embed(query), params))


def build(settings: PrototypicalSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Prototypical(train.dim, settings).classifier()
