"""The stream of regression training steps: tasks and noise, both functions of (seed, step)."""

import tensorflow as tf

from data_pipeline.episodes import stream_seed
from data_pipeline.regression import step_seed
from leo_tf import noise
from leo_tf.noise import Noise


def sample_noise(model, latent, params):
    """Make the noise of samples that keep theirs through all decodes.

    Args:
      model: a `LEORegressor`.
      latent: standard normal, [tasks or 1, samples, num_latents].
      params: standard normal, [tasks or 1, samples, num_parameters].

    Returns:
      A `Noise`.
    """
    return Noise(None, latent, (params,) * (model.inner_unroll_length + 1), None, None)


def fixed_noise(model, samples):
    """Noise of the k-th sample of any task, the same in every call and for all tasks.

    A task's samples then do not depend on the tasks beside it, nor on how many there are.

    Args:
      model: a `LEORegressor`.
      samples: integer, or an integer scalar tensor.

    Returns:
      A `Noise` of [1, samples, ...].
    """
    num_latents, size = model.inner_lr.shape[0], model.decoder.dim
    latent = tf.random.stateless_normal([1, samples, num_latents], [0, 0], alg="philox")
    params = tf.random.stateless_normal([1, samples, size], [0, 1], alg="philox")
    return sample_noise(model, latent, params)


def training_steps(model, sampler, tasks, samples, seed, *, stream="train", start=0):
    """Stream training steps: pairs (`Episodes`, `Noise`), drawn ahead on another thread.

    Args:
      model: a `LEORegressor`, for its sizes; or a `MAML`, which takes no noise.
      sampler: a `data_pipeline.regression.TaskSampler`.
      tasks: tasks in a batch.
      samples: networks per task; 0 for no noise.
      seed: integer.
      stream: name of the stream; different names are independent.
      start: number of the first step; element t is a function of (seed, start + t).

    Returns:
      An endless `tf.data.Dataset`.
    """

    def draw(step):
        episodes = sampler(step_seed(seed, step, f"{stream}/tasks"), tasks)
        if not samples:
            return episodes, None
        shapes = Noise(
            encoder_keep=None,
            latent=(tasks, samples, model.inner_lr.shape[0]),
            decoder=(tasks, samples, model.decoder.dim),
            support_keep=None,
            query_keep=None,
        )
        drawn = noise.draw(shapes, 0.0, stream_seed(f"{stream}/noise", seed, step))
        return episodes, sample_noise(model, drawn.latent, drawn.decoder)

    return tf.data.Dataset.counter(start).map(draw, num_parallel_calls=2).prefetch(4)
