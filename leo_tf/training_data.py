"""The stream of training steps: episodes and noise, both functions of (seed, step)."""

import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler, stream_seed
from leo_tf.noise import Noise, keep_mask, standard_normal


def draw_noise(config, dim, seed):
    """Draw the `Noise` of one training step.

    Args:
      config: a `Config`.
      dim: size of an embedding.
      seed: int32 [2].

    Returns:
      A `Noise`, float32 and bool.
    """
    support = (config.tasks, config.way, config.shot)
    query = (config.tasks, config.way, config.queries)
    steps = config.inner_unroll_length + config.finetuning_unroll_length
    seeds = tf.random.split(seed, 5, alg="philox")
    rate = config.dropout_rate
    return Noise(
        encoder_keep=keep_mask((*support, dim), rate, seeds[0]),
        latent=standard_normal((*support, config.num_latents), seeds[1]),
        decoder=standard_normal((config.inner_unroll_length + 1, *support, dim), seeds[2]),
        support_keep=keep_mask((steps, *support, dim), rate, seeds[3]),
        query_keep=keep_mask((*query, dim), rate, seeds[4]),
    )


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

    return tf.data.Dataset.counter(start).map(draw, num_parallel_calls=2).prefetch(4)
