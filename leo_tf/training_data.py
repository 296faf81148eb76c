"""The stream of training steps: episodes and noise, both functions of (seed, step)."""

import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler, stream_seed, unrewritten
from leo_tf import noise
from leo_tf.noise import Noise


def noise_shapes(config, dim):
    """Shapes of the noise that one training step of a `LEOClassifier` takes.

    Args:
      config: a `Config`.
      dim: size of an embedding.

    Returns:
      A `Noise` of tuples; no masks where nothing is dropped.
    """
    support = (config.tasks, config.way, config.shot)
    query = (config.tasks, config.way, config.queries)
    steps = config.inner_unroll_length + config.finetuning_unroll_length
    shapes = Noise(
        encoder_keep=(*support, dim),
        latent=(*support, config.num_latents),
        decoder=(config.inner_unroll_length + 1, *support, dim),
        support_keep=(steps, *support, dim),
        query_keep=(*query, dim),
    )
    if config.dropout_rate == 0:
        shapes = shapes._replace(encoder_keep=None, support_keep=None, query_keep=None)
    return shapes


def draw_noise(config, dim, seed):
    """Draw the `Noise` of one training step, a function of the seed, int32 [2]."""
    return noise.draw(noise_shapes(config, dim), config.dropout_rate, seed)


def training_dataset(embeddings, config, start=0):
    """Stream training steps: pairs (`Episodes`, `Noise`), drawn ahead on another thread.

    Args:
      embeddings: the `EmbeddingSet` to train on.
      config: a `Config`.
      start: number of the first step; element t is a function of (seed, start + t).

    Returns:
      An endless `tf.data.Dataset`.

    Raises:
      ValueError: if the embeddings are too few for the episodes.
    """
    sampler = EpisodeSampler(embeddings, config.way, config.shot, config.queries, config.tasks)

    def draw(step):
        episodes = sampler.episodes(stream_seed("train/episodes", config.seed, step))
        seed = stream_seed("train/noise", config.seed, step)
        return episodes, draw_noise(config, embeddings.dim, seed)

    steps = tf.data.Dataset.counter(start)
    return unrewritten(steps.map(draw, num_parallel_calls=2).prefetch(4))
