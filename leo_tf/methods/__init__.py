"""Few-shot classifiers, a file each, which import none of each other."""

import importlib
import inspect

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods import METHODS
from leo_tf.config.methods.meta_learner import Method
from leo_tf.meta.classifier import Classifier


def build(
    method: str, settings: Method, train: EmbeddingSet, sizes: EpisodeSizes | None = None
) -> Classifier:
    """Make the classifier of a method.

    Args:
      method: a key of METHODS.
      settings: an instance of its settings.
      train: the classes that it is to be trained on.
      sizes: of the episodes that it is to be trained for; a method whose `build` takes `sizes`
        serves these alone.
    """
    module = importlib.import_module(f"leo_tf.methods.{METHODS[method].file}")
    more = {"sizes": sizes} if "sizes" in inspect.signature(module.build).parameters else {}
    return module.build(settings, train, **more)
