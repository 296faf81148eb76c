"""Training: Keras's fit, in stretches that end on validations and resume exactly."""

import math
import sys
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from leo_tf.meta.model import MetaModel
from leo_tf.training import older_metrics
from leo_tf.training.callbacks import Progress, SaveRun, StopOnSignal, TellNonFinite
from leo_tf.training.metrics import IntervalMetrics, writers
from leo_tf.training.metrics_rows import drop_rows_after
from leo_tf.training.run_state import RunState
from leo_tf.training.strategy import shared
from leo_tf.training.validation import MetaValidation, Validation

STEPS_PER_CALL = 50  # outer steps that one call from Python runs, at most


class InterruptedRunError(Exception):
    """Training was stopped by a signal, after everything was saved."""


def compile_model(
    model: MetaModel,
    optimizer: keras.optimizers.Optimizer,
    steps: int,
    validate_every: int,
    saved: Sequence[int] = (),
) -> None:
    """Prepare a model for `fit`, with as many steps per call from Python as divide its epochs.

    Args:
      model, optimizer: what trains.
      steps: the last step.
      validate_every: steps from one validation to the next.
      saved: steps that it may go on from.
    """
    optimizer.build(model.trainable_variables)
    interval = math.gcd(validate_every, steps, *saved)
    calls = max(n for n in range(1, STEPS_PER_CALL + 1) if interval % n == 0)
    model.compile(optimizer=optimizer, jit_compile=True, steps_per_execution=calls)


def fit(
    model: MetaModel,
    state: RunState,
    dataset: Callable[[int], tf.data.Dataset],
    validation: Validation,
    *,
    steps: int,
    validate_every: int,
    validate_first: bool = False,
    name: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Train from where a run's folder is to its last step.

    Ends before where a validation finds variables that are not finite: no step brings them back. If
    the last step is 0, the model as it is made is the run's result.

    Args:
      model, state: a model compiled by `compile_model`, and its `RunState`.
      dataset: function from the number of a first step to the stream of training steps.
      validation: see `MetaValidation`.
      steps: the last step.
      validate_every: steps from one validation to the next.
      validate_first: whether the first validation is before the first step.
      name: what is trained, for people; None where there is only one thing.
      callbacks: further ones, before the run is saved: what is told is told again, or once.

    Raises:
      InterruptedRunError: on Ctrl-C or SIGTERM, after everything was saved.
    """
    callbacks = [
        Progress(state, steps, name),
        TellNonFinite(state, name),
        stop := StopOnSignal(),
        IntervalMetrics(state),
        MetaValidation(validation, state, validate_every, steps, name, validate_first),
        *writers(state.folder),
        *callbacks,
        SaveRun(state),
    ]
    start = _begin(model, state, steps, validation)
    with stop.listening():
        for first, length, epochs in segments(start, steps, validate_every):
            number = first // validate_every
            if first % validate_every == 0 and not state.is_finite:
                return
            _take(model, dataset(first), length, range(number, number + epochs), callbacks)
            if model.stop_training:
                stopped = f"{name} stopped" if name else "stopped"
                raise InterruptedRunError(f"{stopped} at step {state.step} of {steps}, all saved")


def _begin(model, state, steps, validation):
    """Restore a run and make its metrics.csv end where it is; returns the step to go on from."""
    if start := state.begin(steps):
        print(f"resuming {state.folder} at step {start}", flush=True)
        if not state.folder.metrics.exists():
            lost = f"warning: {state.folder.metrics} is gone, with its rows up to step {start}"
            print(lost, file=sys.stderr)
    # Of a first validation that was not saved, the row goes, too.
    drop_rows_after(state.folder.metrics, start if start or state.has_best else -1)
    older_metrics.convert(state.folder, model.settings)
    if not steps:
        _keep_untrained(state, validation)
    return start


def _take(model, steps, length, epochs, callbacks):
    """Have Keras take epochs of some length, a range of their numbers."""
    model.fit(
        shared(steps, model.distribute_strategy),
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        steps_per_epoch=length,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    )


def _keep_untrained(state, validation):
    """Make the model before its first step the result, if it is finite, as any other is."""
    if not state.has_best:
        found = validation()
        if found.finite and state.is_finite:
            state.keep_as_best(found.score)
            state.save()


def segments(start: int, steps: int, interval: int) -> list[tuple[int, int, int]]:
    """Cut the rest of a run into stretches of equal epochs that end on validation steps.

    Args:
      start: the step to go on from.
      steps: the last step.
      interval: steps from one validation to the next.

    Returns:
      A list of (first step, steps of an epoch, number of epochs).
    """
    cut = []
    while start < steps:
        length = min(interval - start % interval, steps - start)
        epochs = (steps - start) // interval if length == interval else 1
        cut.append((start, length, epochs))
        start += length * epochs
    return cut
