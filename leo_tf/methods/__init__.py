"""Few-shot classifiers, a file each, which import none of each other."""

import importlib

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods import METHODS
from leo_tf.config.methods.meta_learner import Method
from leo_tf.meta.classifier import Classifier


def build(method: str, settings: Method, train: EmbeddingSet) -> Classifier:
    """Make the classifier of a method.

    Args:
      method: a key of METHODS.
      settings: an instance of its settings.
      train: the classes that it is to be trained on.
    """
    module = importlib.import_module(f"leo_tf.methods.{METHODS[method].file}")
    return module.build(settings, train)
