"""One trial: a training that goes on where it was stopped, and that its validations may end."""

import shutil
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from leo_tf.classification import experiment, inputs
from leo_tf.classification.evaluation import AccuracyValidation
from leo_tf.classification.inputs import Splits
from leo_tf.config import Config
from leo_tf.studies.given import Pruned, Report
from leo_tf.training.alone import released
from leo_tf.training.callbacks import EndedTrainingError, TellValidations
from leo_tf.training.claims import claim
from leo_tf.training.ending import DivergedRunError
from leo_tf.training.metrics_rows import read_rows
from leo_tf.training.run_folder import RunFolder
from leo_tf.training.run_parts import check_checkpoints

_ENDS = (  # a trial
    EndedTrainingError,
    ValueError,
    FileNotFoundError,
    MemoryError,
    tf.errors.ResourceExhaustedError,
)


@released()
def judge(config: Config, folder: Path, splits: Splits, report: Report) -> dict[str, Any]:
    """Train a classifier as a trial of a search.

    Args:
      config: a classification, with the settings that are tried.
      folder: of the training, which is gone when the trial has ended; if it was stopped, it stays,
        and the next call goes on from its last validation.
      splits: what it is trained and validated on.
      report: is told each validation, those before it was stopped, too; whether it ends the trial.

    Returns:
      {"val_accuracy": percent, "diverged": what was not finite, if anything}.

    Raises:
      Pruned: if the report ended it before the last step.
      ValueError: one line, if it cannot be trained with these settings, or was never finite.
      MemoryError: if it does not fit.
      OSError: one line, if it cannot be written, or another process works in its folder.
      InterruptedRunError: on Ctrl-C or SIGTERM, after everything was saved.
    """
    last = config.experiment.steps
    run = RunFolder(folder)

    def tell(step: int, value: float) -> bool:
        return report(step, value) and step < last

    try:
        inputs.check_sizes(config, splits)
        _claim(run, config, splits)
        _tell_again(run, tell)
        classifier = experiment.make(config, splits.train, config.experiment.devices)
        told = TellValidations(AccuracyValidation.name, tell)
        figures = experiment.train(config, run, splits, classifier, callbacks=[told])
    except _ENDS as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _of_trial(error, run) from None
    finally:
        keras.backend.clear_session()
    shutil.rmtree(folder, ignore_errors=True)
    found = {"val_accuracy": figures["val_accuracy"]}
    return {**found, "diverged": figures["diverged"]} if figures.get("diverged") else found


def _claim(run, config, splits):
    """Take the folder of a training, anew if what is there cannot go on."""
    try:
        check_checkpoints(run, config)
        claim(run, config, splits.digests())
    except ValueError as error:
        print(f"begins anew: {error}", flush=True)
        shutil.rmtree(run.path, ignore_errors=True)
        claim(run, config, splits.digests())


def _tell_again(run, tell):
    """Tell the validations up to where a training goes on; the last may have been about to end it.

    Raises:
      EndedTrainingError: if it does.
    """
    header, rows = read_rows(run.metrics)
    last, ends = max(run.steps_saved(), default=0), False
    for row in rows:
        figures = dict(zip(header, row, strict=False))
        value = figures.get(AccuracyValidation.name)
        if value and 0 < (step := int(float(figures["step"]))) <= last:
            ends = tell(step, float(value))
    if ends:
        raise EndedTrainingError


def _of_trial(error, run):
    """Return an error of the training as one of the trial."""
    if isinstance(error, EndedTrainingError):
        return Pruned()
    if isinstance(error, DivergedRunError):  # its remedy is for a run
        return ValueError(str(error).removeprefix(f"{run}: ").partition(";")[0])
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return MemoryError("out of memory")
    return error
