"""What a training ended with: its result, or the news that it diverged."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from leo_tf.training.run_folder import RunFolder

if TYPE_CHECKING:  # reports need no TensorFlow
    from leo_tf.training.run_state import RunState


class DivergedRunError(ValueError):
    """Training ended without any model that is finite and gave finite answers when validated."""


def conclude(state: "RunState", steps: int, name: str | None = None) -> dict[str, Any]:
    """Give a trained model the variables of its run's result.

    Args:
      state: the run, at its end.
      steps: how many were asked for.
      name: what was trained, for people; None where there is only one thing.

    Returns:
      What result.json tells of the training: best_step, steps_taken, train_steps_per_second,
      nan_guard_steps, non_finite_loss_step (the first, or None) and diverged, a text or None.

    Raises:
      DivergedRunError: one line, if none of its validations was finite.
      ValueError: one line, if the best model is missing.
    """
    taken, finite, kept = state.step, state.is_finite, state.has_best
    if state.restore_best() is None and kept:
        raise ValueError(
            f"{state.folder.best}: the best model, of step {state.best_step}, is gone; bring it "
            "back, or "
            "start anew in another --run_dir"
        )
    if not kept or not state.is_finite:  # version 0.1 kept some that are not
        first = state.non_finite_loss_step
        loss = f", its loss not finite first at step {first}" if first else ""
        raise DivergedRunError(
            f"{state.folder}: {_training(name)} ended at step {taken} of {steps} without a finite "
            f"validation{loss}; try lower learning rates, in another --run_dir"
        )
    diverged = None
    if not finite:
        diverged = f"at step {taken} of {steps} its variables were not finite"
    elif not state.choose_best and state.best_step != taken:
        diverged = f"at step {taken} its answers were not finite"
    return {
        "best_step": state.best_step,
        "steps_taken": taken,
        "train_steps_per_second": state.steps_per_second,
        "nan_guard_steps": state.nan_guard_steps,
        "non_finite_loss_step": state.non_finite_loss_step,
        "diverged": diverged,
    }


def remarks(figures: Mapping[str, Any], name: str | None = None) -> list[str]:
    """Say what `conclude` found to be said of a training, a line each; nothing of a sound one.

    Args:
      figures: what it returned; a result of version 0.1 has less, and nothing is said.
      name: what was trained, for people; None where there is only one thing.
    """
    said = []
    if diverged := figures.get("diverged"):
        said.append(f"diverged, {diverged}; the result is the model of step {figures['best_step']}")
    if first := figures.get("non_finite_loss_step"):
        said.append(f"had a loss that was not finite, first at step {first}")
    if guarded := figures.get("nan_guard_steps"):
        said.append(f"fell back on the NaN guard in {guarded} of {figures['steps_taken']} steps")
    what = _training(name)
    return [f"{what[0].upper()}{what[1:]} {each}." for each in said]


def _training(name):
    return f"training of {name}" if name else "training"


@contextlib.contextmanager
def no_result_if_diverged(folder: RunFolder) -> Iterator[None]:
    """Leave no result in a run's folder, an earlier version's neither, if a training diverged."""
    try:
        yield
    except DivergedRunError:
        folder.withdraw()
        raise
