"""The columns of metrics.csv and of TensorBoard, a row for every validation interval.

A column is a metric of the model (`MetaModel.track`), the value of the validation, or one of those
that `IntervalMetrics` adds.
"""

import csv
import os
from pathlib import Path

import keras
import numpy as np

from leo_tf.training.callbacks import Logs
from leo_tf.training.run_folder import RunFolder
from leo_tf.training.run_state import RunState


class IntervalMetrics(keras.callbacks.Callback):
    """Add to the logs what is measured once an interval: the step, and the mean learning rates.

    Args:
      run: the `RunState`, which knows the step.
    """

    def __init__(self, run: RunState) -> None:
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the columns."""
        logs["step"] = self.run.step
        for name in self.model.rate_names:
            logs[name] = float(np.mean(getattr(self.model, name)))


def writers(folder: RunFolder) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write the logs to a run's folder."""
    return [
        keras.callbacks.CSVLogger(str(folder.metrics), append=True),
        keras.callbacks.TensorBoard(str(folder.tensorboard), write_graph=False),
    ]


def drop_rows_after(path: str | os.PathLike, step: int) -> None:
    """Remove the rows of a metrics.csv that lie after a step, and a last one cut short.

    A run killed between writing its metrics and saving itself repeats the steps between.

    Args:
      path: the file; nothing happens if there is none.
      step: the step from which the run resumes.
    """
    path = Path(path)
    if not path.exists():
        return
    with path.open(newline="") as file:
        header, *rows = [*csv.reader(file)] or [[]]
    kept = [r for r in rows if len(r) == len(header) and float(r[header.index("step")]) <= step]
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", newline="") as file:
        csv.writer(file).writerows([header, *kept] if header else [])
    temporary.replace(path)
