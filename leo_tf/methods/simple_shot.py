"""SimpleShot (Wang et al. 2019, arXiv 1911.04623): centre, normalise, take the nearest centroid.

The paper's CL2N: from an embedding the mean of the base classes' images is subtracted, and the
difference is divided by its length. A class is the mean of its transformed support, which is not
normalised again, and a query goes to the class at the smallest Euclidean distance.

The mean is that of all images of the training set, raw, as the paper has it, and not of its
classes' means. Nothing is trained.
"""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.simple_shot import SimpleShotSettings
from leo_tf.meta.centroids import nearest_centroid
from leo_tf.meta.classifier import Classifier


def build(settings: SimpleShotSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier; it has no settings, and keeps the training set's mean."""
    return Classifier(adapt=nearest_centroid, mean=tf.constant(train.mean(), tf.float32))
