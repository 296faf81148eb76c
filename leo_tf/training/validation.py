"""Meta-validation while a model is trained, and which of its states is the best."""

import sys
from typing import NamedTuple, Protocol

import keras
import tqdm

from leo_tf.training.callbacks import Logs, readable
from leo_tf.training.run_state import RunState


class Validated(NamedTuple):
    """What a validation found."""

    value: float | None  # for metrics.csv and TensorBoard; None: there is none
    score: float  # greater is better: decides which model is the best
    text: str  # for people
    finite: bool = True  # whether all that the model answered is; otherwise it is never the best


class Validation(Protocol):
    """What measures one model while it is trained."""

    name: str  # of its value in metrics.csv

    def __call__(self) -> Validated:
        """Measure the model, as it is now, on meta-validation tasks."""


class NoValidation:
    """What stands for a validation where there is nothing to validate on."""

    name = "none"

    def __call__(self) -> Validated:
        """Return that the model is as good as any."""
        return Validated(None, 0.0, "none")


class MetaValidation(keras.callbacks.Callback):
    """Validate at the end of every validation interval, and before the first if that is asked for.

    Adds the validation's value to the epoch's logs, for the callbacks after it, and keeps the model
    as the best if its score is above all before, or always if the run does not choose. A model that
    is not finite, or whose answers are not, is never kept; if its variables are not, training ends.

    Args:
      validation: a `Validation`.
      run: the `RunState`, which keeps the best model.
      interval: steps from one validation to the next.
      steps: the last step, which is validated too.
      name: what is trained, for people; None where there is only one thing.
      first: whether the model is validated before the first step, too.
    """

    def __init__(
        self,
        validation: Validation,
        run: RunState,
        interval: int,
        steps: int,
        name: str | None = None,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.validation = validation
        self.run = run
        self.interval = interval
        self.steps = steps
        self.name = name
        self.first = first

    def on_train_begin(self, logs: Logs = None) -> None:
        """Validate before the first step, unless that has been done."""
        if self.first and not self.run.step and not self.run.has_best:
            logs["step"] = 0
            self._validate(logs, "")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Validate, unless training was interrupted within the interval."""
        step = self.run.step
        if step % self.interval and step != self.steps:
            return
        shown = [("training loss", "loss"), *((name, name) for name in self.model.metric_names)]
        training = (f", {label} {readable(name, logs[name])}" for label, name in shown)
        self._validate(logs, "".join(training))

    def _validate(self, logs, training):
        """Validate the model as it is, and keep it if it is the best; `training` is shown, too."""
        step = self.run.step
        value, score, text, finite = self.validation()
        if value is not None:
            logs[self.validation.name] = value
        sound = self.run.is_finite
        better = finite and sound and score > self.run.best_score
        if better or (finite and sound and not self.run.choose_best):
            self.run.keep_as_best(score)
        best = " (best so far)" if better and self.run.choose_best else ""
        where = f"{self.name} step {step}" if self.name else f"step {step}"
        tqdm.tqdm.write(f"{where}: meta-validation {text}{best}{training}", file=sys.stdout)
        sys.stdout.flush()
        if not sound:
            self.model.stop_training = True
            line = f"{where}: variables are not finite; training ends"
            tqdm.tqdm.write(line, file=sys.stderr)
