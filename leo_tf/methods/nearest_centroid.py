"""The nearest class mean of the support: what the embeddings reach without any training."""

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.meta_learner import Method
from leo_tf.meta.centroids import nearest_centroid
from leo_tf.meta.classifier import Classifier


def build(settings: Method, train: EmbeddingSet) -> Classifier:
    """Make the classifier; it has no settings, and nothing is trained."""
    return Classifier(adapt=nearest_centroid)
