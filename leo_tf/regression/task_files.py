"""Files of regression tasks to predict, and of predictions: NumPy archives."""

import os
from collections.abc import Mapping

import numpy as np

from data_pipeline import atomic, paths
from data_pipeline.function_files import check_array, read_arrays

ARRAYS = ("support_x", "support_y", "query_x")


def read_tasks(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read tasks from an .npz file.

    Args:
      path: the file; it holds support_x and support_y [tasks, points, values], and query_x
        [tasks, n, values].

    Returns:
      {name: float32 array}.

    Raises:
      FileNotFoundError, ValueError: one line that names the file and what is wrong with it.
    """
    arrays = read_arrays(path, ARRAYS)
    try:
        return check_tasks(arrays)
    except ValueError as error:
        raise ValueError(f"{paths.expand(path)}: {error}") from None


def check_tasks(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Check arrays of tasks and return them as float32; ValueError if they do not fit."""
    checked = {
        name: check_array(name, array, "[tasks, points, values]") for name, array in arrays.items()
    }
    shapes = {name: array.shape for name, array in checked.items()}
    if shapes["support_x"][:2] != shapes["support_y"][:2]:
        raise ValueError(
            f"support_x {shapes['support_x']} and support_y {shapes['support_y']} must agree in "
            "tasks and points"
        )
    if shapes["query_x"][0] != shapes["support_x"][0]:
        raise ValueError(
            f"query_x has {shapes['query_x'][0]} tasks, support_x {shapes['support_x'][0]}"
        )
    return checked


def write_predictions(path: str | os.PathLike, predictions: np.ndarray) -> str:
    """Write predictions [samples, tasks, n, values] as the array `predictions` of an .npz file.

    Returns:
      What was written, for people.
    """
    with atomic.writer(paths.expand(path)) as file:
        np.savez_compressed(file, predictions=predictions)
    samples, tasks, points, _ = predictions.shape
    text = f"{path}: {samples} samples of {tasks} tasks at {points} points each"
    not_finite = int((~np.isfinite(predictions).all(axis=(0, 2, 3))).sum())
    return f"{text}; {not_finite} of {tasks} tasks not finite" if not_finite else text
