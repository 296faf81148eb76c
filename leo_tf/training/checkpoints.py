"""Checkpoints of a run: the latest, to resume from, and the best, to test and export."""

import contextlib
import os
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from data_pipeline.plain_path import PlainPath
from leo_tf.training.run_folder import steps_in
from leo_tf.training.tensorflow_files import written

LIST = "checkpoint"  # names the checkpoints that are there, the last saved at the end
_LISTED = re.compile(r'^all_model_checkpoint_paths: "([^"]*)"$', re.MULTILINE)
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
        self._plain = PlainPath(self.folder)

    def save(self, step: int) -> None:
        """Save the variables as the checkpoint of a step; a kill leaves the older ones whole.

        Raises:
          OSError: it cannot be written; the older ones stay.
        """
        with written(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._checkpoint.save_counter.assign_add(1)
            self._checkpoint.write(f"{self._plain}/step-{step}")
            order = [name for name in self._order() if name != f"step-{step}"]
            self._leave([*order, f"step-{step}"])

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
                plain = f"{self._plain}/step-{step}"
                theirs = dict(tf.train.list_variables(plain))
                self._check_shapes(path, theirs)
                self._found_in(theirs).restore(plain).assert_consumed()
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

    def _found_in(self, theirs):
        """Return a `tf.train.Checkpoint` of the state without what an earlier version lacks."""
        saved = {name.split("/")[0] for name in theirs}
        missing = [name for name in self._later if name not in saved]
        if not missing:
            return self._checkpoint
        return tf.train.Checkpoint(**{n: v for n, v in self._state.items() if n not in missing})

    def forget(self, step: int) -> None:
        """Remove the checkpoint of a step, if there is one."""
        self._remove(f"step-{step}")
        self._leave(self._order())

    def _order(self):
        """Return the names of the checkpoints that are there, the last saved at the end.

        By the list beside them, not by times: clocks are set.
        """
        there = [f"step-{step}" for step in steps_in(self.folder)]
        with contextlib.suppress(OSError, ValueError):
            told = _LISTED.findall((self.folder / LIST).read_text(encoding="utf-8"))
            names = list(dict.fromkeys(Path(path).name for path in told))
            return [n for n in there if n not in names] + [n for n in names if n in there]
        return there

    def _leave(self, names):
        """Have the last of some checkpoints be there, and listed; remove the others.

        The list, which is TensorFlow's, comes before the removal: a kill between leaves one more.
        It is but a hint, so that it need not reach the disk before training goes on.
        """
        left = names[-self._keep :]
        lines = [f'model_checkpoint_path: "{name}"' for name in left[-1:]]
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in left]
        new = self.folder / f"{LIST}.partial"  # one that a kill left is written over
        new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(new, self.folder / LIST)
        for name in names[: -self._keep]:
            self._remove(name)

    def _remove(self, name):
        """Remove a checkpoint; TensorFlow itself takes the folder's name for a pattern, and one
        with brackets or stars in it is that of other folders, too."""
        for path in sorted(self.folder.glob(f"{name}.*"), reverse=True):  # the index first
            path.unlink()

    def _check_shapes(self, path, theirs):
        """Raise a ForeignCheckpointError if a checkpoint's variables are not those of the state."""
        ours = {}
        for name, value in self._state.items():
            listed = value if isinstance(value, list) else []
            of_name = {f"{name}/{i}": each for i, each in enumerate(listed)} or {name: value}
            ours |= {key + VALUE: list(each.shape) for key, each in of_name.items()}
        theirs = {key: shape for key, shape in theirs.items() if key not in OWN}
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
    reader = _reader(path)
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
    return _reader(path).get_tensor(name + VALUE)


def _reader(path):
    """Return what reads a checkpoint, whatever its folder is called."""
    plain = PlainPath(Path(path).parent)
    return tf.train.load_checkpoint(f"{plain}/{Path(path).name}")
