"""A trained regressor as a SavedModel that needs neither leo_tf nor Keras."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm

from data_pipeline import console
from leo_tf.regression.evaluation import parts
from leo_tf.regression.model import LEORegressor
from leo_tf.regression.task_files import ARRAYS
from leo_tf.training import saved_model


class _ExportedRegressor(tf.Module):
    """The functions of a SavedModel, with the variables they use."""

    def __init__(self, model: LEORegressor) -> None:
        super().__init__()
        self._variables = [variable.value for variable in model.variables]
        dtype = tf.as_dtype(model.compute_dtype)
        inputs, *_, outputs = model.learner.sizes

        def adapt(support_x, support_y, samples):
            params = model.adapt(support_x, support_y, model.fixed_noise(samples)).params
            return tf.transpose(params, [1, 0, 2])

        def predict(params, x):
            predictions = model.learner.predict(tf.transpose(params, [1, 0, 2]), x)
            return tf.transpose(predictions, [1, 0, 2, 3])

        x = tf.TensorSpec([None, None, inputs], dtype, "x")
        support_x = tf.TensorSpec([None, None, inputs], dtype, "support_x")
        support_y = tf.TensorSpec([None, None, outputs], dtype, "support_y")
        samples = tf.TensorSpec([], tf.int32, "samples")
        params = tf.TensorSpec([None, None, model.decoder.dim], dtype, "params")
        self.adapt = tf.function(adapt, input_signature=[support_x, support_y, samples])
        self.predict = tf.function(predict, input_signature=[params, x])


def export(model: LEORegressor, folder: str | os.PathLike, about: Mapping[str, Any]) -> None:
    """Write a regressor's `adapt` and `predict` as a SavedModel.

    `adapt(support_x [tasks, points, 1], support_y [tasks, points, 1], samples)` returns sampled
    networks, [samples, tasks, 1761]; `predict(params, x [tasks, n, 1])` returns their values,
    [samples, tasks, n, 1]. Any number of tasks, points and samples. The noise is fixed: the k-th
    sample of a task is the same in every call, whatever tasks are beside it.

    Args:
      model: a `LEORegressor`.
      folder: where the SavedModel goes; one that is there is replaced by a whole new one.
      about: what `run_folder.about` will tell of it: the run's configuration.
    """
    exported = _ExportedRegressor(model)
    signatures = {"adapt": exported.adapt, "predict": exported.predict}
    saved_model.save(exported, folder, signatures, about)


def load(folder: str | os.PathLike) -> Any:
    """Load a SavedModel written by `export`; it has the functions `adapt` and `predict`.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no such SavedModel.
    """
    loaded = saved_model.open_saved_model(folder)
    if "predict" not in loaded.signatures:
        raise ValueError(
            f"{folder}: a classifier; evaluate it with --dataset, or give the saved_model of a "
            "regression"
        )
    return loaded


def predict_tasks(loaded: Any, tasks: Mapping[str, np.ndarray], samples: int) -> np.ndarray:
    """Adapt a SavedModel to tasks and predict their queries, a few tasks at a time.

    Args:
      loaded: what `load` returns.
      tasks: {"support_x", "support_y", "query_x"}, float32 arrays [tasks, points, values].
      samples: networks per task.

    Returns:
      float32 array [samples, tasks, queries, outputs].

    Raises:
      ValueError: if the values of a point are not as many as the model takes.
    """
    expected = saved_model.inputs(loaded, "adapt")
    sizes = {name: expected[name].shape[-1] for name in ("support_x", "support_y")}
    for name, size in {**sizes, "query_x": sizes["support_x"]}.items():
        if tasks[name].shape[-1] != size:
            raise ValueError(
                f"{name} has {tasks[name].shape[-1]} values at a point, the model takes {size}"
            )
    dtype = expected["support_x"].dtype.as_numpy_dtype
    count, done = len(tasks["query_x"]), []
    with tqdm.tqdm(total=count, unit="task", disable=not console.shows_progress()) as bar:
        for part in parts(count, samples):
            support_x, support_y, query_x = (tasks[name][part].astype(dtype) for name in ARRAYS)
            params = loaded.adapt(support_x, support_y, samples)
            done.append(loaded.predict(params, query_x).numpy())
            bar.update(len(query_x))
    return np.concatenate(done, axis=1)
