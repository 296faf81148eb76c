"""What resumes of a run, and what is best of it."""

import math

import numpy as np
import tensorflow as tf

from leo_tf.meta.model import MetaModel
from leo_tf.training.checkpoints import CheckpointFolder
from leo_tf.training.run_folder import RunFolder


class RunState:
    """Variables of a run in training, saved to and restored from its folder.

    Args:
      folder: the model's folder.
      model: a built `MetaModel`, compiled with a built optimizer.
      choose_best: whether the best model by meta-validation is the run's result; otherwise
        the last one is.
      interval: steps from one validation to the next; only the last step of a run is validated
        between.
    """

    def __init__(
        self, folder: RunFolder, model: MetaModel, choose_best: bool = True, interval: int = 1
    ) -> None:
        self.folder = folder
        self.choose_best = choose_best
        self._model = model
        self._interval = interval
        self._best_score = tf.Variable(-math.inf, dtype=tf.float64)
        self._best_step = tf.Variable(0, dtype=tf.int64)
        self._timing = tf.Variable([0.0, 0.0], dtype=tf.float64)  # steps, seconds
        # Steps in which the NaN guard acted, and the first step of a loss that was not finite.
        self._not_finite = tf.Variable([0, 0], dtype=tf.int64)
        best = {"best_score": self._best_score, "best_step": self._best_step}
        weights = {"model": [v.value for v in model.trainable_variables], **best}
        if others := [v.value for v in model.non_trainable_variables]:
            weights["not_trained"] = others
        optimizer = [v.value for v in model.optimizer.variables]
        everything = {**weights, "optimizer": optimizer, "timing": self._timing}
        everything["not_finite"] = self._not_finite
        mark = folder.identity
        # Score and step of the best model whatever the number of steps: what a longer run has.
        self._before = tf.Variable([-math.inf, 0.0], dtype=tf.float64)
        if mark is not None:
            everything["before"] = self._before
        self._latest = CheckpointFolder(
            folder.checkpoints, everything, later=("not_finite",), mark=mark
        )
        self._best = CheckpointFolder(folder.best, weights, mark=mark)

    @property
    def has_begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return bool(self.folder.steps_saved())

    @property
    def step(self) -> int:
        """Number of outer steps taken."""
        return int(self._model.optimizer.iterations.numpy())

    @property
    def has_best(self) -> bool:
        """Whether there is a result so far."""
        return self.best_step > 0 or self.best_score != -math.inf

    @property
    def best_step(self) -> int:
        """Step of the run's result so far; 0 if there is none, too."""
        return int(self._best_step)

    @property
    def is_finite(self) -> bool:
        """Whether every variable of the model is finite, as it is now."""
        return all(np.isfinite(v.numpy()).all() for v in self._model.variables)

    @property
    def nan_guard_steps(self) -> int:
        """Number of outer steps in which the NaN guard replaced the gradients."""
        return int(self._not_finite[0])

    @property
    def non_finite_loss_step(self) -> int | None:
        """The first outer step whose loss was not finite; None if there is none."""
        return int(self._not_finite[1]) or None

    @property
    def best_score(self) -> float:
        """Meta-validation score of the run's result so far; greater is better."""
        return float(self._best_score)

    @property
    def steps_per_second(self) -> float | None:
        """Rate of training, validation and compilation left out; None if not measured."""
        steps, seconds = self._timing.numpy()
        return float(steps / seconds) if seconds > 0 else None

    def add_timing(self, steps: int, seconds: float) -> None:
        """Count steps and the seconds they took."""
        self._timing.assign_add([steps, seconds])

    def count_guarded(self, steps: int) -> None:
        """Count outer steps in which the NaN guard replaced the gradients."""
        self._not_finite.assign_add([steps, 0])

    def note_non_finite_loss(self, step: int) -> None:
        """Note the first outer step whose loss was not finite."""
        self._not_finite.assign([self.nan_guard_steps, step])

    def keep_as_best(self, score: float) -> None:
        """Keep the model as it is as the run's result so far."""
        self._best_score.assign(score)
        self._best_step.assign(self.step)
        if self.step % self._interval == 0:
            self._before.assign([score, self.step])
        self._best.save(self.step)

    def save(self) -> None:
        """Save everything that resuming needs."""
        self._latest.save(self.step)

    def restore(self) -> int | None:
        """Restore the latest checkpoint; returns its step, or None if there is none."""
        return self._latest.restore()

    def begin(self, steps: int) -> int:
        """Restore the latest checkpoint, or save the first one, to train from there.

        So a folder of a run that has begun and has no checkpoints is known to have lost them.

        Args:
          steps: the last step of the run. If the best model is the last one of a shorter run, which
            this run would not have validated, the best before it is the best again.

        Returns:
          Its step.
        """
        found = self.restore()
        if found is None:
            self.save()
        elif self.best_step < steps and self.best_step % self._interval:
            self._forget_last()
        return found or 0

    def _forget_last(self):
        """Make the best model before the last step of a shorter run the best."""
        if self.folder.identity is None:
            return  # a run of an older version, which did not note it
        last, (score, step) = self.best_step, self._before.numpy()
        self._best_score.assign(score)
        self._best_step.assign(int(step))
        self.save()  # first, so that what is forgotten is nowhere told of
        self._best.forget(last)

    def restore_best(self) -> int | None:
        """Give the model the variables of the run's result; returns their step, or None."""
        return self._best.restore(self.best_step if self.has_best else None)

    def require_best(self) -> int:
        """Restore the best model and return its step; ValueError if there is no finite one yet."""
        step = self.restore_best()
        if step is None or not self.is_finite:
            raise ValueError(
                f"{self.folder}: has no model yet, the first is saved by its first validation that "
                "is finite; give the run's command again, which goes on until then"
            )
        return step
