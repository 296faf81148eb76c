"""Train a classifier as a configuration says, test it, export it, report."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes, default_queries
from leo_tf import methods, provenance
from leo_tf.classification import calibration, inputs, own_method
from leo_tf.classification.evaluation import AccuracyValidation, Evaluator
from leo_tf.classification.export import about, export, load
from leo_tf.classification.inputs import Splits
from leo_tf.classification.protocol import TRAINED_AS, trained_on
from leo_tf.classification.result import measure
from leo_tf.classification.stream import base_mean, training_steps
from leo_tf.config import Config
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.config.methods import own
from leo_tf.meta.classifier import Classifier
from leo_tf.training import strategy
from leo_tf.training.alone import released
from leo_tf.training.claims import claim
from leo_tf.training.ending import conclude, no_result_if_diverged
from leo_tf.training.fit import compile_model, fit
from leo_tf.training.run_folder import RunFolder, write_json
from leo_tf.training.run_parts import check_checkpoints
from leo_tf.training.run_state import RunState
from leo_tf.training.validation import NoValidation


@released()
def train_and_test(
    config: Config,
    folder: RunFolder,
    splits: Splits | None = None,
    stopped: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train (or go on training) a model in a folder; test, export and report it.

    Args:
      config: what to compute, a classification.
      folder: the run's folder.
      splits: what `inputs.load` returns, if that is done.
      stopped: what `stop_early` found for a run of two stages, of which this is the second. It ends
        at the step that is the best there, which may be 0.

    Returns:
      The result, as in the folder's result.json.

    Raises:
      FileNotFoundError, ValueError, OSError: one line about the data or the folder.
      EpisodeSizeError: if a split is too small; InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    splits = splits or inputs.load(config)
    if config.experiment.models and stopped is None:
        raise ValueError(
            f"protocol {config.experiment.protocol} has two stages; call "
            "leo_tf.studies.protocol.train_and_test"
        )
    steps = config.experiment.steps if stopped is None else stopped["best_step"]
    classifier, trained = _trained(config, folder, splits, steps)
    found = calibration.of_run(classifier, config.experiment, splits.val, stopped)
    told = about(config, folder, splits.train, found)
    export(classifier, splits.train.dim, folder.saved_model, told)
    result = _tested(config, folder, splits, {**trained, "calibration": found})
    if stopped is not None:  # this model has seen val
        result |= {"val_accuracy": None, EARLY_STOPPING: dict(stopped)}
    write_json(folder.result, result)
    return result


def stop_early(config: Config, folder: RunFolder, splits: Splits) -> dict[str, Any]:
    """Find the step at which a model is best on val; the first stage of a run of two.

    Args:
      config: a classification by the protocol `EARLY_STOPPING`.
      folder: of the stage.
      splits: what `inputs.load` returns.

    Returns:
      What result.json tells of the stage: its folder within the run's, trained_on, steps (asked
      for), best_step, val_accuracy and val_ci95 at it, validation_episodes, calibration, and the
      other figures of `leo_tf.training.ending.conclude`.

    Raises:
      ValueError, InterruptedRunError: as `train_and_test`.
    """
    experiment = config.experiment
    classifier, figures = _trained(config, folder, splits, experiment.steps)
    return {
        "folder": folder.path.name,
        "trained_on": trained_on(config.flat(), config.method),
        "steps": experiment.steps,
        "validation_episodes": experiment.validation_episodes,
        "calibration": calibration.of_run(classifier, experiment, splits.val),
        **figures,
    }


def _trained(config, folder, splits, steps):
    """Train a model in its folder, which becomes that of the run; returns it and its figures."""
    classifier = make(config, splits.train, config.experiment.devices)
    seen = {"val": ", which is trained on"} if config.experiment.train_on_val else {}
    for name, split in splits._asdict().items():
        told = f"{split}{seen.get(name, '')}" if split else "none, so the last step is the result"
        print(f"{name}: {told}", flush=True)
    check_checkpoints(folder, config)
    claim(folder, config, splits.digests())
    if config.experiment.split:
        inputs.keep_classes(folder, splits)
    return classifier, train(config, folder, splits, classifier, steps)


def make(config: Config, train: EmbeddingSet, devices: int = 1) -> Classifier:
    """Make the classifier of a configuration, a function of its seed.

    Args:
      config: a classification.
      train: the classes that it is to be trained on.
      devices: how many are to train it.

    Raises:
      ValueError: one line, if the method cannot test another way or shot than it is trained on, or
        there are fewer devices.
    """
    keras.utils.set_random_seed(config.experiment.seed)
    sizes = EpisodeSizes.of(config.experiment)
    with strategy.scope(devices):
        if method := own.of(config.settings):
            classifier = own_method.build(method, config, train, sizes)
            strategy.check_step(classifier.model, config.method)
        else:
            classifier = methods.build(config.method, config.settings, train, sizes)
    mean = base_mean(train, config.experiment)
    if mean is not None:
        classifier = dataclasses.replace(classifier, mean=mean)
    tested = config.experiment.way, config.experiment.shot
    if sizes[:2] != tested:  # which a method that serves one size refuses, here and not at the end
        classifier.fit(tf.ones([1, *tested, train.dim]))
    return classifier


def prepare(
    config: Config,
    classifier: Classifier,
    folder: RunFolder,
    validated: bool = True,
    steps: int | None = None,
) -> RunState | None:
    """Compile a classifier's model, to be trained in a run's folder or restored from it.

    Args:
      config: a classification.
      classifier: what `make` returned.
      folder: the run's folder.
      validated: whether there is a val to choose the best step by.
      steps: the last step; None for that of the configuration.

    Returns:
      Its `RunState`, not restored; None if there is nothing to train.
    """
    experiment, model = config.experiment, classifier.model
    if model is None:
        return None
    steps = experiment.steps if steps is None else steps
    how = steps, experiment.validate_every, folder.steps_saved()
    with model.distribute_strategy.scope():
        compile_model(model, model.make_optimizer(), *how)
    return RunState(
        folder, model, validated and not experiment.train_on_val, experiment.validate_every
    )


def _tested(config, folder, splits, trained):
    """Test the exported model: the result, given the figures of its training."""
    experiment = config.experiment
    names = ("dataset", "crop", "way", "shot", "seed", "steps")
    sizes = experiment.way, experiment.shot, experiment.test_episodes, experiment.seed
    return {
        "method": config.method,
        "split": "test",
        **{name: getattr(experiment, name) for name in names},
        "train_on_val": experiment.train_on_val,
        **{name: getattr(experiment, name) for name in TRAINED_AS},
        "class_split": experiment.split,
        "validated": splits.val is not None,
        "allow_overlap": experiment.allow_overlap,
        "trained_on": trained_on(config.flat(), config.method),
        "backbone": splits.train.backbone,
        **trained,
        **measure(load(folder.saved_model), splits.test, *sizes, keep=folder.episodes),
        "provenance": provenance.describe(experiment.devices),
    }


def export_best(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> None:
    """Write the SavedModel of a run that is not finished: its best model by now.

    Raises:
      FileNotFoundError, ValueError: one line, if there is none yet, or about the data.
    """
    classifier, train, step = restored(config, folder, data_path)
    if step is not None:
        print(f"{folder}: not finished; its best model is of step {step}")
    export(classifier, train.dim, folder.saved_model, about(config, folder, train))


def restored(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> tuple[Classifier, EmbeddingSet, int | None]:
    """Make a run's classifier again, as its best validation found it.

    Returns:
      The classifier; what it was trained on; the step, None where there is nothing to train.

    Raises:
      FileNotFoundError, ValueError: one line, if there is none yet, or about the data.
    """
    train = inputs.load_train(config.experiment, data_path)
    classifier = make(config, train)
    state = prepare(config, classifier, folder)
    if state is None:
        classifier.fit_to_base(train, config.experiment.seed)
    return classifier, train, state and state.require_best()


def train(
    config: Config,
    folder: RunFolder,
    splits: Splits,
    classifier: Classifier,
    steps: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, Any]:
    """Train a classifier in a folder to its last step, and give it its best variables.

    Args:
      config: what to compute, a classification.
      folder: where checkpoints and metrics go.
      splits: what it is trained and validated on.
      classifier: what `make` returned.
      steps: the last step; None for that of the configuration.
      callbacks: further ones of the training, see `fit`.

    Returns:
      Figures of its training, val_accuracy among them.

    Raises:
      ValueError: one line, if it never was finite.
      InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    steps = config.experiment.steps if steps is None else steps
    state = prepare(config, classifier, folder, splits.val is not None, steps)
    with no_result_if_diverged(folder):
        return _train(config.experiment, splits, classifier, state, steps, callbacks)


def _validation(experiment, val, classifier, state):
    """Return the meta-validation of a classifier, or what stands for it where there is no val."""
    if val is None:
        return NoValidation()
    queries = default_queries(val, experiment.shot)
    sizes = experiment.way, experiment.shot, queries, experiment.validation_episodes
    fresh = experiment.protocol == EARLY_STOPPING
    evaluator = Evaluator(val, *sizes, experiment.seed, fresh)
    return AccuracyValidation(evaluator, classifier, lambda: state.step if state else 0)


def _train(experiment, splits, classifier, state, steps, callbacks):
    """Train a classifier to its last step, give it its best variables; returns figures."""
    validation = _validation(experiment, splits.val, classifier, state)
    if not (state and state.has_begun):
        classifier.fit_to_base(splits.train, experiment.seed)
    if state is None:
        figures = {"steps": 0, "best_step": 0, "train_steps_per_second": None}
        return {**figures, "val_accuracy": validation().value}
    model = classifier.model
    fit(
        model,
        state,
        lambda first: training_steps(model, splits.train, experiment, first, classifier.mean),
        validation,
        steps=steps,
        validate_every=experiment.validate_every,
        validate_first=experiment.protocol == EARLY_STOPPING,
        callbacks=callbacks,
    )
    figures = conclude(state, steps)
    figures["val_accuracy"] = state.best_score if splits.val else None
    if experiment.protocol == EARLY_STOPPING:
        figures["val_ci95"] = validation.at(state.best_step).ci95
    return figures
