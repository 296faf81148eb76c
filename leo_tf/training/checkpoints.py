"""Checkpoints of a run: the latest, to resume from, and the best, to test and export."""

import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf


class CheckpointFolder:
    """A folder of the newest checkpoints of some variables, tolerant of damaged files.

    Args:
      folder: where they are kept.
      state: what is saved, keyword arguments of `tf.train.Checkpoint`.
      keep: how many are kept.
      later: names of the state that checkpoints of earlier versions lack; from such a checkpoint
        they stay what they are.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        state: Mapping[str, Any],
        keep: int = 2,
        later: Collection[str] = (),
    ) -> None:
        self.folder = Path(folder)
        self._state, self._later = state, later
        self._checkpoint = tf.train.Checkpoint(**state)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=keep, checkpoint_name="step"
        )

    def save(self, step: int) -> None:
        """Save the variables as the checkpoint of a step; a kill leaves the older ones whole."""
        self._manager.save(checkpoint_number=step)

    def restore(self) -> int | None:
        """Restore the newest checkpoint that can be read, saying on stderr which cannot.

        Returns:
          Its step, or None if there is no checkpoint.

        Raises:
          ValueError: if there are checkpoints but none can be read.
        """
        found = sorted(
            (int(path.stem.split("-")[1]), path.with_suffix(""))
            for path in self.folder.glob("step-*.index")
        )
        for step, path in reversed(found):
            try:
                self._found_in(path).restore(str(path)).assert_consumed()
            except (tf.errors.OpError, ValueError, AssertionError, IndexError):
                print(
                    f"{path}: checkpoint is damaged, falling back to the one before it",
                    file=sys.stderr,
                )
                continue
            return step
        if found:
            raise ValueError(f"{self.folder}: no checkpoint can be read; delete it to start anew")
        return None

    def _found_in(self, path):
        """Return a `tf.train.Checkpoint` of the state without what an earlier version lacks."""
        saved = {name.split("/")[0] for name, _ in tf.train.list_variables(str(path))}
        missing = [name for name in self._later if name not in saved]
        if not missing:
            return self._checkpoint
        return tf.train.Checkpoint(**{n: v for n, v in self._state.items() if n not in missing})
