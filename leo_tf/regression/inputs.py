"""What a regression trains and tests on where it is not drawn, read and checked; no TensorFlow."""

import os
from typing import NamedTuple

from data_pipeline import paths
from data_pipeline.datasets import DATA_PATH, SPLITS, check_names
from data_pipeline.function_files import SHAPE, Functions, read_functions, split_file
from leo_tf.config import Config
from leo_tf.config.experiments import Regression


class FunctionSplits(NamedTuple):
    """The functions of a run."""

    train: Functions
    val: Functions
    test: Functions

    def digests(self) -> dict[str, str]:
        """Return {split: what tells its functions from any others}."""
        return {name: split.digest() for name, split in self._asdict().items()}


def check_there(experiment: Regression, data_path: str | os.PathLike) -> None:
    """Check that there is a folder to read from, if there must be one.

    Raises:
      FileNotFoundError, ValueError: one line about the data set that is asked for.
    """
    if experiment.is_drawn:
        return
    check_names(experiment.dataset, "center")
    folder = paths.expand(data_path) / experiment.dataset
    if not folder.is_dir():
        files = ", ".join(split_file(folder, split).name for split in SPLITS)
        raise FileNotFoundError(
            f"no folder {folder.resolve()} of functions; make it, with {files}, each with x and y "
            f"{SHAPE}, or give --data_path"
        )


def load(config: Config, data_path: str | os.PathLike | None = None) -> FunctionSplits | None:
    """Read the functions that a run trains and tests on; None if they are drawn.

    Args:
      config: a regression.
      data_path: folder of data sets.

    Raises:
      FileNotFoundError, ValueError: one line that names the file, the value and the remedy.
    """
    experiment = config.experiment
    if experiment.is_drawn:
        return None
    data_path = DATA_PATH if data_path is None else data_path
    check_there(experiment, data_path)
    folder = paths.expand(data_path) / experiment.dataset
    return FunctionSplits(
        *(read_functions(split_file(folder, split), experiment.points) for split in SPLITS)
    )
