"""Where a training of a backbone is: a file that it goes on from after a kill."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from data_pipeline import atomic

SAVE_EVERY = 600.0  # seconds
_TRAINING = "training"


class TrainingState:
    """The variables of a network and of its optimizer, in a file.

    Args:
      path: of the file.
      training: what says which training it is; the file of another is passed over, and replaced.
    """

    def __init__(self, path: str | os.PathLike, training: str) -> None:
        self.path, self.training = Path(path), training

    def save(self, network: keras.Model) -> None:
        """Write the state, whole or not at all."""
        with atomic.writer(self.path) as file:
            arrays = {str(i): each.numpy() for i, each in enumerate(_variables(network))}
            np.savez(file, allow_pickle=False, **{**arrays, _TRAINING: np.array(self.training)})

    def restore(self, network: keras.Model) -> int:
        """Read the state into a compiled network; returns the step to go on from, or 0.

        Raises:
          ValueError: the file is damaged.
        """
        if not self.path.is_file():
            return 0
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                if str(archive[_TRAINING]) != self.training:
                    return 0
                for i, variable in enumerate(_variables(network)):
                    variable.assign(archive[str(i)])
        except Exception:  # of zipfile, zlib, NumPy or Keras
            raise ValueError(
                f"{self.path}: is damaged; delete it to train from the beginning"
            ) from None
        return int(network.optimizer.iterations)


class KeepState(keras.callbacks.Callback):
    """Save a training at the end of each epoch, and within long ones; stop one that diverges.

    Raises a ValueError where the loss is not finite: what is saved is from before.
    """

    def __init__(self, state: TrainingState | None) -> None:
        super().__init__()
        self._state, self._saved = state, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        """Save, if that was long ago."""
        if self._state and time.monotonic() - self._saved > SAVE_EVERY:
            self._keep(logs)

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Save."""
        self._keep(logs)

    def _keep(self, logs):
        if not np.isfinite(logs["loss"]):
            raise ValueError(
                f"training diverged: the loss is {logs['loss']} at step "
                f"{int(self.model.optimizer.iterations)}; lower the learning rate"
            )
        if self._state:
            self._state.save(self.model)
            self._saved = time.monotonic()


def _variables(network):
    """Return all that a step changes."""
    return [*network.variables, *network.optimizer.variables]
