"""The columns of metrics.csv and of TensorBoard, a row for every validation interval.

A column is a metric of the model (`MetaModel.track`), the value of the validation, or one of those
that `IntervalMetrics` adds. runs/README.md lists them, with their units.
"""

import csv
import math
import os
from pathlib import Path

import keras
import numpy as np

from data_pipeline.atomic import naming
from data_pipeline.plain_path import PlainPath
from leo_tf.training.callbacks import Logs
from leo_tf.training.metrics_rows import NAN_GUARD, read_rows, write_rows
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
        logs[NAN_GUARD] = int(logs[NAN_GUARD])
        self.run.count_guarded(logs[NAN_GUARD])
        for name in self.model.rate_names:
            rates = np.asarray(getattr(self.model, name), np.float64)
            logs[name] = float(rates.mean()) if np.isfinite(rates).all() else math.nan


def writers(folder: RunFolder) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write the logs to a run's folder."""
    plain = PlainPath(folder.tensorboard)
    board = keras.callbacks.TensorBoard(str(plain), write_graph=False)
    board.plain = plain  # lasts as long
    return [MetricsFile(folder.metrics), board]


class MetricsFile(keras.callbacks.Callback):
    """Append the logs of every epoch to a metrics.csv, each under its name.

    What an epoch does not have is left empty, and a new column goes to the end; Keras' own callback
    takes the columns of the file for those of its first epoch.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__()
        self.path = Path(path)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Add a row of what was measured before the first step, if anything was."""
        if logs:
            self._add(None, {**logs, NAN_GUARD: 0})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add a row."""
        self._add(epoch, logs)

    def _add(self, epoch, logs):
        row = {name: logs[name] for name in sorted(logs)}
        row = {n: value if isinstance(value, int) else float(value) for n, value in row.items()}
        row = {"epoch": epoch, **row}
        header, rows = read_rows(self.path)
        if new := [name for name in row if name not in header]:
            header = [*header, *new]
            write_rows(self.path, header, [r + [""] * (len(header) - len(r)) for r in rows])
        with naming(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([row.get(name, "") for name in header])
