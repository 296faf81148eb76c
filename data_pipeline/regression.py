"""Few-shot regression tasks: sines and lines with noise, as batches drawn from (seed, step).

The task distribution is that of the paper's section 4.1, with the ranges of Finn et al. (2018).
A task sampler is any function `sampler(seed, tasks) -> Episodes`, where `seed` is an int32 pair
for TensorFlow's stateless random ops. `SinesAndLines` is one, `array_sampler` makes one of a
user's arrays, and `regression_batches` turns any of them into a `tf.data` pipeline.
"""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import Episodes

TaskSampler = Callable[[tf.Tensor, int], Episodes]

AMPLITUDE = (0.1, 5.0)
PHASE = (0.0, np.pi)
SLOPE = (-3.0, 3.0)
INTERCEPT = (-3.0, 3.0)
INPUTS = (-5.0, 5.0)
NOISE = 0.3
SUPPORT = 5


@dataclasses.dataclass(frozen=True)
class SinesAndLines:
    """Sample tasks that are a sine or a line, with equal probability.

    A sine is y = A sin(x - phase), A ~ U[0.1, 5], phase ~ U[0, pi]; a line has slope and
    intercept ~ U[-3, 3]. Support inputs are uniform on [-5, 5] and support targets carry
    Gaussian noise.

    Args:
      support: support points of a task.
      queries: query points of a task.
      noise: standard deviation of the noise on support targets, in units of y.
      query_noise: the same for query targets; 0 asks for the function itself.
      query_grid: query points on an even grid over [-5, 5], ends included, instead of uniform
        draws.
    """

    support: int = SUPPORT
    queries: int = 20
    noise: float = NOISE
    query_noise: float = 0.0
    query_grid: bool = False

    def __post_init__(self):
        """Raise ValueError, naming the field, for sizes below 1 and noise that is no deviation."""
        for name in ("support", "queries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("noise", "query_noise"):
            value = getattr(self, name)
            if not (value >= 0 and np.isfinite(value)):
                raise ValueError(f"{name} must be zero or positive, got {value}")

    def __call__(self, seed, tasks: int) -> Episodes:
        """Draw `tasks` tasks from an int32 seed pair.

        Returns:
          `Episodes` of float32: support and support_labels [tasks, support, 1], query and
          query_labels [tasks, queries, 1].
        """
        seeds = tf.random.split(seed, 5)
        evaluate = _functions(seeds[0], tasks)
        support = tf.random.stateless_uniform([tasks, self.support, 1], seeds[1], *INPUTS)
        if self.query_grid:
            grid = tf.linspace(*INPUTS, self.queries)[None, :, None]
            query = tf.tile(tf.cast(grid, tf.float32), [tasks, 1, 1])
        else:
            query = tf.random.stateless_uniform([tasks, self.queries, 1], seeds[2], *INPUTS)
        return Episodes(
            support=support,
            support_labels=_noisy(evaluate(support), self.noise, seeds[3]),
            query=query,
            query_labels=_noisy(evaluate(query), self.query_noise, seeds[4]),
        )


def _functions(seed, tasks):
    """Draw `tasks` sines and lines; return their evaluation, [tasks, n, 1] -> [tasks, n, 1]."""
    unit = tf.random.stateless_uniform([5, tasks, 1, 1], seed)

    def within(index, bounds):
        return bounds[0] + (bounds[1] - bounds[0]) * unit[index]

    is_sine = unit[0] < 0.5
    amplitude, phase = within(1, AMPLITUDE), within(2, PHASE)
    slope, intercept = within(3, SLOPE), within(4, INTERCEPT)

    def evaluate(x):
        return tf.where(is_sine, amplitude * tf.sin(x - phase), slope * x + intercept)

    return evaluate


def _noisy(y, deviation, seed):
    """Add Gaussian noise of the given standard deviation; the draw is skipped at 0."""
    if not deviation:
        return y
    return y + deviation * tf.random.stateless_normal(tf.shape(y), seed)


def step_seed(seed: int, step, stream: str = "train") -> tf.Tensor:
    """Return the int32 seed pair of one step of a named stream.

    Streams of different names, and different seeds, are independent of one another.
    """
    base = [seed & 0x7FFFFFFF, zlib.crc32(stream.encode()) & 0x7FFFFFFF]
    return tf.random.fold_in(tf.constant(base, tf.int32), tf.cast(step, tf.int32))


def regression_batches(
    sampler: TaskSampler, tasks: int, seed: int, *, start: int = 0, stream: str = "train"
) -> tf.data.Dataset:
    """Build the endless pipeline whose element t is `sampler(step_seed(seed, t, stream), tasks)`.

    Args:
      sampler: a function of (seed pair, tasks) giving `Episodes`.
      tasks: tasks in a batch.
      seed: any integer.
      start: step of the first element, for resuming.
      stream: name of the stream, such as "train" or "val".
    """
    if tasks < 1:
        raise ValueError(f"tasks must be at least 1, got {tasks}")
    steps = tf.data.Dataset.counter(start=start)
    batches = steps.map(
        lambda step: sampler(step_seed(seed, step, stream), tasks),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_tasks(tasks: int = 1000, seed: int = 0, queries: int = 100) -> Episodes:
    """Draw the test tasks: noisy support, the noise-free function on a grid over [-5, 5].

    Returns:
      `Episodes` of float32: support [tasks, 5, 1], query [tasks, queries, 1] and their labels.
    """
    sampler = SinesAndLines(queries=queries, query_grid=True)
    return sampler(step_seed(seed, 0, "test"), tasks)


def episodes_from_arrays(support_x, support_y, query_x, query_y) -> Episodes:
    """Check a user's arrays of tasks and return them as float32 `Episodes`.

    Args:
      support_x, support_y: [tasks, points, inputs] and [tasks, points, outputs].
      query_x, query_y: [tasks, queries, inputs] and [tasks, queries, outputs].

    Raises:
      ValueError: an array is not three-dimensional, empty or not finite, or two disagree on
        tasks, points, inputs or outputs; the message names the arrays and their shapes.
    """
    given = {
        "support_x": support_x,
        "support_y": support_y,
        "query_x": query_x,
        "query_y": query_y,
    }
    arrays = {name: np.asarray(value, np.float32) for name, value in given.items()}
    for name, value in arrays.items():
        if value.ndim != 3 or not value.size:
            raise ValueError(f"{name} must be [tasks, points, values], got shape {value.shape}")
        if not np.isfinite(value).all():
            raise ValueError(f"{name} holds NaN or infinite values")
    _require_equal(arrays, "support_x", "support_y", (0, 1))
    _require_equal(arrays, "query_x", "query_y", (0, 1))
    _require_equal(arrays, "support_x", "query_x", (0, 2))
    _require_equal(arrays, "support_y", "query_y", (0, 2))
    return Episodes(
        support=tf.constant(arrays["support_x"]),
        support_labels=tf.constant(arrays["support_y"]),
        query=tf.constant(arrays["query_x"]),
        query_labels=tf.constant(arrays["query_y"]),
    )


def _require_equal(arrays, first, second, axes):
    """Raise ValueError unless two arrays have the same size along each of `axes`."""
    for axis in axes:
        if arrays[first].shape[axis] != arrays[second].shape[axis]:
            raise ValueError(
                f"{first} {arrays[first].shape} and {second} {arrays[second].shape} "
                f"differ in axis {axis}"
            )


def array_sampler(episodes: Episodes) -> TaskSampler:
    """Make a sampler that draws tasks from `episodes`, uniformly and with replacement."""
    available = episodes.support.shape[0]

    def sample(seed, tasks):
        chosen = tf.random.stateless_uniform([tasks], seed, 0, available, tf.int32)
        return Episodes(*(tf.gather(field, chosen) for field in episodes))

    return sample
