"""The nearest class mean of the support: what the embeddings reach without any training."""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.meta_learner import Method
from leo_tf.meta.classifier import Classifier


def nearest_centroid(support: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Classify by the nearest class mean of the support, as a linear classifier.

    Args:
      support: [tasks, way, shot, dim].

    Returns:
      Weights [tasks, way, dim] and biases [tasks, way]; their scores rank the classes like the
      negative squared Euclidean distance to the centroids.
    """
    centroids = tf.reduce_mean(support, axis=2)
    return centroids, -0.5 * tf.reduce_sum(tf.square(centroids), axis=-1)


def build(settings: Method, train: EmbeddingSet) -> Classifier:
    """Make the classifier; it has no settings, and nothing is trained."""
    return Classifier(adapt=nearest_centroid)
