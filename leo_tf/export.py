"""A trained model as a SavedModel that needs neither leo_tf nor Keras."""

import os
import shutil
from pathlib import Path

import tensorflow as tf

from data_pipeline.atomic import temporary_path


class _Exported(tf.Module):
    """The functions of a SavedModel, with the variables they use."""

    def __init__(self, model):
        super().__init__()
        self._variables = [variable.value for variable in model.variables]
        dim = model.decoder.dim
        dtype = tf.as_dtype(model.compute_dtype)

        def adapt(support):
            return model(tf.math.l2_normalize(support, axis=-1))

        def classify(weights, query):
            return tf.matmul(tf.math.l2_normalize(query, axis=-1), weights, transpose_b=True)

        support = tf.TensorSpec([None, None, None, dim], dtype, "support")
        weights = tf.TensorSpec([None, None, dim], dtype, "weights")
        query = tf.TensorSpec([None, None, dim], dtype, "query")
        self.adapt = tf.function(adapt, input_signature=[support])
        self.classify = tf.function(classify, input_signature=[weights, query])


def export(model, folder):
    """Write a classifier's `adapt` and `classify` as a SavedModel.

    `adapt(support [tasks, way, shot, dim])` returns classifier weights [tasks, way, dim];
    `classify(weights, query [tasks, n, dim])` returns logits [tasks, n, way]. Both take raw
    embeddings and normalise them; one SavedModel serves any number of tasks, way, shot and
    queries.

    Args:
      model: a `LEOClassifier`.
      folder: where the SavedModel goes; one that is there is replaced by a whole new one.
    """
    exported = _Exported(model)
    save(exported, folder, {"adapt": exported.adapt, "classify": exported.classify})


def save(module, folder, signatures):
    """Write a `tf.Module` as a SavedModel that appears whole or not at all.

    Args:
      module: the module, with its variables and functions.
      folder: where the SavedModel goes; one that is there is replaced by a whole new one.
      signatures: {name: function} of it.
    """
    folder = Path(folder)
    beside = temporary_path(folder)
    try:
        tf.saved_model.save(module, str(beside), signatures=signatures)
        if folder.exists():
            old = temporary_path(folder)
            os.replace(folder, old)
            os.replace(beside, folder)
            shutil.rmtree(old)
        else:
            os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def open_saved_model(folder):
    """Load a SavedModel of LEO, of either kind; it has an `adapt`.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; train a model by python -m leo_tf.run, "
            "which writes <run_dir>/saved_model"
        )
    try:
        loaded = tf.saved_model.load(str(folder))
        loaded.signatures["adapt"].structured_input_signature[1]
    except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError):
        raise ValueError(
            f"{folder}: not a SavedModel of LEO; give the saved_model folder of a run"
        ) from None
    return loaded


def load(folder, dim=None):
    """Load a SavedModel written by `export`.

    Args:
      folder: the SavedModel.
      dim: size of the embeddings it is meant for; None for any.

    Returns:
      An object with the functions `adapt` and `classify`.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel, or of another embedding size.
    """
    loaded = open_saved_model(folder)
    inputs = loaded.signatures["adapt"].structured_input_signature[1]
    if "support" not in inputs:
        raise ValueError(f"{folder}: a regressor; evaluate it on --tasks=FILE.npz")
    size = inputs["support"].shape[-1]
    if dim is not None and size != dim:
        raise ValueError(
            f"{folder}: takes embeddings of size {size}, the data have size {dim}; "
            "evaluate it on the data it was trained on"
        )
    return loaded
