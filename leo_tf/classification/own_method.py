"""A classifier from a user's own file, checked before anything is trained or written."""

import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf import methods
from leo_tf.classification.stream import training_steps
from leo_tf.config import Config
from leo_tf.config.methods import own
from leo_tf.meta.classifier import Classifier

_TASKS, _QUERIES = 2, 3  # of the support set that is tried; neither is any other size


def build(method: own.Own, config: Config, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier of a user's own file, and try it on random embeddings.

    Args:
      method: the file.
      config: a classification by it.
      train: the classes that it is to be trained on.
      sizes: of the episodes that it is to be trained for.

    Raises:
      ValueError: one line that names the file, if a function of it fails, or returns what is no
        classifier, or tensors of other shapes than a classifier's.
    """
    try:
        classifier = methods.build(config.method, config.settings, train, sizes)
    except Exception as error:
        raise own.fault(method.path, "build(settings, train) failed", error) from None
    if not isinstance(classifier, Classifier):
        raise ValueError(
            f"method {method.path}: build must return a leo_tf.meta.classifier.Classifier, not "
            f"{type(classifier).__name__}"
        )
    if config.settings.trained != (classifier.model is not None):
        raise ValueError(
            f"method {method.path}: a Classifier has a model if its Settings is a MetaLearner, and "
            f"none if not; here it {'lacks one' if config.settings.trained else 'has one'}"
        )
    _try(method, classifier, sizes.way, sizes.shot, train.dim)
    if classifier.model is not None:
        _try_loss(method, classifier.model, train, config)
    return classifier


def _try_loss(method, model, train, config):
    """Raise a ValueError, one line, if the loss of the first training step fails."""
    if not hasattr(model, "_trackers"):
        raise ValueError(
            f"method {method.path}: its model must call self.track() in __init__, when all its "
            "variables are there"
        )
    try:
        step = next(iter(training_steps(model, train, config.experiment)))
        loss = model.meta_loss(*model.cast(*step)).loss
    except Exception as error:
        raise own.fault(method.path, "task_loss failed on a training step", error) from None
    if not (tf.is_tensor(loss) and loss.shape.rank == 0):
        raise ValueError(
            f"method {method.path}: task_loss must return a leo_tf.meta.model.MetaLoss whose loss "
            "is a scalar tensor"
        )


def _try(method, classifier, way, shot, dim):
    """Raise a ValueError, one line, if a classifier fails on random embeddings."""
    generator = np.random.default_rng(0)
    support, query = (
        tf.constant(generator.normal(size=size), tf.float32)
        for size in ([_TASKS, way, shot, dim], [_TASKS, _QUERIES, dim])
    )
    try:
        params = classifier.fit(support)
    except Exception as error:
        doing = f"adapt failed on a support set {support.shape.as_list()}"
        raise own.fault(method.path, doing, error) from None
    if classifier.classify is None:
        _check_linear(method, params, way, dim)
        return
    try:
        scores = classifier.score(params, query)
    except Exception as error:
        doing = f"classify failed on queries {query.shape.as_list()}"
        raise own.fault(method.path, doing, error) from None
    _expect(method, "classify", "scores [tasks, queries, way]", scores, [_TASKS, _QUERIES, way])


def _check_linear(method, params, way, dim):
    """Raise a ValueError, one line, if `params` are not those of linear classifiers."""
    weights, *biases = params if isinstance(params, tuple) and len(params) == 2 else (params,)
    what = "weights [tasks, way, dim], since there is no classify, or these and biases"
    _expect(method, "adapt", what, weights, [_TASKS, way, dim])
    for each in biases:
        _expect(method, "adapt", "biases [tasks, way] beside the weights", each, [_TASKS, way])


def _expect(method, function, what, found, shape):
    """Raise a ValueError, one line, if a function did not return floats of a shape."""
    right = tf.is_tensor(found) and found.dtype.is_floating and found.shape == shape
    if not right:
        told = type(found).__name__
        if tf.is_tensor(found):
            told = f"{found.dtype.name} {found.shape.as_list()}"
        raise ValueError(
            f"method {method.path}: {function} must return {what}, here floats {shape}, not {told}"
        )
