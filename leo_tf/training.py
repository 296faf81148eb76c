"""Train a classifier as a configuration says, test it, export it, report."""

import math
from pathlib import Path
from typing import NamedTuple

import keras

from data_pipeline.datasets import load_split
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import check_episode
from leo_tf import export, report
from leo_tf.callbacks import (
    MetaValidation,
    Progress,
    SaveRun,
    StopOnSignal,
    Validated,
    drop_rows_after,
)
from leo_tf.classifier import LEOClassifier
from leo_tf.evaluation import Evaluator, default_queries, summarise
from leo_tf.run_state import RunState, claim_folder, write_json
from leo_tf.training_data import training_dataset

STEPS_PER_CALL = 50  # outer steps that one call from Python runs, at most


class InterruptedRunError(Exception):
    """Training was stopped by a signal, after everything was saved."""


class Splits(NamedTuple):
    """The `EmbeddingSet`s of a run."""

    train: EmbeddingSet  # or train and val together
    val: EmbeddingSet
    test: EmbeddingSet


class AccuracyValidation:
    """Meta-validation of a classifier by its accuracy, on the episodes of an `Evaluator`."""

    name = "val_accuracy"  # a share in [0, 1]

    def __init__(self, evaluator):
        self.evaluator = evaluator

    def __call__(self, model):
        """Evaluate a `LEOClassifier`; returns a `Validated`, its score in percent."""
        accuracy = summarise(self.evaluator.accuracies(model))
        return Validated(accuracy.mean / 100, accuracy.mean, str(accuracy))


def load_splits(config, data_path):
    """Read what a configuration trains and tests on.

    Args:
      config: a `Config`.
      data_path: folder of data sets.

    Returns:
      The `Splits`.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    names = ("train+val" if config.train_on_val else "train", "val", "test")
    splits = Splits(*(load_split(data_path, config.dataset, config.crop, n) for n in names))
    for split in splits:
        if split.dim != splits.train.dim:
            raise ValueError(
                f"{split.name} has embeddings of size {split.dim}, {splits.train.name} of size "
                f"{splits.train.dim}; embed all splits with one network"
            )
    return splits


def check_sizes(config, splits):
    """Raise a ValueError, one line, if a split is too small for a configuration's episodes."""
    way, shot = config.way, config.shot
    check_episode(splits.train, way, shot, config.queries)
    for split in (splits.val, splits.test):
        check_episode(split, way, shot, default_queries(split, shot))


def train_and_test(config, splits, run_dir):
    """Train (or go on training) a model in a folder; test, export and report it.

    Args:
      config: a `Config`.
      splits: the `Splits`.
      run_dir: the run's folder.

    Returns:
      The result, as in `<run_dir>/result.json`.

    Raises:
      ValueError: one line about the folder, or about splits that are too small.
      InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    check_sizes(config, splits)
    run_dir = Path(run_dir)
    train, val, test = splits
    validation = Evaluator(
        val,
        config.way,
        config.shot,
        default_queries(val, config.shot),
        config.validation_episodes,
        config.seed,
    )
    claim_folder(run_dir, config)
    model, state = build(config, train.dim, run_dir)
    fit(
        model,
        state,
        lambda first: training_dataset(train, config, first),
        AccuracyValidation(validation),
        steps=config.steps,
        validate_every=config.validate_every,
    )
    state.restore_best()
    export.export(model, run_dir / "saved_model")
    result = {
        "split": "test",
        **{n: getattr(config, n) for n in ("dataset", "crop", "way", "shot", "seed", "steps")},
        "best_step": state.best_step,
        "train_on_val": config.train_on_val,
        "val_accuracy": state.best_score,
        "train_steps_per_second": state.steps_per_second,
        **report.test_model(
            export.load(run_dir / "saved_model"),
            test,
            config.way,
            config.shot,
            config.test_episodes,
            config.seed,
        ),
    }
    write_json(run_dir / "result.json", result)
    return result


def build(config, dim, run_dir):
    """Make the model of a configuration, compiled, and its `RunState`.

    Args:
      config: a `Config`.
      dim: size of an embedding.
      run_dir: the run's folder.

    Returns:
      The pair; neither has been restored.
    """
    keras.utils.set_random_seed(config.seed)
    model = LEOClassifier(dim, **config.model_settings())
    optimizer = keras.optimizers.Adam(config.outer_lr, epsilon=1e-8)
    compile_model(model, optimizer, config.steps, config.validate_every)
    return model, RunState(run_dir, model, choose_best=not config.train_on_val)


def compile_model(model, optimizer, steps, validate_every):
    """Prepare a model for `fit`, with as many steps per call from Python as divide its epochs."""
    optimizer.build(model.trainable_variables)
    interval = math.gcd(validate_every, steps)
    calls = max(n for n in range(1, STEPS_PER_CALL + 1) if interval % n == 0)
    model.compile(optimizer=optimizer, jit_compile=True, steps_per_execution=calls)


def fit(model, state, dataset, validation, *, steps, validate_every, name=None):
    """Train from where a run's folder is to its last step.

    Args:
      model: a `MetaModel`, compiled by `compile_model`.
      state: its `RunState`.
      dataset: function from the number of a first step to the stream of training steps.
      validation: see `MetaValidation`.
      steps: the last step.
      validate_every: steps from one validation to the next.
      name: what is trained, for people; None where there is only one thing.

    Raises:
      InterruptedRunError: on Ctrl-C or SIGTERM, after everything was saved.
    """
    start = state.restore()
    if start:
        print(f"resuming {state.folder} at step {start}", flush=True)
    metrics = state.folder / "metrics.csv"
    state.folder.mkdir(parents=True, exist_ok=True)
    drop_rows_after(metrics, start)
    callbacks = [
        Progress(state, steps, name),
        StopOnSignal(),
        MetaValidation(validation, state, validate_every, steps, name),
        keras.callbacks.CSVLogger(str(metrics), append=True),
        keras.callbacks.TensorBoard(str(state.folder / "tensorboard"), write_graph=False),
        SaveRun(state),
    ]
    for first, length, epochs in segments(start, steps, validate_every):
        epoch = first // validate_every
        model.fit(
            dataset(first),
            initial_epoch=epoch,
            epochs=epoch + epochs,
            steps_per_epoch=length,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
        if model.stop_training:
            stopped = f"{name} stopped" if name else "stopped"
            raise InterruptedRunError(f"{stopped} at step {state.step} of {steps}, all saved")


def segments(start, steps, interval):
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
