"""A trained classifier as a SavedModel that needs neither leo_tf nor Keras."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from data_pipeline.normalisation import normalise
from leo_tf.meta.classifier import Classifier, linear_scores
from leo_tf.training import saved_model

LINEAR = ("weights", "biases")  # what the params of linear classifiers are called in a SavedModel


class _Exported(tf.Module):
    """The functions of a SavedModel, with the variables they use."""

    def __init__(self, classifier: Classifier, dim: int) -> None:
        super().__init__()
        model = classifier.model
        dtype = tf.float32 if model is None else tf.as_dtype(model.compute_dtype)

        def adapt(support):
            return classifier.adapt(normalise(support))

        def classify_linear(weights, query):
            return linear_scores(weights, normalise(query))

        def classify(params, query):
            return classifier.classify(params, normalise(query))

        support = tf.TensorSpec([None, None, None, dim], dtype, "support")
        query = tf.TensorSpec([None, None, dim], dtype, "query")
        self.adapt = tf.function(adapt, input_signature=[support])
        params = self.adapt.get_concrete_function().structured_outputs
        params = _named(params, LINEAR if classifier.classify is None else None)
        classify = classify_linear if classifier.classify is None else classify
        self.classify = tf.function(classify, input_signature=[params, query])
        functions = [each.get_concrete_function() for each in (self.adapt, self.classify)]
        self._variables = [variable for each in functions for variable in each.variables]

    def flat(self):
        """The same functions with tensors one by one, as signatures take and return them."""
        params, query = self.classify.input_signature

        def adapt(support):
            return tf.nest.flatten(self.adapt(support))

        def classify(*tensors):
            return self.classify(tf.nest.pack_sequence_as(params, tensors[:-1]), tensors[-1])

        specs = [*tf.nest.flatten(params), query]
        return {
            "adapt": tf.function(adapt, input_signature=self.adapt.input_signature),
            "classify": tf.function(classify, input_signature=specs),
        }


def _named(params, names):
    """Return the specs of params, each with a name of its own."""
    flat = tf.nest.flatten(params)
    names = names or [f"params_{i}" for i in range(len(flat))]
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(flat, names, strict=False)
    ]
    return tf.nest.pack_sequence_as(params, specs)


def export(
    classifier: Classifier, dim: int, folder: str | os.PathLike, about: Mapping[str, Any]
) -> None:
    """Write a classifier's `adapt` and `classify` as a SavedModel.

    `adapt(support [tasks, way, shot, dim])` returns what the method fits to it: for LEO the weights
    of a linear classifier, [tasks, way, dim]; `classify(that, query [tasks, n, dim])` returns
    scores [tasks, n, way]. Both take raw embeddings and normalise them; one SavedModel serves any
    number of tasks, way, shot and queries.

    Args:
      classifier: what to write.
      dim: size of an embedding.
      folder: where the SavedModel goes; one that is there is replaced by a whole new one.
      about: what `saved_model.about` will tell of it: the run's configuration.
    """
    exported = _Exported(classifier, dim)
    saved_model.save(exported, folder, exported.flat(), about)


def load(folder: str | os.PathLike, dim: int | None = None) -> Classifier:
    """Load a SavedModel written by `export`.

    Args:
      folder: the SavedModel.
      dim: size of the embeddings it is meant for; None for any.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel, or of another embedding size.
    """
    loaded = saved_model.open_saved_model(folder)
    takes = saved_model.inputs(loaded, "adapt")
    if "support" not in takes:
        raise ValueError(f"{folder}: a regressor; evaluate it on --tasks=FILE.npz")
    size = takes["support"].shape[-1]
    if dim is not None and size != dim:
        raise ValueError(
            f"{folder}: takes embeddings of size {size}, the data have size {dim}; "
            "evaluate it on the data it was trained on"
        )
    params = saved_model.inputs(loaded, "classify").keys() - {"query"}
    linear = params <= set(LINEAR)

    # Its variables live as long as `loaded` does, which these keep.
    def adapt(support):
        return loaded.adapt(support)

    def classify(params, query):
        return loaded.classify(params, query)

    return Classifier(adapt, None if linear else classify)
