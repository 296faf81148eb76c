"""Train a classifier as a configuration says, test it, export it, report."""

import os
from typing import Any, NamedTuple

import keras

from data_pipeline.datasets import load_split
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import check_episode
from leo_tf import methods
from leo_tf.classification.evaluation import AccuracyValidation, Evaluator, default_queries
from leo_tf.classification.export import export, load
from leo_tf.classification.result import measure
from leo_tf.classification.stream import training_steps
from leo_tf.config import Config
from leo_tf.config.experiments import Classification
from leo_tf.config.methods import DEFAULT
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.classifier import Classifier
from leo_tf.training import saved_model
from leo_tf.training.fit import compile_model, fit
from leo_tf.training.run_folder import RunFolder, write_json
from leo_tf.training.run_state import RunState


class Splits(NamedTuple):
    """The `EmbeddingSet`s of a run."""

    train: EmbeddingSet  # or train and val together
    val: EmbeddingSet
    test: EmbeddingSet


def train_and_test(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> dict[str, Any]:
    """Train (or go on training) a model in a folder; test, export and report it.

    Args:
      config: what to compute, a classification.
      folder: the run's folder.
      data_path: folder of data sets.

    Returns:
      The result, as in the folder's result.json.

    Raises:
      FileNotFoundError, ValueError: one line about the data or the folder.
      EpisodeSizeError: if a split is too small.
      InterruptedRunError: on Ctrl-C or SIGTERM.
    """
    experiment = config.experiment
    splits = load_splits(experiment, data_path)
    check_sizes(config, splits)
    for name, split in splits._asdict().items():
        print(f"{name}: {split}", flush=True)
    folder.claim(config)
    classifier, trained = _train(config, splits, folder)
    export(classifier, splits.train.dim, folder.saved_model, config.flat())
    names = ("dataset", "crop", "way", "shot", "seed", "steps")
    sizes = experiment.way, experiment.shot, experiment.test_episodes, experiment.seed
    result = {
        "method": config.method,
        "split": "test",
        **{name: getattr(experiment, name) for name in names},
        "train_on_val": experiment.train_on_val,
        **trained,
        **measure(load(folder.saved_model), splits.test, *sizes),
    }
    write_json(folder.result, result)
    return result


def load_splits(experiment: Classification, data_path: str | os.PathLike | None) -> Splits:
    """Read what an experiment trains and tests on.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    names = ("train+val" if experiment.train_on_val else "train", "val", "test")
    where = data_path or "embeddings", experiment.dataset, experiment.crop
    splits = Splits(*(load_split(*where, name) for name in names))
    for split in splits:
        if split.dim != splits.train.dim:
            raise ValueError(
                f"{split.name} has embeddings of size {split.dim}, {splits.train.name} of size "
                f"{splits.train.dim}; embed all splits with one network"
            )
    return splits


def check_sizes(config: Config, splits: Splits) -> None:
    """Raise an EpisodeSizeError if a split is too small for the episodes of a classification."""
    way, shot = config.experiment.way, config.experiment.shot
    if isinstance(config.settings, MetaLearner):
        check_episode(splits.train, way, shot, config.experiment.queries)
    for split in (splits.val, splits.test):
        check_episode(split, way, shot, default_queries(split, shot))


def build(
    config: Config, train: EmbeddingSet, folder: RunFolder
) -> tuple[Classifier, RunState | None]:
    """Make the classifier of a configuration, its model compiled, and its `RunState`.

    Args:
      config: a classification.
      train: the classes that it is to be trained on.
      folder: the run's folder.

    Returns:
      The pair, not restored; None for a classifier with nothing to train.
    """
    experiment = config.experiment
    keras.utils.set_random_seed(experiment.seed)
    classifier = methods.build(config.method, config.settings, train)
    model = classifier.model
    if model is None:
        return classifier, None
    compile_model(model, model.make_optimizer(), experiment.steps, experiment.validate_every)
    return classifier, RunState(folder, model, choose_best=not experiment.train_on_val)


def evaluate(
    folder: str | os.PathLike,
    experiment: Classification,
    episodes: int,
    data_path: str | os.PathLike,
    split: str = "test",
) -> dict[str, Any]:
    """Test a SavedModel on episodes of a data set.

    Args:
      folder: the SavedModel.
      experiment: the data set and the sizes of an episode.
      episodes: how many.
      data_path: folder of data sets.
      split: train, val or test.

    Returns:
      What `result.table` takes.

    Raises:
      FileNotFoundError, ValueError: one line about the data or the SavedModel.
      EpisodeSizeError: if the split is too small.
    """
    embeddings = load_split(data_path, experiment.dataset, experiment.crop, split)
    way, shot, seed = experiment.way, experiment.shot, experiment.seed
    check_episode(embeddings, way, shot, default_queries(embeddings, shot))
    classifier = load(folder, embeddings.dim)
    names = ("dataset", "crop", "way", "shot", "seed")
    return {
        "method": saved_model.about(folder).get("method", DEFAULT),
        "split": split,
        **{name: getattr(experiment, name) for name in names},
        **measure(classifier, embeddings, way, shot, episodes, seed),
    }


def export_best(
    config: Config, folder: RunFolder, data_path: str | os.PathLike | None = None
) -> None:
    """Write the SavedModel of a run that is not finished: its best model by now.

    Raises:
      FileNotFoundError, ValueError: one line, if there is none yet, or about the data.
    """
    train = load_splits(config.experiment, data_path).train
    classifier, state = build(config, train, folder)
    if state is not None:
        state.require_best()
    export(classifier, train.dim, folder.saved_model, config.flat())


def _train(config, splits, folder):
    """Train a classifier to its last step; returns it with its best variables, and figures."""
    experiment = config.experiment
    queries = default_queries(splits.val, experiment.shot)
    sizes = experiment.way, experiment.shot, queries, experiment.validation_episodes
    evaluator = Evaluator(splits.val, *sizes, experiment.seed)
    classifier, state = build(config, splits.train, folder)
    validation = AccuracyValidation(evaluator, classifier)
    if state is None:
        figures = {"steps": 0, "best_step": 0, "train_steps_per_second": None}
        return classifier, {**figures, "val_accuracy": validation().score}
    model = classifier.model
    fit(
        model,
        state,
        lambda first: training_steps(model, splits.train, experiment, first),
        validation,
        steps=experiment.steps,
        validate_every=experiment.validate_every,
    )
    state.restore_best()
    return classifier, {
        "best_step": state.best_step,
        "val_accuracy": state.best_score,
        "train_steps_per_second": state.steps_per_second,
    }
