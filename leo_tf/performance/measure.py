"""What LEO costs on a machine: start, training step, pipeline, evaluation, memory."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.classification.evaluation import Evaluator, default_queries
from leo_tf.classification.experiment import make, prepare
from leo_tf.classification.export import export, load
from leo_tf.classification.stream import training_steps
from leo_tf.config import Config
from leo_tf.meta.classifier import Classifier
from leo_tf.performance import machine
from leo_tf.performance.flops import matrix_products
from leo_tf.performance.timing import Figure, Lap, cpu_time, enough, figure, lap, rate, repeat
from leo_tf.training.fit import STEPS_PER_CALL
from leo_tf.training.run_folder import RunFolder

MATRIX = 2048  # rows and columns of the matrix product that stands for the machine's rate
MANY = 1_000_000  # as good as endless

Figures = dict[str, Figure]


class Started(NamedTuple):
    """A model that has taken its first outer step, if it takes any."""

    train: EmbeddingSet
    classifier: Classifier
    step: Any  # the compiled outer step alone, a tf.function of a batch
    batch: Any  # of `training_steps`


def start(
    config: Config, load: Callable[[], EmbeddingSet], folder: RunFolder, began: float
) -> tuple[Figures, Started]:
    """Load, build, compile and take one outer step, as a run does from a warm cache.

    Of a method without training, load and build alone.

    Args:
      config: a classification.
      load: function without arguments, returns the `EmbeddingSet` to train on.
      folder: a run folder.
      began: `time.perf_counter()` when the import of TensorFlow began.

    Returns:
      The figures, and what was started.
    """
    imported = time.perf_counter()
    before = machine.resident_memory()
    train = load()
    train.tensor()
    loaded = time.perf_counter()
    grown = machine.resident_memory() - before
    classifier = make(config, train)
    prepare(config, classifier, folder)
    model = classifier.model
    classifier.fit_to_base(train, config.experiment.seed)
    built = time.perf_counter()
    figures = {
        "import_seconds": figure(imported - began, "s"),
        "load_seconds": figure(loaded - imported, "s"),
        "build_seconds": figure(built - loaded, "s"),
        "load_memory": figure(max(grown, 0.0), "MiB"),
    }
    if model is None:
        return figures, Started(train, classifier, None, None)
    batch = next(iter(training_steps(model, train, config.experiment)))
    drawn = time.perf_counter()
    step = tf.function(model.train_step, autograph=False)  # as Keras does
    step(batch)
    stepped = time.perf_counter()
    figures |= {
        "first_batch_seconds": figure(drawn - built, "s"),
        "compile_seconds": figure(stepped - drawn, "s"),
        "first_step_seconds": figure(stepped - began, "s"),
    }
    return figures, Started(train, classifier, step, batch)


def step_alone(started: Started, seconds: float) -> Figures:
    """Measure the compiled outer step on the same batch again and again."""
    laps = repeat(lambda: started.step(started.batch)["loss"].numpy(), seconds)
    whole = tf.function(started.classifier.model.outer_step, jit_compile=True)
    return {
        "step_flops": figure(matrix_products(whole, *started.batch) / 1e9, "GFLOP"),
        "steps_alone_per_second": rate(laps, "steps/s"),
        "step_alone_cpu": cpu_time(laps, "ms"),
    }


def fit(
    config: Config, train: EmbeddingSet, seconds: float, folder: RunFolder
) -> tuple[Figures, Classifier]:
    """Measure outer steps as `fit` takes them, pipeline attached.

    Args:
      config: a classification; its `validate_every` decides the steps of one call, see
        `steps_per_call`.
      train: an `EmbeddingSet`.
      seconds: how long, about.
      folder: a run folder.

    Returns:
      The figures, and the classifier.
    """
    classifier = make(config, train)
    prepare(config, classifier, folder)
    steps = config.experiment.validate_every
    laps = _Laps(seconds, steps)
    began = time.perf_counter()
    classifier.model.fit(
        training_steps(classifier.model, train, config.experiment),
        steps_per_epoch=MANY * steps,
        shuffle=False,
        verbose=0,
        callbacks=[laps],
    )
    figures = {
        "fit_first_call_seconds": figure(laps.laps[0].seconds - began, "s"),
        "outer_steps_per_second": rate(laps.laps, "steps/s"),
        "outer_step_cpu": cpu_time(laps.laps, "ms"),
        "training_peak_memory": figure(machine.peak_memory(), "MiB"),
        "set_resident_memory": figure(machine.mapped_memory("train_embeddings"), "MiB"),
    }
    return figures, classifier


def steps_per_call(step_seconds: float, seconds: float) -> int:
    """Outer steps that `fit` shall take a call: as a run does, but with time for five calls."""
    return max(1, min(STEPS_PER_CALL, int(seconds / 5 / step_seconds)))


class _Laps(keras.callbacks.Callback):
    """Read the clocks after every call of the train function; stop when there is enough."""

    def __init__(self, seconds: float, steps: int) -> None:
        super().__init__()
        self.seconds, self.steps = seconds, steps
        self.laps: list[Lap] = []

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Note the time."""
        self.laps.append(lap(self.steps))
        self.model.stop_training = enough(self.laps, self.seconds)


def pipeline(config: Config, started: Started, seconds: float) -> Figures:
    """Measure how fast training batches, episodes and noise, are drawn."""
    model = started.classifier.model
    batches = iter(training_steps(model, started.train, config.experiment))
    laps = repeat(lambda: next(batches), seconds)
    return {
        "batches_per_second": rate(laps, "batches/s"),
        "batch_cpu": cpu_time(laps, "ms"),
    }


def evaluation(
    config: Config,
    classifier: Classifier,
    test: EmbeddingSet,
    seconds: float,
    folder: str | os.PathLike,
) -> Figures:
    """Measure meta-test as a run does it: a SavedModel adapts, nearly every image is a query.

    Args:
      config: a classification.
      classifier: what to test.
      test: the classes to test on.
      seconds: how long, about.
      folder: where the SavedModel goes.
    """
    experiment = config.experiment
    queries = default_queries(test, experiment.shot)
    export(classifier, test.dim, folder, config.flat())
    sizes = experiment.way, experiment.shot, queries, MANY
    evaluator = Evaluator(test, *sizes, experiment.seed)
    laps = []

    def progress(episodes):
        laps.append(lap(episodes))
        if enough(laps, seconds):
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        evaluator.accuracies(load(folder), progress)
    return {
        "test_queries": figure(queries, "a class"),
        "tasks_tested_per_second": rate(laps, "tasks/s"),
        "task_tested_cpu": cpu_time(laps, "ms"),
    }


class _EnoughError(Exception):
    """Ends an evaluation that has been measured long enough."""


def products(seconds: float) -> Figures:
    """Measure the machine's rate of a large float32 matrix product, all cores."""
    matrix = tf.random.stateless_uniform([MATRIX, MATRIX], [0, 0])
    laps = repeat(lambda: tf.matmul(matrix, matrix)[0, 0].numpy(), seconds)
    per_second = rate(laps, "GFLOP/s")
    scale = 2 * MATRIX**3 / 1e9
    return {
        "product_rate": per_second._replace(
            **{name: scale * getattr(per_second, name) for name in ("median", "low", "high")}
        )
    }
