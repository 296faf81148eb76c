"""Side effects of training, as Keras callbacks."""

import csv
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tqdm


class Validated(NamedTuple):
    """What a validation found."""

    value: float  # for metrics.csv and TensorBoard
    score: float  # greater is better: decides which model is the best
    text: str  # for people


class MetaValidation(keras.callbacks.Callback):
    """Validate on fixed meta-validation episodes at the end of every validation interval.

    Adds to the epoch's logs, for the callbacks after it: step, the validation's value under its
    name, and the mean of each vector of learning rates.

    Args:
      validation: has a `name` and, called with the model, returns a `Validated`.
      run: the `RunState`, which learns of the score.
      interval: steps from one validation to the next.
      steps: the last step, which is validated too.
      name: what is trained, for people; None where there is only one thing.
    """

    def __init__(self, validation, run, interval, steps, name=None):
        super().__init__()
        self.validation = validation
        self.run = run
        self.interval = interval
        self.steps = steps
        self.name = name

    def on_epoch_end(self, epoch, logs=None):
        """Validate, unless training was interrupted within the interval."""
        step = logs["step"] = self.run.step
        for name in self.model.rate_names:
            logs[name] = float(np.mean(getattr(self.model, name)))
        if step % self.interval and step != self.steps:
            logs[self.validation.name] = float("nan")
            return
        value, score, text = self.validation(self.model)
        logs[self.validation.name] = value
        best = self.run.report_validation(score) and self.run.choose_best
        measured = [f"{name} {logs[name]:.4f}" for name in self.model.learner.metric_names]
        training = ", ".join([f"training loss {logs['loss']:.4f}", *measured])
        where = f"{self.name} step {step}" if self.name else f"step {step}"
        tqdm.tqdm.write(
            f"{where}: meta-validation {text}{' (best so far)' if best else ''}, {training}",
            file=sys.stdout,
        )
        sys.stdout.flush()


class SaveRun(keras.callbacks.Callback):
    """Save the run after every interval, and at the step where a signal stopped it."""

    def __init__(self, run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch, logs=None):
        """Save everything that resuming needs."""
        self.run.save()


class StopOnSignal(keras.callbacks.Callback):
    """End training after the current steps on Ctrl-C or SIGTERM; a second Ctrl-C is immediate."""

    def on_train_begin(self, logs=None):
        """Start to listen."""
        self.signal = None
        self._previous = {
            number: signal.signal(number, self._handle)
            for number in (signal.SIGINT, signal.SIGTERM)
        }

    def on_train_batch_end(self, batch, logs=None):
        """Stop if a signal came."""
        if self.signal is not None:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Stop listening; a signal during the last validation stops the run, too."""
        self.model.stop_training = self.signal is not None
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, frame):
        self.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Progress(keras.callbacks.Callback):
    """Show a progress bar over the whole run, and measure the rate of training.

    Args:
      run: the `RunState`, whose step and timing it reads and writes.
      steps: outer steps of the whole run.
      name: what is trained, shown before the bar.
    """

    def __init__(self, run, steps, name=None):
        super().__init__()
        self.run = run
        self.steps = steps
        self.name = name

    def on_train_begin(self, logs=None):
        """Open the bar at the step that training starts from."""
        self.bar = tqdm.tqdm(
            total=self.steps,
            initial=self.run.step,
            unit="step",
            desc=self.name,
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )
        self._compiled = False

    def on_train_batch_begin(self, batch, logs=None):
        """Note the time."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Advance the bar; the first call, which compiles, is left out of the rate."""
        step = self.run.step
        if self._compiled:
            self.run.add_timing(step - self._last_step, time.perf_counter() - self._began)
        self._compiled, self._last_step = True, step
        self.bar.update(step - self.bar.n)
        shown = ("loss", *self.model.learner.metric_names)
        self.bar.set_postfix({name: f"{logs[name]:.3f}" for name in shown})

    def on_train_end(self, logs=None):
        """Close the bar."""
        self.bar.close()


def drop_rows_after(path, step):
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
