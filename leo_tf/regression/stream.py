"""The stream of regression training steps: tasks and noise, both functions of (seed, step)."""

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import Episodes, draw_without_replacement
from data_pipeline.function_files import Functions
from data_pipeline.sines_and_lines import SUPPORT, SinesAndLines
from data_pipeline.streams import stream_seed
from leo_tf.config.experiments import Regression
from leo_tf.meta.model import MetaModel
from leo_tf.meta.noise import draw

GRID = 100  # query points of a validation or test task


def training_steps(
    model: MetaModel,
    experiment: Regression,
    *,
    tasks: int | None = None,
    stream: str = "train",
    start: int = 0,
    functions: Functions | None = None,
) -> tf.data.Dataset:
    """Stream training steps: pairs (`Episodes`, noise), drawn ahead on another thread.

    Args:
      model: declares its noise.
      experiment: the sizes of a task, and the seed.
      tasks: tasks in a batch; by default the experiment's.
      stream: name of the stream; different names are independent.
      start: number of the first step; element t is a function of (seed, start + t).
      functions: what tasks are taken from; None for sines and lines. A task has fewer queries than
        the experiment's where the functions have fewer points.

    Returns:
      An endless `tf.data.Dataset`.
    """
    sampler: SinesAndLines | FunctionSampler
    if functions is None:
        sampler = SinesAndLines(support=experiment.points, queries=experiment.queries)
    else:
        sampler = FunctionSampler(functions, experiment.points, experiment.queries)
    tasks = tasks or experiment.tasks
    support, query = (tasks, sampler.support, 1), (tasks, sampler.queries, 1)
    spec = model.noise_spec(Episodes(support, support, query, query))

    @tf.autograph.experimental.do_not_convert
    def steps(step):
        seed = stream_seed(f"{stream}/tasks", experiment.seed, step)
        return sampler(seed, tasks), draw(spec, experiment.seed, step, stream)

    return tf.data.Dataset.counter(start).map(steps, num_parallel_calls=2).prefetch(4)


class FunctionSampler:
    """Sample tasks that are functions known at some points: any of them, equally probable.

    Support and query are distinct points of a function, each equally probable.

    Args:
      functions: `Functions` of more points than `support`.
      support: support points of a task.
      queries: query points of a task, at most; all others where there are fewer.
    """

    def __init__(self, functions: Functions, support: int, queries: int) -> None:
        self.support, self.queries = support, min(queries, functions.points - support)
        self._x, self._y = tf.constant(functions.x), tf.constant(functions.y)

    def __call__(self, seed: tf.Tensor, tasks: int) -> Episodes:
        """Draw `tasks` tasks from an int32 seed pair: `Episodes` as of `SinesAndLines`."""
        seeds = tf.random.split(seed, 2, alg="philox")
        count, points, _ = self._x.shape
        drawn = tf.random.stateless_uniform([tasks], seeds[0], 0, count, tf.int32, alg="philox")
        size = self.support + self.queries
        order = draw_without_replacement(seeds[1], tf.fill([tasks], points), size)
        x, y = (
            tf.gather(tf.gather(values, drawn), order, batch_dims=1)
            for values in (self._x, self._y)
        )
        n = self.support
        return Episodes(x[:, :n], y[:, :n], x[:, n:], y[:, n:])


def held_out_functions(
    functions: Functions, seed: int, episodes: int, stream: str, *, points: int
) -> Episodes:
    """Take functions as tasks to validate or test: some points as support, all others as queries.

    The support of a function does not depend on how many functions are taken.

    Args:
      functions: `Functions` of more points than `points`.
      seed: integer; decides the support, and which functions are taken.
      episodes: how many functions, at most.
      stream: name of the stream of random numbers.
      points: support points of a task.

    Returns:
      `Episodes` of NumPy arrays, functions in the order of their file.
    """
    count = len(functions.x)
    seeds = tf.random.split(stream_seed(stream, seed, 0), 2, alg="philox")
    first = draw_without_replacement(seeds[0], tf.constant([count]), count)[0, :episodes]
    taken, points_of_all = np.sort(first.numpy()), tf.fill([count], functions.points)
    order = draw_without_replacement(seeds[1], points_of_all, functions.points).numpy()[taken]
    x, y = (
        np.take_along_axis(values[taken], order[..., np.newaxis], axis=1)
        for values in (functions.x, functions.y)
    )
    return Episodes(x[:, :points], y[:, :points], x[:, points:], y[:, points:])


def held_out_tasks(
    seed: int, episodes: int, stream: str, *, points: int = SUPPORT, grid: int = GRID
) -> Episodes:
    """Draw tasks to validate, test or show: noisy support, the noise-free function on a grid.

    Args:
      seed: integer.
      episodes: how many.
      stream: name of the stream of random numbers.
      points: support points of a task.
      grid: points of the grid.

    Returns:
      `Episodes` of NumPy arrays.
    """
    sampler = SinesAndLines(support=points, queries=grid, query_grid=True)
    drawn = sampler(stream_seed(stream, seed, 0), episodes)
    return Episodes(*(field.numpy() for field in drawn))
