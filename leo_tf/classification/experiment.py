"""Train a classifier as a configuration says, test it, export it, report."""

import os
from typing import Any, NamedTuple

import keras

from data_pipeline.datasets import DATA_PATH, load_split
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import check_episode
from leo_tf import methods
from leo_tf.classification.evaluation import AccuracyValidation, Evaluator, default_queries
from leo_tf.classification.export import export, load
from leo_tf.classification.result import measure
from leo_tf.classification.stream import training_sizes, training_steps
from leo_tf.config import Config
from leo_tf.config.experiments import Classification
from leo_tf.config.methods import DEFAULT
from leo_tf.meta.classifier import Classifier
from leo_tf.training import saved_model
from leo_tf.training.ending import conclude, no_result_if_diverged
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
    classifier = make(config, splits.train)
    check_sizes(experiment, splits, classifier)
    for name, split in splits._asdict().items():
        print(f"{name}: {split}", flush=True)
    folder.claim(config)
    state = prepare(config, classifier, folder)
    with no_result_if_diverged(folder):
        trained = _train(experiment, splits, classifier, state)
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


def load_splits(experiment: Classification, data_path: str | os.PathLike | None = None) -> Splits:
    """Read what an experiment trains and tests on.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    splits = Splits(*(_load(experiment, data_path, name) for name in Splits._fields))
    for split in splits:
        if split.dim != splits.train.dim:
            raise ValueError(
                f"{split.name} has embeddings of size {split.dim}, {splits.train.name} of size "
                f"{splits.train.dim}; embed all splits with one network"
            )
    return splits


def _load(experiment, data_path, split):
    """Read one split of an experiment."""
    data_path = DATA_PATH if data_path is None else data_path
    if split == "train" and experiment.train_on_val:
        split = "train+val"
    return load_split(data_path, experiment.dataset, experiment.crop, split)


def check_sizes(experiment: Classification, splits: Splits, classifier: Classifier) -> None:
    """Raise an EpisodeSizeError if a split is too small for the episodes of an experiment."""
    if classifier.model is not None:
        way, shot, queries, _ = training_sizes(classifier.model, experiment)
        check_episode(splits.train, way, shot, queries)
    for split in (splits.val, splits.test):
        queries = default_queries(split, experiment.shot)
        check_episode(split, experiment.way, experiment.shot, queries)


def make(config: Config, train: EmbeddingSet) -> Classifier:
    """Make the classifier of a configuration, a function of its seed.

    Args:
      config: a classification.
      train: the classes that it is to be trained on.
    """
    keras.utils.set_random_seed(config.experiment.seed)
    return methods.build(config.method, config.settings, train)


def prepare(config: Config, classifier: Classifier, folder: RunFolder) -> RunState | None:
    """Compile a classifier's model, to be trained in a run's folder or restored from it.

    Returns:
      Its `RunState`, not restored; None if there is nothing to train.
    """
    experiment, model = config.experiment, classifier.model
    if model is None:
        return None
    compile_model(model, model.make_optimizer(), experiment.steps, experiment.validate_every)
    return RunState(folder, model, choose_best=not experiment.train_on_val)


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
    train = _load(config.experiment, data_path, "train")
    classifier = make(config, train)
    state = prepare(config, classifier, folder)
    if state is not None:
        print(f"{folder}: not finished; its best model is of step {state.require_best()}")
    export(classifier, train.dim, folder.saved_model, config.flat())


def _train(experiment, splits, classifier, state):
    """Train a classifier to its last step, give it its best variables; returns figures."""
    queries = default_queries(splits.val, experiment.shot)
    sizes = experiment.way, experiment.shot, queries, experiment.validation_episodes
    validation = AccuracyValidation(Evaluator(splits.val, *sizes, experiment.seed), classifier)
    if state is None:
        figures = {"steps": 0, "best_step": 0, "train_steps_per_second": None}
        return {**figures, "val_accuracy": validation().score}
    model = classifier.model
    fit(
        model,
        state,
        lambda first: training_steps(model, splits.train, experiment, first),
        validation,
        steps=experiment.steps,
        validate_every=experiment.validate_every,
    )
    return {**conclude(state, experiment.steps), "val_accuracy": state.best_score}
