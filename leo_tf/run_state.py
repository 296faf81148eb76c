"""A run's folder: its configuration, and what resumes and what is best of it."""

import dataclasses
import json
import math
from pathlib import Path

import tensorflow as tf

from data_pipeline import atomic
from leo_tf.checkpoints import CheckpointFolder


class RunState:
    """Variables of a run in training, saved to and restored from its folder.

    Args:
      folder: the run's folder.
      model: a built `MetaModel`, compiled with a built optimizer.
      choose_best: whether the best model by meta-validation is the run's result; otherwise
        the last one is.
    """

    def __init__(self, folder, model, choose_best=True):
        self.folder = Path(folder)
        self.choose_best = choose_best
        self._model = model
        self._best_score = tf.Variable(-math.inf, dtype=tf.float64)
        self._best_step = tf.Variable(0, dtype=tf.int64)
        self._timing = tf.Variable([0.0, 0.0], dtype=tf.float64)  # steps, seconds
        best = {"best_score": self._best_score, "best_step": self._best_step}
        weights = {"model": [v.value for v in model.trainable_variables], **best}
        optimizer = [v.value for v in model.optimizer.variables]
        everything = {**weights, "optimizer": optimizer, "timing": self._timing}
        self._latest = CheckpointFolder(self.folder / "checkpoints", everything)
        self._best = CheckpointFolder(self.folder / "best", weights)

    @property
    def step(self):
        """Number of outer steps taken."""
        return int(self._model.optimizer.iterations)

    @property
    def best_step(self):
        """Step of the run's result so far."""
        return int(self._best_step) if self.choose_best else self.step

    @property
    def best_score(self):
        """Meta-validation score of the run's result so far; greater is better."""
        return float(self._best_score)

    @property
    def steps_per_second(self):
        """Rate of training, validation and compilation left out; None if not measured."""
        steps, seconds = self._timing.numpy()
        return float(steps / seconds) if seconds > 0 else None

    def add_timing(self, steps, seconds):
        """Count steps and the seconds they took."""
        self._timing.assign_add([steps, seconds])

    def report_validation(self, score):
        """Keep the model if its score is the best; returns whether it is."""
        better = not self.choose_best or score > self.best_score
        if better:
            self._best_score.assign(score)
            self._best_step.assign(self.step)
            self._best.save(self.step)
        return better

    def save(self):
        """Save everything that resuming needs."""
        self._latest.save(self.step)

    def restore(self):
        """Restore the latest checkpoint; returns its step, 0 if there is none."""
        return self._latest.restore() or 0

    def restore_best(self):
        """Give the model the variables of the run's result."""
        self._best.restore()


def write_json(path, values):
    """Write a JSON file that appears whole or not at all."""
    with atomic.writer(Path(path)) as file:
        file.write((json.dumps(values, indent=2) + "\n").encode())


def claim_folder(folder, config):
    """Make a run's folder and write its configuration there, or check that it is the same.

    Args:
      folder: the run's folder.
      config: a dataclass.

    Raises:
      ValueError: if the folder belongs to another configuration, or cannot be written.
    """
    path = Path(folder) / "config.json"
    ours = dataclasses.asdict(config)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_json(path, ours)
            return
        theirs = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(
            f"{folder}: cannot write here ({error.strerror}); choose another --run_dir"
        ) from None
    except ValueError:
        raise ValueError(f"{path}: not a configuration; choose another --run_dir") from None
    differences = [
        f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} now"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    ]
    if differences:
        raise ValueError(
            f"{path}: this folder belongs to another configuration: {'; '.join(differences)}; "
            "choose another --run_dir"
        )
