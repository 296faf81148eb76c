"""The stream of regression training steps: tasks and noise, both functions of (seed, step)."""

import tensorflow as tf

from data_pipeline.episodes import Episodes
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
) -> tf.data.Dataset:
    """Stream training steps: pairs (`Episodes`, noise), drawn ahead on another thread.

    Args:
      model: declares its noise.
      experiment: the sizes of a task, and the seed.
      tasks: tasks in a batch; by default the experiment's.
      stream: name of the stream; different names are independent.
      start: number of the first step; element t is a function of (seed, start + t).

    Returns:
      An endless `tf.data.Dataset`.
    """
    sampler = SinesAndLines(support=experiment.points, queries=experiment.queries)
    tasks = tasks or experiment.tasks
    support, query = (tasks, experiment.points, 1), (tasks, experiment.queries, 1)
    spec = model.noise_spec(Episodes(support, support, query, query))

    @tf.autograph.experimental.do_not_convert
    def steps(step):
        seed = stream_seed(f"{stream}/tasks", experiment.seed, step)
        return sampler(seed, tasks), draw(spec, experiment.seed, step, stream)

    return tf.data.Dataset.counter(start).map(steps, num_parallel_calls=2).prefetch(4)


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
