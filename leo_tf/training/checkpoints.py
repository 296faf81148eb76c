"""Checkpoints of a run: the latest, to resume from, and the best, to test and export."""

import os
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from leo_tf.training.run_folder import steps_in

DAMAGE = (tf.errors.OpError, ValueError, AssertionError, IndexError)  # what reading it raises
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
OWN = ("save_counter" + VALUE, "_CHECKPOINTABLE_OBJECT_GRAPH")  # what TensorFlow adds


class ForeignCheckpointError(ValueError):
    """A sound checkpoint of another run, or of another model."""


class CheckpointFolder:
    """A folder of the newest checkpoints of some variables, tolerant of damaged files.

    Args:
      folder: where they are kept.
      state: what is saved: {name: variable, or list of variables}.
      keep: how many are kept.
      later: names of the state that checkpoints of earlier versions lack; from such a checkpoint
        they stay what they are.
      mark: what the checkpoints bear, and must bear; None of runs whose checkpoints bear nothing.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        state: Mapping[str, Any],
        keep: int = 2,
        later: Collection[str] = (),
        mark: str | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._keep = keep
        self._mark = mark
        self._later = later
        self._state = dict(state) if mark is None else {**state, "mark": tf.Variable(mark)}
        self._checkpoint = tf.train.Checkpoint(**self._state)
        self._manager = self._new_manager()

    def save(self, step: int) -> None:
        """Save the variables as the checkpoint of a step; a kill leaves the older ones whole."""
        self._manager.save(checkpoint_number=step)

    def restore(self, last: int | None = None) -> int | None:
        """Restore the newest checkpoint that can be read, saying on stderr which cannot.

        Args:
          last: step of the newest that may be; None for any.

        Returns:
          Its step, or None if there is no checkpoint.

        Raises:
          ForeignCheckpointError: it is of another run, or of another model.
          ValueError: if there are checkpoints but none can be read.
        """
        found = [step for step in steps_in(self.folder) if last is None or step <= last]
        for step in reversed(found):
            path = self.folder / f"step-{step}"
            try:
                check_mark(path, self._mark)
                self._check_shapes(path)
                self._found_in(path).restore(str(path)).assert_consumed()
            except ForeignCheckpointError:
                raise
            except DAMAGE:
                print(
                    f"{path}: checkpoint is damaged, falling back to the one before it",
                    file=sys.stderr,
                )
                continue
            return step
        if found:
            raise ValueError(
                f"{self.folder}: no checkpoint can be read; put back what was there, or start "
                "anew in another --run_dir"
            )
        return None

    def _found_in(self, path):
        """Return a `tf.train.Checkpoint` of the state without what an earlier version lacks."""
        saved = {name.split("/")[0] for name, _ in tf.train.list_variables(str(path))}
        missing = [name for name in self._later if name not in saved]
        if not missing:
            return self._checkpoint
        return tf.train.Checkpoint(**{n: v for n, v in self._state.items() if n not in missing})

    def forget(self, step: int) -> None:
        """Remove the checkpoint of a step, if there is one."""
        for path in sorted(self.folder.glob(f"step-{step}.*"), reverse=True):  # the index first
            path.unlink()
        left = [f"step-{each}" for each in steps_in(self.folder)]
        if left:
            tf.compat.v1.train.update_checkpoint_state(
                str(self.folder),
                left[-1],
                left,
                all_model_checkpoint_timestamps=[time.time()] * len(left),
                last_preserved_timestamp=0.0,
            )
        else:
            (self.folder / "checkpoint").unlink(missing_ok=True)
        self._manager = self._new_manager()

    def _new_manager(self):
        return tf.train.CheckpointManager(
            self._checkpoint,
            str(self.folder),
            max_to_keep=self._keep,
            checkpoint_name="step",
        )

    def _check_shapes(self, path):
        """Raise a ForeignCheckpointError if a checkpoint's variables are not those of the state."""
        ours = {}
        for name, value in self._state.items():
            listed = value if isinstance(value, list) else []
            of_name = {f"{name}/{i}": each for i, each in enumerate(listed)} or {name: value}
            ours |= {key + VALUE: list(each.shape) for key, each in of_name.items()}
        theirs = {key: shape for key, shape in tf.train.list_variables(str(path)) if key not in OWN}
        for key in sorted({**ours, **theirs}):
            name = key.removesuffix(VALUE)
            absent = key not in theirs and name.split("/")[0] in self._later
            if ours.get(key) != theirs.get(key) and not absent:
                raise ForeignCheckpointError(
                    f"{path}: is sound, but of another model: {name} is {theirs.get(key)} there "
                    f"and {ours.get(key)} here; choose another --run_dir"
                )


def check_mark(path: str | os.PathLike, mark: str | None) -> None:
    """Raise a ForeignCheckpointError if a checkpoint does not bear the mark of its run.

    Args:
      path: the checkpoint, `<folder>/step-<n>`.
      mark: None for a run whose checkpoints bear none.

    Raises:
      tf.errors.OpError, ValueError: it cannot be read.
    """
    reader = tf.train.load_checkpoint(str(path))
    theirs = (
        reader.get_tensor("mark" + VALUE).decode() if reader.has_tensor("mark" + VALUE) else None
    )
    if theirs != mark:
        raise ForeignCheckpointError(
            f"{path}: is sound, but of another run than this folder; put back this run's own, or "
            "choose another --run_dir"
        )


def value_in(path: str | os.PathLike, name: str) -> Any:
    """Return the value of a variable in a checkpoint."""
    return tf.train.load_checkpoint(str(path)).get_tensor(name + VALUE)
