"""Measure what the parts of a run cost here: short pieces of it, on the data or on their like."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

import keras

from data_pipeline.datasets import SPLITS
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.synthetic import RELEASED_DIM, RELEASED_SIZES, SplitSize, make_set
from leo_tf import methods
from leo_tf.classification import experiment
from leo_tf.classification.evaluation import Evaluator, default_queries
from leo_tf.classification.export import export, load
from leo_tf.classification.inputs import Splits
from leo_tf.classification.stream import training_steps
from leo_tf.config import Config
from leo_tf.config.methods import BASELINE, METHODS
from leo_tf.reproduction.costs import Cost
from leo_tf.training.run_folder import RunFolder

MANY = 1_000_000  # as good as endless
_is_warm = False  # this process
SLOW = 5.0  # times the seconds: what takes longer is not measured twice


def like(dataset: str, most: int | None = None) -> Splits:
    """Make embeddings of the sizes of a released data set.

    Args:
      dataset: its name.
      most: classes of a split; None for as many as it has.
    """

    def made(split):
        classes, images = RELEASED_SIZES[dataset][split]
        fewer = min(classes, most or classes)
        size = SplitSize(fewer, images * fewer // classes)
        return make_set(size, RELEASED_DIM, name=f"{dataset}/center/{split}")

    return Splits(*map(made, SPLITS))


def measure(config: Config, splits: Splits, folder: RunFolder, seconds: float) -> Cost:
    """Measure what a row costs.

    Args:
      config: a classification.
      splits: what it is trained, validated and tested on.
      folder: an empty folder, for a model.
      seconds: for each measurement, about.
    """
    _warm_up(config, splits, folder)
    classifier, start, step, base = _training(config, splits.train, folder, seconds)
    again = _training(config, splits.train, folder, 0.0)[1] if classifier.model else start
    val = splits.val or splits.test
    validation_start, validated = _evaluation(config, val, classifier, seconds)
    began = time.perf_counter()
    export(classifier, splits.test.dim, folder.saved_model, config.flat())
    exported = load(folder.saved_model)
    test_start = time.perf_counter() - began
    if validation_start + 1000 * validated > SLOW * seconds:
        more, tested = validation_start, validated
    else:
        more, tested = _evaluation(config, splits.test, exported, seconds)
    baseline = methods.build(BASELINE, METHODS[BASELINE].settings(), splits.test)
    beside, of_baseline = _evaluation(config, splits.test, baseline, min(seconds, 1.0))
    test_start += more + beside
    tested += of_baseline
    return Cost(start, again, step, base, validation_start, validated, test_start, tested)


def _warm_up(config, splits, folder):
    """Have a process do once what only its first job pays for, with sizes that are not measured.

    Nothing that is compiled here is used again.
    """
    global _is_warm
    if _is_warm:
        return
    small = dataclasses.replace(config.experiment, way=2, queries=1, tasks=2)
    config = dataclasses.replace(config, experiment=small)
    classifier = _training(config, splits.train, folder, 0.0)[0]
    _evaluation(config, splits.test, classifier, 0.0)
    export(classifier, splits.test.dim, folder.saved_model, config.flat())
    load(folder.saved_model)
    _is_warm = True


def _training(config, train, folder, seconds):
    """Return a classifier, the seconds until it trains, those of a step and of the base."""
    began = time.perf_counter()
    classifier = experiment.make(config, train)
    experiment.prepare(config, classifier, folder)
    made = time.perf_counter()
    classifier.fit_to_base(train, config.experiment.seed)
    base = time.perf_counter() - made
    if (model := classifier.model) is None:
        return classifier, made - began, 0.0, base
    laps = _Laps(seconds)
    calls = model.steps_per_execution
    model.fit(
        training_steps(model, train, config.experiment),
        steps_per_epoch=MANY * calls,
        shuffle=False,
        verbose=0,
        callbacks=[laps],
    )
    step = _rest(laps.times, [calls] * len(laps.times))
    start = laps.times[0] - began - base - calls * step
    return classifier, max(0.0, start), step, base


class _Laps(keras.callbacks.Callback):
    """Note the time after every call of the train function; stop when there is enough."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())
        self.model.stop_training = _enough(self.times, self.seconds, 4)


def _evaluation(
    config: Config, embeddings: EmbeddingSet, classifier: Any, seconds: float
) -> tuple[float, float]:
    """Return the seconds of an evaluation beside its episodes, and those of an episode."""
    of = config.experiment
    queries = default_queries(embeddings, of.shot)
    evaluator = Evaluator(embeddings, of.way, of.shot, queries, MANY, of.seed)
    times, counts = [], []
    began = time.perf_counter()

    def progress(episodes: int) -> None:
        times.append(time.perf_counter())
        counts.append(episodes)
        # Groups of episodes are evaluated side by side, so that they end together.
        if _enough(times, seconds, 2 * (os.cpu_count() or 1) + 1):
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        evaluator.accuracies(classifier, progress)
    each = _rest(times, counts)
    return max(0.0, times[0] - began - counts[0] * each), each


class _EnoughError(Exception):
    """Ends an evaluation that has been measured long enough."""


def _enough(times, seconds, fewest):
    return len(times) >= fewest and times[-1] - times[0] >= seconds


def _rest(times, counts):
    """Return the seconds of a unit of work, the first call left out, which also compiles."""
    return (times[-1] - times[0]) / sum(counts[1:])


Measure = Callable[[Config, Splits, RunFolder, float], Cost]
