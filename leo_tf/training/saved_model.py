"""SavedModels that appear whole or not at all, and say what they are."""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from data_pipeline import paths
from data_pipeline.atomic import temporary_path
from data_pipeline.plain_path import PlainPath
from leo_tf.training.run_folder import ABOUT, check_saved_model, write_json
from leo_tf.training.tensorflow_files import written


def save(
    module: tf.Module,
    folder: str | os.PathLike,
    signatures: Mapping[str, Callable],
    about: Mapping[str, Any],
) -> None:
    """Write a `tf.Module` as a SavedModel that appears whole or not at all.

    Args:
      module: the module, with its variables and functions.
      folder: where the SavedModel goes; one that is there is replaced by a whole new one.
      signatures: {name: function} of it.
      about: what `about` will tell of it.
    """
    folder = paths.expand(folder)
    beside = temporary_path(folder)
    try:
        with written(folder):
            plain = PlainPath(beside)
            tf.saved_model.save(module, str(plain), signatures=dict(signatures))
        (beside / ABOUT).parent.mkdir()
        write_json(beside / ABOUT, about)
        if folder.exists():
            old = temporary_path(folder)
            os.replace(folder, old)
            os.replace(beside, folder)
            shutil.rmtree(old)
        else:
            os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def open_saved_model(folder: str | os.PathLike) -> Any:
    """Load a SavedModel of either experiment; it has an `adapt`.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel.
    """
    check_saved_model(folder)
    plain = PlainPath(paths.expand(folder))
    try:
        loaded = tf.saved_model.load(str(plain))
        inputs(loaded, "adapt")
    except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError):
        raise ValueError(
            f"{folder}: not a SavedModel of LEO; give the saved_model folder of a run"
        ) from None
    return loaded


def inputs(loaded: Any, signature: str) -> dict[str, tf.TensorSpec]:
    """Return the inputs of a function of a loaded SavedModel, {name: spec}."""
    return loaded.signatures[signature].structured_input_signature[1]
