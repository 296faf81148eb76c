"""What LEO costs on a machine: start, training step, pipeline, evaluation, memory."""

import contextlib
import time
from typing import NamedTuple

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from leo_tf import export, machine
from leo_tf.evaluation import Evaluator, default_queries
from leo_tf.flops import matrix_products
from leo_tf.timing import cpu_time, enough, figure, lap, rate, repeat
from leo_tf.training import STEPS_PER_CALL, build
from leo_tf.training_data import training_dataset

MATRIX = 2048  # rows and columns of the matrix product that stands for the machine's rate
MANY = 1_000_000  # as good as endless


class Started(NamedTuple):
    """A model that has taken its first outer step."""

    train: EmbeddingSet
    model: keras.Model
    step: object  # the compiled outer step alone, a tf.function of a batch
    batch: tuple  # of `training_dataset`


def start(config, load, folder, began):
    """Load, build, compile and take one outer step, as a run does from a warm cache.

    Args:
      config: a `Config`.
      load: function without arguments, returns the `EmbeddingSet` to train on.
      folder: a run folder.
      began: `time.perf_counter()` when the import of TensorFlow began.

    Returns:
      The pair (figures, `Started`).
    """
    imported = time.perf_counter()
    before = machine.resident_memory()
    train = load()
    train.tensor()
    loaded = time.perf_counter()
    grown = machine.resident_memory() - before
    model, _ = build(config, train.dim, folder)
    built = time.perf_counter()
    batch = next(iter(training_dataset(train, config)))
    drawn = time.perf_counter()
    step = tf.function(model.train_step, jit_compile=True)
    step(batch)
    stepped = time.perf_counter()
    figures = {
        "import_seconds": figure(imported - began, "s"),
        "load_seconds": figure(loaded - imported, "s"),
        "build_seconds": figure(built - loaded, "s"),
        "first_batch_seconds": figure(drawn - built, "s"),
        "compile_seconds": figure(stepped - drawn, "s"),
        "first_step_seconds": figure(stepped - began, "s"),
        "load_memory": figure(max(grown, 0.0), "MiB"),
    }
    return figures, Started(train, model, step, batch)


def step_alone(started, seconds):
    """Measure the compiled outer step on the same batch again and again; returns figures."""
    laps = repeat(lambda: started.step(started.batch)["loss"].numpy(), seconds)
    return {
        "step_flops": figure(matrix_products(started.step, started.batch) / 1e9, "GFLOP"),
        "steps_alone_per_second": rate(laps, "steps/s"),
        "step_alone_cpu": cpu_time(laps, "ms"),
    }


def fit(config, train, seconds, folder):
    """Measure outer steps as `fit` takes them, pipeline attached.

    Args:
      config: a `Config`; its `validate_every` decides the steps of one call, see
        `steps_per_call`.
      train: an `EmbeddingSet`.
      seconds: how long, about.
      folder: a run folder.

    Returns:
      The pair (figures, the model).
    """
    model, _ = build(config, train.dim, folder)
    laps = _Laps(seconds, config.validate_every)
    began = time.perf_counter()
    model.fit(
        training_dataset(train, config),
        steps_per_epoch=MANY * config.validate_every,
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
    return figures, model


def steps_per_call(step_seconds, seconds):
    """Outer steps that `fit` shall take a call: as a run does, but with time for five calls."""
    return max(1, min(STEPS_PER_CALL, int(seconds / 5 / step_seconds)))


class _Laps(keras.callbacks.Callback):
    """Read the clocks after every call of the train function; stop when there is enough."""

    def __init__(self, seconds, steps):
        super().__init__()
        self.seconds, self.steps = seconds, steps
        self.laps = []

    def on_train_batch_end(self, batch, logs=None):
        """Note the time."""
        self.laps.append(lap(self.steps))
        self.model.stop_training = enough(self.laps, self.seconds)


def pipeline(config, train, seconds):
    """Measure how fast training batches, episodes and noise, are drawn; returns figures."""
    batches = iter(training_dataset(train, config))
    laps = repeat(lambda: next(batches), seconds)
    return {
        "batches_per_second": rate(laps, "batches/s"),
        "batch_cpu": cpu_time(laps, "ms"),
    }


def evaluation(config, model, test, seconds, folder):
    """Measure meta-test as a run does it: a SavedModel adapts, nearly every image is a query.

    Args:
      config: a `Config`.
      model: a `LEOClassifier`.
      test: the `EmbeddingSet` to test on.
      seconds: how long, about.
      folder: where the SavedModel goes.

    Returns:
      Figures.
    """
    queries = default_queries(test, config.shot)
    export.export(model, folder)
    loaded = export.load(folder)
    evaluator = Evaluator(test, config.way, config.shot, queries, MANY, config.seed)
    laps = []

    def progress(episodes):
        laps.append(lap(episodes))
        if enough(laps, seconds):
            raise _EnoughError

    with contextlib.suppress(_EnoughError):
        evaluator.accuracies(loaded.adapt, progress)
    return {
        "test_queries": figure(queries, "a class"),
        "tasks_tested_per_second": rate(laps, "tasks/s"),
        "task_tested_cpu": cpu_time(laps, "ms"),
    }


class _EnoughError(Exception):
    """Ends an evaluation that has been measured long enough."""


def products(seconds):
    """Measure the machine's rate of a large float32 matrix product, all cores; returns figures."""
    matrix = tf.random.stateless_uniform([MATRIX, MATRIX], [0, 0])
    laps = repeat(lambda: tf.matmul(matrix, matrix)[0, 0].numpy(), seconds)
    per_second = rate(laps, "GFLOP/s")
    scale = 2 * MATRIX**3 / 1e9
    return {
        "product_rate": per_second._replace(
            **{name: scale * getattr(per_second, name) for name in ("median", "low", "high")}
        )
    }
