"""A trained classifier as a SavedModel that needs neither leo_tf nor Keras."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config import Config
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.presence import all_present, of_ragged
from leo_tf.meta.raw_support import takes_present
from leo_tf.training import saved_model
from leo_tf.training.run_folder import RunFolder

LINEAR = ("weights", "biases")  # what the params of linear classifiers are called in a SavedModel


class _Exported(tf.Module):
    """The functions of a SavedModel, with the variables they use."""

    def __init__(self, classifier: Classifier, dim: int) -> None:
        super().__init__()
        model = classifier.model
        dtype = tf.float32 if model is None else tf.as_dtype(model.compute_dtype)
        self.dim = dim
        self.mean = None if classifier.mean is None else tf.Variable(classifier.mean)
        self.together, self.serves = _kept(classifier.together), _kept(classifier.serves)
        classifier = dataclasses.replace(classifier, mean=self.mean)
        self._support = tf.TensorSpec([None, None, None, dim], dtype, "support")
        self._present = tf.TensorSpec([None, None, None], tf.bool, "present")
        self._plain = tf.function(classifier.fit, input_signature=[self._support])
        self._masked = None
        if takes_present(classifier.adapt):
            self._masked = tf.function(
                classifier.fit, input_signature=[self._support, self._present]
            )
        self.adapt = tf.function(self._adapt, autograph=False)
        for specs in self._specs():
            self.adapt.get_concrete_function(*specs)
        params = self._plain.get_concrete_function().structured_outputs
        params = _named(params, LINEAR if classifier.classify is None else None)
        query = tf.TensorSpec([None, None, dim], dtype, "query")
        if classifier.classify is None:

            def classify(weights, query):
                return classifier.score(weights, query)

        else:

            def classify(params, query):
                return classifier.score(params, query)

        self.classify = tf.function(classify, input_signature=[params, query])
        functions = [each.get_concrete_function() for each in (self._plain, self.classify)]
        self._variables = [variable for each in functions for variable in each.variables]

    def _adapt(self, support, present=None):
        """Adapt to a support set of any of the types in `_specs`."""
        if isinstance(support, tf.RaggedTensor):
            support, present = of_ragged(support, self.dim)
            if self._masked is None:
                support, present = all_present(support, present), None
        support = tf.ensure_shape(tf.cast(support, self._support.dtype), self._support.shape)
        if present is None:
            return self._plain(support)
        present = tf.ensure_shape(tf.cast(present, tf.bool), self._present.shape)
        return self._masked(support, present)

    def _specs(self):
        """What `adapt` takes once it is loaded: then, only lists and arrays are converted.

        Tensors are of any shape here: `_adapt` tells a wrong one in a line, the loader in a page.
        """
        shape, dtype = self._support.shape, self._support.dtype
        for floats in {tf.float32, tf.float64, dtype}:
            support = tf.TensorSpec(None, floats, "support")
            yield (support,)
            if self._masked is not None:
                masks = (tf.bool, tf.int32, tf.int64) if floats == dtype else (tf.bool,)
                yield from ((support, tf.TensorSpec(None, mask, "present")) for mask in masks)
        yield (tf.RaggedTensorSpec(shape, dtype, ragged_rank=2),)
        yield (tf.RaggedTensorSpec([None] * 4, dtype, ragged_rank=3),)

    def flat(self):
        """The same functions with tensors one by one, as signatures take and return them."""
        params, query = self.classify.input_signature
        support = self._support, self._present

        def adapt(*tensors):
            return tf.nest.flatten(self._adapt(*tensors))

        def classify(*tensors):
            return self.classify(tf.nest.pack_sequence_as(params, tensors[:-1]), tensors[-1])

        specs = [*tf.nest.flatten(params), query]
        functions = {
            "adapt": tf.function(adapt, support[:1], autograph=False),
            "classify": tf.function(classify, input_signature=specs),
        }
        if self._masked is not None:
            functions["adapt_present"] = tf.function(adapt, support, autograph=False)
        return functions


def _kept(numbers):
    """What keeps whole numbers in a SavedModel, or None."""
    return None if numbers is None else tf.Variable(numbers, trainable=False, dtype=tf.int32)


def _recovered(loaded, name):
    """The numbers that `_kept` kept, or None."""
    found = getattr(loaded, name, None)
    return None if found is None else found.numpy().tolist()


def _named(params, names):
    """Return the specs of params, each with a name of its own."""
    flat = tf.nest.flatten(params)
    names = names or [f"params_{i}" for i in range(len(flat))]
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(flat, names, strict=False)
    ]
    return tf.nest.pack_sequence_as(params, specs)


def about(
    config: Config,
    folder: RunFolder,
    train: EmbeddingSet,
    calibration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a run's SavedModel tells of itself.

    That is the configuration, what tells the run from others, `backbone` (of the data's card, None
    where it has none) and `temperature` (None where it was not calibrated).

    Args:
      config, folder: the run's.
      train: what it was trained on.
      calibration: what `calibration.of_run` found.
    """
    temperature = (calibration or {}).get("temperature")
    beside = {"backbone": train.backbone, "temperature": temperature}
    return {**config.flat(), **folder.origin(), **beside}


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
      about: what `run_folder.about` will tell of it, see `about`.
    """
    exported = _Exported(classifier, dim)
    saved_model.save(exported, folder, exported.flat(), about)


def params_of(loaded: Any) -> list[str]:
    """Return what a loaded SavedModel calls what `adapt` returns, in the order of that."""
    names = saved_model.inputs(loaded, "classify").keys() - {"query"}
    if names <= set(LINEAR):
        return [name for name in LINEAR if name in names]
    return sorted(names, key=lambda name: int(name.rpartition("_")[2]))


def give_variables(loaded: Any, model: keras.Model) -> None:
    """Give a model the variables of the SavedModel that it, or one like it, was exported as.

    Args:
      loaded: what `open_saved_model` returned.
      model: of the same method, settings and embedding size.

    Raises:
      ValueError: one line that names a variable which the SavedModel lacks.
    """
    found = {each.name: each for each in getattr(loaded, "_variables", ())}
    for variable in model.variables:
        # A model's own name may be counted up, from one model to the next of a process.
        name = variable.value.name.removeprefix(f"{model.name}/")
        fits = [each for key, each in found.items() if f"/{key}".endswith(f"/{name}")]
        if len(fits) != 1 or fits[0].shape != variable.shape:
            raise ValueError(
                f"the SavedModel has no variable {name} {list(variable.shape)} of a "
                f"{type(model).__name__}; export it again"
            )
        variable.assign(fits[0])


def load(folder: str | os.PathLike, dim: int | None = None) -> Classifier:
    """Load a SavedModel written by `export`.

    Args:
      folder: the SavedModel.
      dim: size of the embeddings it is meant for; None for any.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel, or of another embedding size.
    """
    return loaded_classifier(saved_model.open_saved_model(folder), folder, dim)


def loaded_classifier(loaded: Any, folder: str | os.PathLike, dim: int | None = None) -> Classifier:
    """Return what `load` does, given what `open_saved_model` returned.

    Raises:
      ValueError: see `load`.
    """
    takes = saved_model.inputs(loaded, "adapt")
    if "support" not in takes:
        raise ValueError(f"{folder}: a regressor; evaluate it on --tasks=FILE.npz")
    size = takes["support"].shape[-1]
    if dim is not None and size != dim:
        raise ValueError(
            f"{folder}: takes embeddings of size {size}, the data have size {dim}; "
            "evaluate it on the data it was trained on"
        )
    linear = set(params_of(loaded)) <= set(LINEAR)

    # Its variables live as long as `loaded` does, which these keep.
    def adapt(support):
        return loaded.adapt(support)

    def adapt_present(support, present=None):
        return loaded.adapt(support) if present is None else loaded.adapt(support, present)

    dtype = takes["support"].dtype
    serves = _recovered(loaded, "serves")

    def classify(params, query):
        return loaded.classify(params, tf.cast(query, dtype))

    return Classifier(
        adapt_present if "adapt_present" in loaded.signatures else adapt,
        None if linear else classify,
        mean=getattr(loaded, "mean", None),
        together=_recovered(loaded, "together"),
        serves=serves and tuple(serves),
        raw=True,
    )
