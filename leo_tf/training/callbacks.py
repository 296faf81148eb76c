"""Side effects of training, as Keras callbacks: saving, stopping on signals, progress."""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tqdm

from data_pipeline import console
from leo_tf.meta.model import PERCENT
from leo_tf.training.run_state import RunState

Logs = dict[str, Any] | None


def readable(name: str, value: float) -> str:
    """Write a figure of the training for people."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.2f} %" if name in PERCENT else f"{value:.4f}"


class TellNonFinite(keras.callbacks.Callback):
    """Say once, and note, at which step the training loss was not finite for the first time.

    Args:
      run: the `RunState`.
      name: what is trained, for people; None where there is only one thing.
    """

    def __init__(self, run: RunState, name: str | None = None) -> None:
        super().__init__()
        self.run = run
        self.name = name

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at the mean loss, which is not finite from such a step to the interval's end."""
        if self.run.non_finite_loss_step or math.isfinite(logs["loss"]):
            return
        if step := self.model.non_finite_loss_step:
            self.run.note_non_finite_loss(step)
            where = f"{self.name} step {step}" if self.name else f"step {step}"
            line = f"{where}: the training loss is not finite; training goes on, it may recover"
            tqdm.tqdm.write(line, file=sys.stderr)


class SaveRun(keras.callbacks.Callback):
    """Save the run after every interval, and at the step where a signal stopped it."""

    def __init__(self, run: RunState) -> None:
        super().__init__()
        self.run = run

    def on_train_begin(self, logs: Logs = None) -> None:
        """Save what was found before the first step, if anything was."""
        if logs:
            self.run.save()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Save everything that resuming needs."""
        self.run.save()


class StopOnSignal(keras.callbacks.Callback):
    """End training after the current steps on Ctrl-C or SIGTERM; a second Ctrl-C is immediate.

    Signals reach the main thread alone: training in another one leaves them to the program.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal: int | None = None
        self._previous: dict[int, Any] = {}

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within a block; the signals go back to whom they belonged, whatever happens."""
        try:
            if threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, signal.SIGTERM):
                    if signal.getsignal(number) is not None:  # one that Python cannot give back
                        self._previous[number] = signal.signal(number, self._handle)
            yield
        finally:
            while self._previous:
                signal.signal(*self._previous.popitem())

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stop if a signal came."""
        if self.signal is not None:
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Stop the run, too, if a signal came during the last validation."""
        self.model.stop_training = self.signal is not None

    def _handle(self, number, frame):
        self.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)


class EndedTrainingError(Exception):
    """Training was ended by whoever is told of its validations."""


class TellValidations(keras.callbacks.Callback):
    """Tell each validation to somebody who may end the training, as a search prunes a trial.

    A signal that comes meanwhile goes first: the run is stopped as ever, and may be ended later.

    Args:
      name: of the validation's value in the logs.
      told: function of a step and the value; returns whether training ends there.
    """

    def __init__(self, name: str, told: Callable[[int, float], bool]) -> None:
        super().__init__()
        self.name = name
        self.told = told
        self._ended = False

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Tell the value, if there was a validation."""
        if self.name in logs and self.told(int(logs["step"]), float(logs[self.name])):
            self._ended = self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Raise an EndedTrainingError if it was ended, and no signal came."""
        if self._ended and not self.model.stop_training:  # which StopOnSignal has decided before
            raise EndedTrainingError


class Progress(keras.callbacks.Callback):
    """Show a progress bar over the whole run, and measure the rate of training.

    Args:
      run: the `RunState`, whose step and timing it reads and writes.
      steps: outer steps of the whole run.
      name: what is trained, shown before the bar.
    """

    def __init__(self, run: RunState, steps: int, name: str | None = None) -> None:
        super().__init__()
        self.run = run
        self.steps = steps
        self.name = name

    def on_train_begin(self, logs: Logs = None) -> None:
        """Open the bar at the step that training starts from."""
        self.bar = tqdm.tqdm(
            total=self.steps,
            initial=self.run.step,
            unit="step",
            desc=self.name,
            dynamic_ncols=True,
            disable=not console.shows_progress(),
        )
        self._compiled = False

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Note the time."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advance the bar; the first call, which compiles, is left out of the rate."""
        step = self.run.step
        if self._compiled:
            self.run.add_timing(step - self._last_step, time.perf_counter() - self._began)
        self._compiled, self._last_step = True, step
        self.bar.update(step - self.bar.n)
        shown = ("loss", *self.model.metric_names)
        self.bar.set_postfix({name: readable(name, logs[name]) for name in shown})

    def on_train_end(self, logs: Logs = None) -> None:
        """Close the bar."""
        self.bar.close()
