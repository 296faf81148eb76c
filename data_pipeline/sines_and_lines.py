"""Few-shot regression tasks: sines and lines with noise.

The task distribution is that of the paper's section 4.1, with the ranges of Finn et al. (2018).
"""

import dataclasses

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import Episodes

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

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, for sizes below 1 and noise that is no deviation."""
        for name in ("support", "queries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("noise", "query_noise"):
            value = getattr(self, name)
            if not (value >= 0 and np.isfinite(value)):
                raise ValueError(f"{name} must be zero or positive, got {value}")

    def __call__(self, seed: tf.Tensor, tasks: int) -> Episodes:
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
