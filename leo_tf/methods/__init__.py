"""Few-shot classifiers, a file each, which import none of each other."""

import importlib
import inspect
from typing import TYPE_CHECKING

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods import METHODS, own
from leo_tf.config.methods.meta_learner import Method

if TYPE_CHECKING:  # since `python -m leo_tf.methods --help` needs no TensorFlow
    from leo_tf.meta.classifier import Classifier


def build(
    method: str, settings: Method, train: EmbeddingSet, sizes: EpisodeSizes | None = None
) -> "Classifier":
    """Make the classifier of a method.

    Args:
      method: a key of METHODS, or the name of a user's own file.
      settings: an instance of its settings.
      train: the classes that it is to be trained on.
      sizes: of the episodes that it is to be trained for, for a method whose `build` takes them,
        since it serves these alone or scores as many queries together.

    Raises:
      ValueError: one line, if it is the user's own, and its file has not been executed.
    """
    if source := own.of(settings):
        builder = source.build
    elif method in METHODS:
        builder = importlib.import_module(f"leo_tf.methods.{METHODS[method].file}").build
    else:
        raise ValueError(
            f"{method}: a method of your own is executed only where --method={method} names it; "
            "end its run by the command that began it"
        )
    more = {"sizes": sizes} if "sizes" in inspect.signature(builder).parameters else {}
    return builder(settings, train, **more)
